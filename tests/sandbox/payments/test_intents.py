"""Payment intents and charges, driven by the unmodified SDK."""

import pytest
import stripe

from payment_kit.sandbox import Sandbox
from tests.sandbox.wire import CARD, ask, control, event_types, pay, rows


async def test_a_confirmed_card_payment_succeeds_and_its_net_is_the_amount_less_the_fee(
    stripe_client: stripe.StripeClient,
) -> None:
    intent = await stripe_client.v1.payment_intents.create_async(
        {
            "amount": 1000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "expand": ["latest_charge.balance_transaction"],
        }
    )
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    transaction = charge.balance_transaction
    assert isinstance(transaction, stripe.BalanceTransaction)
    assert (intent.status, intent.amount_received, charge.captured) == ("succeeded", 1000, True)
    assert (transaction.amount, transaction.fee, transaction.net, transaction.status) == (1000, 59, 941, "pending")


@pytest.mark.parametrize(
    ("card", "code", "decline_code", "advice_code"),
    [
        ("visa_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
        ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds", "try_again_later"),
        ("visa_chargeDeclinedLostCard", "card_declined", "lost_card", "do_not_try_again"),
        ("visa_chargeDeclinedStolenCard", "card_declined", "stolen_card", "do_not_try_again"),
        ("chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded", "try_again_later"),
        ("chargeDeclinedExpiredCard", "expired_card", None, "do_not_try_again"),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None, "confirm_card_data"),
        ("chargeDeclinedProcessingError", "processing_error", None, "try_again_later"),
        ("chargeCustomerFail", "card_declined", "generic_decline", "try_again_later"),
    ],
)
async def test_a_decline_is_a_card_error_with_its_codes_and_leaves_the_failed_charge(
    stripe_client: stripe.StripeClient, card: str, code: str, decline_code: str | None, advice_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await stripe_client.v1.payment_intents.create_async(
            {
                "amount": 1000,
                "currency": "usd",
                "payment_method": f"pm_card_{card}",
                "confirm": True,
                "allowed_payment_method_types": ["card"],
            }
        )
    error = caught.value.error
    assert error is not None
    assert (caught.value.http_status, error.code) == (402, code)
    assert (getattr(error, "decline_code", None), error.advice_code) == (decline_code, advice_code)
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert error.charge is not None
    charge = await stripe_client.v1.charges.retrieve_async(error.charge)
    assert (charge.status, charge.failure_code, charge.paid) == ("failed", code, False)
    assert error.payment_intent.latest_charge == charge.id


async def test_after_a_decline_another_card_pays_the_same_intent(sandbox: Sandbox) -> None:
    intent = (await pay(sandbox, card="chargeDeclined"))["error"]["payment_intent"]
    again = await ask(
        sandbox, "POST", f"/v1/payment_intents/{intent['id']}/confirm", {"payment_method": "pm_card_mastercard"}
    )
    assert again.body["status"] == "succeeded"
    assert again.body["last_payment_error"] is None


async def test_a_customer_who_authenticates_pays_and_one_who_fails_is_asked_for_another_card(sandbox: Sandbox) -> None:
    first, second = [await pay(sandbox, card="authenticationRequired", return_url="https://shop.test/") for _ in "ab"]
    assert (first["status"], first["next_action"]["type"]) == ("requires_action", "redirect_to_url")
    done = await control(sandbox, f"payment_intents/{first['id']}/authenticate", succeed=True)
    failed = await control(sandbox, f"payment_intents/{second['id']}/authenticate", succeed=False)
    assert (done["status"], done["next_action"]) == ("succeeded", None)
    assert failed["status"] == "requires_payment_method"
    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"


async def test_off_session_a_card_that_wants_authentication_is_declined(sandbox: Sandbox) -> None:
    error = (await pay(sandbox, card="authenticationRequired", off_session="true"))["error"]
    assert (error["code"], error["decline_code"]) == ("authentication_required", "authentication_required")
    assert error["payment_intent"]["status"] == "requires_payment_method"


async def test_a_partial_capture_settles_the_whole_and_reverses_the_rest(stripe_client: stripe.StripeClient) -> None:
    intents = stripe_client.v1.payment_intents
    intent = await intents.create_async(
        {
            "amount": 1000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "capture_method": "manual",
            "allowed_payment_method_types": ["card"],
        }
    )
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1000)
    intent = await intents.capture_async(intent.id, {"amount_to_capture": 600})
    assert (intent.status, intent.amount_received, intent.amount_capturable) == ("succeeded", 600, 0)
    found = await stripe_client.v1.balance_transactions.list_async({"source": str(intent.latest_charge)})
    assert [(row.reporting_category, row.amount, row.fee) for row in found.data] == [
        ("partial_capture_reversal", -400, 0),
        ("charge", 1000, 47),
    ]


async def test_an_authorization_nobody_captures_expires_after_seven_days(sandbox: Sandbox) -> None:
    intent = await pay(sandbox, capture_method="manual")
    await control(sandbox, "clock", advance_seconds=7 * 86_400)
    after = (await ask(sandbox, "GET", f"/v1/payment_intents/{intent['id']}")).body
    assert (after["status"], after["cancellation_reason"]) == ("canceled", "automatic")
    assert "charge.expired" in await event_types(sandbox)


async def test_canceling_an_authorization_moves_no_money(sandbox: Sandbox) -> None:
    intent = await pay(sandbox, capture_method="manual")
    canceled = await ask(sandbox, "POST", f"/v1/payment_intents/{intent['id']}/cancel", {})
    assert canceled.body["status"] == "canceled"
    assert await rows(sandbox, "balance_transaction") == []
    (charge,) = await rows(sandbox, "charge")
    assert (charge["refunded"], charge["amount_refunded"], charge["captured"]) == (True, 1000, False)


async def test_a_canceled_intent_cannot_be_confirmed(sandbox: Sandbox) -> None:
    intent = (await ask(sandbox, "POST", "/v1/payment_intents", {"amount": "1000", "currency": "usd", **CARD})).body
    await ask(sandbox, "POST", f"/v1/payment_intents/{intent['id']}/cancel", {})
    answer = await ask(
        sandbox, "POST", f"/v1/payment_intents/{intent['id']}/confirm", {"payment_method": "pm_card_visa"}
    )
    assert (answer.status, answer.body["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert answer.body["error"]["payment_intent"]["status"] == "canceled"


async def test_confirming_without_a_return_url_is_refused_when_redirects_are_allowed(sandbox: Sandbox) -> None:
    data = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    answer = await ask(sandbox, "POST", "/v1/payment_intents", data)
    assert (answer.status, answer.body["error"]["param"]) == (400, "return_url")
    assert await rows(sandbox, "payment_intent") == []


async def test_payment_method_types_is_refused_as_stripe_does_since_endive(sandbox: Sandbox) -> None:
    data = {"amount": "1000", "currency": "usd", "payment_method_types[]": "card"}
    answer = await ask(sandbox, "POST", "/v1/payment_intents", data)
    assert (answer.status, answer.body["error"]["code"]) == (400, "payment_method_types_no_longer_supported")


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "usd", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (1001, "kwd", None),
        (-1, "usd", "parameter_invalid_integer"),
    ],
)
async def test_amounts_stripe_would_refuse_are_refused(
    sandbox: Sandbox, amount: int, currency: str, code: str | None
) -> None:
    error = (await pay(sandbox, amount, currency))["error"]
    assert (error["param"], error.get("code")) == ("amount", code)


async def test_a_payment_method_used_once_without_a_customer_cannot_be_used_again(sandbox: Sandbox) -> None:
    made = await ask(sandbox, "POST", "/v1/payment_methods", {"type": "card", "card[token]": "tok_visa"})
    first = await pay(sandbox, payment_method=made.body["id"])
    second = await pay(sandbox, payment_method=made.body["id"])
    assert first["status"] == "succeeded"
    assert second["error"]["param"] == "payment_method"


async def test_setup_future_usage_saves_the_card_to_the_customer(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {"email": "a@example.com"})).body
    await pay(sandbox, customer=customer["id"], setup_future_usage="off_session")
    saved = (await ask(sandbox, "GET", f"/v1/customers/{customer['id']}/payment_methods")).body["data"]
    assert [method["card"]["brand"] for method in saved] == ["visa"]


async def test_another_customers_payment_method_is_refused(sandbox: Sandbox) -> None:
    owner, other = [(await ask(sandbox, "POST", "/v1/customers", {"name": name})).body["id"] for name in "ab"]
    method = (await ask(sandbox, "POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": owner})).body["id"]
    assert (await pay(sandbox, customer=other, payment_method=method))["error"]["param"] == "payment_method"
    assert (await pay(sandbox, customer=owner, payment_method=method))["status"] == "succeeded"


async def test_the_fee_is_known_only_with_charge_updated_when_capture_is_asynchronous(sandbox: Sandbox) -> None:
    await pay(sandbox)
    await pay(sandbox, capture_method="automatic")
    charges = [event["data"] for event in await rows(sandbox, "event") if event["type"].startswith("charge.")]
    late, update, at_once = charges
    assert late["object"]["balance_transaction"] is None
    assert update["previous_attributes"] == {"balance_transaction": None}
    assert at_once["object"]["balance_transaction"] is not None
