"""How the parameters of a price say what it costs: per unit, in tiers, or as its payer chooses; in each currency."""

from typing import Any, NamedTuple

from payment_kit.money import exponent
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import Kind, amount, array, boolean, decimal, fields, integer, one_of, string
from payment_kit.sandbox.params import INTERVAL, TAX_BEHAVIOR
from payment_kit.sandbox.products.currencies import by_currency
from payment_kit.sandbox.products.pricing import scaled
from payment_kit.sandbox.store import Row

TIERS_MAX = 100
# the longest interval is three years
INTERVALS_MAX = {"day": 1095, "week": 156, "month": 36, "year": 3}
INF = "inf"
_ONE = scaled("1")
_WAYS = ("unit_amount", "unit_amount_decimal", "custom_unit_amount")


class Terms(NamedTuple):
    """What a price costs in one currency; exactly one of unit amount, tiers and custom amount is set."""

    unit_amount: int | None = None
    unit_amount_decimal: str | None = None
    tiers: list[Row] | None = None
    custom_unit_amount: Row | None = None


def terms(params: dict[str, Any], currency: str, tiered: bool, inside: str = "") -> Terms:
    """The terms the parameters name; raises 400 for none, several, or what the billing scheme does not have."""
    ways = [name for name in _WAYS if params.get(name) is not None]
    if tiered:
        if ways:
            raise invalid(_path(inside, ways[0]), f"You cannot set {ways[0]} when billing_scheme is tiered.")
        if not params.get("tiers"):
            raise missing(_path(inside, "tiers"))
        return Terms(tiers=_tiers(params["tiers"], currency, _path(inside, "tiers")))
    if params.get("tiers"):
        raise invalid(_path(inside, "tiers"), "tiers require billing_scheme to be set to tiered.")
    if not ways:
        raise missing(_path(inside, "unit_amount"))
    if len(ways) > 1:
        raise invalid(_path(inside, ways[0]), f"Specify only one of {', '.join(ways)}.")
    if ways[0] == "custom_unit_amount":
        return Terms(custom_unit_amount=_custom(params["custom_unit_amount"], _path(inside, "custom_unit_amount")))
    return Terms(*_both(params, "unit_amount", currency, inside))


def options(
    given: dict[str, dict[str, Any]] | None, own: str, tiered: bool, inside: str = "currency_options"
) -> dict[str, Row]:
    """What a price costs in more currencies, with the fields of the API's `currency_options`."""
    found = {}
    for currency, option in (given or {}).items():
        path = f"{inside}[{currency}]"
        if currency == own:
            raise invalid(path, "The price's own currency cannot be one of its currency_options.")
        cost = terms(option, currency, tiered, path)
        found[currency] = _option(cost, option.get("tax_behavior") or "unspecified")
    return found


def shown(price: Row) -> dict[str, Row]:
    """`currency_options` as the API shows them: the price's own currency is one of them."""
    own = _option(
        Terms(price["unit_amount"], price["unit_amount_decimal"], price.get("_tiers"), price["custom_unit_amount"]),
        price["tax_behavior"],
    )
    return {price["currency"]: own, **(price.get("_currency_options") or {})}


def recurring(call: Call, given: dict[str, Any] | None, inside: str = "") -> Row | None:
    """The `recurring` hash of a price; metered prices need an active meter, others have none."""
    if given is None:
        return None
    path, usage = _path(inside, "recurring"), given.get("usage_type") or "licensed"
    interval, count = given["interval"], given.get("interval_count", 1)
    if not 1 <= count <= INTERVALS_MAX[interval]:
        raise invalid(
            f"{path}[interval_count]", "Invalid interval_count: an interval is at least 1 and at most 3 years."
        )
    meter = given.get("meter")
    if usage == "metered" and meter is None:
        raise ApiError(400, "Metered prices must be backed by a meter.", param=f"{path}[meter]")
    if meter is not None:
        if usage != "metered":
            raise invalid(f"{path}[meter]", "Only prices whose usage_type is metered have a meter.")
        if call.find("billing.meter", meter, f"{path}[meter]", 400)["status"] != "active":
            raise ApiError(400, f"The meter {meter} is not active.", param=f"{path}[meter]")
    return {"interval": interval, "interval_count": count, "meter": meter, "usage_type": usage}


def transform(given: dict[str, Any] | None, tiered: bool) -> Row | None:
    """`transform_quantity`, which tiers cannot have."""
    if given is None:
        return None
    if tiered:
        raise invalid("transform_quantity", "transform_quantity cannot be combined with tiers.")
    if given["divide_by"] < 1:
        raise invalid("transform_quantity[divide_by]", "This value must be greater than or equal to 1.")
    return {"divide_by": given["divide_by"], "round": given["round"]}


def _both(params: dict[str, Any], name: str, currency: str, inside: str) -> tuple[int | None, str | None]:
    """An amount as an integer, if it is a whole one, and as a decimal; both None when it was not sent."""
    whole, text = params.get(name), params.get(f"{name}_decimal")
    if whole is not None and text is not None:
        raise invalid(_path(inside, name), f"Specify only one of {name} and {name}_decimal.")
    if text is not None:
        text = text.rstrip("0").rstrip(".") if "." in text else text
        text = text.lstrip("0") or "0"
        text = f"0{text}" if text.startswith(".") else text
        exact = scaled(text)
        whole = exact // _ONE if exact % _ONE == 0 else None
    if whole is None:
        return None, text
    if exponent(currency) == 3 and whole % 10:
        raise invalid(_path(inside, name), "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    return whole, str(whole)


def _tiers(given: list[dict[str, Any]], currency: str, path: str) -> list[Row]:
    if len(given) > TIERS_MAX:
        raise invalid(path, f"A price has at most {TIERS_MAX} tiers.")
    if given[-1]["up_to"] != INF:
        raise invalid(f"{path}[{len(given) - 1}][up_to]", "The last tier must be set to `inf`.")
    found: list[Row] = []
    below = 0
    for at, tier in enumerate(given):
        inside = f"{path}[{at}]"
        top = tier["up_to"]
        if at < len(given) - 1:
            if top == INF or top <= below:
                raise invalid(f"{inside}[up_to]", "Each tier must end above the one before; only the last is `inf`.")
            below = top
        flat, flat_decimal = _both(tier, "flat_amount", currency, inside)
        unit, unit_decimal = _both(tier, "unit_amount", currency, inside)
        if flat_decimal is None and unit_decimal is None:
            raise missing(f"{inside}[unit_amount]")
        found.append(
            {
                "flat_amount": flat,
                "flat_amount_decimal": flat_decimal,
                "unit_amount": unit,
                "unit_amount_decimal": unit_decimal,
                "up_to": None if top == INF else top,
            }
        )
    return found


def _custom(given: dict[str, Any], path: str) -> Row:
    if not given["enabled"]:
        raise invalid(f"{path}[enabled]", "Pass true to enable custom_unit_amount, otherwise omit it.")
    least, most, preset = (given.get(name) for name in ("minimum", "maximum", "preset"))
    if least is not None and most is not None and least > most:
        raise invalid(f"{path}[minimum]", "The minimum must not be greater than the maximum.")
    if preset is not None and not (least or 0) <= preset <= (preset if most is None else most):
        raise invalid(f"{path}[preset]", "The preset must lie between minimum and maximum.")
    return {"maximum": most, "minimum": least, "preset": preset}


def _option(cost: Terms, tax_behavior: str) -> Row:
    option: Row = {
        "custom_unit_amount": cost.custom_unit_amount,
        "tax_behavior": tax_behavior,
        "unit_amount": cost.unit_amount,
        "unit_amount_decimal": cost.unit_amount_decimal,
    }
    return option if cost.tiers is None else {**option, "tiers": cost.tiers}


def _path(inside: str, name: str) -> str:
    return f"{inside}[{name}]" if inside else name


def up_to(raw: Any, path: str) -> int | str:
    """Where a tier ends: a positive number, or ``inf``."""
    if raw == INF:
        return INF
    top = integer(raw, path)
    if top < 1:
        raise invalid(path, "This value must be greater than or equal to 1.", "parameter_invalid_integer")
    return top


CUSTOM = fields({"enabled": boolean, "maximum": amount, "minimum": amount, "preset": amount}, ("enabled",))
_AMOUNTS: dict[str, Kind] = {"unit_amount": amount, "unit_amount_decimal": decimal}
TIERS = array(fields({**_AMOUNTS, "flat_amount": amount, "flat_amount_decimal": decimal, "up_to": up_to}, ("up_to",)))
OPTIONS = by_currency({**_AMOUNTS, "custom_unit_amount": CUSTOM, "tax_behavior": TAX_BEHAVIOR, "tiers": TIERS})
RECURRING = fields({**INTERVAL, "meter": string, "usage_type": one_of("licensed", "metered")}, ("interval",))
TRANSFORM = fields({"divide_by": integer, "round": one_of("down", "up")}, ("divide_by", "round"))
