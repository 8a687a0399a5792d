"""Invoice lines: what another part of the sandbox asks to be billed, and the line items that come of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from payment_kit.sandbox import listing
from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import totals
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import invalid, no_such
from payment_kit.sandbox.store import Row, Store


class Line(NamedTuple):
    """One line to be billed: `amount` in minor units before discounts and taxes, `period` in unix seconds.

    `price`, `discounts` and `tax_rates` are rows; `subscription` and `subscription_item` are ids. `invoice_item` is the
    id of the item the line bills, if it bills one; `credited` is Stripe's ``proration_details.credited_items``.
    """

    amount: int
    currency: str
    description: str | None
    period: tuple[int, int]
    quantity: int = 1
    price: Row | None = None
    subscription: str | None = None
    subscription_item: str | None = None
    proration: bool = False
    discountable: bool = True
    discounts: Sequence[Row] = ()
    tax_rates: Sequence[Row] = ()
    metadata: Mapping[str, str] = MappingProxyType({})
    invoice_item: str | None = None
    credited: Row | None = None
    unit_amount_decimal: str | None = None


def row(id_: str, line: Line, invoice: str | None) -> Row:
    """The line item of `line`, its discounts and taxes still to be computed."""
    amount = totals.rounded(line.amount, step_of(line.currency))
    return {
        "id": id_,
        "object": "line_item",
        "amount": amount,
        "currency": line.currency,
        "description": line.description,
        "discount_amounts": [],
        "discountable": line.discountable,
        "discounts": [discount["id"] for discount in line.discounts],
        "invoice": invoice,
        "livemode": False,
        "metadata": dict(line.metadata),
        "parent": _parent(line),
        "period": {"end": line.period[1], "start": line.period[0]},
        "pretax_credit_amounts": [],
        "pricing": pricing(line.price, line.unit_amount_decimal or (str(amount) if line.price is None else None)),
        "quantity": line.quantity,
        "quantity_decimal": str(line.quantity),
        "subscription": line.subscription,
        "subtotal": amount,
        "taxes": [],
        "_tax_rates": [rate["id"] for rate in line.tax_rates],
    }


def _parent(line: Line) -> Row:
    details: Row = {
        "invoice_item": line.invoice_item,
        "proration": line.proration,
        "proration_details": {"credited_items": line.credited},
        "subscription": line.subscription,
    }
    if line.subscription_item is None:
        return {"invoice_item_details": details, "subscription_item_details": None, "type": "invoice_item_details"}
    details["subscription_item"] = line.subscription_item
    return {"invoice_item_details": None, "subscription_item_details": details, "type": "subscription_item_details"}


def pricing(price: Row | None, unit_amount_decimal: str | None = None) -> Row:
    """How a line or an invoice item names its price; an amount of its own has none."""
    if price is None:
        return {"type": "price_details", "unit_amount_decimal": unit_amount_decimal}
    unit = unit_amount_decimal if unit_amount_decimal is not None else price["unit_amount_decimal"]
    details = {"price": price["id"], "product": price["product"]}
    return {"price_details": details, "type": "price_details", "unit_amount_decimal": unit}


def product_of(line: Row) -> str | None:
    """The product a line item sells, None for an amount of its own."""
    details = line["pricing"].get("price_details")
    return str(details["product"]) if details else None


def item_of(line: Row) -> str | None:
    """The invoice item a line item bills."""
    parent = line["parent"]
    item: str | None = parent[parent["type"]]["invoice_item"]
    return item


def of_invoice(store: Store, invoice: Row) -> list[Row]:
    """The invoice's line items in Stripe's order."""
    table = store.tables["line_item"].rows
    return [table[id_] for id_ in invoice["_lines"]]


def nested(invoice: str, rows: Sequence[Row]) -> Row:
    """The list inside an invoice, cut as Stripe cuts it."""
    return listing.nested(list(rows), f"/v1/invoices/{invoice}/lines")


def page(call: Call, rows: Sequence[Row], url: str) -> Row:
    """A page of rows that have an order of their own, by the call's ``limit`` and cursors; raises 400 for bad ones."""
    ids = [row["id"] for row in rows]
    limit = call.params.get("limit", listing.PAGE_DEFAULT)
    if not 1 <= limit <= listing.PAGE_MAX:
        message = f"Invalid integer: limit must be between 1 and {listing.PAGE_MAX}."
        raise invalid("limit", message, "parameter_invalid_integer")
    after, before = (_at(ids, call.params.get(param), param) for param in ("starting_after", "ending_before"))
    if before is None:
        first = 0 if after is None else after + 1
        return _listed(rows[first : first + limit], first + limit < len(rows), url)
    if after is not None:
        raise invalid("ending_before", "You cannot use both starting_after and ending_before.")
    first = max(0, before - limit)
    return _listed(rows[first:before], first > 0, url)


def _listed(rows: Sequence[Row], more: bool, url: str) -> Row:
    return {"object": "list", "data": [public(row) for row in rows], "has_more": more, "url": url}


def _at(ids: list[str], id_: str | None, param: str) -> int | None:
    if id_ is None:
        return None
    if id_ not in ids:
        raise no_such("invoice line item", id_, param, 400)
    return ids.index(id_)
