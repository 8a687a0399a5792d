"""Payment intents: what is asked besides the contract's own rules, and the client secret.

The client secret lets a browser finish a payment. It is handed to whoever makes the write and stored nowhere; a
repeated write fetches it from Stripe again while the payment still needs it.
"""

from payment_kit.errors import NotFound
from payment_kit.payments import resources, rules
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Outcome, Request
from payment_kit.payments.resources import Target

PATH = "/v1/payment_intents"
UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")
"""States in which the customer's browser can still use the client secret."""


async def create(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """A new payment intent, paid at once with `confirm`; raises `Declined` when the bank refuses."""
    if params.get("confirm") and "payment_method" not in params:
        rules.invalid("payment_method", "payment_method is required with confirm.")
    for name in ("off_session", "return_url"):
        if name in params and not params.get("confirm"):
            rules.invalid(name, f"{name} is for a payment that is confirmed at once.")
    redirects = "always" if "return_url" in params else "never"
    automatic = {"automatic_payment_methods": {"enabled": True, "allow_redirects": redirects}}
    return await write(desk, request, target, params | automatic)


async def capture(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """Take what was authorised; without `amount_to_capture` all of it."""
    given = dict(params)
    currency = given.pop("currency", None)
    if currency is not None:
        await require_currency(desk, target.id, currency, field="id")
    return await write(desk, request, target, given)


async def require_currency(desk: Desk, payment_intent: str, currency: str, *, field: str) -> None:
    """Refuse an amount in another currency than the payment's, which Stripe would read in that of the payment.

    `field` of the request names the payment. Raises `UsageProblem` FIELD_INVALID or `NotFound`.
    """
    found = await desk.reader.find("payment_intent", payment_intent)
    try:
        intent = found.payload if found else (await desk.gateway.request("get", f"{PATH}/{payment_intent}")).body
    except NotFound as problem:
        raise NotFound("RESOURCE_NOT_FOUND", problem.what, metadata=problem.metadata, field=field) from None
    if intent["currency"] != currency:
        rules.invalid("amount.currency", f"amount.currency must be {intent['currency']}, the currency of the payment.")


async def write(desk: Desk, request: Request, target: Target, params: Payload) -> Outcome:
    """As every write, with the client secret in the answer for as long as it is of use."""
    outcome = await resources.write(desk, request, target, params)
    payload = outcome.payload
    if not outcome.replayed or payload.get("status") not in UNFINISHED:
        return outcome
    now = (await desk.gateway.request("get", f"{PATH}/{payload['id']}")).body
    if now.get("status") not in UNFINISHED:
        return outcome
    return Outcome({**payload, "client_secret": now.get("client_secret")}, replayed=True)
