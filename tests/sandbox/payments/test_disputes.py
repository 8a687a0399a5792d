"""Disputes over HTTP: the money leaves, and comes back only for winning evidence."""

from typing import Any

import pytest
import stripe

from payment_kit.sandbox import Sandbox, happenings
from payment_kit.sandbox.call import Call, unit
from tests.sandbox.acts import get, post, refused, types
from tests.sandbox.acts import pay as act
from tests.sandbox.wire import ask, control, event_types, pay, rows

DAY = 86_400


async def disputed(sandbox: Sandbox, card: str = "createDispute") -> dict[str, Any]:
    await pay(sandbox, card=card)
    (dispute,) = await rows(sandbox, "dispute")
    return dispute


async def test_an_open_dispute_has_taken_the_amount_and_a_fee(sandbox: Sandbox) -> None:
    dispute = await disputed(sandbox)
    (money,) = dispute["balance_transactions"]
    assert (dispute["status"], dispute["reason"], dispute["is_charge_refundable"]) == (
        "needs_response",
        "fraudulent",
        False,
    )
    assert (money["type"], money["reporting_category"], money["amount"], money["fee"], money["net"]) == (
        "adjustment",
        "dispute",
        -1000,
        1500,
        -2500,
    )
    types = await event_types(sandbox)
    assert types[-3:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.updated"]


@pytest.mark.parametrize(
    ("evidence", "status", "returned"), [("winning_evidence", "won", 1000), ("losing_evidence", "lost", 0)]
)
async def test_the_evidence_decides(
    sandbox: Sandbox, stripe_client: stripe.StripeClient, evidence: str, status: str, returned: int
) -> None:
    dispute = await disputed(sandbox)
    decided = await stripe_client.v1.disputes.update_async(
        dispute["id"], {"evidence": {"uncategorized_text": evidence}}
    )
    assert (decided.status, decided.evidence_details.submission_count) == (status, 1)
    money = [
        row for row in await rows(sandbox, "balance_transaction") if row["reporting_category"] == "dispute_reversal"
    ]
    assert sum(row["net"] for row in money) == returned
    assert [row.id for row in decided.balance_transactions[1:]] == [row["id"] for row in money]


async def test_evidence_that_is_only_saved_decides_nothing(sandbox: Sandbox) -> None:
    dispute = await disputed(sandbox)
    saved = await ask(
        sandbox,
        "POST",
        f"/v1/disputes/{dispute['id']}",
        {"evidence[uncategorized_text]": "winning_evidence", "submit": "false"},
    )
    assert (saved.body["status"], saved.body["evidence_details"]["has_evidence"]) == ("needs_response", True)


async def test_a_dispute_nobody_answers_is_lost_when_the_evidence_is_due(sandbox: Sandbox) -> None:
    dispute = await disputed(sandbox)
    await control(sandbox, "clock", advance_to=dispute["evidence_details"]["due_by"] - 1)
    assert (await rows(sandbox, "dispute"))[0]["status"] == "needs_response"
    await control(sandbox, "clock", advance_seconds=1)
    (after,) = await rows(sandbox, "dispute")
    assert (after["status"], after["evidence_details"]["past_due"]) == ("lost", True)
    closed = [event for event in await rows(sandbox, "event") if event["type"] == "charge.dispute.closed"]
    assert [event["created"] for event in closed] == [dispute["evidence_details"]["due_by"]]


async def test_closing_a_dispute_loses_it_once(sandbox: Sandbox) -> None:
    dispute = await disputed(sandbox)
    assert (await ask(sandbox, "POST", f"/v1/disputes/{dispute['id']}/close", {})).body["status"] == "lost"
    assert (await ask(sandbox, "POST", f"/v1/disputes/{dispute['id']}/close", {})).status == 400


async def test_a_disputed_charge_is_not_refundable(sandbox: Sandbox) -> None:
    dispute = await disputed(sandbox)
    answer = await ask(sandbox, "POST", "/v1/refunds", {"charge": dispute["charge"]})
    assert answer.body["error"]["code"] == "charge_disputed"


async def test_an_inquiry_takes_no_money(sandbox: Sandbox) -> None:
    dispute = await disputed(sandbox, "createDisputeInquiry")
    assert (dispute["status"], dispute["balance_transactions"]) == ("warning_needs_response", [])
    assert [row["type"] for row in await rows(sandbox, "balance_transaction")] == ["charge"]


async def test_the_control_api_disputes_an_old_charge(sandbox: Sandbox) -> None:
    intent = await pay(sandbox)
    await control(sandbox, "clock", advance_seconds=20 * DAY)
    dispute = await control(sandbox, f"charges/{intent['latest_charge']}/dispute", reason="product_not_received")
    assert (dispute["created"], dispute["reason"]) == (sandbox.now, "product_not_received")


def inquired() -> tuple[Sandbox, dict[str, Any]]:
    sandbox = Sandbox()
    act(sandbox, card="createDisputeInquiry")
    (dispute,) = sandbox.store.rows("dispute")
    return sandbox, dispute


def test_an_escalated_inquiry_takes_the_money_and_can_be_answered_again() -> None:
    sandbox, inquiry = inquired()
    path = f"disputes/{inquiry['id']}"
    dispute = post(sandbox, path, **{"evidence[uncategorized_text]": "escalate_inquiry_evidence"})
    assert (dispute["status"], dispute["payment_method_details"]["card"]["case_type"]) == (
        "needs_response",
        "chargeback",
    )
    assert [money["net"] for money in dispute["balance_transactions"]] == [-2500]
    assert refused(sandbox, "refunds", charge=inquiry["charge"])["code"] == "charge_disputed"
    assert types(sandbox, "charge.dispute")[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    won = post(sandbox, path, **{"evidence[uncategorized_text]": "winning_evidence"})
    assert [money["reporting_category"] for money in won["balance_transactions"]] == ["dispute", "dispute_reversal"]


def test_refunding_the_charge_closes_its_inquiry() -> None:
    sandbox, inquiry = inquired()
    post(sandbox, "refunds", charge=inquiry["charge"])
    assert get(sandbox, f"disputes/{inquiry['id']}")["status"] == "warning_closed"


def test_staged_evidence_is_submitted_by_a_later_request() -> None:
    sandbox = Sandbox()
    act(sandbox, card="createDispute")
    (dispute,) = sandbox.store.rows("dispute")
    path = f"disputes/{dispute['id']}"
    post(sandbox, path, **{"evidence[uncategorized_text]": "winning_evidence", "submit": "false"})
    assert post(sandbox, path, **{"metadata[a]": "b"})["status"] == "needs_response"
    assert post(sandbox, path, submit="true")["status"] == "won"


def test_what_was_refunded_before_is_not_disputed_and_after_a_win_the_rest_can_be_refunded() -> None:
    sandbox = Sandbox()
    intent = act(sandbox)
    charge = intent["latest_charge"]
    post(sandbox, "refunds", charge=charge, amount="300")
    dispute = unit(Call(sandbox.store, "bank", path=(charge,)), lambda call: happenings.dispute(call, "fraudulent"))
    assert dispute["amount"] == 700
    post(sandbox, f"disputes/{dispute['id']}", **{"evidence[uncategorized_text]": "winning_evidence"})
    assert post(sandbox, "refunds", charge=charge)["amount"] == 700


def test_an_inquiry_refunded_in_part_escalates_for_the_rest_only() -> None:
    sandbox = Sandbox()
    intent = act(sandbox, card="createDisputeInquiry")
    (before,) = get(sandbox, "disputes")["data"]
    post(sandbox, "refunds", payment_intent=intent["id"], amount="400")
    after = post(sandbox, f"disputes/{before['id']}", **{"evidence[uncategorized_text]": "escalate_inquiry_evidence"})
    assert (before["amount"], after["amount"]) == (1000, 600)
    assert [money["amount"] for money in after["balance_transactions"]] == [-600]
