"""Previews: the invoice that would come of what is asked, worked out by doing it and taking all of it back.

So a preview cannot differ from what happens when the same is really done (docs.stripe.com/api/invoices/create_preview).
"""

from typing import Any

from payment_kit.sandbox.billing import changes, drafts, ending, items, lines, pricing, renewal, subscriptions
from payment_kit.sandbox.billing import subscription_params as subscription
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import ApiError, missing
from payment_kit.sandbox.form import Kind, array, boolean, currency, decimal, fields, integer, one_of, string
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row

DEFAULT_CURRENCY = "usd"
# what of ``subscription_details`` is no parameter of a change
_APART = {"cancel_now"}


def create_preview(call: Call) -> Row:
    """POST /v1/invoices/create_preview: of pending items, a subscription as it is or as it would be, or a new one.

    Its lines are all in it. Raises 404 when nothing would be invoiced, and what the change itself would raise.
    """
    try:
        return _previewed(call)
    finally:
        call.undo()


def _previewed(call: Call) -> Row:
    params = call.params
    details = params.get("subscription_details") or {}
    row = call.referenced("subscription", "subscription")
    owner = params.get("customer") or (row or {}).get("customer")
    if owner is None:
        raise missing("customer")
    customer = call.find("customer", owner, "customer", 400)
    if row is None and not details.get("items"):
        row = _next(call, customer)
    code = params.get("currency") or (row or customer)["currency"] or DEFAULT_CURRENCY
    if params.get("preview_mode") == "recurring":
        for item in call.store.tables["invoiceitem"].having("_pending", customer["id"]):
            items.join(call, item, "none")
    for at, asked in enumerate(params.get("invoice_items") or ()):
        _item(call, customer, asked, code, f"invoice_items[{at}]")
    if row is not None:
        return _of_subscription(call, row, customer, details)
    if details.get("items"):
        return _of_new(call, customer, details, code)
    waiting = items.pending(call.store, customer["id"], code, None)
    if not waiting:
        raise _nothing(customer)
    found = discounts.resolve(call, params.get("discounts"), customer=customer, currency=code, invoice="preview")
    return drafts.preview(call, customer, currency=code, discounts=found)


def _next(call: Call, customer: Row) -> Row | None:
    """The customer's subscription that is invoiced next."""
    alive = [
        row
        for row in call.store.tables["subscription"].having("customer", customer["id"])
        if row["status"] not in (*rows.ENDED, "incomplete")
    ]
    ends = [(min(item["current_period_end"] for item in rows.items_of(call.store, row["id"])), row) for row in alive]
    return min(ends, key=lambda pair: pair[0])[1] if ends else None


def _of_subscription(call: Call, row: Row, customer: Row, details: dict[str, Any]) -> Row:
    """The next invoice of a subscription after what `details` change on it, or the one the change makes at once."""
    before = row["latest_invoice"]
    wanted = {name: value for name, value in details.items() if name not in _APART}
    if call.params.get("discounts") is not None:
        wanted["discounts"] = call.params["discounts"]
    if wanted:
        row = changes.update(call, row, wanted)
    if details.get("cancel_now"):
        prorate = details.get("proration_behavior") != "none"
        row = ending.cancel(call, row, row["cancellation_details"], prorate=prorate, invoice_now=True)
    if row["latest_invoice"] not in (before, None):
        return _made(call, row["latest_invoice"])
    waiting = items.pending(call.store, customer["id"], row["currency"], row)
    if row["status"] in rows.ENDED or (_ends(call, row) and not waiting):
        raise _nothing(customer)
    return renewal.upcoming(call, row)


def _ends(call: Call, row: Row) -> bool:
    """Whether it is over before it would be renewed."""
    periods = [item["current_period_end"] for item in rows.items_of(call.store, row["id"])]
    return row["cancel_at"] is not None and bool(row["cancel_at"] <= min(periods))


def _of_new(call: Call, customer: Row, details: dict[str, Any], code: str) -> Row:
    """The first invoice of a subscription that is made of `details`."""
    wanted = {
        name: value
        for name, value in details.items()
        if name not in (*_APART, "billing_cycle_anchor", "proration_date")
    }
    wanted |= {"customer": customer["id"], "currency": code, "payment_behavior": "default_incomplete"}
    if call.params.get("discounts") is not None:
        wanted["discounts"] = call.params["discounts"]
    row = subscriptions.create(call, wanted)
    if row["latest_invoice"] is None:
        return renewal.upcoming(call, row)
    return _made(call, row["latest_invoice"])


def _made(call: Call, id_: str) -> Row:
    """An invoice that was really made, as it looked while it was a draft."""
    invoice = call.find("invoice", id_)
    listed = [public(line) for line in lines.of_invoice(call.store, invoice)]
    return drafts.as_preview(call, invoice, listed)


def _item(call: Call, customer: Row, asked: dict[str, Any], code: str, inside: str) -> None:
    """An item that would be pending, or a pending one as it would be after a change."""
    if asked.get("invoiceitem"):
        item = call.find("invoiceitem", asked["invoiceitem"], f"{inside}[invoiceitem]", 400)
        items.join(call, item, "none")
        price = (item["pricing"].get("price_details") or {}).get("price")
        kept = {"amount": item["amount"]} if price is None else {"price": price, "quantity": item["quantity"]}
        asked = {"currency": item["currency"], "description": item["description"], **kept, **asked}
    cost = pricing.cost(call, asked, code, inside)
    reduced = discounts.resolve(call, asked.get("discounts"), customer=customer, currency=cost.currency)
    items.add(call, customer, **pricing.asked(call, asked, cost, inside), discounts=reduced)


def _nothing(customer: Row) -> ApiError:
    message = f"No upcoming invoices for customer: {customer['id']}"
    return ApiError(404, message, code="invoice_upcoming_none")


_ITEM: dict[str, Kind] = {
    **pricing.SHARED,
    "currency": currency,
    "invoiceitem": string,
    "price": string,
    "unit_amount": integer,
    "unit_amount_decimal": decimal,
}
_NAMES = ("cancel_at", "cancel_at_period_end", "default_tax_rates", "proration_behavior", "trial_end")
_DETAILS: dict[str, Kind] = {
    **{name: subscription.SHARED[name] for name in _NAMES},
    **{name: subscription.UPDATE[name] for name in ("billing_cycle_anchor", "items", "proration_date")},
    "billing_mode": subscription.BILLING_MODE,
    "cancel_now": boolean,
}
_PREVIEW = {
    **EXPAND,
    "currency": currency,
    "customer": string,
    "discounts": discounts.DISCOUNTS,
    "invoice_items": array(fields(_ITEM)),
    "preview_mode": one_of("next", "recurring"),
    "subscription": string,
    "subscription_details": fields(_DETAILS),
}

ENDPOINTS = (Endpoint("POST", "invoices/create_preview", create_preview, _PREVIEW),)
