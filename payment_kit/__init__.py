"""payment_kit: Stripe in your own PostgreSQL."""
