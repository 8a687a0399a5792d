"""Invoices: what a customer owes and how it came to be paid. The API, and the names other parts bill by."""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import collection, drafts, items, lines, pricing
from payment_kit.sandbox.billing.collection import collect, pay
from payment_kit.sandbox.billing.drafts import draft, preview
from payment_kit.sandbox.billing.lifecycle import finalize, mark_uncollectible, void
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META, RANGE, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError, invalid, missing, wrong_state
from payment_kit.sandbox.form import Kind, array, boolean, currency, fields, integer, one_of, string
from payment_kit.sandbox.params import SHIPPING
from payment_kit.sandbox.parts import merged, shipping
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row

__all__ = ("Line", "collect", "draft", "finalize", "mark_uncollectible", "pay", "preview", "void")

CUSTOM_FIELDS_MAX = 4
DEFAULT_CURRENCY = "usd"
# what can still be changed once an invoice is finalized (docs.stripe.com/api/invoices/update)
CHANGEABLE_WHEN_FINAL = {"auto_advance", "default_payment_method", "metadata"}
_PLAIN = (
    "auto_advance",
    "automatically_finalizes_at",
    "collection_method",
    "default_payment_method",
    "description",
    "due_date",
    "effective_at",
    "footer",
    "number",
    "statement_descriptor",
)


def create_invoice(call: Call) -> Row:
    """POST /v1/invoices: a draft, empty unless pending items are included or a subscription is named."""
    params = call.params
    subscription = call.referenced("subscription", "subscription") if params.get("subscription") else None
    owner = params.get("customer") or (subscription or {}).get("customer")
    if owner is None:
        raise missing("customer")
    customer = call.find("customer", owner, "customer", 400)
    code = params.get("currency") or (subscription or customer)["currency"] or DEFAULT_CURRENCY
    include = subscription is not None or params.get("pending_invoice_items_behavior") == "include"
    if subscription is not None and not items.pending(call.store, customer["id"], code, subscription):
        raise ApiError(400, "Nothing to invoice for subscription", code="invoice_no_subscription_line_items")
    id_ = call.new_id("invoice")
    fields = {"collection_method": "charge_automatically", "auto_advance": False, **_changes(call, customer)}
    _terms({**fields, "due_date": params.get("due_date")}, params, call.now)
    return drafts.draft(
        call,
        customer,
        id_=id_,
        billing_reason="manual" if subscription is None else "subscription_update",
        currency=code,
        subscription=subscription,
        pending_items=include,
        days_until_due=params.get("days_until_due"),
        discounts=_discounts(call, customer, id_, code),
        default_tax_rates=pricing.tax_rates(call, params.get("default_tax_rates"), "default_tax_rates"),
        metadata=merged({}, params),
        **fields,
    )


def update_invoice(call: Call) -> Row:
    """POST /v1/invoices/{id}: all of a draft, little of a final invoice."""
    invoice, params = call.find("invoice", call.path[0], "invoice"), call.params
    customer = call.store.get("customer", invoice["customer"]) or {}
    changes = _changes(call, customer) | {"metadata": merged(invoice, params)}
    if invoice["status"] != "draft":
        if not params.keys() - {"expand"} <= CHANGEABLE_WHEN_FINAL:
            raise wrong_state("This invoice is no longer editable", "invoice_not_editable")
        return call.change(invoice, "invoice.updated", **changes, **_advance(call, invoice))
    _terms({**invoice, **changes}, params, call.now)
    if "discounts" in params:
        found = _discounts(call, customer, invoice["id"], invoice["currency"])
        changes["discounts"] = [discount["id"] for discount in found]
    if "default_tax_rates" in params:
        rates = pricing.tax_rates(call, params["default_tax_rates"], "default_tax_rates")
        changes["default_tax_rates"] = [public(rate) for rate in rates]
    if params.keys() & {"days_until_due", "due_date"}:
        changes |= {"due_date": params.get("due_date"), "_days_until_due": params.get("days_until_due")}
    if params.keys() & {"auto_advance", "automatically_finalizes_at", "collection_method"}:
        timed = {**invoice, "automatically_finalizes_at": None, **changes}
        changes |= drafts.timetable(timed, call.now)
    return drafts.keep(call, invoice, lines.of_invoice(call.store, invoice), **changes)


def _changes(call: Call, customer: Row) -> dict[str, Any]:
    """The invoice's fields that the call names and that are taken as they are."""
    params = call.params
    changes: dict[str, Any] = {name: params[name] for name in _PLAIN if name in params}
    if "shipping_details" in params:
        changes["shipping_details"] = shipping(params["shipping_details"])
    if "custom_fields" in params:
        changes["custom_fields"] = params["custom_fields"] or None
        if len(params["custom_fields"]) > CUSTOM_FIELDS_MAX:
            raise invalid("custom_fields", f"You can have at most {CUSTOM_FIELDS_MAX} custom fields.")
    method = call.referenced("payment_method", "default_payment_method")
    if method is not None and method["customer"] != customer.get("id"):
        message = "The customer does not have a payment method with this ID attached."
        raise ApiError(400, message, param="default_payment_method")
    return changes


def _terms(invoice: Row, params: dict[str, Any], now: int) -> None:
    """Raises 400 when the terms of payment do not fit how the invoice is collected, or lie in the past."""
    for name in ("automatically_finalizes_at", "due_date"):
        if params.get(name) is not None and params[name] <= now:
            raise invalid(name, f"Invalid timestamp: {name} must be in the future.")
    if (params.get("days_until_due") or 0) < 0:
        raise invalid("days_until_due", "Invalid non-negative integer", "parameter_invalid_integer")
    if invoice["collection_method"] is None:
        raise invalid("collection_method", "You cannot unset 'collection_method'.", "parameter_invalid_empty")
    given = [name for name in ("days_until_due", "due_date") if params.get(name) is not None]
    if invoice["collection_method"] == "charge_automatically":
        if given:
            message = f"You can only set {given[0]} if collection_method is set to 'send_invoice'."
            raise invalid(given[0], message)
    elif not given and invoice.get("due_date") is None and invoice.get("_days_until_due") is None:
        message = "You must specify `days_until_due` or `due_date` when `collection_method` is `send_invoice`."
        raise invalid("days_until_due", message, "parameter_missing")
    elif len(given) > 1:
        raise invalid("due_date", "You may only specify one of these parameters: days_until_due, due_date.")


def _discounts(call: Call, customer: Row, invoice: str, code: str) -> list[Row]:
    """The discounts the call gives the invoice; without the parameter those of its customer."""
    if "discounts" in call.params:
        return discounts.resolve(call, call.params["discounts"], customer=customer, currency=code, invoice=invoice)
    own = customer.get("discount")
    held = discounts.held(call.store, [own["id"]]) if own else []
    return [discount for discount in held if discounts.running(discount, call.now)]


def _advance(call: Call, invoice: Row) -> dict[str, Any]:
    """Switching a final invoice's automatic collection off and on."""
    advance = call.params.get("auto_advance")
    if advance is None or invoice["status"] != "open" or invoice["collection_method"] == "send_invoice":
        return {}
    at = call.now + drafts.FINALIZES_AFTER_SECONDS if advance else None
    return {"next_payment_attempt": at, "_due": at}


def delete_invoice(call: Call) -> Row:
    """DELETE /v1/invoices/{id}: drafts of no subscription; items that had been pending are so again, the others go."""
    invoice = call.find("invoice", call.path[0], "invoice")
    if invoice["status"] != "draft" or invoice["_subscription"] is not None:
        message = "You can only delete draft invoices that were not created by a subscription."
        raise wrong_state(message, "invoice_not_editable")
    for item in call.store.tables["invoiceitem"].having("invoice", invoice["id"]):
        if item["_pulled"]:
            items.join(call, item, None)
        else:
            items.remove(call, item)
    call.emit("invoice.deleted", invoice)
    return call.add({"id": invoice["id"], "object": "invoice", "deleted": True})


def finalize_invoice(call: Call) -> Row:
    """POST /v1/invoices/{id}/finalize"""
    invoice = call.find("invoice", call.path[0], "invoice")
    if invoice["status"] != "draft":
        raise wrong_state("This invoice is already finalized, you can't re-finalize it.", "invoice_not_editable")
    return finalize(call, invoice, auto_advance=call.params.get("auto_advance"))


def pay_invoice(call: Call) -> Row:
    """POST /v1/invoices/{id}/pay: out of the schedule, or recorded as paid elsewhere; raises the 402 of a decline."""
    invoice, params = call.find("invoice", call.path[0], "invoice"), call.params
    if invoice["status"] == "paid":
        raise ApiError(400, "Invoice is already paid")
    if invoice["status"] == "void":
        raise ApiError(400, "This invoice is void and cannot be paid.")
    if params.get("paid_out_of_band"):
        return collection.out_of_band(call, invoice)
    method = params.get("payment_method")
    if method is not None:
        collection.owned(call, method, invoice)
    off_session = params.get("off_session", True)
    invoice, error = collection.attempt(call, invoice, payment_method=method, off_session=off_session)
    if error is not None:
        raise error
    return invoice


def attach_payment(call: Call) -> Row:
    """POST /v1/invoices/{id}/attach_payment: another payment intent that pays a part of the invoice, or all of it."""
    invoice = call.find("invoice", call.path[0], "invoice")
    if invoice["status"] != "open":
        raise wrong_state("You can only attach payments to open invoices.", "invoice_not_editable")
    intent = call.referenced("payment_intent", "payment_intent")
    if intent is None:
        raise missing("payment_intent")
    return collection.attach(call, invoice, intent)


def void_invoice(call: Call) -> Row:
    """POST /v1/invoices/{id}/void"""
    invoice = call.find("invoice", call.path[0], "invoice")
    if invoice["status"] not in collection.PAYABLE:
        message = f"You can only void an invoice that is open or uncollectible; this one is {invoice['status']}."
        raise wrong_state(message, "invoice_not_editable")
    return void(call, invoice)


def mark_invoice_uncollectible(call: Call) -> Row:
    """POST /v1/invoices/{id}/mark_uncollectible"""
    invoice = call.find("invoice", call.path[0], "invoice")
    if invoice["status"] != "open":
        message = f"You can only mark an open invoice as uncollectible; this one is {invoice['status']}."
        raise wrong_state(message, "invoice_not_editable")
    return mark_uncollectible(call, invoice)


def send_invoice(call: Call) -> Row:
    """POST /v1/invoices/{id}/send: a draft is finalized first."""
    invoice = call.find("invoice", call.path[0], "invoice")
    if invoice["collection_method"] != "send_invoice":
        message = "You can only manually send an invoice if its collection method is 'send_invoice'."
        raise ApiError(400, message)
    if invoice["status"] == "void":
        raise ApiError(400, "This invoice is void and cannot be sent.")
    return collection.send(call, invoice)


def _invoices(call: Call) -> Row:
    """GET /v1/invoices"""
    subscription = call.params.pop("subscription", None)
    fixed = {} if subscription is None else {"_subscription": subscription}
    return listing.page(call, "invoice", "/v1/invoices", **fixed)


_TERMS: dict[str, Kind] = {
    **META,
    **dict.fromkeys(("default_payment_method", "description", "footer", "number", "statement_descriptor"), string),
    **dict.fromkeys(("automatically_finalizes_at", "days_until_due", "due_date", "effective_at"), integer),
    "auto_advance": boolean,
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "custom_fields": array(fields({"name": string, "value": string}, ("name", "value"))),
    "default_tax_rates": array(string),
    "discounts": discounts.DISCOUNTS,
    "shipping_details": SHIPPING,
}
_CREATE = {
    **_TERMS,
    "currency": currency,
    "customer": string,
    "pending_invoice_items_behavior": one_of("exclude", "include"),
    "subscription": string,
}
_FILTERS = {
    **filters("customer", "subscription"),
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "due_date": RANGE,
    "status": one_of("draft", "open", "paid", "uncollectible", "void"),
}
_PAY = {**EXPAND, "off_session": boolean, "paid_out_of_band": boolean, "payment_method": string}

ENDPOINTS = (
    Endpoint("GET", "invoices", _invoices, _FILTERS),
    Endpoint("POST", "invoices", create_invoice, _CREATE),
    Endpoint("GET", "invoices/*", get("invoice", "invoice"), EXPAND),
    Endpoint("POST", "invoices/*", update_invoice, _TERMS),
    Endpoint("DELETE", "invoices/*", delete_invoice, {}),
    Endpoint("POST", "invoices/*/finalize", finalize_invoice, {**EXPAND, "auto_advance": boolean}),
    Endpoint("POST", "invoices/*/pay", pay_invoice, _PAY),
    Endpoint("POST", "invoices/*/attach_payment", attach_payment, {**EXPAND, "payment_intent": string}),
    Endpoint("POST", "invoices/*/void", void_invoice, EXPAND),
    Endpoint("POST", "invoices/*/mark_uncollectible", mark_invoice_uncollectible, EXPAND),
    Endpoint("POST", "invoices/*/send", send_invoice, EXPAND),
)
