"""The arithmetic of invoices: whatever is billed, discounted and taxed, all amounts agree to the unit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import totals
from payment_kit.sandbox.products import discounts

CURRENCIES = ("usd", "jpy", "kwd")


def coupon(id_: str, percent: float | None, amount: int | None, currency: str) -> dict[str, Any]:
    """A discount with a coupon that takes this off."""
    terms = {"percent_off": percent, "amount_off": amount, "currency": currency if amount is not None else None}
    return {"id": id_, "_coupon": terms}


def rate(id_: str, percentage: float, inclusive: bool) -> dict[str, Any]:
    """A tax rate."""
    return {"id": id_, "percentage": percentage, "inclusive": inclusive}


@st.composite
def bills(draw: st.DrawFn) -> dict[str, Any]:
    """Lines of one currency, credits among them, with discounts and taxes on lines and invoice."""
    currency = draw(st.sampled_from(CURRENCIES))
    step = step_of(currency)
    percents = st.integers(0, 1_000_000).map(lambda ticks: ticks / 10_000)
    offs = st.one_of(st.tuples(percents, st.none()), st.tuples(st.none(), st.integers(1, 500).map(lambda n: n * step)))
    own = [
        coupon(f"di_own{n}", percent, amount, currency)
        for n, (percent, amount) in enumerate(draw(st.lists(offs, max_size=2)))
    ]
    wide = [
        coupon(f"di_all{n}", percent, amount, currency)
        for n, (percent, amount) in enumerate(draw(st.lists(offs, max_size=3)))
    ]
    rates = [
        rate(f"txr_{n}", percentage, inclusive)
        for n, (percentage, inclusive) in enumerate(draw(st.lists(st.tuples(percents, st.booleans()), max_size=4)))
    ]
    some = st.lists(st.sampled_from(rates), unique_by=lambda one: one["id"]) if rates else st.just([])
    line = st.builds(
        totals.Priced,
        st.one_of(st.integers(0, 5000), st.integers(-2000, 0)).map(lambda amount: amount * step),
        st.lists(st.sampled_from(own), max_size=2, unique_by=lambda one: one["id"]) if own else st.just([]),
        some,
        st.sets(st.sampled_from([one["id"] for one in wide])).map(tuple) if wide else st.just(()),
    )
    return {
        "lines": draw(st.lists(line, max_size=12)),
        "currency": currency,
        "discounts": wide,
        "tax_rates": draw(some),
        "tax_exempt": draw(st.sampled_from(["none", "exempt", "reverse"])),
    }


def computed(bill: dict[str, Any]) -> tuple[dict[str, Any], list[totals.LineTotals]]:
    """The bill's amounts."""
    bill = dict(bill)
    return totals.invoice(bill.pop("lines"), bill.pop("currency"), discounts.off, **bill)


@given(bills())
@settings(max_examples=40)
def test_the_invoice_is_the_sum_of_its_lines(bill: dict[str, Any]) -> None:
    amounts, lines = computed(bill)
    taken = sum(part["amount"] for line in lines for part in line.discount_amounts)
    exclusive = sum(totals.added(line.taxes) for line in lines)
    assert amounts["total"] == sum(line.amount for line in bill["lines"]) - taken + exclusive
    assert sum(part["amount"] for part in amounts["total_discount_amounts"]) == taken
    assert sum(tax["amount"] for tax in amounts["total_taxes"]) == sum(
        tax["amount"] for line in lines for tax in line.taxes
    )
    assert amounts["total_excluding_tax"] == sum(line.net - totals.included(line.taxes) for line in lines)
    whole = [one["id"] for one in bill["discounts"]]
    wide = sum(part["amount"] for part in amounts["total_discount_amounts"] if part["discount"] in whole)
    assert amounts["subtotal"] - wide + exclusive == amounts["total"]


@given(bills())
@settings(max_examples=40)
def test_every_amount_is_a_multiple_of_what_the_currency_moves_by(bill: dict[str, Any]) -> None:
    amounts, lines = computed(bill)
    step = step_of(bill["currency"])
    parts = [part["amount"] for line in lines for part in (*line.discount_amounts, *line.taxes)]
    assert [amount for amount in (*parts, amounts["total"], amounts["subtotal"]) if amount % step] == []


@given(bills())
@settings(max_examples=40)
def test_no_discount_takes_more_than_there_is(bill: dict[str, Any]) -> None:
    _, lines = computed(bill)
    if all(line.amount >= 0 for line in bill["lines"]):
        assert all(line.net >= 0 for line in lines)
    for asked, line in zip(bill["lines"], lines, strict=True):
        if not asked.covered and not asked.discounts:
            assert line.net == asked.amount


@given(bills())
@settings(max_examples=40)
def test_a_tax_is_within_half_a_unit_of_its_share(bill: dict[str, Any]) -> None:
    _, lines = computed(bill)
    step = step_of(bill["currency"])
    by_id = {one["id"]: one for line in bill["lines"] for one in line.tax_rates}
    by_id |= {one["id"]: one for one in bill["tax_rates"]}
    for line in lines:
        included = sum(
            by_id[t["tax_rate_details"]["tax_rate"]]["percentage"]
            for t in line.taxes
            if t["tax_behavior"] == "inclusive"
        )
        for tax in line.taxes:
            percentage = by_id[tax["tax_rate_details"]["tax_rate"]]["percentage"]
            exact = 0 if bill["tax_exempt"] != "none" else line.net / (1 + included / 100) * percentage / 100
            assert abs(tax["amount"] - exact) <= step / 2 + 1e-6


@given(st.lists(st.integers(0, 10_000), max_size=20), st.integers(0, 10_000), st.sampled_from([1, 10]))
def test_shares_add_up_and_none_outgrows_its_weight(weights: list[int], whole: int, step: int) -> None:
    weights = [weight * step for weight in weights]
    whole = min(whole * step, sum(weights))
    parts = totals.shares(whole, weights, step)
    assert sum(parts) == (whole if weights and sum(weights) else 0)
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize(
    ("net", "rates", "amounts"),
    [
        (1000, [rate("a", 19, False)], [190]),
        (1190, [rate("a", 19, True)], [190]),
        (50, [rate("a", 25, False)], [13]),
        (-50, [rate("a", 25, False)], [-13]),
        (1350, [rate("a", 25, True), rate("b", 10, True)], [250, 100]),
        (1190, [rate("a", 19, True), rate("b", 5, False)], [190, 50]),
    ],
)
def test_taxes_are_rounded_half_up_and_inclusive_ones_share_one_base(
    net: int, rates: list[dict[str, Any]], amounts: list[int]
) -> None:
    assert [tax["amount"] for tax in totals.taxes(net, rates, "usd")] == amounts


def test_an_amount_off_is_split_over_the_lines_it_covers() -> None:
    lines = [totals.Priced(1000, covered=("di_x",)), totals.Priced(2000, covered=("di_x",)), totals.Priced(500)]
    amounts, each = totals.invoice(lines, "usd", discounts.off, discounts=[coupon("di_x", None, 100, "usd")])
    assert [line.net for line in each] == [967, 1933, 500]
    assert amounts["total_discount_amounts"] == [{"amount": 100, "discount": "di_x"}]
