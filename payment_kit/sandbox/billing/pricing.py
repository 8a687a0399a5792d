"""How the parameters of an invoice item, a line or a preview say what something costs."""

from fractions import Fraction
from typing import Any, NamedTuple

from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import totals
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import (
    INTEGER_MAX,
    Kind,
    array,
    boolean,
    currency,
    decimal,
    fields,
    integer,
    metadata,
    string,
)
from payment_kit.sandbox.params import TAX_BEHAVIOR
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import discounts, make
from payment_kit.sandbox.products import pricing as prices
from payment_kit.sandbox.store import Row

_WAYS = ("amount", "pricing", "price", "price_data", "unit_amount", "unit_amount_decimal")
_INLINE = {"currency": currency, "product": string, "tax_behavior": TAX_BEHAVIOR}
_INLINE |= {"unit_amount": integer, "unit_amount_decimal": decimal}
PERIOD = fields({"end": integer, "start": integer}, ("end", "start"))
# what invoice items, lines and the items of a preview have in common
SHARED: dict[str, Kind] = {
    "amount": integer,
    "description": string,
    "discountable": boolean,
    "discounts": discounts.DISCOUNTS,
    "metadata": metadata,
    "period": PERIOD,
    "price_data": fields(_INLINE, ("currency", "product")),
    "quantity": integer,
    "tax_rates": array(string),
}
PRICED: dict[str, Kind] = {**SHARED, "pricing": fields({"price": string})}


class Cost(NamedTuple):
    """What was asked for: `amount` in minor units for the whole quantity."""

    amount: int
    currency: str
    quantity: int = 1
    price: Row | None = None
    unit_amount_decimal: str | None = None
    description: str | None = None


def cost(call: Call, params: dict[str, Any], default_currency: str, inside: str = "") -> Cost:
    """The cost the parameters name in exactly one way; raises 400 for none, several, or a price that does not fit.

    `default_currency` is the currency of an amount without one.
    """
    found = _cost(call, params, default_currency, inside)
    if abs(found.amount) > INTEGER_MAX:
        raise invalid(_path(inside, "amount"), f"This value must be at most {INTEGER_MAX}.", "amount_too_large")
    return found


def _cost(call: Call, params: dict[str, Any], default_currency: str, inside: str) -> Cost:
    ways = [name for name in _WAYS if params.get(name) is not None]
    if not ways:
        raise missing(_path(inside, "amount"))
    if len(ways) > 1:
        raise invalid(_path(inside, ways[1]), f"You may only specify one of these parameters: {', '.join(ways)}.")
    code, quantity = params.get("currency") or default_currency, params.get("quantity", 1)
    if quantity < 0:
        raise invalid(_path(inside, "quantity"), "Invalid non-negative integer", "parameter_invalid_integer")
    if "amount" in ways:
        if params.get("quantity") is not None:
            raise invalid(_path(inside, "quantity"), "You may only specify one of these parameters: amount, quantity.")
        return Cost(_whole(params["amount"], code, _path(inside, "amount")), code)
    if ways[0] in ("unit_amount", "unit_amount_decimal"):
        unit = str(params[ways[0]])
        amount = totals.rounded(Fraction(unit) * quantity, step_of(code))
        return Cost(amount, code, quantity, None, unit)
    price = _inline(call, params["price_data"], inside) if ways[0] == "price_data" else _named(call, params, inside)
    code = params.get("currency") or (price["currency"] if ways[0] == "price_data" else default_currency)
    if price["currency"] != code and code not in (price.get("_currency_options") or {}):
        code = price["currency"] if params.get("currency") is None else code
    product = call.store.get("product", price["product"])
    unit = prices.in_currency(price, code)["unit_amount_decimal"]
    name = product.get("name") if product else None
    return Cost(prices.amount(price, quantity, code), code, quantity, price, unit, name)


def _whole(amount: int, code: str, param: str) -> int:
    if amount % step_of(code):
        raise invalid(param, "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    return amount


def _named(call: Call, params: dict[str, Any], inside: str) -> Row:
    id_, param = params.get("price"), _path(inside, "price")
    if isinstance(id_, dict):  # a row, from inside the sandbox: it may be one that was made for what was sold
        return id_
    if id_ is None:
        id_, param = (params["pricing"] or {}).get("price"), _path(inside, "pricing") + "[price]"
    if id_ is None:
        raise missing(param)
    price = call.find("price", id_, param, 400)
    if not price["active"]:
        raise ApiError(400, "The price specified is inactive. This field only accepts active prices.", param=param)
    if price["type"] != "one_time":
        message = "The price specified is set to `type=recurring` but this field only accepts prices with "
        message += "`type=one_time`."
        raise ApiError(400, message, param=param)
    return price


def _inline(call: Call, data: dict[str, Any], inside: str) -> Row:
    """The price made for one item: not active, so nobody else can use it."""
    param = _path(inside, "price_data")
    product = call.find("product", data["product"], f"{param}[product]", 400)
    return make.price(call, product, {**data, "active": False}, param)


def tax_rates(call: Call, ids: list[str] | None, param: str) -> list[Row]:
    """The rows of tax rates a parameter names; raises 400 for an unknown one."""
    return [call.find("tax_rate", id_, f"{param}[{at}]", 400) for at, id_ in enumerate(ids or ())]


def asked(call: Call, params: dict[str, Any], cost: Cost, inside: str = "") -> dict[str, Any]:
    """What the parameters of an invoice item, a line or a preview say to `items.add`, its cost being known."""
    return {
        "amount": cost.amount,
        "currency": cost.currency,
        "description": params.get("description") or cost.description,
        "period": period(params, call.now),
        "price": cost.price,
        "quantity": cost.quantity,
        "discountable": params.get("discountable", cost.amount >= 0),
        "tax_rates": tax_rates(call, params.get("tax_rates"), _path(inside, "tax_rates")),
        "metadata": merged({}, params),
        "unit_amount_decimal": cost.unit_amount_decimal,
    }


def period(params: dict[str, Any], now: int) -> tuple[int, int]:
    """The period the parameters name, else this moment."""
    given = params.get("period")
    if given is None:
        return now, now
    if given["end"] < given["start"]:
        raise invalid("period[end]", "The end of the period must be greater than or equal to its start.")
    return given["start"], given["end"]


def _path(inside: str, name: str) -> str:
    return f"{inside}[{name}]" if inside else name
