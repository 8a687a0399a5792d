"""The arithmetic of an invoice, in one place: discounts, taxes and sums of any lines, in minor units.

Every amount is computed and rounded on the line and the invoice's amounts are the sums of its lines', so they agree to
the unit. Rounding is half up, in three-decimal currencies to the ten (docs.stripe.com/currencies#three-decimal).
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.store import Row

# (discount row, what it applies to, currency) -> what it takes off
Off = Callable[[Row, int, str], int]
# why a customer pays no tax, by customer.tax_exempt (total_taxes.taxability_reason)
_UNTAXED = {"exempt": "customer_exempt", "reverse": "reverse_charge"}


class Priced(NamedTuple):
    """What the arithmetic needs of a line: `amount` before discounts, and what is special to the line.

    `covered` names those of the invoice's discounts whose coupon applies to the line's product.
    """

    amount: int
    discounts: Sequence[Row] = ()
    tax_rates: Sequence[Row] = ()
    covered: Sequence[str] = ()


class LineTotals(NamedTuple):
    """One line: amounts by discount in order, taxes as the API shows them, and what its own discounts left."""

    discount_amounts: list[Row]
    taxes: list[Row]
    subtotal: int
    net: int


def invoice(
    lines: Sequence[Priced],
    currency: str,
    off: Off,
    *,
    discounts: Sequence[Row] = (),
    tax_rates: Sequence[Row] = (),
    tax_exempt: str = "none",
) -> tuple[dict[str, Any], list[LineTotals]]:
    """The invoice's amounts (``subtotal``, ``total``, ``total_taxes`` ... as in the API) and those of each line.

    A line's own discounts come first, then the invoice's, each on what the ones before left
    (docs.stripe.com/billing/subscriptions/coupons). A line without tax rates takes the invoice's.
    """
    taken: list[dict[str, int]] = [{} for _ in lines]
    nets = [line.amount for line in lines]
    for at, line in enumerate(lines):
        for discount in line.discounts:
            _take([nets[at]], [at], discount, currency, off, nets, taken)
    subtotals = list(nets)
    for discount in discounts:
        places = [at for at, line in enumerate(lines) if discount["id"] in line.covered]
        _take([nets[at] for at in places], places, discount, currency, off, nets, taken)
    rates = [line.tax_rates or tax_rates for line in lines]
    totals = [
        LineTotals(
            [{"amount": amount, "discount": id_} for id_, amount in taken[at].items()],
            taxes(nets[at], rates[at], currency, tax_exempt),
            subtotals[at],
            nets[at],
        )
        for at in range(len(lines))
    ]
    inclusive_before = sum(
        included(taxes(subtotal, rates[at], currency, tax_exempt)) for at, subtotal in enumerate(subtotals)
    )
    return _summed(totals, inclusive_before), totals


def _take(
    bases: list[int],
    places: list[int],
    discount: Row,
    currency: str,
    off: Off,
    nets: list[int],
    taken: list[dict[str, int]],
) -> None:
    """Take one discount off the lines at `places`, in proportion to what they still come to."""
    base, step = sum(bases), step_of(currency)
    whole = min(rounded(off(discount, base, currency), step), base) if base > 0 else 0
    for at, share in zip(places, shares(whole, bases, step), strict=True):
        nets[at] -= share
        taken[at][discount["id"]] = taken[at].get(discount["id"], 0) + share


def shares(whole: int, weights: Sequence[int], step: int = 1) -> list[int]:
    """`whole` split in proportion to `weights`; the parts add up to it exactly.

    Part by part the running sum is rounded, so no part outgrows its weight while `whole` is at most the sum of them.
    """
    total, before, running = sum(weights), 0, 0
    result = []
    for weight in weights:
        running += weight
        upto = rounded(Fraction(whole * running, total), step) if total > 0 else 0
        result.append(upto - before)
        before = upto
    return result


def taxes(net: int, rates: Sequence[Row], currency: str, tax_exempt: str = "none") -> list[Row]:
    """The taxes on `net`; inclusive ones are part of it and exclusive ones come on top of what is left without them."""
    if not rates:
        return []
    within = [Fraction(str(rate["percentage"])) / 100 for rate in rates if rate["inclusive"]]
    base = Fraction(net) / (1 + sum(within))
    reason, step = _UNTAXED.get(tax_exempt), step_of(currency)
    amounts = [0 if reason else rounded(base * Fraction(str(rate["percentage"])) / 100, step) for rate in rates]
    inclusive = sum(amount for amount, rate in zip(amounts, rates, strict=True) if rate["inclusive"])
    return [
        {
            "amount": amount,
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": reason or ("zero_rated" if not rate["percentage"] else "standard_rated"),
            "taxable_amount": net - inclusive,
            "type": "tax_rate_details",
        }
        for amount, rate in zip(amounts, rates, strict=True)
    ]


def rounded(amount: int | Fraction, step: int = 1) -> int:
    """The nearest multiple of `step`, halves away from zero."""
    doubled = abs(Fraction(amount)) * 2 / step
    nearest = int((doubled + 1) // 2) * step
    return nearest if amount >= 0 else -nearest


def included(taxes: Iterable[Row]) -> int:
    """The sum of the inclusive taxes."""
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")


def added(taxes: Iterable[Row]) -> int:
    """The sum of the exclusive taxes."""
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")


def by_discount(parts: Iterable[Row]) -> list[Row]:
    """``discount_amounts`` of several lines summed by discount, in the order of their first appearance."""
    sums: dict[str, int] = {}
    for part in parts:
        sums[part["discount"]] = sums.get(part["discount"], 0) + part["amount"]
    return [{"amount": amount, "discount": discount} for discount, amount in sums.items()]


def by_rate(parts: Iterable[Row]) -> list[Row]:
    """``taxes`` of several lines summed by rate, behaviour and reason."""
    sums: dict[tuple[str, str, str], Row] = {}
    for part in parts:
        key = part["tax_rate_details"]["tax_rate"], part["tax_behavior"], part["taxability_reason"]
        so_far = sums.get(key, {"amount": 0, "taxable_amount": 0})
        sums[key] = {**part, **{name: so_far[name] + part[name] for name in ("amount", "taxable_amount")}}
    return list(sums.values())


def _summed(lines: Sequence[LineTotals], inclusive_before: int) -> dict[str, Any]:
    total_taxes = by_rate(tax for line in lines for tax in line.taxes)
    subtotal = sum(line.subtotal for line in lines)
    total = sum(line.net for line in lines) + added(total_taxes)
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive_before,
        "total": total,
        "total_discount_amounts": by_discount(part for line in lines for part in line.discount_amounts),
        "total_excluding_tax": total - sum(tax["amount"] for tax in total_taxes),
        "total_taxes": total_taxes,
    }
