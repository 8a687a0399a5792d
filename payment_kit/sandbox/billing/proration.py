"""Prorations: the part of a period that is credited or debited when a subscription changes within it, to the second.

By docs.stripe.com/billing/subscriptions/prorations and billing-mode/compare. In the flexible billing mode a credit is
the unused part of what was debited, whatever the item costs by now; nothing debited, nothing credited. In the classic
mode it is the unused part of what the item costs at present. Both are after discounts, and not discounted again.
"""

from datetime import UTC, datetime
from fractions import Fraction

from payment_kit.money import exponent, to_decimal
from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import totals
from payment_kit.sandbox.products import pricing
from payment_kit.sandbox.store import Row, Store

_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}

# minor units debited for the unix seconds from start to end
Debit = tuple[int, int, int]


def part(amount: int, whole: tuple[int, int], used: tuple[int, int], currency: str) -> int:
    """What `used` seconds of a `whole` period cost of `amount`, rounded half up as the currency is charged."""
    start, end = max(used[0], whole[0]), min(used[1], whole[1])
    if start >= end:
        return 0
    return totals.rounded(Fraction(amount * (end - start), whole[1] - whole[0]), step_of(currency))


def unused(debits: list[Debit], at: int, currency: str) -> list[tuple[int, tuple[int, int]]]:
    """What is left of each debit from unix second `at` on: minor units and the seconds they are for."""
    left = []
    for amount, start, end in debits:
        rest = part(amount, (start, end), (at, end), currency)
        if rest:
            left.append((rest, (max(start, at), end)))
    return left


def named(store: Store, price: Row) -> str:
    """What a line calls a price: its product's name."""
    product = store.get("product", price["product"]) or {}
    return str(product.get("name") or price["nickname"] or price["id"])


def described(store: Store, price: Row, quantity: int, currency: str) -> str:
    """``1 × Gold (at $20.00 / month)``, as Stripe's lines say."""
    recurring, unit = price["recurring"], pricing.in_currency(price, currency).get("unit_amount")
    every = recurring["interval"] if recurring["interval_count"] == 1 else _several(recurring)
    how = price["tiers_mode"] or "tiered" if unit is None else f"at {shown(unit, currency)} / {every}"
    return f"{quantity} × {named(store, price)} ({how})"


def described_part(store: Store, price: Row, quantity: int, at: int, *, credit: bool) -> str:
    """``Unused time on 2 × Gold after 15 Jul 2026``."""
    day = f"{datetime.fromtimestamp(at, UTC):%d %b %Y}"
    what = named(store, price) if quantity == 1 else f"{quantity} × {named(store, price)}"
    return f"{'Unused' if credit else 'Remaining'} time on {what} after {day}"


def shown(amount: int, currency: str) -> str:
    """An amount as lines write it: ``$20.00``, ``¥500``, ``KWD 1.500``."""
    text = f"{to_decimal(amount, currency):,.{exponent(currency)}f}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{text}" if symbol else f"{currency.upper()} {text}"


def _several(recurring: Row) -> str:
    return f"every {recurring['interval_count']} {recurring['interval']}s"
