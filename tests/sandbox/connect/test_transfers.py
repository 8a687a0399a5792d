"""Transfers move money between the balances of a platform and its accounts, and both books stay whole."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.store import Store
from tests.sandbox.protocol.visitor import ask, control
from tests.sandbox.wire import CARD

READY = {
    "type": "custom",
    "capabilities[transfers][requested]": "true",
    "tos_acceptance[date]": "1782864000",
    "tos_acceptance[ip]": "203.0.113.7",
}


def _platform(amount: int = 100_000, currency: str = "usd", card: str = "bypassPending") -> tuple[Sandbox, str]:
    """A platform with a charge and a connected account."""
    sandbox = Sandbox()
    paid = {"amount": str(amount), "currency": currency, "payment_method": f"pm_card_{card}", "confirm": "true", **CARD}
    assert ask(sandbox, "POST", "/v1/payment_intents", paid).status == 200
    account = ask(sandbox, "POST", "/v1/accounts", READY).body
    return sandbox, account["id"]


def _transfer(sandbox: Sandbox, account: str, amount: int, currency: str = "usd", **more: str) -> Any:
    data = {"amount": str(amount), "currency": currency, "destination": account, **more}
    return ask(sandbox, "POST", "/v1/transfers", data)


def _sums(store: Store) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in store.rows("balance_transaction"):
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["net"]
    return sums


@pytest.mark.parametrize(("currency", "amount"), [("usd", 4000), ("jpy", 4000), ("kwd", 40_000)])
def test_a_transfer_leaves_one_balance_and_enters_the_other(currency: str, amount: int) -> None:
    sandbox, account = _platform(currency=currency)
    settled = currency if currency in _sums(sandbox.store) else "usd"
    before = _sums(sandbox.store)[settled]
    made = _transfer(sandbox, account, amount, settled)
    assert made.status == 200, made.body
    there = sandbox.store.connected[account]
    assert _sums(sandbox.store)[settled] == before - amount
    assert _sums(there) == {settled: amount}
    paid = ask(sandbox, "GET", f"/v1/charges/{made.body['destination_payment']}", stripe_account=account).body
    assert (paid["amount"], paid["source_transfer"]) == (amount, made.body["id"])
    shown = ask(sandbox, "GET", "/v1/balance", stripe_account=account).body["available"]
    assert {row["currency"]: row["amount"] for row in shown}[settled] == amount


def test_more_than_is_available_is_not_transferred() -> None:
    sandbox, account = _platform(card="visa")
    refused = _transfer(sandbox, account, 100)
    assert (refused.status, refused.body["error"]["code"]) == (400, "balance_insufficient")
    assert _sums(sandbox.store.connected[account]) == {}


def test_a_transfer_of_one_charge_waits_for_its_money_and_takes_no_more_than_it() -> None:
    sandbox, account = _platform(card="visa")
    (charge,) = ask(sandbox, "GET", "/v1/charges").body["data"]
    made = _transfer(sandbox, account, 60_000, source_transaction=charge["id"])
    assert (made.status, made.body["source_transaction"]) == (200, charge["id"])
    assert made.body["transfer_group"] == f"group_{charge['payment_intent']}"
    assert _transfer(sandbox, account, 40_001, source_transaction=charge["id"]).body["error"]["param"] == "amount"
    pending = ask(sandbox, "GET", "/v1/balance", stripe_account=account).body["pending"]
    assert [(row["amount"], row["currency"]) for row in pending] == [(60_000, "usd")]
    control(sandbox, "clock", {"advance_seconds": 3 * 86_400})
    payouts = ask(sandbox, "GET", "/v1/payouts", stripe_account=account).body["data"]
    assert [payout["amount"] for payout in payouts] == [60_000]


def test_a_transfer_is_reversed_in_parts_and_never_beyond_its_amount() -> None:
    sandbox, account = _platform()
    transfer = _transfer(sandbox, account, 1000).body
    before, path = _sums(sandbox.store)["usd"], f"/v1/transfers/{transfer['id']}"
    first = ask(sandbox, "POST", f"{path}/reversals", {"amount": "300"}).body
    row = ask(sandbox, "GET", path).body
    assert (row["amount_reversed"], row["reversed"], row["reversals"]["data"][0]["id"]) == (300, False, first["id"])
    assert ask(sandbox, "POST", f"{path}/reversals", {"amount": "701"}).status == 400
    assert ask(sandbox, "POST", f"{path}/reversals").body["amount"] == 700
    assert ask(sandbox, "GET", path).body["reversed"] is True
    assert ask(sandbox, "POST", f"{path}/reversals").status == 400
    assert _sums(sandbox.store)["usd"] == before + 1000
    assert _sums(sandbox.store.connected[account]) == {"usd": 0}
    listed = ask(sandbox, "GET", f"{path}/reversals").body["data"]
    assert [one["amount"] for one in listed] == [700, 300]
    types = [row["type"] for row in ask(sandbox, "GET", "/v1/events", {"type": "transfer.*"}).body["data"]]
    assert types == ["transfer.reversed", "transfer.reversed", "transfer.created"]


def test_an_account_without_the_capability_and_a_stranger_get_nothing() -> None:
    sandbox, _ = _platform()
    express = ask(sandbox, "POST", "/v1/accounts", {"type": "express"}).body["id"]
    refused = [_transfer(sandbox, id_, 100).body["error"]["code"] for id_ in (express, "acct_1stranger")]
    assert refused == ["insufficient_capabilities_for_transfer", "resource_missing"]


def test_transfers_are_listed_by_destination_and_group_and_changed_in_words_only() -> None:
    sandbox, account = _platform()
    made = _transfer(sandbox, account, 100, transfer_group="order_1").body["id"]
    _transfer(sandbox, account, 100)
    found = ask(sandbox, "GET", "/v1/transfers", {"transfer_group": "order_1", "destination": account}).body["data"]
    assert [row["id"] for row in found] == [made]
    changed = ask(sandbox, "POST", f"/v1/transfers/{made}", {"description": "tea", "metadata[a]": "1"}).body
    assert (changed["description"], changed["metadata"]) == ("tea", {"a": "1"})


def test_what_a_transfer_paid_cannot_break_the_other_operations_of_a_charge() -> None:
    sandbox, account = _platform()
    payment = _transfer(sandbox, account, 1000).body["destination_payment"]
    for method, path, params in (
        ("POST", "/v1/refunds", {"charge": payment}),
        ("POST", f"/v1/charges/{payment}/capture", {}),
        ("POST", f"/v1/charges/{payment}", {"metadata[a]": "1"}),
        ("GET", "/v1/charges?expand[]=data.refunds", {}),
    ):
        answer = ask(sandbox, method, path, params, None, stripe_account=account)
        assert answer.status < 500 or answer.status == 501, answer.body
    assert sandbox.door.failures == 0


def test_the_payment_of_a_transfer_is_neither_refunded_nor_disputed() -> None:
    sandbox, account = _platform()
    payment = _transfer(sandbox, account, 1000).body["destination_payment"]
    there = {"stripe_account": account}
    refund = ask(sandbox, "POST", "/v1/refunds", {"charge": payment}, **there)
    assert (refund.status, "reverse the transfer" in refund.body["error"]["message"]) == (400, True)
    body = b'{"reason": "fraudulent"}'
    assert ask(sandbox, "POST", f"/_sandbox/charges/{payment}/dispute", body, **there).status == 400
    assert sandbox.door.failures == 0
