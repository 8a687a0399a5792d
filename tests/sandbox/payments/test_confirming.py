"""The statuses of a payment intent: what each lets happen, and what the customer's bank has a say in."""

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import Call, unit
from payment_kit.sandbox.payments import intents
from tests.sandbox.acts import CARD, DAY, get, pay, post, refused, types

AUTH = "authenticationRequired"


def reach(sandbox: Sandbox, status: str) -> str:
    """The path of an intent in this status."""
    data = {"amount": "1000", "currency": "usd", "allowed_payment_method_types[]": "card"}
    match status:
        case "requires_payment_method":
            intent = post(sandbox, "payment_intents", **data)
        case "requires_confirmation":
            intent = post(sandbox, "payment_intents", **data, payment_method="pm_card_visa")
        case "requires_action":
            intent = pay(sandbox, card=AUTH)
        case "requires_capture":
            intent = pay(sandbox, capture_method="manual")
        case _:
            intent = pay(sandbox)
    assert intent["status"] == status
    return f"payment_intents/{intent['id']}"


@pytest.mark.parametrize(
    "status", ["requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"]
)
def test_an_unpaid_intent_is_canceled_from_any_status(status: str) -> None:
    sandbox = Sandbox()
    path = reach(sandbox, status)
    canceled = post(sandbox, f"{path}/cancel", cancellation_reason="abandoned")
    assert (canceled["status"], canceled["cancellation_reason"], canceled["next_action"]) == (
        "canceled",
        "abandoned",
        None,
    )
    assert list(sandbox.store.rows("balance_transaction")) == []


def test_a_paid_intent_cannot_be_canceled_captured_or_confirmed_again() -> None:
    sandbox = Sandbox()
    path = reach(sandbox, "succeeded")
    for operation in ("cancel", "capture", "confirm"):
        assert refused(sandbox, f"{path}/{operation}")["code"] == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("data", "param"),
    [({"amount_to_capture": "1001"}, "amount_to_capture"), ({"final_capture": "false"}, "final_capture")],
)
def test_capturing_more_than_is_held_or_in_several_parts_is_refused(data: dict[str, str], param: str) -> None:
    sandbox = Sandbox()
    path = reach(sandbox, "requires_capture")
    assert refused(sandbox, f"{path}/capture", **data)["param"] == param
    assert get(sandbox, path)["amount_capturable"] == 1000


def test_a_request_can_ask_for_three_d_secure_of_any_card() -> None:
    sandbox = Sandbox()
    asked = {"payment_method_options[card][request_three_d_secure]": "any"}
    assert pay(sandbox, **asked)["status"] == "requires_action"
    assert pay(sandbox, **asked, off_session="true")["status"] == "succeeded"


def test_an_error_can_be_asked_for_instead_of_a_required_action() -> None:
    sandbox = Sandbox()
    data = {"amount": "1000", "currency": "usd", "payment_method": f"pm_card_{AUTH}", **CARD}
    error = refused(sandbox, "payment_intents", **data, error_on_requires_action="true")
    assert (error["code"], error["payment_intent"]["status"]) == ("authentication_required", "requires_payment_method")
    assert list(sandbox.store.rows("charge")) == []


def test_after_the_customer_agreed_a_manually_confirmed_intent_is_confirmed_once_more() -> None:
    sandbox = Sandbox()
    intent = pay(
        sandbox, card=AUTH, confirmation_method="manual", return_url="https://shop.test/", use_stripe_sdk="true"
    )
    assert intent["next_action"]["type"] == "use_stripe_sdk"
    call = Call(sandbox.store, "bank", path=(intent["id"],))
    assert unit(call, lambda call: intents.authenticate(call, True))["status"] == "requires_confirmation"
    assert post(sandbox, f"payment_intents/{intent['id']}/confirm")["status"] == "succeeded"


def test_a_card_that_was_set_up_by_a_payment_pays_alone_later() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    first = pay(sandbox, card="authenticationRequiredOnSetup", customer=customer, setup_future_usage="off_session")
    assert first["status"] == "requires_action"
    unit(Call(sandbox.store, "bank", path=(first["id"],)), lambda call: intents.authenticate(call, True))
    (saved,) = get(sandbox, "payment_methods", customer=customer)["data"]
    assert pay(sandbox, customer=customer, payment_method=saved["id"], off_session="true")["status"] == "succeeded"
    assert types(sandbox, "payment_method") == ["payment_method.attached"]


def test_a_card_set_up_elsewhere_pays_off_session_and_asks_on_session() -> None:
    sandbox = Sandbox()
    card = "authenticationRequiredSetupForOffSession"
    assert pay(sandbox, card=card, off_session="true")["status"] == "succeeded"
    assert pay(sandbox, card=card)["status"] == "requires_action"


def test_a_card_without_money_is_declined_only_after_its_owner_agreed() -> None:
    sandbox = Sandbox()
    intent = pay(sandbox, card="authenticationRequiredChargeDeclinedInsufficientFunds")
    assert intent["status"] == "requires_action"
    call = Call(sandbox.store, "bank", path=(intent["id"],))
    with pytest.raises(Exception, match="insufficient funds"):
        unit(call, lambda call: intents.authenticate(call, True))
    after = get(sandbox, f"payment_intents/{intent['id']}")
    assert (after["status"], after["last_payment_error"]["decline_code"]) == (
        "requires_payment_method",
        "insufficient_funds",
    )


def test_money_of_a_customer_on_a_test_clock_is_available_by_the_accounts_time() -> None:
    sandbox = Sandbox()
    later = sandbox.now + 100 * DAY
    clock = post(sandbox, "test_helpers/test_clocks", frozen_time=str(later))
    customer = post(sandbox, "customers", test_clock=clock["id"])
    intent = pay(sandbox, customer=customer["id"])
    assert intent["created"] == later
    (money,) = sandbox.store.rows("balance_transaction")
    assert (money["created"], money["available_on"]) == (sandbox.now, sandbox.now + 2 * DAY)


def test_unsetting_the_method_asks_for_another_one_and_another_currency_changes_what_may_pay() -> None:
    sandbox = Sandbox()
    intent = post(sandbox, "payment_intents", amount="1000", currency="usd", payment_method="pm_card_visa")
    assert intent["payment_method_types"] == ["card", "us_bank_account"]
    path = f"payment_intents/{intent['id']}"
    assert post(sandbox, path, payment_method="")["status"] == "requires_payment_method"
    assert post(sandbox, path, currency="eur")["payment_method_types"] == ["card", "sepa_debit"]
    assert post(sandbox, path, currency="jpy")["payment_method_types"] == ["card"]


def test_another_payment_method_has_to_be_authenticated_anew() -> None:
    sandbox = Sandbox()
    intent = pay(sandbox, card=AUTH, confirmation_method="manual")
    path = f"payment_intents/{intent['id']}"
    authenticated = unit(
        Call(sandbox.store, "bank", path=(intent["id"],)), lambda call: intents.authenticate(call, True)
    )
    sandbox.store.commit()
    assert authenticated["status"] == "requires_confirmation"
    post(sandbox, path, payment_method="pm_card_threeDSecure2Required")
    assert post(sandbox, f"{path}/confirm")["status"] == "requires_action"
