"""The only door to Stripe: one way to ask, one shape of answer, one translation of failures."""

from payment_kit.stripe_gateway.budget import Budget
from payment_kit.stripe_gateway.gateway import Page, Reply, StripeGateway

__all__ = ["Budget", "Page", "Reply", "StripeGateway"]
