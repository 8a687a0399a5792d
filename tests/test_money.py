"""Money is integers of minor units, with Stripe's decimals, one currency at a time."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit import money
from payment_kit.money import Money

CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "kwd", "isk", "ugx", "mga", "bhd", "krw"])
AMOUNTS = st.integers(min_value=-(10**12), max_value=10**12)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1234567, "usd", "12,345.67 USD"),
        (-5, "eur", "-0.05 EUR"),
        (500, "jpy", "500 JPY"),
        (1234560, "kwd", "1,234.560 KWD"),
        (0, "usd", "0.00 USD"),
        (100, "isk", "1.00 ISK"),
        (100, "ugx", "1.00 UGX"),
        (100, "MGA", "100 MGA"),
    ],
)
def test_amounts_are_shown_with_the_decimals_of_their_currency(minor: int, currency: str, shown: str) -> None:
    assert str(Money(minor, currency)) == shown


@given(AMOUNTS, CURRENCIES)
def test_the_decimal_amount_is_exact(minor: int, currency: str) -> None:
    assert money.to_decimal(minor, currency) * 10 ** money.exponent(currency) == Decimal(minor)


@given(st.lists(st.tuples(AMOUNTS, CURRENCIES)))
def test_totals_keep_currencies_apart(pairs: list[tuple[int, str]]) -> None:
    sums = money.totals(Money(*pair) for pair in pairs)

    assert set(sums) == {currency for _, currency in pairs}
    for currency, sum_ in sums.items():
        assert sum_ == Money(sum(minor for minor, other in pairs if other == currency), currency)


def test_every_currency_with_decimals_of_its_own_is_one_that_stripe_has() -> None:
    assert set(money.CURRENCIES) >= money.ZERO_DECIMAL | money.THREE_DECIMAL
    assert len(set(money.CURRENCIES)) == len(money.CURRENCIES)
