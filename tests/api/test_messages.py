"""What Stripe may send tomorrow still becomes a message today."""

import pytest

from payment_kit.api.messages import message
from payment_kit.v1.balance_pb2 import Balance
from payment_kit.v1.balance_transaction_pb2 import BalanceTransaction
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.customer_pb2 import Customer
from payment_kit.v1.payment_intent_pb2 import PaymentIntent
from payment_kit.v1.price_pb2 import Price, Recurring
from payment_kit.v1.promotion_code_pb2 import PromotionCode
from payment_kit.v1.refund_pb2 import Refund


def test_unknown_values_are_unspecified() -> None:
    assert message(PaymentIntent, {"id": "pi_1", "status": "resting"}).state == PaymentIntent.STATE_UNSPECIFIED
    assert message(Refund, {"id": "re_1", "status": "new", "reason": "expired_uncaptured_charge"}).state == (
        Refund.STATE_UNSPECIFIED
    )
    price = message(Price, {"id": "price_1", "recurring": {"interval": "decade"}})
    assert price.recurring.interval == Recurring.INTERVAL_UNSPECIFIED


def test_null_and_missing_fields_are_empty() -> None:
    bare = message(Customer, {"id": "cus_1", "email": None, "metadata": None, "invoice_settings": None})

    assert (bare.email, dict(bare.metadata), bare.default_payment_method) == ("", {}, "")
    assert not bare.HasField("create_time")


def test_a_fraction_of_a_minor_unit_is_shown_as_zero() -> None:
    price = message(Price, {"id": "price_1", "currency": "usd", "unit_amount": None, "unit_amount_decimal": "0.5"})

    assert price.unit_amount.amount_minor == 0
    assert price.unit_amount.currency == "usd"


def test_an_expanded_reference_is_its_id() -> None:
    intent = message(PaymentIntent, {"id": "pi_1", "customer": {"id": "cus_1"}, "latest_charge": "ch_1"})

    assert (intent.customer, intent.latest_charge) == ("cus_1", "ch_1")


@pytest.mark.parametrize(
    ("sent", "shown"), [(19, "19"), (7.25, "7.25"), (0.0000001, "0.0000001"), (0, "0"), (None, ""), (True, "")]
)
def test_a_rate_is_written_out_as_it_was_sent(sent: object, shown: str) -> None:
    assert message(BalanceTransaction, {"id": "txn_1", "exchange_rate": sent}).exchange_rate == shown


def test_an_amount_may_bring_its_own_currency_and_is_absent_with_neither() -> None:
    balance = message(Balance, {"available": [{"amount": -5, "currency": "kwd"}], "pending": []})
    assert list(balance.available) == [Money(amount_minor=-5, currency="kwd")]

    terms = {"minimum_amount": 500, "minimum_amount_currency": "jpy"}
    limited = message(PromotionCode, {"id": "promo_1", "restrictions": terms})
    assert limited.minimum_amount == Money(amount_minor=500, currency="jpy")
    assert not message(PromotionCode, {"id": "promo_1", "restrictions": {}}).HasField("minimum_amount")
