"""What a quantity of a price costs: the one place where a price becomes an amount."""

from decimal import ROUND_HALF_UP, Decimal

from payment_kit.sandbox.store import Row


def amount(price: Row, quantity: int, currency: str | None = None) -> int:
    """The cost of `quantity` in minor units of `currency` (the price's own by default), rounded half up once."""
    return int((Decimal(price["unit_amount_decimal"]) * quantity).quantize(Decimal(1), ROUND_HALF_UP))
