"""Collection: whom an invoice charges, what an attempt does to it, and when the next one comes."""

from typing import Any

import pytest

from payment_kit.sandbox.billing.collection import RETRY_DAYS
from tests.sandbox.billing.till import DAY, Till

PLAIN = {"allowed_payment_method_types": ["card"]}


@pytest.fixture
def shop() -> Till:
    return Till()


def automatic(shop: Till, customer: str, amount: int = 1000) -> str:
    """An invoice the clock collects in an hour."""
    return str(shop.invoice(customer, amount, auto_advance=True)["id"])


def intent_of(shop: Till, invoice: str) -> dict[str, Any]:
    """The payment intent of an invoice."""
    (payment,) = shop.get("invoice_payments", invoice=invoice)["data"]
    return shop.get(f"payment_intents/{payment['payment']['payment_intent']}")


def test_a_decline_answers_402_and_stays_on_the_invoice(shop: Till) -> None:
    final = shop.post(f"invoices/{shop.invoice(shop.customer('chargeCustomerFail'), 1000)['id']}/finalize")
    error = shop.refused(f"invoices/{final['id']}/pay")
    assert (error["status"], error["type"], error["code"]) == (402, "card_error", "card_declined")
    after = shop.get(f"invoices/{final['id']}")
    assert (after["status"], after["attempted"], after["attempt_count"]) == ("open", True, 1)
    assert [event["type"] for event in shop.events(final["id"])][-2:] == ["invoice.updated", "invoice.payment_failed"]


def test_automatic_attempts_follow_the_schedule_and_give_up_after_the_last(shop: Till) -> None:
    customer = shop.customer("chargeCustomerFail")
    invoice = automatic(shop, customer)
    shop.wait(3600)
    first = shop.get(f"invoices/{invoice}")
    assert (first["attempt_count"], first["next_payment_attempt"]) == (1, shop.sandbox.now + DAY)
    assert shop.get(f"customers/{customer}")["delinquent"] is True
    shop.wait(15 * DAY)
    failed = [event for event in shop.events(invoice) if event["type"] == "invoice.payment_failed"]
    gaps = [event["data"]["object"]["next_payment_attempt"] for event in failed]
    days = [(at - event["created"]) // DAY for event, at in zip(failed, gaps, strict=True) if at is not None]
    assert (tuple(days), gaps[-1], failed[-1]["data"]["object"]["attempt_count"]) == (RETRY_DAYS, None, 9)


def test_a_retry_succeeds_with_the_method_that_is_default_by_then(shop: Till) -> None:
    customer = shop.customer("chargeCustomerFail")
    invoice = automatic(shop, customer)
    shop.wait(3600)
    shop.card(customer, "visa")
    shop.wait(DAY)
    after = shop.get(f"invoices/{invoice}")
    assert (after["status"], after["attempt_count"], after["next_payment_attempt"]) == ("paid", 2, None)
    assert shop.get(f"customers/{customer}")["delinquent"] is False
    assert len(shop.get("payment_intents")["data"]) == 1


def test_a_manual_attempt_after_the_first_does_not_move_the_schedule(shop: Till) -> None:
    invoice = automatic(shop, shop.customer("chargeCustomerFail"))
    shop.wait(3600)
    before = shop.get(f"invoices/{invoice}")
    shop.wait(100)
    shop.refused(f"invoices/{invoice}/pay")
    after = shop.get(f"invoices/{invoice}")
    assert (after["attempt_count"], after["next_payment_attempt"]) == (1, before["next_payment_attempt"])


def test_an_authentication_the_bank_wants_is_told_of_and_its_completion_pays(shop: Till) -> None:
    invoice = automatic(shop, shop.customer("authenticationRequired"))
    shop.wait(3600)
    assert shop.types("invoice.payment") == [
        "invoice.payment_action_required",
        "invoice.payment_failed",
    ]
    intent = intent_of(shop, invoice)
    assert intent["status"] == "requires_action"
    secret = shop.get(f"invoices/{invoice}", expand=["confirmation_secret"])["confirmation_secret"]
    assert secret == {"client_secret": intent["client_secret"], "type": "payment_intent"}
    authenticate(shop, intent["id"], True)
    after = shop.get(f"invoices/{invoice}")
    assert (after["status"], after["amount_paid"], after["attempt_count"]) == ("paid", 1000, 1)


def authenticate(shop: Till, intent: str, succeed: bool) -> None:
    """The customer answers the bank."""
    from payment_kit.sandbox.call import Call, unit
    from payment_kit.sandbox.payments import intents

    store = shop.sandbox.store
    unit(
        Call(store, f"authenticate {intent} {store.now}", path=(intent,)),
        lambda call: intents.authenticate(call, succeed),
    )


def test_a_failed_authentication_is_a_failed_payment(shop: Till) -> None:
    invoice = automatic(shop, shop.customer("authenticationRequired"))
    shop.wait(3600)
    authenticate(shop, intent_of(shop, invoice)["id"], False)
    assert shop.types("invoice.payment_failed") == ["invoice.payment_failed"] * 2
    assert shop.get(f"invoices/{invoice}")["status"] == "open"


def test_a_hard_decline_is_counted_but_not_tried_again_until_there_is_another_method(shop: Till) -> None:
    customer = shop.customer("authenticationRequired")
    invoice = automatic(shop, customer)
    shop.wait(3600 + 3 * DAY)
    assert shop.get(f"invoices/{invoice}")["attempt_count"] == 3
    assert len(shop.types("payment_intent.requires_action")) == 1
    shop.card(customer, "visa")
    shop.wait(2 * DAY)
    assert shop.get(f"invoices/{invoice}")["status"] == "paid"


def test_the_customer_can_pay_the_payment_intent_with_another_card(shop: Till) -> None:
    final = shop.post(f"invoices/{shop.invoice(shop.customer('chargeCustomerFail'), 1000)['id']}/finalize")
    intent = intent_of(shop, final["id"])["id"]
    error = shop.refused(f"payment_intents/{intent}/confirm", payment_method="pm_card_chargeDeclined")
    assert error["code"] == "card_declined"
    failed = shop.get(f"invoices/{final['id']}")
    assert (failed["attempted"], failed["attempt_count"]) == (True, 1)
    shop.post(f"payment_intents/{intent}/confirm", payment_method="pm_card_visa")
    assert shop.get(f"invoices/{final['id']}")["status"] == "paid"
    assert shop.types("invoice.p") == ["invoice.payment_failed", "invoice.paid", "invoice.payment_succeeded"]


def test_the_invoices_own_method_comes_before_the_customers(shop: Till) -> None:
    customer = shop.customer("chargeCustomerFail")
    good = shop.post("payment_methods/pm_card_visa/attach", customer=customer)["id"]
    draft = shop.invoice(customer, 1000, default_payment_method=good)
    assert shop.post(f"invoices/{draft['id']}/pay")["status"] == "paid"


def test_a_method_of_another_customer_is_refused(shop: Till) -> None:
    other = shop.post("payment_methods/pm_card_visa/attach", customer=shop.customer(None))["id"]
    draft = shop.invoice(shop.customer(None), 1000)
    assert shop.refused(f"invoices/{draft['id']}/pay", payment_method=other)["param"] == "payment_method"


def test_without_any_method_payment_is_refused_and_automatic_collection_fails(shop: Till) -> None:
    invoice = automatic(shop, shop.customer(None))
    shop.wait(3600)
    after = shop.get(f"invoices/{invoice}")
    assert (after["status"], after["attempt_count"]) == ("open", 1)
    assert shop.refused(f"invoices/{invoice}/pay")["code"] == "resource_missing"


def test_an_invoice_that_is_not_advanced_is_not_retried(shop: Till) -> None:
    invoice = automatic(shop, shop.customer("chargeCustomerFail"))
    shop.wait(3600)
    shop.post(f"invoices/{invoice}", auto_advance=False)
    shop.wait(15 * DAY)
    assert shop.get(f"invoices/{invoice}")["attempt_count"] == 1


def test_the_clock_goes_on_after_a_customer_was_deleted(shop: Till) -> None:
    customer = shop.customer()
    invoice = automatic(shop, customer)
    shop.delete(f"customers/{customer}")
    shop.wait(DAY)
    after = shop.get(f"invoices/{invoice}")
    assert (after["status"], after["auto_advance"]) == ("draft", False)


def test_a_partial_payment_keeps_the_invoice_open_for_the_rest(shop: Till) -> None:
    customer = shop.customer()
    final = shop.post(f"invoices/{shop.invoice(customer, 1000)['id']}/finalize")
    part = shop.post("payment_intents", amount=400, currency="usd", customer=customer, **PLAIN)
    shop.post(f"invoices/{final['id']}/attach_payment", payment_intent=part["id"])
    shop.post(f"payment_intents/{part['id']}/confirm", payment_method="pm_card_visa")
    assert shop.get(f"invoices/{final['id']}")["amount_remaining"] == 600
    assert (
        shop.refused(f"invoices/{final['id']}/attach_payment", payment_intent=part["id"])["param"] == "payment_intent"
    )


def test_what_is_paid_too_much_becomes_credit(shop: Till) -> None:
    customer = shop.customer()
    final = shop.post(f"invoices/{shop.invoice(customer, 1000)['id']}/finalize")
    big = shop.post(
        "payment_intents", amount=1500, currency="usd", customer=customer, payment_method="pm_card_visa", confirm=True,
        **PLAIN,
    )  # fmt: skip
    paid = shop.post(f"invoices/{final['id']}/attach_payment", payment_intent=big["id"])
    assert (paid["status"], paid["amount_paid"], paid["amount_overpaid"]) == ("paid", 1500, 500)
    assert (paid["amount_remaining"], shop.get(f"customers/{customer}")["balance"]) == (0, -500)
