"""What discounts take off, and when they may be redeemed; hypothesis holds the arithmetic."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.products import discounts, percent, tax_rates
from tests.sandbox.acts import get, pay, post, types

PERCENTS = st.integers(1, 1_000_000).map(lambda ticks: percent.percentage(f"{ticks / 10_000:.4f}", "percent_off"))
AMOUNTS = st.integers(0, 10**14)


def coupon(**terms: Any) -> dict[str, Any]:
    return {"percent_off": None, "amount_off": None, "currency": None, "_currency_options": {}, **terms}


@given(PERCENTS, AMOUNTS)
def test_a_percentage_is_exact_and_never_more_than_the_amount(part: float, amount: int) -> None:
    found = discounts.off(coupon(percent_off=part), amount, "usd")
    assert type(found) is int
    assert 0 <= found <= amount
    assert abs(found - Fraction(str(part)) * amount / 100) <= Fraction(1, 2)


@given(st.integers(1, 10**6), AMOUNTS, st.sampled_from(["usd", "jpy", "kwd", "eur"]))
def test_an_amount_is_taken_off_in_its_own_currencies_only_and_never_below_zero(
    least: int, amount: int, currency: str
) -> None:
    row = coupon(amount_off=least, currency="usd", _currency_options={"jpy": {"amount_off": 7 * least}})
    wanted = {"usd": least, "jpy": 7 * least}.get(currency, 0)
    assert discounts.off(row, amount, currency) == min(amount, wanted)


@given(PERCENTS, st.integers(-(10**12), 10**12))
def test_a_tax_is_whole_and_a_credit_takes_back_what_its_charge_took(part: float, amount: int) -> None:
    for inclusive in (False, True):
        rate = {"inclusive": inclusive, "percentage": part}
        exact = Fraction(str(part)) * amount / ((100 + Fraction(str(part))) if inclusive else 100)
        assert abs(tax_rates.tax(rate, amount) - exact) <= Fraction(1, 2)
        assert tax_rates.tax(rate, -amount) == -tax_rates.tax(rate, amount)


def test_a_percentage_of_a_three_decimal_currency_ends_in_zero() -> None:
    assert discounts.off(coupon(percent_off=33.3), 10_010, "kwd") == 3330
    assert discounts.off(coupon(percent_off=33.3), 10_010, "jpy") == 3333


def test_half_a_unit_of_tax_is_rounded_up() -> None:
    assert tax_rates.tax({"inclusive": False, "percentage": 2.5}, 20) == 1
    assert tax_rates.tax({"inclusive": True, "percentage": 19}, 11900) == 1900


def test_a_discount_of_a_credit_is_nothing() -> None:
    assert discounts.off(coupon(percent_off=50), -100, "usd") == 0


def test_a_resolved_discount_is_counted_told_of_and_keeps_its_coupon() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    post(sandbox, "coupons", id="HALF", percent_off="50", duration="repeating", duration_in_months="3")
    call = Call(sandbox.store, "test")
    row = sandbox.store.get("customer", customer)
    (found,) = discounts.resolve(call, [{"coupon": "HALF"}], customer=row)
    assert (found["customer"], found["end"] > found["start"], discounts.lasts_once(found)) == (customer, True, False)
    sandbox.store.commit()
    assert get(sandbox, "coupons/HALF")["times_redeemed"] == 1
    assert types(sandbox, "coupon.", "customer.discount")[-2:] == ["coupon.updated", "customer.discount.created"]
    call.store.put({"id": "HALF", "object": "coupon", "deleted": True})
    assert discounts.off(discounts.held(call.store, [found["id"]])[0], 999, "jpy") == 500


def test_a_preview_counts_and_stores_nothing() -> None:
    sandbox = Sandbox()
    post(sandbox, "coupons", id="HALF", percent_off="50")
    (found,) = discounts.resolve(Call(sandbox.store, "test"), [{"coupon": "HALF"}], keep=False)
    assert sandbox.store.get("discount", found["id"]) is None
    assert get(sandbox, "coupons/HALF")["times_redeemed"] == 0


def test_the_last_redemption_ends_the_coupon_and_all_of_its_codes() -> None:
    sandbox = Sandbox()
    post(sandbox, "coupons", id="ONE", amount_off="50", currency="kwd", max_redemptions="1")
    codes = [
        post(sandbox, "promotion_codes", code=code, **{"promotion[type]": "coupon", "promotion[coupon]": "ONE"})["id"]
        for code in ("A", "B")
    ]
    call = Call(sandbox.store, "test")
    discounts.resolve(call, [{"promotion_code": codes[0]}], invoice="in_1")
    sandbox.store.commit()
    assert get(sandbox, "coupons/ONE")["valid"] is False
    assert [get(sandbox, f"promotion_codes/{code}")["active"] for code in codes] == [False, False]
    with pytest.raises(ApiError, match="redeemed as often"):
        discounts.resolve(call, [{"coupon": "ONE"}])


@pytest.mark.parametrize(
    ("terms", "given_", "message"),
    [
        ({"restrictions[first_time_transaction]": "true"}, {}, "prior transactions"),
        ({"restrictions[minimum_amount]": "500", "restrictions[minimum_amount_currency]": "jpy"},
         {"amount": 499, "currency": "jpy"}, "minimum amount is not reached"),
        ({"restrictions[minimum_amount]": "500", "restrictions[minimum_amount_currency]": "jpy"},
         {"amount": 499, "currency": "eur"}, "no minimum amount in eur"),
        ({"active": "false"}, {}, "inactive"),
        ({"customer": "another"}, {}, "another customer"),
    ],
)  # fmt: skip
def test_a_promotion_codes_own_terms_refuse(terms: dict[str, str], given_: dict[str, Any], message: str) -> None:
    sandbox = Sandbox()
    customer, another = post(sandbox, "customers")["id"], post(sandbox, "customers")["id"]
    pay(sandbox, customer=customer)
    post(sandbox, "coupons", id="TEN", percent_off="10")
    if "customer" in terms:
        terms = {"customer": another}
    data = {"promotion[type]": "coupon", "promotion[coupon]": "TEN", **terms}
    code = post(sandbox, "promotion_codes", code="TEN", **data)["id"]
    call = Call(sandbox.store, "test")
    row = sandbox.store.get("customer", customer)
    with pytest.raises(ApiError, match=message):
        discounts.resolve(call, [{"promotion_code": code}], customer=row, **given_)


def test_the_same_coupon_is_not_stacked() -> None:
    sandbox = Sandbox()
    post(sandbox, "coupons", id="TEN", percent_off="10")
    with pytest.raises(ApiError, match="more than once"):
        discounts.resolve(Call(sandbox.store, "test"), [{"coupon": "TEN"}, {"coupon": "TEN"}])


def test_an_amount_coupon_is_refused_where_it_has_no_amount() -> None:
    sandbox = Sandbox()
    post(sandbox, "coupons", id="TEN", amount_off="10", currency="usd")
    with pytest.raises(ApiError, match="no amount_off in jpy"):
        discounts.resolve(Call(sandbox.store, "test"), [{"coupon": "TEN"}], currency="jpy")


def test_a_dropped_discount_leaves_a_tombstone_and_is_told_once() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    post(sandbox, "coupons", id="TEN", percent_off="10")
    call = Call(sandbox.store, "test")
    (found,) = discounts.resolve(call, [{"coupon": "TEN"}], customer=sandbox.store.get("customer", customer))
    assert discounts.running(found, sandbox.now)
    gone = discounts.drop(call, found)
    assert discounts.drop(call, gone) is gone
    assert discounts.held(sandbox.store, [found["id"]]) == []
    assert types(sandbox, "customer.discount") == ["customer.discount.created", "customer.discount.deleted"]


def test_months_end_on_the_last_day_of_a_short_month() -> None:
    january_31 = 1_769_817_600  # 2026-01-31T00:00:00Z
    assert discounts.after_months(january_31, 1) == 1_772_236_800  # 2026-02-28T00:00:00Z


def test_what_a_coupon_applies_to() -> None:
    sandbox = Sandbox()
    tea, air = post(sandbox, "products", name="Tea")["id"], post(sandbox, "products", name="Air")["id"]
    made = post(
        sandbox, "coupons", id="TEA", percent_off="12.5", **{"applies_to[products][]": tea, "expand[]": "applies_to"}
    )
    assert made["applies_to"] == {"products": [tea]}
    row = sandbox.store.get("coupon", "TEA")
    assert row is not None
    assert [discounts.applies_to(row, product) for product in (tea, air, None)] == [True, False, False]
