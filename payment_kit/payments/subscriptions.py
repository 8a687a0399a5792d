"""Subscriptions: what no option of the contract says."""

from payment_kit.payments import resources
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Outcome, Request
from payment_kit.payments.resources import Target


async def resume(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Collect again: an empty `pause_collection` ends it (docs.stripe.com/billing/subscriptions/pause-payment)."""
    return await resources.write(desk, request, target, {**params, "pause_collection": ""})
