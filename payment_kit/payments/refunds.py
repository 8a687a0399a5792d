"""Refunds: an amount is in the currency of the payment, and no more than is left of it."""

from payment_kit.errors import Refused, UsageProblem
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Attempt, Outcome, Request
from payment_kit.payments.payment_intents import require_currency
from payment_kit.payments.resources import Target

# Stripe gives this refusal no code of its own.
_TOO_MUCH = "greater than unrefunded amount"


async def create(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Refund a payment; without `amount` all that is left.

    Raises `Refused` STRIPE_STATE when less than `amount` is left. Stripe reads an amount in the payment's currency
    whatever the caller meant, so another currency is refused here.
    """
    given = dict(params)
    currency = given.pop("currency", None)
    if currency is not None:
        await require_currency(desk, given["payment_intent"], currency, field="payment_intent")

    async def work(attempt: Attempt) -> Payload:
        try:
            return await attempt.post(target.path, given)
        except UsageProblem as problem:
            if problem.field == "amount" and _TOO_MUCH in problem.what:
                raise Refused("STRIPE_STATE", problem.what, metadata=problem.metadata, field="amount") from None
            raise

    return await desk.writes.once(request, work)
