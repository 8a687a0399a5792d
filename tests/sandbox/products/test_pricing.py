"""What a quantity costs: exact, monotone where it has to be, and never a float."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.products import pricing

DECIMALS = st.decimals(0, 10**9, places=12).map(lambda value: f"{value:f}")
QUANTITIES = st.integers(0, 10**15)


def price(**terms: Any) -> dict[str, Any]:
    whole = {"id": "price_1", "currency": "usd", "unit_amount_decimal": None, "tiers_mode": None}
    return {**whole, "transform_quantity": None, **terms}


@st.composite
def tiered(draw: st.DrawFn) -> list[dict[str, Any]]:
    tops = sorted(draw(st.sets(st.integers(1, 10**6), max_size=4)))
    return [
        {"up_to": top, "unit_amount_decimal": draw(DECIMALS), "flat_amount_decimal": draw(st.none() | DECIMALS)}
        for top in [*tops, None]
    ]


def half_up(exact: Fraction) -> int:
    return (exact + Fraction(1, 2)).__floor__()


@given(DECIMALS, QUANTITIES)
def test_a_unit_price_is_multiplied_exactly_and_rounded_half_up_once(decimal: str, quantity: int) -> None:
    found = pricing.amount(price(unit_amount_decimal=decimal), quantity)
    assert type(found) is int
    assert found == half_up(Fraction(decimal) * quantity)


@given(tiered(), st.integers(1, 10**7))
def test_graduated_tiers_price_every_unit_in_its_own_tier(tiers: list[dict[str, Any]], quantity: int) -> None:
    exact, below = Fraction(0), 0
    for tier in tiers:
        top = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        if top > below:
            exact += Fraction(tier["flat_amount_decimal"] or 0) + (top - below) * Fraction(tier["unit_amount_decimal"])
            below = top
    assert below == quantity
    assert pricing.amount(price(_tiers=tiers, tiers_mode="graduated"), quantity) == half_up(exact)


@given(tiered(), st.integers(1, 10**7))
def test_a_volume_tier_prices_the_whole_quantity(tiers: list[dict[str, Any]], quantity: int) -> None:
    tier = next(tier for tier in tiers if tier["up_to"] is None or quantity <= tier["up_to"])
    exact = Fraction(tier["flat_amount_decimal"] or 0) + quantity * Fraction(tier["unit_amount_decimal"])
    assert pricing.amount(price(_tiers=tiers, tiers_mode="volume"), quantity) == half_up(exact)


def test_tiers_as_in_stripes_documentation() -> None:
    tiers = [
        {"up_to": 5, "unit_amount_decimal": "700", "flat_amount_decimal": None},
        {"up_to": 10, "unit_amount_decimal": "650", "flat_amount_decimal": None},
        {"up_to": None, "unit_amount_decimal": "600", "flat_amount_decimal": None},
    ]
    volume = [pricing.amount(price(_tiers=tiers, tiers_mode="volume"), q) for q in (1, 5, 6, 20, 25)]
    assert volume == [700, 3500, 3900, 12000, 15000]
    graduated = [pricing.amount(price(_tiers=tiers, tiers_mode="graduated"), q) for q in (1, 5, 6, 20, 25)]
    assert graduated == [700, 3500, 4150, 12750, 15750]


@pytest.mark.parametrize(("mode", "packages"), [("up", [0, 1, 1, 2]), ("down", [0, 0, 1, 1])])
def test_a_package_price_counts_packages(mode: str, packages: list[int]) -> None:
    by_ten = price(unit_amount_decimal="500", transform_quantity={"divide_by": 10, "round": mode})
    assert [pricing.amount(by_ten, quantity) for quantity in (0, 9, 10, 11)] == [500 * count for count in packages]


def test_another_currency_has_its_own_amount_and_an_unknown_one_none() -> None:
    several = price(
        unit_amount_decimal="1000",
        _currency_options={"jpy": {"unit_amount_decimal": "1500"}, "kwd": {"unit_amount_decimal": "3070.5"}},
    )
    assert [pricing.amount(several, 3, code) for code in ("usd", "jpy", "kwd")] == [3000, 4500, 9210]
    with pytest.raises(ApiError, match="doesn't match the expected currency: `eur`"):
        pricing.amount(several, 1, "eur")


def test_what_the_payer_chooses_has_no_amount_yet() -> None:
    with pytest.raises(ApiError, match="custom_unit_amount"):
        pricing.amount(price(), 1)


@pytest.mark.parametrize("mode", ["graduated", "volume"])
def test_a_tiers_flat_fee_is_due_from_its_first_unit_on_and_the_first_tiers_always(mode: str) -> None:
    tiers = [
        {"up_to": 5, "unit_amount_decimal": "0", "flat_amount_decimal": "1000"},
        {"up_to": None, "unit_amount_decimal": "0", "flat_amount_decimal": "200"},
    ]
    both = 1200 if mode == "graduated" else 200
    found = [pricing.amount(price(_tiers=tiers, tiers_mode=mode), quantity) for quantity in (0, 1, 5, 6)]
    assert found == [1000, 1000, 1000, both]
