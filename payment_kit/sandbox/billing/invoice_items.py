"""The API of invoice items: made, changed and deleted while they wait or stand on a draft."""

from collections.abc import Sequence
from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import drafts, items, lines, pricing, totals
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get
from payment_kit.sandbox.errors import invalid, missing
from payment_kit.sandbox.form import boolean, currency, decimal, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row

DEFAULT_CURRENCY = "usd"  # the account's


def create_item(call: Call) -> Row:
    """POST /v1/invoiceitems: pending for the next invoice, or with `invoice` on that draft at once."""
    params = call.params
    invoice = call.referenced("invoice", "invoice")
    subscription = call.referenced("subscription", "subscription") if params.get("subscription") else None
    owner = params.get("customer") or (invoice or {}).get("customer") or (subscription or {}).get("customer")
    if owner is None:
        raise missing("customer")
    customer = call.find("customer", owner, "customer", 400)
    if invoice is not None:
        drafts.editable(invoice)
        if invoice["customer"] != customer["id"]:
            raise invalid("invoice", "The invoice belongs to another customer.")
    cost = pricing.cost(call, params, _currency(customer, invoice, subscription))
    if invoice is not None and cost.currency != invoice["currency"]:
        raise invalid("currency", f"The invoice is in {invoice['currency']}; its items have to be, too.")
    item = items.add(
        call,
        customer,
        **pricing.asked(call, params, cost),
        subscription=None if subscription is None else subscription["id"],
        invoice=None if invoice is None else invoice["id"],
    )
    item = discounted(call, item, customer, params)
    if invoice is not None:
        drafts.extend(call, invoice, [items.line(call.store, item)])
    if customer["currency"] is None:
        call.change(call.find("customer", customer["id"]), "customer.updated", currency=cost.currency)
    return item


def _currency(customer: Row, invoice: Row | None, subscription: Row | None) -> str:
    owner = invoice or subscription or {}
    return str(owner.get("currency") or customer["currency"] or DEFAULT_CURRENCY)


def discounted(call: Call, item: Row, customer: Row, params: dict[str, Any]) -> Row:
    """The item with the discounts the parameters give it; its `net_amount` is what they leave."""
    if "discounts" not in params:
        return item
    found = discounts.resolve(
        call, params["discounts"], customer=customer, currency=item["currency"], invoice_item=item["id"]
    )
    return call.change(item, discounts=[row["id"] for row in found], net_amount=net(item, found))


def net(item: Row, found: Sequence[Row]) -> int:
    """What an item's own discounts leave of its amount."""
    if not item["discountable"]:
        return int(item["amount"])
    amounts, _ = totals.invoice([totals.Priced(item["amount"], found)], item["currency"], discounts.off)
    return int(amounts["subtotal"])


def update_item(call: Call) -> Row:
    """POST /v1/invoiceitems/{id}: while pending or on a draft; Stripe sends no event of the item's own."""
    item, params = call.find("invoiceitem", call.path[0], "invoiceitem"), call.params
    invoice = _draft_of(call, item)
    item = call.change(item, **changed(call, item, params), metadata=merged(item, params))
    item = discounted(call, item, call.find("customer", item["customer"]), params)
    if invoice is not None:
        before = next(row for row in lines.of_invoice(call.store, invoice) if lines.item_of(row) == item["id"])
        fresh = lines.row(before["id"], items.line(call.store, item), invoice["id"])
        drafts.replace(call, invoice, {before["id"]: fresh})
    return item


def changed(call: Call, item: Row, params: dict[str, Any]) -> dict[str, Any]:
    """What parameters change on an item or a line, discounts and metadata aside."""
    changes: dict[str, Any] = {name: params[name] for name in ("description", "discountable") if name in params}
    if "period" in params:
        start, end = pricing.period(params, call.now)
        changes["period"] = {"end": end, "start": start}
    if "tax_rates" in params:
        changes["tax_rates"] = [public(rate) for rate in pricing.tax_rates(call, params["tax_rates"], "tax_rates")]
    if params.keys() & {"amount", "pricing", "price_data", "quantity", "unit_amount_decimal"}:
        cost = pricing.cost(call, _priced_as(item, params), item["currency"])
        if cost.currency != item["currency"]:
            raise invalid("price_data[currency]", f"The item is in {item['currency']}.")
        changes |= {"amount": cost.amount, "quantity": cost.quantity, "quantity_decimal": str(cost.quantity)}
        changes["pricing"] = lines.pricing(cost.price, cost.unit_amount_decimal)
        if item["object"] == "invoiceitem":
            changes["net_amount"] = cost.amount
    return changes


def _priced_as(item: Row, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters, with the item's own price when they give only another quantity."""
    if params.keys() & {"amount", "pricing", "price_data", "unit_amount_decimal"}:
        return params
    if "price_details" not in item["pricing"]:
        return {**params, "unit_amount_decimal": item["pricing"]["unit_amount_decimal"]}
    return {**params, "pricing": {"price": item["pricing"]["price_details"]["price"]}}


def delete_item(call: Call) -> Row:
    """DELETE /v1/invoiceitems/{id}: pending ones and those on a draft, which loses the line."""
    item = call.find("invoiceitem", call.path[0], "invoiceitem")
    invoice = _draft_of(call, item)
    if invoice is not None:
        rows = lines.of_invoice(call.store, invoice)
        drafts.keep(call, invoice, [row for row in rows if lines.item_of(row) != item["id"]])
    return items.remove(call, item)


def _draft_of(call: Call, item: Row) -> Row | None:
    if item["invoice"] is None:
        return None
    invoice = call.find("invoice", item["invoice"])
    drafts.editable(invoice)
    return invoice


def _items(call: Call) -> Row:
    """GET /v1/invoiceitems"""
    waiting = call.params.pop("pending", None)
    fixed = {} if waiting is None else {"_waiting": waiting}
    return listing.page(call, "invoiceitem", "/v1/invoiceitems", **fixed)


_ITEM = {**META, **pricing.PRICED, "unit_amount_decimal": decimal}
_CREATE = {**_ITEM, "currency": currency, **dict.fromkeys(("customer", "invoice", "subscription"), string)}

ENDPOINTS = (
    Endpoint("GET", "invoiceitems", _items, {**filters("customer", "invoice"), "pending": boolean}),
    Endpoint("POST", "invoiceitems", create_item, _CREATE),
    Endpoint("GET", "invoiceitems/*", get("invoiceitem", "invoiceitem"), EXPAND),
    Endpoint("POST", "invoiceitems/*", update_item, _ITEM),
    Endpoint("DELETE", "invoiceitems/*", delete_item, {}),
)
