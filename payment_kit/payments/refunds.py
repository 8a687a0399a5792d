"""Refunds: an amount is in the currency of the payment, and no more than is left of it."""

from payment_kit.errors import NotFound, Refused, UsageProblem
from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Attempt, Outcome, Request
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
        await _check_currency(desk, given["payment_intent"], currency)

    async def work(attempt: Attempt) -> Payload:
        try:
            return await attempt.post(target.path, given)
        except UsageProblem as problem:
            if problem.field == "amount" and _TOO_MUCH in problem.what:
                raise Refused("STRIPE_STATE", problem.what, metadata=problem.metadata, field="amount") from None
            raise

    return await desk.writes.once(request, work)


async def _check_currency(desk: Desk, payment_intent: str, currency: str) -> None:
    found = await desk.reader.find("payment_intent", payment_intent)
    try:
        intent = (
            found.payload
            if found
            else (await desk.gateway.request("get", f"/v1/payment_intents/{payment_intent}")).body
        )
    except NotFound as problem:
        raise NotFound("RESOURCE_NOT_FOUND", problem.what, metadata=problem.metadata, field="payment_intent") from None
    if intent["currency"] != currency:
        rules.invalid("amount.currency", f"amount.currency must be {intent['currency']}, the currency of the payment.")
