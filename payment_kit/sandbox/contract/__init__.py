"""The contract suite: steps a client takes, the same against the sandbox and against Stripe, and how they compare."""
