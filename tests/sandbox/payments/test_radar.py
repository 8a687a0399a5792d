"""Radar: payments it blocks, payments it wants looked at, and warnings of the card's bank."""

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.payments import cards
from tests.sandbox import memory
from tests.sandbox.acts import CARD, get, pay, post, refused, types


@pytest.mark.parametrize("card", ["riskLevelHighest", "radarBlock", "chargeDeclinedFraudulent"])
def test_a_blocked_payment_never_reaches_the_bank(card: str) -> None:
    sandbox = Sandbox()
    data = {"amount": "1000", "currency": "usd", "payment_method": f"pm_card_{card}", **CARD}
    error = refused(sandbox, "payment_intents", **data)
    assert (error["code"], error["decline_code"]) == ("card_declined", "fraudulent")
    outcome = get(sandbox, f"charges/{error['charge']}")["outcome"]
    assert (outcome["type"], outcome["network_status"], outcome["risk_level"]) == (
        "blocked",
        "not_sent_to_network",
        "highest",
    )


def test_an_elevated_risk_is_paid_and_waits_in_the_queue_until_approved() -> None:
    sandbox = Sandbox()
    intent = pay(sandbox, card="riskLevelElevated", **{"expand[]": "review"})
    review = intent["review"]
    assert (intent["status"], review["open"], review["charge"]) == ("succeeded", True, intent["latest_charge"])
    assert get(sandbox, f"charges/{intent['latest_charge']}")["outcome"]["type"] == "manual_review"
    approved = post(sandbox, f"reviews/{review['id']}/approve")
    assert (approved["open"], approved["closed_reason"], approved["reason"]) == (False, "approved", "approved")
    assert types(sandbox, "review") == ["review.opened", "review.closed"]
    refused(sandbox, f"reviews/{review['id']}/approve")


@pytest.mark.parametrize(("reason", "closed"), [("fraudulent", "refunded_as_fraud"), ("duplicate", "refunded")])
def test_refunding_the_whole_payment_closes_its_review(reason: str, closed: str) -> None:
    sandbox = Sandbox()
    intent = pay(sandbox, card="riskLevelElevated")
    post(sandbox, "refunds", payment_intent=intent["id"], amount="400", reason=reason)
    assert get(sandbox, f"reviews/{intent['review']}")["open"] is True
    post(sandbox, "refunds", payment_intent=intent["id"], reason=reason)
    assert get(sandbox, f"reviews/{intent['review']}")["closed_reason"] == closed


def test_canceling_a_held_payment_closes_its_review() -> None:
    sandbox = Sandbox()
    intent = pay(sandbox, card="riskLevelElevated", capture_method="manual")
    post(sandbox, f"payment_intents/{intent['id']}/cancel")
    assert get(sandbox, f"reviews/{intent['review']}")["closed_reason"] == "canceled"


def test_the_banks_warning_is_found_by_charge_and_is_settled_by_a_refund() -> None:
    sandbox = Sandbox()
    pay(sandbox, card="createIssuerFraudRecord")
    intent = pay(sandbox, card="createIssuerFraudRecord")
    (warning,) = get(sandbox, "radar/early_fraud_warnings", charge=intent["latest_charge"])["data"]
    assert (warning["actionable"], warning["payment_intent"]) == (True, intent["id"])
    assert len(get(sandbox, "radar/early_fraud_warnings")["data"]) == 2
    post(sandbox, "refunds", payment_intent=intent["id"])
    assert get(sandbox, f"radar/early_fraud_warnings/{warning['id']}")["actionable"] is False
    assert types(sandbox, "radar")[-2:] == ["radar.early_fraud_warning.created", "radar.early_fraud_warning.updated"]


def test_a_failed_cvc_check_is_told_and_the_payment_goes_through() -> None:
    intent = pay(Sandbox(), card="cvcCheckFail", **{"expand[]": "latest_charge"})
    assert intent["latest_charge"]["payment_method_details"]["card"]["checks"]["cvc_check"] == "fail"


@pytest.mark.parametrize("name", cards.CARDS)
def test_every_test_card_pays_or_is_declined_with_a_card_error(name: str) -> None:
    data = {"amount": "1000", "currency": "usd", "payment_method": f"pm_card_{name}", **CARD}
    status, body = memory.ask(Sandbox(), "POST", "/v1/payment_intents", data)
    declined = status == 402 and body["error"]["type"] == "card_error"
    assert declined or (status == 200 and body["status"] in ("succeeded", "requires_action"))
