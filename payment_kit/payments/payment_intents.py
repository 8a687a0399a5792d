"""Payment intents: create and pay, read, confirm, cancel.

The client secret lets a browser finish a payment. It is handed to whoever makes the write and stored nowhere; a
repeated write fetches it from Stripe again while the payment still needs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from payment_kit.money import Money
from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload, given
from payment_kit.payments.idempotency import Attempt, Request, Work

PATH = "/v1/payment_intents"
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")
"""States in which the customer's browser can still use the client secret."""
WITH_CHARGE = {"expand": ["latest_charge"]}


@dataclass(frozen=True, slots=True)
class Draft:
    """A payment as it is asked for; empty texts are unset, `amount` is more than zero."""

    amount: Money
    customer: str = ""
    payment_method: str = ""
    confirm: bool = False
    off_session: bool = False
    save_payment_method: bool = False
    capture_manually: bool = False
    description: str = ""
    receipt_email: str = ""
    return_url: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


async def create(desk: Desk, request: Request, draft: Draft) -> Payload:
    """A new payment intent, paid at once with `confirm`; raises `Declined` when the bank refuses."""
    _check(draft)
    params = _params(draft)

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(PATH, params)

    return await _answer(desk, request, work)


async def get(desk: Desk, id_: str) -> Payload:
    """The mirrored payment intent, without its client secret."""
    return await desk.reader.get("payment_intent", rules.id_of("payment_intent", "id", id_))


async def confirm(
    desk: Desk, request: Request, id_: str, *, payment_method: str, off_session: bool, return_url: str
) -> Payload:
    """Try to pay; raises `Declined` when the bank refuses. An empty `payment_method` keeps the one chosen."""
    path = f"{PATH}/{rules.id_of('payment_intent', 'id', id_)}/confirm"
    rules.optional_id("payment_method", "payment_method", payment_method)
    params = given(payment_method=payment_method, off_session=off_session or None, return_url=return_url) | WITH_CHARGE

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(path, params, changes=("payment_intent", id_))

    return await _answer(desk, request, work)


async def cancel(desk: Desk, request: Request, id_: str, *, reason: str | None) -> Payload:
    """Give a payment up; `reason` is one of `CANCELLATION_REASONS` or None."""
    path = f"{PATH}/{rules.id_of('payment_intent', 'id', id_)}/cancel"
    if reason is not None and reason not in CANCELLATION_REASONS:
        rules.invalid("reason", "reason is not one this version knows.")
    params = given(cancellation_reason=reason)

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(path, params, changes=("payment_intent", id_))

    return await _answer(desk, request, work)


def _check(draft: Draft) -> None:
    rules.money("amount", *draft.amount)
    rules.optional_id("customer", "customer", draft.customer)
    rules.optional_id("payment_method", "payment_method", draft.payment_method)
    rules.metadata("metadata", draft.metadata)
    if draft.confirm and not draft.payment_method:
        rules.invalid("payment_method", "payment_method is required with confirm.")
    if draft.off_session and not draft.confirm:
        rules.invalid("off_session", "off_session is for a payment that is confirmed at once.")
    if draft.return_url and not draft.confirm:
        rules.invalid("return_url", "return_url is for a payment that is confirmed at once.")


def _params(draft: Draft) -> Payload:
    redirects = "always" if draft.return_url else "never"
    return (
        given(
            amount=draft.amount.minor,
            currency=draft.amount.currency,
            customer=draft.customer,
            payment_method=draft.payment_method,
            confirm=draft.confirm or None,
            off_session=draft.off_session or None,
            setup_future_usage="off_session" if draft.save_payment_method else None,
            capture_method="manual" if draft.capture_manually else None,
            description=draft.description,
            receipt_email=draft.receipt_email,
            return_url=draft.return_url,
            metadata=dict(draft.metadata),
            automatic_payment_methods={"enabled": True, "allow_redirects": redirects},
        )
        | WITH_CHARGE
    )


async def _answer(desk: Desk, request: Request, work: Work) -> Payload:
    outcome = await desk.writes.once(request, work)
    payload = outcome.payload
    if not outcome.replayed or payload.get("status") not in UNFINISHED:
        return payload
    now = (await desk.gateway.request("get", f"{PATH}/{payload['id']}")).body
    if now.get("status") not in UNFINISHED:
        return payload
    return {**payload, "client_secret": now.get("client_secret")}
