"""Bank debits: days of processing, then paid or returned, and no money is there before."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.balance.settlement import debit_fee
from payment_kit.sandbox.payments.debits import DAYS
from tests.sandbox.acts import DAY, get, pay, post, refused, types
from tests.sandbox.payments.test_setups import AGREED

US = {"allowed_payment_method_types[]": "us_bank_account", **AGREED}


def debit(sandbox: Sandbox, outcome: str = "success", **more: str) -> Any:
    return pay(sandbox, 10_000, payment_method=f"pm_usBankAccount_{outcome}", **US, **more)


def sums(sandbox: Sandbox) -> tuple[int, int]:
    balance = get(sandbox, "balance")
    return balance["available"][0]["amount"], balance["pending"][0]["amount"]


def test_a_debit_is_processing_with_its_money_pending_and_succeeds_days_later() -> None:
    sandbox = Sandbox()
    intent = debit(sandbox, **{"expand[]": "latest_charge.balance_transaction"})
    charge = intent["latest_charge"]
    money = charge["balance_transaction"]
    assert (intent["status"], charge["status"], charge["paid"], charge["id"][:3]) == (
        "processing",
        "pending",
        False,
        "py_",
    )
    assert (money["type"], money["reporting_category"], money["fee"], money["status"]) == (
        "payment",
        "charge",
        80,
        "pending",
    )
    sandbox.advance_to(sandbox.now + DAYS * DAY)
    assert get(sandbox, f"payment_intents/{intent['id']}")["status"] == "succeeded"
    assert sums(sandbox) == (0, 9920)
    assert types(sandbox, "payment_intent", "charge") == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("outcome", "code"), [("insufficientFunds", "insufficient_funds"), ("accountClosed", "account_closed")]
)
def test_a_returned_debit_fails_late_and_takes_back_what_was_never_available(outcome: str, code: str) -> None:
    sandbox = Sandbox()
    intent = debit(sandbox, outcome)
    sandbox.advance_to(sandbox.now + 9 * DAY)
    failed = get(sandbox, f"payment_intents/{intent['id']}", **{"expand[]": "latest_charge"})
    charge = failed["latest_charge"]
    assert (failed["status"], charge["status"], charge["failure_code"]) == ("requires_payment_method", "failed", code)
    moves = [(row["type"], row["reporting_category"], row["net"]) for row in sandbox.store.rows("balance_transaction")]
    assert moves == [("payment", "charge", 9920), ("payment_failure_refund", "charge_failure", -9920)]
    assert list(sandbox.store.rows("payout")) == []
    assert sums(sandbox) == (0, 0)
    assert types(sandbox)[-3:] == ["charge.failed", "payment_intent.payment_failed", "balance.available"]


def test_while_processing_it_can_be_neither_canceled_nor_refunded() -> None:
    sandbox = Sandbox()
    intent = debit(sandbox)
    assert refused(sandbox, f"payment_intents/{intent['id']}/cancel")["code"] == "payment_intent_unexpected_state"
    refused(sandbox, "refunds", payment_intent=intent["id"])
    refused(sandbox, "refunds", charge=intent["latest_charge"])


def test_a_debit_is_given_back_as_a_payment_refund() -> None:
    sandbox = Sandbox()
    intent = debit(sandbox)
    sandbox.advance_to(sandbox.now + DAYS * DAY)
    refund = post(sandbox, "refunds", payment_intent=intent["id"], **{"expand[]": "balance_transaction"})
    money = refund["balance_transaction"]
    assert (refund["id"][:4], money["type"], money["reporting_category"], money["net"]) == (
        "pyr_",
        "payment_refund",
        "refund",
        -10_000,
    )
    found = get(sandbox, f"balance_transactions/{money['id']}", **{"expand[]": "source"})
    assert found["source"]["object"] == "refund"


def test_a_sepa_debit_is_made_from_a_test_iban_and_may_be_disputed() -> None:
    sandbox = Sandbox()
    data = {"type": "sepa_debit", "sepa_debit[iban]": "AT59 1904 3002 3547 3203"}
    assert refused(sandbox, "payment_methods", **data)["param"] == "billing_details[name]"
    data |= {"billing_details[name]": "Eva", "billing_details[email]": "eva@example.com"}
    method = post(sandbox, "payment_methods", **data)
    assert (method["sepa_debit"]["country"], method["sepa_debit"]["last4"]) == ("AT", "3203")
    pay(
        sandbox,
        2000,
        "eur",
        payment_method=method["id"],
        **{"allowed_payment_method_types[]": "sepa_debit", **AGREED},
    )
    sandbox.advance_to(sandbox.now + DAYS * DAY)
    assert [row["amount"] for row in sandbox.store.rows("dispute")] == [2000]


def test_a_debit_in_another_currency_and_a_real_account_are_refused() -> None:
    sandbox = Sandbox()
    data = {"amount": "1000", "currency": "eur", "confirm": "true", **US}
    assert refused(sandbox, "payment_intents", **data, payment_method="pm_usBankAccount_success")["param"]
    real = {"type": "us_bank_account", "us_bank_account[account_number]": "1234567", "billing_details[name]": "A"}
    assert refused(sandbox, "payment_methods", **real)["param"] == "us_bank_account[account_number]"


@pytest.mark.parametrize(("amount", "fee"), [(100, 1), (10_000, 80), (1_000_000, 500)])
def test_the_debit_fee_is_capped(amount: int, fee: int) -> None:
    assert debit_fee(amount, "usd") == fee


def billed(outcome: str) -> tuple[Sandbox, str]:
    """An invoice whose customer pays by bank debit, finalized and sent to the bank."""
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    method = post(sandbox, f"payment_methods/pm_usBankAccount_{outcome}/attach", customer=customer)["id"]
    post(sandbox, f"customers/{customer}", **{"invoice_settings[default_payment_method]": method})
    invoice = post(sandbox, "invoices", customer=customer, auto_advance="true")["id"]
    post(sandbox, "invoiceitems", customer=customer, invoice=invoice, amount="1000", currency="usd")
    assert post(sandbox, f"invoices/{invoice}/pay")["status"] == "open"
    assert post(sandbox, f"invoices/{invoice}/pay")["status"] == "open"
    return sandbox, invoice


def test_an_invoice_waits_for_its_debit_and_is_charged_once() -> None:
    sandbox, invoice = billed("success")
    sandbox.advance_to(sandbox.now + DAYS * DAY)
    assert get(sandbox, f"invoices/{invoice}")["status"] == "paid"
    assert types(sandbox, "charge") == ["charge.pending", "charge.succeeded"]


def test_an_invoice_hears_of_a_returned_debit_and_is_tried_again() -> None:
    sandbox, invoice = billed("insufficientFunds")
    sandbox.advance_to(sandbox.now + DAYS * DAY)
    after = get(sandbox, f"invoices/{invoice}")
    assert (after["status"], after["attempt_count"]) == ("open", 1)
    assert types(sandbox, "invoice.p") == ["invoice.payment_failed"]
    sandbox.advance_to(after["next_payment_attempt"] + DAYS * DAY)
    again = get(sandbox, f"invoices/{invoice}")
    assert (again["attempt_count"], len(types(sandbox, "charge.pending"))) == (2, 2)
    assert again["next_payment_attempt"] > sandbox.now
