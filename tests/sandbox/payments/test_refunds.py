"""Refunds over HTTP: never more than was captured, and the money comes back when one fails."""

import asyncio

import pytest
import stripe

from payment_kit.sandbox import Sandbox
from tests.sandbox.acts import get, post
from tests.sandbox.acts import pay as act
from tests.sandbox.wire import ask, control, event_types, pay, rows

DAY = 86_400


async def test_partial_refunds_add_up_and_the_last_one_takes_what_is_left(
    sandbox: Sandbox, stripe_client: stripe.StripeClient
) -> None:
    intent = await pay(sandbox)
    first = await stripe_client.v1.refunds.create_async({"payment_intent": intent["id"], "amount": 300})
    last = await stripe_client.v1.refunds.create_async({"charge": intent["latest_charge"]})
    charge = await stripe_client.v1.charges.retrieve_async(intent["latest_charge"], {"expand": ["refunds"]})
    assert (first.amount, last.amount) == (300, 700)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    assert charge.refunds is not None
    assert [refund.id for refund in charge.refunds.data] == [last.id, first.id]


@pytest.mark.parametrize("amount", [0, 701])
async def test_refunding_more_than_is_left_is_refused_and_changes_nothing(sandbox: Sandbox, amount: int) -> None:
    intent = await pay(sandbox)
    await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": "300"})
    answer = await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": str(amount)})
    assert (answer.status, answer.body["error"]["param"]) == (400, "amount")
    (charge,) = await rows(sandbox, "charge")
    assert charge["amount_refunded"] == 300


async def test_of_refunds_at_the_same_time_only_those_that_fit_are_made(sandbox: Sandbox) -> None:
    intent = await pay(sandbox)
    data = {"payment_intent": intent["id"], "amount": "300"}
    answers = await asyncio.gather(*(ask(sandbox, "POST", "/v1/refunds", data) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [400] * 5
    (charge,) = await rows(sandbox, "charge")
    assert charge["amount_refunded"] == 900


async def test_a_fully_refunded_charge_is_not_refunded_again(sandbox: Sandbox) -> None:
    intent = await pay(sandbox)
    await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"]})
    answer = await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"]})
    assert answer.body["error"]["code"] == "charge_already_refunded"


async def test_a_refund_to_a_closed_card_fails_a_day_later_and_the_money_returns(sandbox: Sandbox) -> None:
    intent = await pay(sandbox, card="refundFail")
    made = (await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"]})).body
    assert made["status"] == "succeeded"
    await control(sandbox, "clock", advance_seconds=DAY)
    (refund,) = await rows(sandbox, "refund")
    (charge,) = await rows(sandbox, "charge")
    assert (refund["status"], charge["amount_refunded"], charge["refunded"]) == ("failed", 0, False)
    back = [row for row in await rows(sandbox, "balance_transaction") if row["type"] == "refund_failure"]
    assert [row["id"] for row in back] == [refund["failure_balance_transaction"]]
    assert [row["net"] for row in back] == [1000]
    assert "refund.failed" in await event_types(sandbox)


async def test_a_pending_refund_succeeds_a_day_later(sandbox: Sandbox) -> None:
    intent = await pay(sandbox, card="pendingRefund")
    made = (await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"]})).body
    assert (made["status"], made["pending_reason"]) == ("pending", "processing")
    await control(sandbox, "clock", advance_seconds=DAY)
    (refund,) = await rows(sandbox, "refund")
    assert refund["status"] == "succeeded"
    assert "pending_reason" not in refund


async def test_a_pending_refund_can_be_canceled_and_a_done_one_cannot(sandbox: Sandbox) -> None:
    pending, done = [(await pay(sandbox, card=card))["id"] for card in ("pendingRefund", "visa")]
    first, second = [
        (await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": id_})).body["id"] for id_ in (pending, done)
    ]
    assert (await ask(sandbox, "POST", f"/v1/refunds/{first}/cancel", {})).body["status"] == "canceled"
    assert (await ask(sandbox, "POST", f"/v1/refunds/{second}/cancel", {})).status == 400
    charge = (await rows(sandbox, "charge"))[0]
    assert charge["amount_refunded"] == 0


async def test_an_uncaptured_payment_is_not_refundable(sandbox: Sandbox) -> None:
    intent = await pay(sandbox, capture_method="manual")
    assert (await ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"]})).status == 400
    assert (await ask(sandbox, "POST", "/v1/refunds", {"charge": intent["latest_charge"]})).status == 400


def strict() -> Sandbox:
    """An account that does not let its balance go below zero."""
    sandbox = Sandbox()
    post(sandbox, "balance_settings", **{"payments[debit_negative_balances]": "false"})
    return sandbox


def test_a_refund_the_balance_cannot_cover_waits_until_it_can() -> None:
    sandbox = strict()
    intent = act(sandbox)
    refund = post(sandbox, "refunds", payment_intent=intent["id"], amount="500")
    assert (refund["status"], refund["pending_reason"], refund["balance_transaction"]) == (
        "pending",
        "insufficient_funds",
        None,
    )
    sandbox.advance_to(sandbox.now + 2 * DAY)
    (row,) = sandbox.store.rows("refund")
    assert (row["status"], "pending_reason" in row) == ("succeeded", False)
    (money,) = [row for row in sandbox.store.rows("balance_transaction") if row["type"] == "refund"]
    assert (money["id"], money["created"]) == (row["balance_transaction"], sandbox.now)


def test_a_waiting_refund_is_canceled_without_moving_money() -> None:
    sandbox = strict()
    intent = act(sandbox)
    refund = post(sandbox, "refunds", payment_intent=intent["id"])
    canceled = post(sandbox, f"refunds/{refund['id']}/cancel")
    assert (canceled["status"], canceled.get("failure_balance_transaction")) == ("canceled", None)
    assert [row["type"] for row in sandbox.store.rows("balance_transaction")] == ["charge"]
    assert post(sandbox, "refunds", payment_intent=intent["id"])["amount"] == 1000


def test_a_fraudulent_refund_marks_the_charge() -> None:
    sandbox = Sandbox()
    intent = act(sandbox)
    post(sandbox, "refunds", payment_intent=intent["id"], reason="fraudulent")
    charge = get(sandbox, f"charges/{intent['latest_charge']}")
    assert charge["fraud_details"] == {"user_report": "fraudulent"}
