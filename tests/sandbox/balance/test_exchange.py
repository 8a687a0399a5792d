"""Exchange: a currency without a balance settles in the account's own, and its amounts stay integers."""

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.balance.exchange import settled
from tests.sandbox.acts import CARD, get, post, refused


@pytest.mark.parametrize(
    ("amount", "currency", "into"),
    [(1000, "gbp", 1341), (-1000, "gbp", -1341), (1000, "krw", 72), (1000, "bhd", 265), (125, "cad", 90)],
)
def test_an_amount_is_converted_half_up(amount: int, currency: str, into: int) -> None:
    assert settled(amount, currency)[:2] == (into, "usd")


def test_amount_times_rate_is_what_the_balance_gets() -> None:
    sandbox = Sandbox()
    intent = post(
        sandbox,
        "payment_intents",
        amount="1000",
        currency="gbp",
        payment_method="pm_card_visa",
        **CARD,
        **{"expand[]": "latest_charge.balance_transaction"},
    )
    money = intent["latest_charge"]["balance_transaction"]
    assert (intent["currency"], money["currency"], money["amount"], money["exchange_rate"]) == (
        "gbp",
        "usd",
        1341,
        1.3406,
    )
    assert (money["fee"], money["fee_details"][0]["currency"]) == (69, "usd")
    refund = post(sandbox, "refunds", payment_intent=intent["id"], amount="500")
    back = get(sandbox, f"balance_transactions/{refund['balance_transaction']}")
    assert (refund["amount"], back["amount"], back["currency"]) == (500, -670, "usd")


def test_a_dispute_of_a_converted_charge_costs_the_fee_of_the_settlement_currency() -> None:
    sandbox = Sandbox()
    post(sandbox, "payment_intents", amount="1000", currency="gbp", payment_method="pm_card_createDispute", **CARD)
    (dispute,) = sandbox.store.rows("dispute")
    (money,) = dispute["balance_transactions"]
    assert (dispute["amount"], money["amount"], money["fee"], money["currency"]) == (1000, -1341, 1500, "usd")


def test_a_currency_with_its_own_balance_is_not_converted() -> None:
    assert settled(1000, "jpy") == (1000, "jpy", None)


def test_there_are_no_payouts_in_a_currency_without_a_balance() -> None:
    assert refused(Sandbox(), "payouts", amount="100", currency="gbp")["param"] == "currency"
