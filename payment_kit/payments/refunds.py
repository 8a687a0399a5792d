"""Refunds: give a payment back in whole or in part, and read what became of it."""

from collections.abc import Mapping

from payment_kit.errors import NotFound, Refused, UsageProblem
from payment_kit.money import Money
from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload, given
from payment_kit.payments.idempotency import Attempt, Request

PATH = "/v1/refunds"
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
# Stripe gives this refusal no code of its own.
_TOO_MUCH = "greater than unrefunded amount"


async def create(
    desk: Desk,
    request: Request,
    *,
    payment_intent: str,
    amount: Money | None,
    reason: str | None,
    metadata: Mapping[str, str],
) -> Payload:
    """Refund a payment; without `amount` all that is left. `reason` is one of `REASONS` or None.

    Raises `Refused` STRIPE_STATE when less than `amount` is left. Stripe reads an amount in the payment's currency
    whatever the caller meant, so another currency is refused here.
    """
    rules.id_of("payment_intent", "payment_intent", payment_intent)
    rules.metadata("metadata", metadata)
    if reason is not None and reason not in REASONS:
        rules.invalid("reason", "reason is not one this version knows.")
    if amount is not None:
        rules.money("amount", *amount)
        await _check_currency(desk, payment_intent, amount.currency)
    params = given(
        payment_intent=payment_intent,
        amount=amount.minor if amount else None,
        reason=reason,
        metadata=dict(metadata),
        expand=["charge"],
    )

    async def work(attempt: Attempt) -> Payload:
        try:
            return await attempt.post(PATH, params)
        except UsageProblem as problem:
            if problem.field == "amount" and _TOO_MUCH in problem.what:
                raise Refused("STRIPE_STATE", problem.what, metadata=problem.metadata, field="amount") from None
            raise

    return (await desk.writes.once(request, work)).payload


async def get(desk: Desk, id_: str) -> Payload:
    """The mirrored refund."""
    return await desk.reader.get("refund", rules.id_of("refund", "id", id_))


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
