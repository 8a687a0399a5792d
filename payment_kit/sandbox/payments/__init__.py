"""Money in: intents, charges, refunds, disputes, payment methods."""
