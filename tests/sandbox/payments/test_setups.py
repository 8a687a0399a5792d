"""Setup intents: a method is checked and saved without a payment, and every attempt leaves its trace."""

from typing import Any

import pytest
import stripe

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import Call, unit
from payment_kit.sandbox.payments import setups
from tests.sandbox.acts import get, pay, post, refused, types
from tests.sandbox.wire import ask, control

CARD = {"allowed_payment_method_types[]": "card", "confirm": "true"}
AGREED = {
    "mandate_data[customer_acceptance][type]": "online",
    "mandate_data[customer_acceptance][online][ip_address]": "192.0.2.1",
    "mandate_data[customer_acceptance][online][user_agent]": "test",
}


def authenticate(sandbox: Sandbox, id_: str, *, succeed: bool) -> Any:
    return unit(Call(sandbox.store, f"bank {id_}", path=(id_,)), lambda call: setups.authenticate(call, succeed))


def attempts(sandbox: Sandbox, intent: dict[str, Any]) -> list[str]:
    return [row["status"] for row in get(sandbox, "setup_attempts", setup_intent=intent["id"])["data"]]


async def test_a_confirmed_setup_intent_saves_the_card_to_its_customer(stripe_client: stripe.StripeClient) -> None:
    customer = await stripe_client.v1.customers.create_async({"name": "Ada"})
    intent = await stripe_client.v1.setup_intents.create_async(
        {
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "expand": ["latest_attempt", "payment_method"],
        }
    )
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    assert isinstance(intent.latest_attempt, stripe.SetupAttempt)
    assert (intent.status, intent.usage, intent.payment_method.customer) == ("succeeded", "off_session", customer.id)
    assert intent.latest_attempt.status == "succeeded"


def test_a_declined_card_is_a_402_that_carries_the_intent_and_leaves_a_failed_attempt() -> None:
    sandbox = Sandbox()
    error = refused(sandbox, "setup_intents", payment_method="pm_card_chargeDeclined", **CARD)
    intent = error["setup_intent"]
    assert (error["code"], intent["status"], intent["payment_method"]) == (
        "card_declined",
        "requires_payment_method",
        None,
    )
    assert attempts(sandbox, intent) == ["failed"]
    assert types(sandbox, "setup_intent") == ["setup_intent.created", "setup_intent.setup_failed"]
    again = post(sandbox, f"setup_intents/{intent['id']}/confirm", payment_method="pm_card_visa")
    assert (again["status"], again["last_setup_error"]) == ("succeeded", None)


def test_a_card_that_wants_its_owner_is_saved_once_he_agreed_and_then_pays_alone() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    intent = post(
        sandbox,
        "setup_intents",
        customer=customer,
        payment_method="pm_card_authenticationRequiredOnSetup",
        return_url="https://shop.test/",
        **CARD,
    )
    assert (intent["status"], intent["next_action"]["type"]) == ("requires_action", "redirect_to_url")
    done = authenticate(sandbox, intent["id"], succeed=True)
    assert (done["status"], attempts(sandbox, intent)) == ("succeeded", ["succeeded"])
    paid = pay(sandbox, customer=customer, off_session="true", payment_method=done["payment_method"])
    assert paid["status"] == "succeeded"


async def test_the_control_api_answers_for_the_customer(sandbox: Sandbox) -> None:
    data = {"payment_method": "pm_card_authenticationRequired", **CARD}
    intent = (await ask(sandbox, "POST", "/v1/setup_intents", data)).body
    assert (await control(sandbox, f"setup_intents/{intent['id']}/authenticate"))["status"] == "succeeded"


def test_failed_authentication_asks_for_another_method() -> None:
    sandbox = Sandbox()
    intent = post(sandbox, "setup_intents", payment_method="pm_card_authenticationRequired", **CARD)
    failed = authenticate(sandbox, intent["id"], succeed=False)
    assert (failed["status"], failed["last_setup_error"]["code"]) == (
        "requires_payment_method",
        "setup_intent_authentication_failure",
    )
    assert attempts(sandbox, intent) == ["failed"]


@pytest.mark.parametrize(
    ("card", "status", "traces"),
    [(None, "requires_payment_method", []), ("pm_card_authenticationRequired", "requires_action", ["abandoned"])],
)
def test_an_open_setup_intent_is_canceled_once(card: str | None, status: str, traces: list[str]) -> None:
    sandbox = Sandbox()
    intent = post(sandbox, "setup_intents", **({"payment_method": card, **CARD} if card else {}))
    assert intent["status"] == status
    path = f"setup_intents/{intent['id']}"
    assert post(sandbox, f"{path}/cancel", cancellation_reason="abandoned")["cancellation_reason"] == "abandoned"
    assert attempts(sandbox, intent) == traces
    assert refused(sandbox, f"{path}/cancel")["code"] == "setup_intent_unexpected_state"
    assert refused(sandbox, f"{path}/confirm", payment_method="pm_card_visa")["setup_intent"]["status"] == "canceled"


def test_a_bank_account_needs_a_mandate_and_keeps_it_for_payments() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    data = {"customer": customer, "payment_method": "pm_usBankAccount_success", "confirm": "true"}
    data |= {"allowed_payment_method_types[]": "us_bank_account"}
    assert refused(sandbox, "setup_intents", **data)["code"] == "setup_intent_mandate_invalid"
    intent = post(sandbox, "setup_intents", **data, **AGREED)
    mandate = get(sandbox, f"mandates/{intent['mandate']}")
    assert (mandate["status"], mandate["customer_acceptance"]["online"]["ip_address"]) == ("active", "192.0.2.1")
    paid = pay(
        sandbox,
        customer=customer,
        payment_method=intent["payment_method"],
        **{"allowed_payment_method_types[]": "us_bank_account", "expand[]": "latest_charge"},
    )
    details = paid["latest_charge"]["payment_method_details"]["us_bank_account"]
    assert (paid["status"], details["mandate"]) == ("processing", mandate["id"])


def test_setup_intents_are_listed_by_customer_and_changed_until_they_succeed() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    mine = post(sandbox, "setup_intents", customer=customer, usage="on_session", description="a")
    post(sandbox, "setup_intents")
    assert [row["id"] for row in get(sandbox, "setup_intents", customer=customer)["data"]] == [mine["id"]]
    path = f"setup_intents/{mine['id']}"
    assert post(sandbox, path, payment_method="pm_card_visa")["status"] == "requires_confirmation"
    post(sandbox, f"{path}/confirm", return_url="https://shop.test/")
    assert refused(sandbox, path, payment_method="pm_card_visa")["code"] == "setup_intent_unexpected_state"
    assert post(sandbox, path, **{"metadata[a]": "b"})["metadata"] == {"a": "b"}
