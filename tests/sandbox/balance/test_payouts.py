"""Payouts: the schedule, the ones asked for, and money that comes back."""

from datetime import UTC, datetime

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox import memory, wire
from tests.sandbox.acts import CARD, DAY, get, post, refused, types


def funded(amount: int = 10_000, currency: str = "usd", *, schedule: str = "manual") -> Sandbox:
    """A sandbox with `amount` less its fee available (9680 of 10000 usd)."""
    sandbox = Sandbox()
    post(sandbox, "balance_settings", **{"payments[payouts][schedule][interval]": schedule})
    post(
        sandbox,
        "payment_intents",
        amount=str(amount),
        currency=currency,
        payment_method="pm_card_bypassPending",
        **CARD,
    )
    return sandbox


def available(sandbox: Sandbox) -> int:
    return int(get(sandbox, "balance")["available"][0]["amount"])


def test_a_manual_payout_leaves_at_once_arrives_and_itemises_nothing() -> None:
    sandbox = funded()
    payout = post(sandbox, "payouts", amount="5000", currency="usd", description="rent")
    assert (payout["automatic"], payout["status"], payout["reconciliation_status"]) == (
        False,
        "pending",
        "not_applicable",
    )
    assert available(sandbox) == 4680
    sandbox.advance_to(payout["arrival_date"])
    assert get(sandbox, f"payouts/{payout['id']}")["status"] == "paid"
    assert types(sandbox, "payout") == ["payout.created", "payout.updated", "payout.paid"]
    status, body = memory.ask(sandbox, "GET", "/v1/balance_transactions", {"payout": payout["id"]})
    assert (status, body["error"]["param"]) == (400, "payout")


def test_more_than_is_available_is_refused() -> None:
    error = refused(funded(), "payouts", amount="9681", currency="usd")
    assert error["code"] == "balance_insufficient"


def test_an_instant_payout_costs_one_per_cent_and_arrives_within_the_hour() -> None:
    sandbox = funded(20_000)
    assert available(sandbox) == 19_390
    assert refused(sandbox, "payouts", amount="19300", currency="usd", method="instant")["code"]
    payout = post(sandbox, "payouts", amount="10000", currency="usd", method="instant")
    money = get(sandbox, f"balance_transactions/{payout['balance_transaction']}")
    assert (money["amount"], money["fee"], money["net"]) == (-10_000, 100, -10_100)
    assert available(sandbox) == 9290
    sandbox.advance_to(sandbox.now + 3600)
    assert get(sandbox, f"payouts/{payout['id']}")["status"] == "paid"


def test_only_a_pending_manual_payout_is_canceled_and_its_money_and_fee_return() -> None:
    sandbox = funded()
    payout = post(sandbox, "payouts", amount="5000", currency="usd", method="instant")
    canceled = post(sandbox, f"payouts/{payout['id']}/cancel")
    back = get(sandbox, f"balance_transactions/{canceled['failure_balance_transaction']}")
    assert (canceled["status"], back["type"], back["reporting_category"]) == (
        "canceled",
        "payout_cancel",
        "payout_reversal",
    )
    assert available(sandbox) == 9680
    refused(sandbox, f"payouts/{payout['id']}/cancel")
    automatic = funded(schedule="daily")
    automatic.advance_to(automatic.now + DAY)
    (made,) = automatic.store.rows("payout")
    refused(automatic, f"payouts/{made['id']}/cancel")


def test_a_failed_manual_payout_gives_its_money_back() -> None:
    sandbox = funded()
    sandbox.store.set_meta(fail_next={"usd": "debit_not_authorized"})
    payout = post(sandbox, "payouts", amount="5000", currency="usd")
    sandbox.advance_to(payout["arrival_date"])
    failed = get(sandbox, f"payouts/{payout['id']}")
    assert (failed["status"], failed["failure_code"], available(sandbox)) == ("failed", "debit_not_authorized", 9680)


def test_a_paid_payout_is_reversed_once_by_a_payout_of_its_own() -> None:
    sandbox = funded()
    payout = post(sandbox, "payouts", amount="5000", currency="usd")
    refused(sandbox, f"payouts/{payout['id']}/reverse")
    sandbox.advance_to(payout["arrival_date"])
    back = post(sandbox, f"payouts/{payout['id']}/reverse")
    assert (back["amount"], back["original_payout"]) == (-5000, payout["id"])
    assert get(sandbox, f"payouts/{payout['id']}")["reversed_by"] == back["id"]
    assert available(sandbox) == 4680
    refused(sandbox, f"payouts/{back['id']}/cancel")
    sandbox.advance_to(back["arrival_date"])
    assert available(sandbox) == 9680
    refused(sandbox, f"payouts/{payout['id']}/reverse")


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ({"interval": "weekly", "weekly_payout_days][0": "friday"}, ["2026-07-03", "2026-07-10"]),
        ({"interval": "monthly", "monthly_payout_days][0": "31"}, ["2026-07-31", "2026-08-31"]),
        ({"interval": "manual"}, []),
    ],
)
def test_automatic_payouts_follow_the_accounts_schedule(schedule: dict[str, str], days: list[str]) -> None:
    sandbox = Sandbox()
    post(
        sandbox,
        "balance_settings",
        **{f"payments[payouts][schedule][{name}]": value for name, value in schedule.items()},
    )
    end = sandbox.now + (62 if "monthly" in schedule.values() else 12) * DAY
    while sandbox.now < end:
        post(
            sandbox,
            "payment_intents",
            amount="1000",
            currency="usd",
            payment_method="pm_card_bypassPending",
            **CARD,
        )
        sandbox.advance_to(sandbox.now + DAY)
    made = [row["created"] for row in sandbox.store.rows("payout")]
    assert [datetime.fromtimestamp(at, UTC).date().isoformat() for at in made] == days


@pytest.mark.parametrize(
    "senseless",
    [
        {"payments[payouts][schedule][interval]": "weekly"},
        {"payments[payouts][schedule][interval]": "weekly", "payments[payouts][schedule][weekly_payout_days][]": ""},
        {
            "payments[payouts][schedule][interval]": "monthly",
            "payments[payouts][schedule][monthly_payout_days][]": "32",
        },
        {"payments[settlement_timing][delay_days_override]": "1"},
    ],
)
def test_settings_without_sense_are_refused(senseless: dict[str, str]) -> None:
    sandbox = Sandbox()
    refused(sandbox, "balance_settings", **senseless)
    assert get(sandbox, "balance_settings")["payments"]["payouts"]["schedule"] == {"interval": "daily"}


def test_a_longer_settlement_delay_holds_payments_back_and_is_told_of() -> None:
    sandbox = Sandbox()
    post(sandbox, "balance_settings", **{"payments[settlement_timing][delay_days_override]": "5"})
    post(sandbox, "payment_intents", amount="1000", currency="usd", payment_method="pm_card_visa", **CARD)
    (money,) = sandbox.store.rows("balance_transaction")
    assert money["available_on"] - money["created"] == 5 * DAY
    told = [event for event in sandbox.store.rows("event") if event["type"] == "balance_settings.updated"]
    assert told[0]["data"]["previous_attributes"]["payments"]["settlement_timing"]["delay_days"] == 2


async def test_a_paid_payout_can_still_come_back_from_the_bank(sandbox: Sandbox) -> None:
    await wire.pay(sandbox, 10_000, card="bypassPending")
    await wire.control(sandbox, "clock", advance_seconds=4 * DAY)
    (paid,) = await wire.rows(sandbox, "payout")
    assert paid["status"] == "paid"
    failed = await wire.control(sandbox, f"payouts/{paid['id']}/fail", code="account_frozen")
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_frozen")
    balance = (await wire.ask(sandbox, "GET", "/v1/balance")).body
    assert balance["available"][0]["amount"] == paid["amount"]
    again = await wire.ask(sandbox, "POST", f"/_sandbox/payouts/{paid['id']}/fail", b"{}")
    assert again.status == 400
    await wire.control(sandbox, "clock", advance_seconds=4 * DAY)
    assert [row["status"] for row in await wire.rows(sandbox, "payout")] == ["failed", "paid"]
