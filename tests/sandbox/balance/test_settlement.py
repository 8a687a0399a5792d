"""The balance: fees, availability and payouts tie out to the minor unit, whatever happens in whatever order."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.balance.exchange import SETTLED
from payment_kit.sandbox.balance.settlement import charge_fee, dispute_fee
from payment_kit.sandbox.call import Call, unit
from payment_kit.sandbox.payments import disputes
from tests.sandbox import memory
from tests.sandbox.wire import ask, control, event_types, pay, rows

DAY = 86_400
CURRENCIES = ("usd", "eur", "jpy", "kwd", "gbp")
CARDS = (
    "visa bypassPending createDispute createDisputeInquiry createIssuerFraudRecord riskLevelElevated refundFail "
    "pendingRefund chargeDeclined"
).split()
DEBITS = ("success", "insufficientFunds", "accountClosed")
EVIDENCE = ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence")
CARD_ONLY = {"allowed_payment_method_types[]": "card"}
SCHEDULE = "payments[payouts][schedule]"

ABOUT = {"refund": "charge", "unrefund": "refund", "evidence": "dispute", "unpayout": "payout"}

which = st.integers(0, 30)
percent = st.integers(1, 100)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.sampled_from(CURRENCIES), st.integers(5, 90_000), st.sampled_from(CARDS)),
        st.tuples(st.just("hold"), st.sampled_from(CURRENCIES), st.integers(5, 90_000), percent),
        st.tuples(st.just("debit"), st.integers(50, 900_000), st.sampled_from(DEBITS)),
        st.tuples(st.just("refund"), which, percent),
        st.tuples(st.just("unrefund"), which),
        st.tuples(st.just("dispute"), which),
        st.tuples(st.just("evidence"), which, st.sampled_from(EVIDENCE)),
        st.tuples(st.just("payout"), which, percent, st.sampled_from(["standard", "instant"])),
        st.tuples(st.just("unpayout"), which, st.sampled_from(["cancel", "reverse"])),
        st.tuples(st.just("topup"), st.sampled_from(CURRENCIES), st.integers(1, 9000)),
        st.tuples(st.just("schedule"), st.sampled_from(["daily", "weekly", "manual"]), st.booleans()),
        st.tuples(st.just("fail"), st.sampled_from(CURRENCIES)),
        st.tuples(st.just("wait"), st.integers(1, 4 * DAY)),
    ),
    max_size=25,
)


def nth(sandbox: Sandbox, kind: str, at: int) -> dict[str, Any] | None:
    """One of the rows of a kind, None when there are none."""
    found = list(sandbox.store.rows(kind))
    return found[at % len(found)] if found else None


def post(sandbox: Sandbox, path: str, **data: str) -> Any:
    """The body, whatever the status: what Stripe would refuse is refused, but nothing may crash."""
    status, body = memory.ask(sandbox, "POST", f"/v1/{path}", data)
    assert status in (200, 400, 402), body
    return body


def play(sandbox: Sandbox, step: tuple[Any, ...]) -> None:
    """One thing that happens to a business."""
    match step:
        case ("pay", currency, amount, card):
            data = {"amount": str(amount * 10), "currency": currency, "payment_method": f"pm_card_{card}"}
            post(sandbox, "payment_intents", confirm="true", **data, **CARD_ONLY)
        case ("hold", currency, amount, share):
            data = {"amount": str(amount * 10), "currency": currency, "payment_method": "pm_card_visa"}
            data |= {"confirm": "true", "capture_method": "manual", **CARD_ONLY}
            intent = post(sandbox, "payment_intents", **data)
            part = str(max(amount * share // 100 * 10, 50))
            if "id" in intent:
                post(sandbox, f"payment_intents/{intent['id']}/capture", amount_to_capture=part)
        case ("debit", amount, outcome):
            data = {"amount": str(amount), "currency": "usd", "payment_method": f"pm_usBankAccount_{outcome}"}
            data |= {"confirm": "true", "mandate_data[customer_acceptance][type]": "offline"}
            post(sandbox, "payment_intents", **data, **{"allowed_payment_method_types[]": "us_bank_account"})
        case ("dispute", at):
            charge = nth(sandbox, "charge", at)
            if charge:
                dispute(sandbox, charge)
        case ("wait", seconds):
            sandbox.advance_to(sandbox.now + seconds)
        case _:
            play_later(sandbox, step)


def dispute(sandbox: Sandbox, charge: dict[str, Any]) -> None:
    """The customer disputes what he paid and did not get back."""
    if charge["captured"] and charge["status"] == "succeeded" and not charge["refunded"] and not charge["disputed"]:
        unit(Call(sandbox.store, charge["id"]), lambda call: disputes.open_dispute(call, charge, "fraudulent"))
        sandbox.store.commit()


def play_later(sandbox: Sandbox, step: tuple[Any, ...]) -> None:
    """What happens to payments and to the balance afterwards."""
    match step:
        case ("refund" | "unrefund" | "evidence" | "unpayout", at, *how):
            row = nth(sandbox, ABOUT[step[0]], at)
            if row:
                answer(sandbox, step[0], row, *how)
        case ("payout", at, share, method):
            rich = [code for code in SETTLED if sandbox.store.balance(code)["available"] > 0]
            if rich:
                code = rich[at % len(rich)]
                amount = max(sandbox.store.balance(code)["available"] * share // 1000 * 10, 10)
                post(sandbox, "payouts", amount=str(amount), currency=code, method=method)
        case ("topup", currency, amount):
            post(sandbox, "topups", amount=str(amount * 10), currency=currency)
        case ("schedule", interval, overdraw):
            days = {f"{SCHEDULE}[weekly_payout_days][]": "wednesday"} if interval == "weekly" else {}
            data = {f"{SCHEDULE}[interval]": interval, **days}
            post(sandbox, "balance_settings", **data, **{"payments[debit_negative_balances]": str(overdraw).lower()})
        case ("fail", currency):
            sandbox.store.set_meta(fail_next={**sandbox.store.meta["fail_next"], currency: "account_closed"})


def answer(sandbox: Sandbox, what: str, row: dict[str, Any], how: Any = None) -> None:
    """Something done about a row that is there already."""
    match what:
        case "refund":
            post(sandbox, "refunds", charge=row["id"], amount=str(max(row["amount"] * how // 1000 * 10, 10)))
        case "unrefund":
            post(sandbox, f"refunds/{row['id']}/cancel")
        case "evidence":
            post(sandbox, f"disputes/{row['id']}", **{"evidence[uncategorized_text]": how})
        case "unpayout":
            post(sandbox, f"payouts/{row['id']}/{how}")


@settings(max_examples=80, deadline=None)
@given(steps)
def test_books_balance_after_any_history(history: list[tuple[Any, ...]]) -> None:
    sandbox = Sandbox()
    for currency in ("usd", "jpy"):
        play(sandbox, ("pay", currency, 9000, "bypassPending"))
    for step in history:
        play(sandbox, step)
        check_balance(sandbox)
    sandbox.advance_to(sandbox.now + 9 * DAY)
    check_balance(sandbox)
    check_payouts(sandbox)
    for move in sandbox.store.rows("balance_transaction"):
        assert move["amount"] - move["fee"] == move["net"]
        assert move["fee"] == sum(part["amount"] for part in move["fee_details"])
        assert {part["currency"] for part in move["fee_details"]} <= {move["currency"]} <= set(SETTLED)
        assert move["currency"] != "kwd" or move["net"] % 10 == 0
        assert {type(move[name]) for name in ("amount", "fee", "net")} == {int}


def check_balance(sandbox: Sandbox) -> None:
    """The balance is the sum of its transactions, by currency and status, and what no payout took is available."""
    _, balance = memory.ask(sandbox, "GET", "/v1/balance")
    sums: dict[tuple[str, str], int] = defaultdict(int)
    untaken: dict[str, int] = defaultdict(int)
    for move in sandbox.store.rows("balance_transaction"):
        sums[move["currency"], move["status"]] += move["net"]
        if move["status"] == "available" and move["_payout"] is None:
            untaken[move["currency"]] += move["net"]
    told = {
        (part["currency"], status): part["amount"] for status in ("available", "pending") for part in balance[status]
    }
    assert {key: amount for key, amount in told.items() if amount} == {key: sum_ for key, sum_ in sums.items() if sum_}
    assert all(told[currency, "available"] == sum_ for currency, sum_ in untaken.items())


def check_payouts(sandbox: Sandbox) -> None:
    """An automatic payout is what it lists, in one currency; a manual one lists nothing."""
    listed: list[str] = []
    for payout in memory.pages(sandbox, "/v1/payouts"):
        if payout["automatic"] and payout["reconciliation_status"] == "completed":
            items = memory.pages(sandbox, "/v1/balance_transactions", {"payout": payout["id"]})
            own = [item for item in items if item["source"] == payout["id"] and item["type"] == "payout"]
            assert [item["net"] for item in own] == [-payout["amount"]]
            assert sum(item["net"] for item in items) == 0
            assert {item["currency"] for item in items} == {payout["currency"]}
            assert payout["amount"] > 0
            listed += [item["id"] for item in items]
        elif not payout["automatic"]:
            status, _ = memory.ask(sandbox, "GET", "/v1/balance_transactions", {"payout": payout["id"]})
            assert (status, payout["reconciliation_status"]) == (400, "not_applicable")
    assert len(listed) == len(set(listed))


@settings(max_examples=40, deadline=None)
@given(steps)
def test_no_charge_is_refunded_beyond_its_capture(history: list[tuple[Any, ...]]) -> None:
    sandbox = Sandbox()
    for step in history:
        play(sandbox, step)
    for charge in sandbox.store.rows("charge"):
        refunds = memory.pages(sandbox, "/v1/refunds", {"charge": charge["id"]})
        standing = sum(refund["amount"] for refund in refunds if refund["status"] in ("succeeded", "pending"))
        assert standing == charge["amount_refunded"] <= charge["amount_captured"] <= charge["amount"]


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
