"""What a platform keeps of a charge on a connected account, and what it gives back of it."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox import ledger
from tests.sandbox.protocol.visitor import ask, control
from tests.sandbox.wire import CARD

READY = {
    "type": "custom",
    "capabilities[card_payments][requested]": "true",
    "tos_acceptance[date]": "1782864000",
    "tos_acceptance[ip]": "203.0.113.7",
}
STRIPE_FEE = {"usd": 29 * 10 + 30, "jpy": 29 * 10 + 30, "kwd": 29 * 10 + 100}  # of 10,000
Row = dict[str, Any]


class Side:
    """One of two accounts: the platform, or the one connected to it."""

    def __init__(self, sandbox: Sandbox, **headers: str) -> None:
        self._sandbox, self._headers = sandbox, headers

    def post(self, path: str, **data: str) -> Row:
        """The body of a POST that succeeds."""
        answer = ask(self._sandbox, "POST", f"/v1/{path}", data, None, **self._headers)
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def get(self, path: str, **data: str) -> Row:
        """The body of a GET that succeeds."""
        answer = ask(self._sandbox, "GET", f"/v1/{path}", data, None, **self._headers)
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def money(self, row: Row) -> Row:
        """The balance transaction of an object."""
        return self.get(f"balance_transactions/{row['balance_transaction']}")


class Platform(Side):
    """A sandbox with one connected account, `there`."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        super().__init__(self.sandbox)
        self.account: str = self.post("accounts", **READY)["id"]
        self.there = Side(self.sandbox, stripe_account=self.account)

    def sell(self, fee: int = 1000, currency: str = "usd", card: str = "visa", **more: str) -> Row:
        """A direct charge of 10,000 minor units, as it is when its intent is confirmed."""
        data = {"amount": "10000", "currency": currency, "payment_method": f"pm_card_{card}", **CARD, "confirm": "true"}
        data |= {"capture_method": "automatic", "application_fee_amount": str(fee), **more}
        intent = self.there.post("payment_intents", **data)
        return self.there.get(f"charges/{intent['latest_charge']}")

    def fee(self) -> Row:
        """The only application fee."""
        (fee,) = self.get("application_fees")["data"]
        return dict(fee)

    def told(self) -> list[str]:
        """The events of application fees, oldest first."""
        rows = self.sandbox.store.rows("event")
        return [row["type"] for row in rows if row["type"].startswith("application_fee")]


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.mark.parametrize("currency", ["usd", "jpy", "kwd"])
def test_the_fee_leaves_the_account_with_its_charge_and_enters_the_platform(platform: Platform, currency: str) -> None:
    charge = platform.sell(1000, currency)
    fee, money = platform.fee(), platform.there.money(charge)
    assert (charge["application_fee"], charge["application_fee_amount"]) == (fee["id"], 1000)
    assert {one["type"]: one["amount"] for one in money["fee_details"]} == {
        "stripe_fee": STRIPE_FEE[currency],
        "application_fee": 1000,
    }
    assert money["net"] == 10_000 - money["fee"]
    earned = platform.money(fee)
    assert (earned["type"], earned["reporting_category"], earned["net"], earned["source"]) == (
        "application_fee",
        "platform_earning",
        1000,
        fee["id"],
    )
    assert earned["available_on"] == money["available_on"]
    assert (fee["account"], fee["charge"], fee["currency"]) == (platform.account, charge["id"], currency)
    assert platform.told() == ["application_fee.created"]
    assert fee["application"] == charge["application"] == money["fee_details"][1]["application"]


def test_a_fee_of_a_converted_charge_is_converted_on_both_sides(platform: Platform) -> None:
    charge = platform.sell(1000, "gbp")
    money, earned = platform.there.money(charge), platform.money(platform.fee())
    assert (money["fee_details"][1]["amount"], money["currency"]) == (1341, "usd")
    assert (earned["net"], earned["currency"], platform.fee()["amount"]) == (1341, "usd", 1000)


def test_the_platforms_own_payment_cannot_have_one(platform: Platform) -> None:
    data = {"amount": "1000", "currency": "usd", "application_fee_amount": "10"}
    refused = ask(platform.sandbox, "POST", "/v1/payment_intents", data)
    assert (refused.status, refused.body["error"]["param"]) == (400, "application_fee_amount")


@pytest.mark.parametrize("fee", ["0", "10001"])
def test_a_fee_is_positive_and_no_more_than_the_payment(platform: Platform, fee: str) -> None:
    data = {"amount": "10000", "currency": "usd", "application_fee_amount": fee}
    refused = ask(platform.sandbox, "POST", "/v1/payment_intents", data, stripe_account=platform.account)
    assert (refused.status, refused.body["error"]["param"]) == (400, "application_fee_amount")


def test_a_fee_is_taken_with_the_capture_and_no_more_than_is_captured(platform: Platform) -> None:
    charge = platform.sell(1000, capture_method="manual")
    assert (charge["application_fee"], platform.get("application_fees")["data"]) == (None, [])
    platform.there.post(f"payment_intents/{charge['payment_intent']}/capture", amount_to_capture="400")
    assert platform.fee()["amount"] == 400
    assert platform.there.get(f"charges/{charge['id']}")["application_fee"] == platform.fee()["id"]


def test_a_fee_refunded_on_its_own_comes_back_to_the_account_as_an_adjustment(platform: Platform) -> None:
    charge, fee = platform.sell(1000), platform.fee()
    refund = platform.post(f"application_fees/{fee['id']}/refunds", amount="300", **{"metadata[a]": "1"})
    back = platform.money(refund)
    assert (back["type"], back["reporting_category"], back["net"]) == (
        "application_fee_refund",
        "platform_earning_refund",
        -300,
    )
    rows = platform.there.get("balance_transactions", source=charge["id"])["data"]
    assert next((row["type"], row["reporting_category"], row["net"]) for row in rows) == ("adjustment", "fee", 300)
    fresh = platform.fee()
    assert (fresh["amount_refunded"], fresh["refunded"], fresh["refunds"]["data"]) == (300, False, [refund])
    platform.post(f"application_fees/{fee['id']}/refunds")
    assert (platform.fee()["amount_refunded"], platform.fee()["refunded"]) == (1000, True)
    assert platform.told() == ["application_fee.created", "application_fee.refunded", "application_fee.refunded"]


def test_no_more_than_is_left_of_a_fee_is_refunded(platform: Platform) -> None:
    platform.sell(1000)
    path = f"/v1/application_fees/{platform.fee()['id']}/refunds"
    assert ask(platform.sandbox, "POST", path, {"amount": "1001"}).body["error"]["param"] == "amount"
    assert ask(platform.sandbox, "POST", path, {}).status == 200
    assert "already" in ask(platform.sandbox, "POST", path, {}).body["error"]["message"]


def test_a_fee_refund_is_read_listed_and_its_change_told(platform: Platform) -> None:
    platform.sell(1000)
    path = f"application_fees/{platform.fee()['id']}/refunds"
    made = platform.post(path, amount="100")
    changed = platform.post(f"{path}/{made['id']}", **{"metadata[why]": "late"})
    assert platform.get(path)["data"] == [changed] == [platform.get(f"{path}/{made['id']}")]
    assert platform.fee()["refunds"]["data"] == [changed]
    assert platform.told()[-1] == "application_fee.refund.updated"


@pytest.mark.parametrize(("amount", "back"), [("", 1000), ("2500", 250), ("1234", 123)])
def test_a_refund_can_give_the_platforms_share_back_too(platform: Platform, amount: str, back: int) -> None:
    charge = platform.sell(1000)
    some = {"amount": amount} if amount else {}
    refund = platform.there.post("refunds", charge=charge["id"], refund_application_fee="true", **some)
    money = platform.there.money(refund)
    assert (money["fee"], money["fee_details"][0]["type"]) == (-back, "application_fee")
    assert platform.fee()["amount_refunded"] == back


def test_the_last_refund_gives_back_what_rounding_left_of_the_fee(platform: Platform) -> None:
    charge = platform.sell(1000)
    for amount, back in (("3333", 333), ("3333", 666), ("3334", 1000)):
        platform.there.post("refunds", charge=charge["id"], refund_application_fee="true", amount=amount)
        assert platform.fee()["amount_refunded"] == back


def test_a_refund_leaves_the_fee_alone_unless_it_is_asked_for(platform: Platform) -> None:
    charge = platform.sell(1000)
    platform.there.post("refunds", charge=charge["id"])
    assert platform.fee()["amount_refunded"] == 0


def test_a_returned_debit_gives_the_fee_back(platform: Platform) -> None:
    debit = {
        "payment_method": "pm_usBankAccount_insufficientFunds",
        "allowed_payment_method_types[]": "us_bank_account",
    }
    accepted = {"mandate_data[customer_acceptance][type]": "offline"}
    charge = platform.sell(1000, **debit, **accepted)
    control(platform.sandbox, "clock", {"advance_seconds": 6 * 86_400})
    assert platform.fee()["refunded"] is True
    nets = [row["net"] for row in platform.there.get("balance_transactions")["data"]]
    assert sum(nets) == 0
    assert platform.there.get(f"charges/{charge['id']}")["status"] == "failed"


def test_a_fee_shows_the_account_and_the_charge_when_they_are_expanded(platform: Platform) -> None:
    charge = platform.sell(1000)
    fee = platform.get(f"application_fees/{platform.fee()['id']}", **{"expand[0]": "charge", "expand[1]": "account"})
    assert (fee["charge"]["id"], fee["account"]["id"]) == (charge["id"], platform.account)
    shown = platform.there.get(f"charges/{charge['id']}", **{"expand[0]": "application_fee"})
    assert shown["application_fee"]["id"] == fee["id"]
    assert platform.get("application_fees", charge="ch_3other")["data"] == []


def test_both_books_balance_after_fees_captures_and_refunds(platform: Platform) -> None:
    for currency in ("usd", "jpy", "kwd", "gbp"):
        charge = platform.sell(1000, currency)
        platform.there.post("refunds", charge=charge["id"], amount="3330", refund_application_fee="true")
        platform.post(f"application_fees/{charge['application_fee']}/refunds", amount="50")
        platform.sell(2000, currency, card="refundFail")
    held = platform.sell(900, capture_method="manual")
    platform.there.post(f"payment_intents/{held['payment_intent']}/capture", amount_to_capture="800")
    control(platform.sandbox, "clock", {"advance_seconds": 9 * 86_400})
    assert ledger.disagreements(platform.sandbox.store) == []
