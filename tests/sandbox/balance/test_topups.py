"""Top-ups: the money is there two days later, and until then it can be called off."""

from payment_kit.sandbox import Sandbox
from tests.sandbox.acts import DAY, get, post, refused


def test_a_topup_moves_the_balance_when_it_arrives() -> None:
    sandbox = Sandbox()
    post(sandbox, "balance_settings", **{"payments[payouts][schedule][interval]": "manual"})
    topup = post(sandbox, "topups", amount="5000", currency="usd")
    assert (topup["status"], topup["balance_transaction"]) == ("pending", None)
    sandbox.advance_to(topup["expected_availability_date"])
    arrived = get(sandbox, f"topups/{topup['id']}", **{"expand[]": "balance_transaction"})
    money = arrived["balance_transaction"]
    assert (arrived["status"], money["type"], money["net"], money["source"]) == (
        "succeeded",
        "topup",
        5000,
        topup["id"],
    )
    assert get(sandbox, "balance")["available"][0]["amount"] == 5000
    refused(sandbox, f"topups/{topup['id']}/cancel")


def test_a_canceled_topup_moves_nothing() -> None:
    sandbox = Sandbox()
    topup = post(sandbox, "topups", amount="5000", currency="usd")
    assert post(sandbox, f"topups/{topup['id']}/cancel")["status"] == "canceled"
    sandbox.advance_to(sandbox.now + 5 * DAY)
    assert list(sandbox.store.rows("balance_transaction")) == []


def test_topups_are_listed_by_amount_and_status() -> None:
    sandbox = Sandbox()
    ids = [post(sandbox, "topups", amount=amount, currency="usd")["id"] for amount in ("100", "200", "300")]
    post(sandbox, f"topups/{ids[2]}/cancel")
    found = get(sandbox, "topups", **{"amount[gte]": "200", "status": "pending"})["data"]
    assert [row["id"] for row in found] == ids[1:2]
