"""What a quantity of a price costs: the one place where a price becomes an amount. Integers only, never a float.

A price's row carries privately what the API shows only when expanded: ``_tiers`` (its tiers) and ``_currency_options``
(currency -> what it costs there, tiers included). So `amount` wants the row from the store, not the copy of it that
stands inside other objects.
"""

from payment_kit.money import exponent
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row

PLACES = 12  # "a decimal string with at most 12 decimal places"
_ONE: int = 10**PLACES


def amount(price: Row, quantity: int, currency: str | None = None) -> int:
    """The cost of `quantity` (0 or more) in minor units of `currency`, the price's own by default.

    Rounded half up once, at the end; in three-decimal currencies to the ten (docs.stripe.com/currencies). Raises 400
    for a currency the price does not have, and for a price whose amount the payer chooses.
    """
    terms = in_currency(price, currency)
    exact: int
    transform = price["transform_quantity"]
    if transform is not None:
        quantity = packages(quantity, transform)
    tiers = terms["tiers"]
    if tiers is not None:
        exact = (_volume if price["tiers_mode"] == "volume" else _graduated)(tiers, quantity)
    elif terms["unit_amount_decimal"] is None:
        raise ApiError(
            400,
            f"The price {price['id']} has a custom_unit_amount: its payer chooses it in Checkout or a payment link.",
            param="price",
        )
    else:
        exact = scaled(terms["unit_amount_decimal"]) * quantity
    step = 10 if exponent(currency or price["currency"]) == 3 else 1
    rounded: int = (2 * exact + step * _ONE) // (2 * step * _ONE) * step
    return rounded


def in_currency(price: Row, currency: str | None = None) -> Row:
    """``{"unit_amount", "unit_amount_decimal", "tiers", "custom_unit_amount", "tax_behavior"}`` in a currency."""
    if currency in (None, price["currency"]):
        return {**price, "tiers": price.get("_tiers")}
    options: dict[str, Row] = price.get("_currency_options") or {}
    if currency not in options:
        known = ", ".join(f"`{name}`" for name in sorted({price["currency"], *options}))
        raise ApiError(
            400,
            f"The price specified supports currencies of {known}. This doesn't match the expected currency: "
            f"`{currency}`.",
            param="currency",
        )
    option = options[currency]
    return {**option, "tiers": option.get("tiers")}


def packages(quantity: int, transform: Row) -> int:
    """How many packages a quantity makes: divided, then rounded up or down."""
    whole, rest = divmod(quantity, int(transform["divide_by"]))
    return whole + (1 if rest and transform["round"] == "up" else 0)


def scaled(decimal: str) -> int:
    """A decimal text with at most 12 places, times 10**12."""
    whole, _, places = decimal.partition(".")
    return int(whole) * _ONE + int(places.ljust(PLACES, "0"))


def _volume(tiers: list[Row], quantity: int) -> int:
    """The tier the whole quantity falls into prices all of it; a quantity of 0 falls into the first."""
    tier = next(tier for tier in tiers if tier["up_to"] is None or quantity <= tier["up_to"])
    return _part(tier, "flat") + _part(tier, "unit") * quantity


def _graduated(tiers: list[Row], quantity: int) -> int:
    """Every unit costs what its own tier says; a tier's flat fee is due as soon as the quantity reaches the tier."""
    total = below = 0
    for tier in tiers:
        if quantity <= below and below:
            break
        top = quantity if tier["up_to"] is None else int(tier["up_to"])
        total += _part(tier, "flat") + _part(tier, "unit") * (min(quantity, top) - below)
        below = top
    return total


def _part(tier: Row, name: str) -> int:
    decimal = tier[f"{name}_amount_decimal"]
    return 0 if decimal is None else scaled(decimal)
