"""The balance: fees, availability and payouts tie out to the minor unit, whatever happens in whatever order."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.balance.settlement import charge_fee, dispute_fee
from tests.sandbox import memory
from tests.sandbox.wire import ask, control, event_types, pay, rows

DAY = 86_400
CURRENCIES = ("usd", "eur", "jpy", "kwd")
CARDS = ("visa", "bypassPending", "createDispute", "refundFail", "pendingRefund", "chargeDeclined")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.sampled_from(CURRENCIES), st.integers(5, 90_000), st.sampled_from(CARDS)),
        st.tuples(st.just("hold"), st.sampled_from(CURRENCIES), st.integers(5, 90_000), st.integers(1, 100)),
        st.tuples(st.just("refund"), st.integers(0, 30), st.integers(1, 100)),
        st.tuples(st.just("evidence"), st.integers(0, 30), st.sampled_from(["winning_evidence", "losing_evidence"])),
        st.tuples(st.just("fail"), st.sampled_from(CURRENCIES)),
        st.tuples(st.just("wait"), st.integers(1, 4 * DAY)),
    ),
    max_size=25,
)


def play(sandbox: Sandbox, step: tuple[Any, ...]) -> None:
    """One thing that happens to a business; what Stripe would refuse is refused."""
    match step:
        case ("pay", currency, amount, card):
            data = {"amount": str(amount * 10), "currency": currency, "payment_method": f"pm_card_{card}"}
            memory.ask(
                sandbox,
                "POST",
                "/v1/payment_intents",
                {**data, "confirm": "true", "allowed_payment_method_types[]": "card"},
            )
        case ("hold", currency, amount, percent):
            data = {
                "amount": str(amount * 10),
                "currency": currency,
                "payment_method": "pm_card_visa",
                "confirm": "true",
            }
            data |= {"allowed_payment_method_types[]": "card", "capture_method": "manual"}
            _, intent = memory.ask(sandbox, "POST", "/v1/payment_intents", data)
            part = {"amount_to_capture": str(max(amount * percent // 100 * 10, 50))}
            memory.ask(sandbox, "POST", f"/v1/payment_intents/{intent['id']}/capture", part)
        case ("refund", which, percent):
            charges = [row for row in sandbox.store.rows("charge") if row["captured"]]
            if charges:
                charge = charges[which % len(charges)]
                amount = str(max(charge["amount"] * percent // 1000 * 10, 10))
                memory.ask(sandbox, "POST", "/v1/refunds", {"charge": charge["id"], "amount": amount})
        case ("evidence", which, text):
            disputes = list(sandbox.store.rows("dispute"))
            if disputes:
                id_ = disputes[which % len(disputes)]["id"]
                memory.ask(sandbox, "POST", f"/v1/disputes/{id_}", {"evidence[uncategorized_text]": text})
        case ("fail", currency):
            sandbox.store.set_meta(fail_next={**sandbox.store.meta["fail_next"], currency: "account_closed"})
        case ("wait", seconds):
            sandbox.advance_to(sandbox.now + seconds)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_books_balance_after_any_history(history: list[tuple[Any, ...]]) -> None:
    sandbox = Sandbox()
    for step in history:
        play(sandbox, step)
    sandbox.advance_to(sandbox.now + 9 * DAY)
    moves = memory.pages(sandbox, "/v1/balance_transactions")
    for move in moves:
        assert move["amount"] - move["fee"] == move["net"]
        assert move["fee"] == sum(part["amount"] for part in move["fee_details"])
        assert move["currency"] != "kwd" or move["net"] % 10 == 0
    _, balance = memory.ask(sandbox, "GET", "/v1/balance")
    sums: dict[str, int] = defaultdict(int)
    for move in moves:
        sums[move["currency"]] += move["net"]
    told: dict[str, int] = defaultdict(int)
    for part in balance["available"] + balance["pending"]:
        told[part["currency"]] += part["amount"]
    assert {currency: told[currency] for currency in sums} == sums
    for payout in memory.pages(sandbox, "/v1/payouts"):
        if payout["reconciliation_status"] == "completed":
            items = memory.pages(sandbox, "/v1/balance_transactions", {"payout": payout["id"]})
            own = [item for item in items if item["source"] == payout["id"] and item["type"] == "payout"]
            assert [item["net"] for item in own] == [-payout["amount"]]
            assert sum(item["net"] for item in items) == 0
            assert {item["currency"] for item in items} == {payout["currency"]}
            assert payout["amount"] > 0


@settings(max_examples=30, deadline=None)
@given(steps)
def test_no_charge_is_refunded_beyond_its_capture(history: list[tuple[Any, ...]]) -> None:
    sandbox = Sandbox()
    for step in history:
        play(sandbox, step)
    for charge in sandbox.store.rows("charge"):
        refunds = memory.pages(sandbox, "/v1/refunds", {"charge": charge["id"]})
        standing = sum(refund["amount"] for refund in refunds if refund["status"] in ("succeeded", "pending"))
        assert standing == charge["amount_refunded"] <= max(charge["amount_captured"], 0)


@pytest.mark.parametrize(
    ("amount", "currency", "fee"),
    [
        (1000, "usd", 59),
        (500, "eur", 40),
        (1018, "usd", 60),
        (1000, "kwd", 130),
        (50, "usd", 31),
        (1017, "eur", 54),
        (1000, "jpy", 59),
        (10_000, "kwd", 390),
        (50, "kwd", 50),
    ],
)
def test_the_fee_is_rounded_half_up_and_never_more_than_the_amount(amount: int, currency: str, fee: int) -> None:
    assert charge_fee(amount, currency) == fee


def test_the_dispute_fee_of_a_three_decimal_currency_moves_in_its_steps() -> None:
    assert dispute_fee("bhd") % 10 == 0


async def test_a_charge_is_pending_until_midnight_two_days_on_and_then_paid_out(sandbox: Sandbox) -> None:
    await control(sandbox, "clock", advance_seconds=10 * 3600)
    await pay(sandbox, 10_000)
    start = sandbox.now - 10 * 3600
    await control(sandbox, "clock", advance_to=start + 2 * DAY - 1)
    balance = (await ask(sandbox, "GET", "/v1/balance")).body
    assert [balance[part][0]["amount"] for part in ("pending", "available")] == [9680, 0]
    await control(sandbox, "clock", advance_seconds=1)
    (payout,) = await rows(sandbox, "payout")
    assert (payout["amount"], payout["status"], payout["created"]) == (9680, "pending", start + 2 * DAY)
    balance = (await ask(sandbox, "GET", "/v1/balance")).body
    assert [balance[part][0]["amount"] for part in ("pending", "available")] == [0, 0]


async def test_a_payout_is_in_transit_then_paid_at_arrival_then_itemised(sandbox: Sandbox) -> None:
    await pay(sandbox, 10_000, card="bypassPending")
    await control(sandbox, "clock", advance_seconds=DAY)
    (payout,) = await rows(sandbox, "payout")
    before = await ask(sandbox, "GET", f"/v1/balance_transactions?payout={payout['id']}")
    assert [row["type"] for row in before.body["data"]] == ["payout"]
    await control(sandbox, "clock", advance_seconds=DAY)
    assert (await rows(sandbox, "payout"))[0]["status"] == "in_transit"
    await control(sandbox, "clock", advance_to=payout["arrival_date"])
    (payout,) = await rows(sandbox, "payout")
    assert (payout["status"], payout["reconciliation_status"]) == ("paid", "completed")
    after = await ask(sandbox, "GET", f"/v1/balance_transactions?payout={payout['id']}")
    assert [row["type"] for row in after.body["data"]] == ["payout", "charge"]
    told = [kind for kind in await event_types(sandbox) if kind.startswith("payout.")]
    assert told == ["payout.created", "payout.updated", "payout.paid", "payout.reconciliation_completed"]


async def test_a_failed_payout_returns_its_money_to_the_next_one(sandbox: Sandbox) -> None:
    await control(sandbox, "payouts/fail_next", currency="usd", code="account_closed")
    await pay(sandbox, 10_000, card="bypassPending")
    await control(sandbox, "clock", advance_seconds=6 * DAY)
    failed, second = await rows(sandbox, "payout")
    assert (failed["status"], failed["failure_code"], second["status"]) == ("failed", "account_closed", "paid")
    items = (await ask(sandbox, "GET", f"/v1/balance_transactions?payout={second['id']}")).body["data"]
    assert [(row["type"], row["reporting_category"], row["net"]) for row in items] == [
        ("payout", "payout", -9680),
        ("payout_failure", "payout_reversal", 9680),
    ]
    assert items[1]["id"] == failed["failure_balance_transaction"]


async def test_a_negative_balance_is_not_paid_out(sandbox: Sandbox) -> None:
    await pay(sandbox, 1000, card="createDispute")
    await control(sandbox, "clock", advance_seconds=5 * DAY)
    assert await rows(sandbox, "payout") == []
