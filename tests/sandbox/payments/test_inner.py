"""What other parts of the sandbox call: an intent made and confirmed without a request of its own."""

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.payments import intents
from tests.sandbox.spec import problems


def test_an_intent_made_inside_keeps_its_private_fields_and_conforms() -> None:
    call = Call(Sandbox().store, "test")
    intent = intents.new(
        call, amount=2000, currency="usd", payment_method="pm_card_visa", description="d", private={"_invoice": "in_1"}
    )
    paid = intents.confirm(call, intent)
    assert (paid["status"], paid["_invoice"], paid["description"]) == ("succeeded", "in_1", "d")
    assert problems(public(paid)) == []


def test_a_decline_inside_leaves_the_intent_for_the_caller_to_go_on_with() -> None:
    call = Call(Sandbox().store, "test")
    intent = intents.new(call, amount=2000, currency="usd", payment_method="pm_card_chargeDeclined")
    with pytest.raises(ApiError):
        intents.confirm(call, intent)
    assert call.find("payment_intent", intent["id"])["status"] == "requires_payment_method"


def test_confirming_inside_goes_by_the_intents_own_off_session() -> None:
    call = Call(Sandbox().store, "test")
    intent = intents.new(
        call, amount=2000, currency="usd", payment_method="pm_card_authenticationRequired", off_session=True
    )
    with pytest.raises(ApiError) as caught:
        intents.confirm(call, intent)
    assert caught.value.error["code"] == "authentication_required"
