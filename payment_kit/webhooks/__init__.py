"""The HTTP door for Stripe's webhooks."""
