"""What apps do with Stripe's resources: check, ask Stripe, write the answer into the mirror, answer."""
