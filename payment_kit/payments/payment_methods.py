"""Payment methods: save one to a customer, read, change, detach, list. Card numbers never come here."""

from collections.abc import Mapping
from typing import Any

from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload, given, replaced_metadata
from payment_kit.payments.idempotency import Attempt, Request
from payment_kit.payments.reading import Page

PATH = "/v1/payment_methods"
CHANGEABLE = ("billing_details.name", "billing_details.email", "card.exp_month", "card.exp_year", "metadata")


async def create(
    desk: Desk,
    request: Request,
    *,
    customer: str,
    card_token: str,
    payment_method: str,
    billing_name: str,
    billing_email: str,
    metadata: Mapping[str, str],
) -> Payload:
    """Save a card to a customer: one made from a token of Stripe.js, or an unattached payment method.

    Exactly one of `card_token` and `payment_method` is not empty. A shared test id such as ``pm_card_visa`` gives a
    payment method with an id of its own.
    """
    rules.id_of("customer", "customer", customer)
    rules.metadata("metadata", metadata)
    billing = given(name=billing_name, email=billing_email)
    details = given(billing_details=billing, metadata=dict(metadata))
    if card_token:
        rules.id_of("token", "card_token", card_token)
    elif payment_method:
        rules.id_of("payment_method", "payment_method", payment_method)
    else:
        rules.invalid("source", "source is required: a card_token or a payment_method.")

    async def work(attempt: Attempt) -> Payload:
        if card_token:
            params = {"type": "card", "card": {"token": card_token}, **details}
            made = await attempt.post(PATH, params, step="create")
            return await attempt.post(f"{PATH}/{made['id']}/attach", {"customer": customer}, step="attach")
        attached = await attempt.post(f"{PATH}/{payment_method}/attach", {"customer": customer}, step="attach")
        if not details:
            return attached
        return await attempt.post(f"{PATH}/{attached['id']}", details, step="details")

    return (await desk.writes.once(request, work)).payload


async def get(desk: Desk, id_: str) -> Payload:
    """The mirrored payment method."""
    return await desk.reader.get("payment_method", rules.id_of("payment_method", "id", id_))


async def update(desk: Desk, request: Request, id_: str, changes: Mapping[str, Any]) -> Payload:
    """Change the fields in `changes` (names in `CHANGEABLE`) of a saved payment method; metadata is replaced."""
    path = f"{PATH}/{rules.id_of('payment_method', 'payment_method.id', id_)}"
    rules.metadata("payment_method.metadata", changes.get("metadata", {}))
    if "card.exp_month" in changes and not 1 <= changes["card.exp_month"] <= 12:
        rules.invalid("payment_method.card.exp_month", "payment_method.card.exp_month must be 1 to 12.")
    if "card.exp_year" in changes and not 2000 <= changes["card.exp_year"] <= 2100:
        rules.invalid("payment_method.card.exp_year", "payment_method.card.exp_year must have four digits.")
    params: Payload = {}
    for name in changes.keys() - {"metadata"}:
        group, _, leaf = name.partition(".")
        params.setdefault(group, {})[leaf] = changes[name]

    async def work(attempt: Attempt) -> Payload:
        if "metadata" in changes:
            params["metadata"] = await replaced_metadata(attempt, path, changes["metadata"])
        return await attempt.post(path, params, changes=("payment_method", id_))

    return (await desk.writes.once(request, work)).payload


async def delete(desk: Desk, request: Request, id_: str) -> Payload:
    """Detach it from its customer, for good; the answer has no customer any more."""
    path = f"{PATH}/{rules.id_of('payment_method', 'id', id_)}/detach"

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(path, {}, changes=("payment_method", id_))

    return (await desk.writes.once(request, work)).payload


async def list_(desk: Desk, *, customer: str, page_size: int, page_token: str) -> Page:
    """One page of a customer's mirrored payment methods, newest first."""
    filters = {"customer": rules.id_of("customer", "customer", customer)}
    return await desk.reader.list("payment_method", filters, page_size=page_size, page_token=page_token)
