"""A currency that Stripe does not have is refused wherever one is named, in Stripe's words."""

import pytest

from payment_kit.money import CURRENCIES
from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.balance import exchange
from tests.sandbox import memory
from tests.sandbox.acts import pay

PRODUCT = {"product_data[name]": "Tea", "unit_amount": "100"}


@pytest.mark.parametrize("currency", ["xxx", "XTS", "euro", "us", "€"])
@pytest.mark.parametrize(
    ("path", "param", "others"),
    [
        ("payment_intents", "currency", {"amount": "1000"}),
        ("prices", "currency", PRODUCT),
        ("invoices", "currency", {"customer": "cus_of_the_test"}),
        ("invoiceitems", "currency", {"customer": "cus_of_the_test", "amount": "100"}),
        ("coupons", "currency", {"duration": "once", "amount_off": "100"}),
        ("payouts", "currency", {"amount": "100"}),
        ("products", "default_price_data[currency]", {"name": "Tea", "default_price_data[unit_amount]": "1"}),
    ],
)
def test_a_currency_that_stripe_does_not_have_is_refused_with_those_it_has(
    path: str, param: str, others: dict[str, str], currency: str
) -> None:
    status, body = memory.ask(Sandbox(), "POST", f"/v1/{path}", {**others, param: currency})
    error = body["error"]
    assert (status, error["type"], error["param"], "code" in error) == (400, "invalid_request_error", param, False)
    words = f"Invalid currency: {currency.lower()}. Stripe currently supports these currencies: usd, aed, afn, all, "
    assert error["message"].startswith(words)
    assert error["message"].endswith("zar, zmw")


def test_a_currency_is_taken_in_capitals_and_told_in_small_letters() -> None:
    assert pay(Sandbox(), 1000, "KWD")["currency"] == "kwd"


@pytest.mark.parametrize("param", ["currency_options[xxx][unit_amount]", "currency_options[zzz][unit_amount]"])
def test_an_option_of_a_price_is_in_a_currency_that_stripe_has(param: str) -> None:
    asked = {**PRODUCT, "currency": "usd", param: "100"}
    status, body = memory.ask(Sandbox(), "POST", "/v1/prices", asked)
    assert (status, body["error"]["param"]) == (400, param.removesuffix("[unit_amount]"))


def test_every_currency_that_is_settled_or_exchanged_is_one_that_stripe_has() -> None:
    assert {*exchange.SETTLED, *exchange.DOLLARS} <= set(CURRENCIES)
