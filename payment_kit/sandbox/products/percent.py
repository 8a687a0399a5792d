"""Shares of an amount by a percentage, in integers."""

from decimal import Decimal
from typing import Any

from payment_kit.sandbox.errors import invalid

PLACES = 4  # "tax rates support up to four decimal places"
_WHOLE = 100 * 10**PLACES


def percentage(raw: Any, path: str) -> int | float:
    """The kind of a percentage from 0 to 100; whole ones are integers, as JSON shows them."""
    value = Decimal(raw) if isinstance(raw, str) and _plain(raw) else None
    if value is None:
        raise invalid(path, f"Invalid decimal: {str(raw)[:100]}", "parameter_invalid_decimal")
    if not 0 <= value <= 100:
        raise invalid(path, f"Invalid percentage: {raw}. It must be between 0 and 100.")
    if value != round(value, PLACES):
        raise invalid(path, f"Invalid percentage: {raw}. It can have at most {PLACES} decimal places.")
    return int(value) if value == int(value) else float(value)


def of(percent: float, amount: int, step: int = 1) -> int:
    """`percent` of `amount` to the nearest multiple of `step`, half away from zero.

    Exact, because a percentage's shortest text is what was sent.
    """
    return _rounded(amount * _ticks(percent), _WHOLE * step) * step


def within(percent: float, amount: int) -> int:
    """The part of `amount` that is `percent` on top of the rest: the tax inside a price that includes it."""
    ticks = _ticks(percent)
    return _rounded(amount * ticks, _WHOLE + ticks)


def _ticks(percent: float) -> int:
    return int(Decimal(str(percent)).scaleb(PLACES))


def _rounded(numerator: int, denominator: int) -> int:
    half_up = (2 * abs(numerator) + denominator) // (2 * denominator)
    return half_up if numerator >= 0 else -half_up


def _plain(raw: str) -> bool:
    whole, _, places = raw.partition(".")
    return len(raw) < 20 and raw.isascii() and whole.isdigit() and (places.isdigit() or "." not in raw)
