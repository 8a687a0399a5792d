"""Payment intents: amounts are in the currency of the payment."""

from payment_kit.errors import NotFound
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.payments import intents, rules
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Outcome, Request
from payment_kit.payments.resources import Target


async def capture(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Take what was authorised; without `amount_to_capture` all of it."""
    given = dict(params)
    currency = given.pop("currency", None)
    if currency is not None:
        await require_currency(desk, target.id, currency, field="id")
    return await intents.write(desk, request, target, given)


async def require_currency(desk: Desk, payment_intent: str, currency: str, *, field: str) -> None:
    """Refuse an amount in another currency than the payment's, which Stripe would read in that of the payment.

    `field` of the request names the payment. Raises `UsageProblem` FIELD_INVALID or `NotFound`.
    """
    found = await desk.reader.find("payment_intent", payment_intent)
    try:
        path = f"{CATALOGUE['payment_intent'].path}/{payment_intent}"
        intent = found.payload if found else (await desk.gateway.request("get", path)).body
    except NotFound as problem:
        raise NotFound("RESOURCE_NOT_FOUND", problem.what, metadata=problem.metadata, field=field) from None
    if intent["currency"] != currency:
        rules.invalid("amount.currency", f"amount.currency must be {intent['currency']}, the currency of the payment.")
