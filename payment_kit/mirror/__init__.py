"""The mirror: Stripe's objects as rows, whatever the order, loss or repetition of what Stripe sends."""
