"""A small business on a test clock: what the tests of subscriptions ask the sandbox for."""

from datetime import UTC, datetime
from typing import Any

from payment_kit.sandbox import Sandbox
from tests.sandbox.billing.till import flat
from tests.sandbox.memory import ask, pages

DAY = 86_400
START = int(datetime(2027, 1, 15, tzinfo=UTC).timestamp())


def moment(text: str) -> int:
    """Unix seconds of an ISO date or time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def day(at: int) -> str:
    """The ISO date of unix seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


class Shop:
    """One sandbox with one test clock, one customer with one card, and prices made as asked for."""

    def __init__(self, start: int = START, currency: str = "usd", card: str | None = "pm_card_visa") -> None:
        self.sandbox, self.currency = Sandbox(), currency
        self.clock = self.post("test_helpers/test_clocks", frozen_time=start)["id"]
        self.customer = self.post("customers", test_clock=self.clock, email="ann@example.com")["id"]
        self.product = self.post("products", name="Gold")["id"]
        if card is not None:
            self.pay_with(card)

    def call(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        """The status and the body of a request."""
        return ask(self.sandbox, method, f"/v1/{path}", flat(params))

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        """The body of a POST that succeeds."""
        status, body = self.call("POST", path, **params)
        assert status == 200, body
        return dict(body)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The body of a GET that succeeds."""
        status, body = self.call("GET", path, **params)
        assert status == 200, body
        return dict(body)

    def pay_with(self, card: str) -> str:
        """Save a card to the customer and make it the default."""
        method: str = self.post(f"payment_methods/{card}/attach", customer=self.customer)["id"]
        self.post(f"customers/{self.customer}", invoice_settings={"default_payment_method": method})
        return method

    def price(self, amount: int, interval: str = "month", count: int = 1, **more: Any) -> str:
        """A recurring price."""
        recurring = {"interval": interval, "interval_count": count}
        row = self.post(
            "prices", product=self.product, currency=self.currency, unit_amount=amount, recurring=recurring, **more
        )
        return str(row["id"])

    def subscribe(self, *prices: str, **params: Any) -> dict[str, Any]:
        """A subscription of the customer to these prices."""
        items = {} if "items" in params else {"items": [{"price": price} for price in prices]}
        return self.post("subscriptions", customer=self.customer, **items, **params)

    def again(self, row: dict[str, Any], **params: Any) -> dict[str, Any]:
        """A subscription or invoice as it is now."""
        return self.get(f"{row['object']}s/{row['id']}", **params)

    @property
    def now(self) -> int:
        """The test clock's time."""
        return int(self.get(f"test_helpers/test_clocks/{self.clock}")["frozen_time"])

    def advance(self, seconds: int) -> None:
        """Let the test clock run, in steps it allows."""
        self.until(self.now + seconds)

    def until(self, to: int, step: int = 25 * DAY) -> None:
        """Let the test clock run to a moment."""
        while self.now < to:
            self.post(f"test_helpers/test_clocks/{self.clock}/advance", frozen_time=min(to, self.now + step))

    def invoices(self) -> list[dict[str, Any]]:
        """All invoices, oldest first."""
        return pages(self.sandbox, "/v1/invoices")[::-1]

    def amounts(self) -> list[tuple[str, str, int]]:
        """Reason, status and total of all invoices, oldest first."""
        return [(row["billing_reason"], row["status"], row["total"]) for row in self.invoices()]

    def pending(self) -> list[tuple[int, str]]:
        """Amount and description of the pending invoice items, oldest first."""
        rows = pages(self.sandbox, "/v1/invoiceitems", {"pending": "true"})
        return [(row["amount"], row["description"]) for row in rows[::-1]]

    def events(self, *starts: str) -> list[str]:
        """The types of all events that start so, oldest first."""
        types = [event["type"] for event in self.sandbox.store.rows("event")]
        return [type_ for type_ in types if type_.startswith(starts)]

    def last(self, type_: str) -> dict[str, Any]:
        """The newest event of a type."""
        return next(event for event in pages(self.sandbox, "/v1/events", {"type": type_}))


def period(row: dict[str, Any], at: int = 0) -> tuple[str, str]:
    """The dates of the period of an item of a subscription."""
    item = row["items"]["data"][at]
    return day(item["current_period_start"]), day(item["current_period_end"])
