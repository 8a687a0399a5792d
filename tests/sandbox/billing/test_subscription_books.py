"""Whatever happens to subscriptions, in whatever order: the books agree, no period is billed twice, a seed repeats."""

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.billing.subscribers import DAY, Shop
from tests.sandbox.memory import pages

PRICES = {"usd": (1999, 5000, 700), "jpy": (500, 1200, 90), "kwd": (1990, 7500, 330)}
CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail")
NUMBERS = st.integers(0, 2**16)
KINDS = "advance advance advance advance quantity price add remove card end_later trial anchor cancel subscribe pause"
STEPS = st.lists(st.tuples(st.sampled_from(KINDS.split()), NUMBERS), min_size=1, max_size=10)
BEHAVIOURS = ("create_prorations", "always_invoice", "none")


class Walk:
    """A shop and what a random customer of it does."""

    def __init__(self, currency: str, mode: str) -> None:
        self.shop, self.mode = Shop(currency=currency), mode
        amounts = PRICES[currency]
        self.prices = [
            self.shop.price(amounts[0]), self.shop.price(amounts[1]), self.shop.price(amounts[2], "week", 2),
            self.shop.price(10 * amounts[0], "year"),
        ]  # fmt: skip
        self._subscribe(0)

    def step(self, what: str, number: int) -> None:
        """One thing that happens; a request Stripe would refuse may be refused."""
        if what == "advance":
            self.shop.advance(number * 53 % (20 * DAY) + 1)
        elif what == "card":
            self.shop.pay_with(CARDS[number % len(CARDS)])
        elif what == "subscribe":
            self._subscribe(number)
        else:
            row = self.row
            getattr(self, what)(f"subscriptions/{row['id']}", row["items"]["data"], number)

    def quantity(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """More or fewer of an item."""
        item = {"id": items[number % len(items)]["id"], "quantity": number % 4 + 1}
        self._post(path, items=[item], proration_behavior=BEHAVIOURS[number % 3])

    def price(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """Another price, perhaps of another interval."""
        item = {"id": items[number % len(items)]["id"], "price": self.prices[number % len(self.prices)]}
        self._post(path, items=[item], proration_behavior=BEHAVIOURS[number % 3])

    def add(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """One item more."""
        behaviour, price = BEHAVIOURS[number % 3], self.prices[number % 2]
        self._post("subscription_items", subscription=path[14:], price=price, proration_behavior=behaviour)

    def remove(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """One item less."""
        self.shop.call("DELETE", f"subscription_items/{items[number % len(items)]['id']}")

    def end_later(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """An end to come, or no longer."""
        self._post(path, cancel_at_period_end=number % 2 == 0)

    def trial(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """A trial that begins or ends."""
        self._post(path, trial_end="now" if number % 2 else self.shop.now + (number % 20 + 1) * DAY)

    def anchor(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """A new cycle."""
        self._post(path, billing_cycle_anchor="now", proration_behavior=BEHAVIOURS[number % 3])

    def cancel(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """The end."""
        self.shop.call("DELETE", path, prorate=number % 2 == 0, invoice_now=number % 3 == 0)

    def pause(self, path: str, items: list[dict[str, Any]], number: int) -> None:
        """Collection stops, or goes on."""
        pauses = ({"behavior": "void"}, {"behavior": "keep_as_draft"}, "")
        self._post(path, pause_collection=pauses[number % 3])

    @property
    def row(self) -> dict[str, Any]:
        """The newest subscription."""
        return pages(self.shop.sandbox, "/v1/subscriptions", {"customer": self.shop.customer, "status": "all"})[0]

    def _subscribe(self, number: int) -> None:
        self._post(
            "subscriptions", customer=self.shop.customer, items=[{"price": self.prices[number % 4]}],
            billing_mode={"type": self.mode}, payment_behavior="default_incomplete" if number % 5 == 4 else "",
            **({"trial_period_days": 5} if number % 3 == 2 else {}),
        )  # fmt: skip

    def _post(self, path: str, **params: Any) -> None:
        params = {name: value for name, value in params.items() if value != "" or name == "pause_collection"}
        status, body = self.shop.call("POST", path, **params)
        assert status in (200, 400, 402), body


def _paid_is_what_moved(walk: Walk) -> None:
    sandbox = walk.shop.sandbox
    invoices = walk.shop.invoices()
    charged = sum(row["amount_captured"] for row in pages(sandbox, "/v1/charges") if row["paid"])
    assert sum(row["amount_paid"] for row in invoices) == charged
    moved = pages(sandbox, "/v1/balance_transactions", {"type": "charge"})
    if walk.shop.currency != "jpy":
        assert sum(row["amount"] for row in moved) == charged
    for row in invoices:
        if row["status"] == "paid":
            assert row["amount_paid"] == row["amount_due"]


def _no_period_is_billed_twice(walk: Walk) -> None:
    billed: Counter[tuple[str, int]] = Counter()
    renewals = [row for row in walk.shop.invoices() if row["billing_reason"] != "subscription_update"]
    for invoice in renewals:
        for line in pages(walk.shop.sandbox, f"/v1/invoices/{invoice['id']}/lines"):
            details = line["parent"]["subscription_item_details"]
            if details and not details["proration"] and line["period"]["start"] < line["period"]["end"]:
                billed[details["subscription_item"], line["period"]["end"]] += 1
    assert [key for key, count in billed.items() if count > 1] == []


def _periods_are_current(walk: Walk) -> None:
    for row in pages(walk.shop.sandbox, "/v1/subscriptions", {"customer": walk.shop.customer}):
        for item in row["items"]["data"]:
            if row["status"] in ("active", "past_due", "trialing", "unpaid"):
                assert item["current_period_start"] <= walk.shop.now < item["current_period_end"]


@pytest.mark.parametrize("mode", ["flexible", "classic"])
@settings(max_examples=8, deadline=None)
@given(steps=STEPS, currency=st.sampled_from(sorted(PRICES)))
def test_after_any_walk_the_books_agree(mode: str, steps: list[tuple[str, int]], currency: str) -> None:
    walk = Walk(currency, mode)
    for what, number in steps:
        walk.step(what, number)
    walk.shop.advance(3 * DAY)
    _paid_is_what_moved(walk)
    _no_period_is_billed_twice(walk)
    _periods_are_current(walk)


@settings(max_examples=3, deadline=None)
@given(steps=STEPS)
def test_the_same_seed_and_steps_give_the_same_bytes(steps: list[tuple[str, int]]) -> None:
    def played() -> bytes:
        walk = Walk("usd", "flexible")
        for what, number in steps:
            walk.step(what, number)
        tables = walk.shop.sandbox.store.tables
        return orjson.dumps({name: list(table.rows.values()) for name, table in tables.items()})

    assert played() == played()
