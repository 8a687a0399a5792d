"""What a checkout session, a payment link or a quote sells: its items, and what they come to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import lines, totals
from payment_kit.sandbox.billing import pricing as rates
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import invalid, missing
from payment_kit.sandbox.form import (
    Kind,
    amount,
    array,
    boolean,
    currency,
    decimal,
    fields,
    integer,
    metadata,
    string,
)
from payment_kit.sandbox.params import RECURRING, TAX_BEHAVIOR
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import discounts, make, pricing
from payment_kit.sandbox.store import Row, Store

ITEMS_MAX = 100  # "a maximum of 100 line items"
RECURRING_MAX = 20  # "20 line items with recurring Prices and 20 line items with one-time Prices"
QUANTITY_MAX = 999_999
ADJUSTABLE_MAX = 99  # "By default this is 99"


class Sums(NamedTuple):
    """What items come to, in minor units: before and after discounts and taxes; `details` and `breakdown` as shown."""

    subtotal: int
    total: int
    details: Row
    breakdown: Row


def new(call: Call, owner: str, given: Sequence[dict[str, Any]], code: str | None, quantity: bool = True) -> list[Row]:
    """The items a ``line_items`` parameter asks for, all in one currency (`code`, else the first price's).

    Not yet stored, amounts not yet computed. With `quantity` an item that is not metered has to say how many. Inside
    the sandbox a price may also be a row, one that was made for an item. Raises 400 for what cannot be sold.
    """
    if len(given) > ITEMS_MAX:
        raise invalid("line_items", f"There can be at most {ITEMS_MAX} line items.")
    found: list[Row] = []
    for at, one in enumerate(given):
        path = f"line_items[{at}]"
        price = _price(call, one or {}, path)
        code = code or price["currency"]
        pricing.in_currency(price, code)
        product = call.store.get("product", price["product"]) or {}
        found.append(
            {
                "id": call.new_id("item"),
                "object": "item",
                "adjustable_quantity": _adjustable(one.get("adjustable_quantity"), f"{path}[adjustable_quantity]"),
                "amount_discount": 0,
                "amount_subtotal": 0,
                "amount_tax": 0,
                "amount_total": 0,
                "currency": code,
                "description": product.get("name"),
                "metadata": merged({}, one),
                "price": public(price),
                "quantity": _quantity(price, one.get("quantity"), f"{path}[quantity]", quantity),
                "_owner": owner,
                "_tax_rates": [
                    rate["id"] for rate in rates.tax_rates(call, one.get("tax_rates"), f"{path}[tax_rates]")
                ],
            }
        )
    if sum(recurs(item) for item in found) > RECURRING_MAX:
        raise invalid("line_items", f"There can be at most {RECURRING_MAX} line items with recurring prices.")
    return found


def _price(call: Call, given: dict[str, Any], path: str) -> Row:
    data = given.get("price_data")
    if data and given.get("price"):
        raise invalid(f"{path}[price]", "You may only specify one of these parameters: price, price_data.")
    if data:
        return make.price(call, _product(call, data, f"{path}[price_data]"), _hidden(data), f"{path}[price_data]")
    if not given.get("price"):
        raise missing(f"{path}[price]")
    if isinstance(given["price"], dict):
        return call.find("price", given["price"]["id"])
    price = call.find("price", given["price"], f"{path}[price]", 400)
    if not price["active"]:
        message = "The price specified is inactive. This field only accepts active prices."
        raise invalid(f"{path}[price]", message)
    return price


def _product(call: Call, data: dict[str, Any], path: str) -> Row:
    """The product of a price made for one item; one made with it is hidden as the price is."""
    if data.get("product") and data.get("product_data"):
        raise invalid(f"{path}[product]", "You may only specify one of these parameters: product, product_data.")
    if data.get("product_data"):
        return make.product(call, _hidden(data["product_data"]))
    if not data.get("product"):
        raise missing(f"{path}[product]")
    return call.find("product", data["product"], f"{path}[product]", 400)


def _hidden(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "active": False}


def _quantity(price: Row, given: int | None, path: str, wanted: bool) -> int | None:
    if price["recurring"] and price["recurring"]["usage_type"] == "metered":
        if given is not None:
            raise invalid(path, "You cannot set the quantity for metered plans.")
        return None
    if given is None and wanted:
        raise missing(path)
    if given is not None and not 1 <= given <= QUANTITY_MAX:
        raise invalid(path, f"Invalid integer: must be from 1 to {QUANTITY_MAX}.", "parameter_invalid_integer")
    return 1 if given is None else given


def _adjustable(given: dict[str, Any] | None, path: str) -> Row | None:
    if given is None:
        return None
    if not given["enabled"]:
        return {"enabled": False, "maximum": None, "minimum": None}
    most, least = given.get("maximum", ADJUSTABLE_MAX), given.get("minimum", 0)
    if not 0 <= least <= most <= QUANTITY_MAX:
        raise invalid(f"{path}[maximum]", "The maximum must not be smaller than the minimum.")
    return {"enabled": True, "maximum": most, "minimum": least}


def together(sold: Iterable[Row]) -> None:
    """Raises 400 when what recurs does so at different intervals."""
    recurring = [item["price"]["recurring"] for item in sold if recurs(item)]
    if len({(one["interval"], one["interval_count"]) for one in recurring}) > 1:
        raise invalid("line_items", "There cannot be several prices with different billing intervals.")


def asked(reduced: Iterable[Row]) -> list[dict[str, str]]:
    """What was asked for when these discounts were resolved: a parameter ``discounts``."""
    return [
        {"promotion_code": row["promotion_code"]} if row["promotion_code"] else {"coupon": row["source"]["coupon"]}
        for row in reduced
    ]


def recurs(item: Row) -> bool:
    """Whether an item is paid for again and again."""
    return item["price"]["recurring"] is not None


def computed(
    store: Store,
    items: Sequence[Row],
    code: str,
    *,
    reduced: Sequence[Row] = (),
    tax_rates: Iterable[str] = (),
    tax_exempt: str = "none",
    trial: bool = False,
) -> tuple[list[Row], Sums]:
    """The items with their amounts in currency `code`, and their sums.

    `reduced` are discount rows, `tax_rates` ids that count for items without their own. In a `trial` what recurs costs
    nothing yet.
    """
    default = _rates(store, tax_rates)
    priced = [_priced(store, item, code, reduced, trial) for item in items]
    whole, each = totals.invoice(
        priced, code, discounts.off, discounts=reduced, tax_rates=default, tax_exempt=tax_exempt
    )
    known = {row["id"]: public(row) for row in reduced}
    result = []
    for item, line, cost in zip(items, each, priced, strict=True):
        tax = sum(one["amount"] for one in line.taxes)
        changes = {
            "amount_discount": sum(one["amount"] for one in line.discount_amounts),
            "amount_subtotal": cost.amount,
            "amount_tax": tax,
            "amount_total": line.net + totals.added(line.taxes),
            "currency": code,
            "_discounts": _shown_discounts(line.discount_amounts, known),
            "_taxes": _shown_taxes(store, line.taxes),
        }
        result.append({**item, **changes})
    breakdown = {
        "discounts": _shown_discounts(whole["total_discount_amounts"], known),
        "taxes": _shown_taxes(store, whole["total_taxes"]),
    }
    details = {
        "amount_discount": sum(one["amount"] for one in whole["total_discount_amounts"]),
        "amount_shipping": 0,
        "amount_tax": sum(one["amount"] for one in whole["total_taxes"]),
    }
    return result, Sums(whole["subtotal"], whole["total"], details, breakdown)


def _priced(store: Store, item: Row, code: str, reduced: Sequence[Row], trial: bool) -> totals.Priced:
    price = store.get("price", item["price"]["id"]) or item["price"]
    free = item["quantity"] is None or (trial and recurs(item))
    cost = 0 if free else pricing.amount(price, item["quantity"], code)
    covered = [row["id"] for row in reduced if discounts.applies_to(row, price["product"])]
    return totals.Priced(cost, (), _rates(store, item["_tax_rates"]), covered)


def _rates(store: Store, ids: Iterable[str]) -> list[Row]:
    return [rate for id_ in ids if (rate := store.get("tax_rate", id_)) is not None]


def _shown_discounts(amounts: Iterable[Row], known: Mapping[str, Row]) -> list[Row]:
    return [{"amount": one["amount"], "discount": known[one["discount"]]} for one in amounts]


def _shown_taxes(store: Store, taxes: Iterable[Row]) -> list[Row]:
    shown = []
    for tax in taxes:
        rate = store.get("tax_rate", tax["tax_rate_details"]["tax_rate"]) or {}
        facts = {name: tax[name] for name in ("amount", "taxability_reason", "taxable_amount")}
        shown.append({**facts, "rate": public(rate)})
    return shown


def keep(call: Call, items: Sequence[Row]) -> None:
    """Store items, new ones and changed ones."""
    for item in items:
        before = call.store.get("item", item["id"])
        if before is None:
            call.add(item)
        else:
            call.change(before, **item)


def of(store: Store, owner: str) -> list[Row]:
    """The items of a session, a link or a quote in the order they were asked for."""
    return store.tables["item"].having("_owner", owner)


def nested(store: Store, owner: Row, path: str) -> Row:
    """The list of items inside their owner, whose own list is at `path`."""
    return listing.nested(of(store, owner["id"]), f"/v1/{path}/{owner['id']}/line_items")


def page(call: Call, owner: Row, path: str) -> Row:
    """A page of the items of an owner."""
    return paged(call, of(call.store, owner["id"]), f"/v1/{path}/{owner['id']}/line_items")


def paged(call: Call, sold: Sequence[Row], url: str) -> Row:
    """A page of these items."""
    return lines.page(call, sold, url)


def invoice_lines(store: Store, items: Iterable[Row], now: int) -> list[lines.Line]:
    """Items as lines of an invoice that bills them at `now`."""
    found = []
    for item in items:
        price = store.get("price", item["price"]["id"]) or item["price"]
        found.append(
            lines.Line(
                item["amount_subtotal"],
                item["currency"],
                item["description"],
                (now, now),
                item["quantity"],
                price,
                tax_rates=_rates(store, item["_tax_rates"]),
                metadata=item["metadata"],
                unit_amount_decimal=pricing.in_currency(price, item["currency"])["unit_amount_decimal"],
            )
        )
    return found


def subscription_params(store: Store, items: Iterable[Row]) -> dict[str, Any]:
    """Items as the parameters ``items`` and ``add_invoice_items`` of a new subscription."""
    found: dict[str, Any] = {"items": [], "add_invoice_items": []}
    for item in items:
        one = {"price": store.get("price", item["price"]["id"]), "tax_rates": item["_tax_rates"]}
        if item["quantity"] is not None:
            one["quantity"] = item["quantity"]
        found["items" if recurs(item) else "add_invoice_items"].append(one)
    return found


def _part(name: str) -> listing.Include:
    def include(store: Store, row: Row) -> Any:
        return (store.get("item", row["id"]) or {}).get(name, [])

    return include


_PRODUCT_DATA = {
    **dict.fromkeys(("description", "name", "tax_code", "unit_label"), string),
    "images": array(string),
    "metadata": metadata,
}
PRICE_DATA: dict[str, Kind] = {
    "currency": currency,
    "product": string,
    "product_data": fields(_PRODUCT_DATA, ("name",)),
    "recurring": RECURRING,
    "tax_behavior": TAX_BEHAVIOR,
    "unit_amount": amount,
    "unit_amount_decimal": decimal,
}
_ADJUSTABLE = fields({"enabled": boolean, "maximum": integer, "minimum": integer}, ("enabled",))
LINE_ITEM: dict[str, Kind] = {
    "adjustable_quantity": _ADJUSTABLE,
    "price": string,
    "price_data": fields(PRICE_DATA, ("currency",)),
    "quantity": integer,
}

INCLUDES = {("item", "discounts"): _part("_discounts"), ("item", "taxes"): _part("_taxes")}
