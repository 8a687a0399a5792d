"""A till for tests of invoices: a sandbox, a customer with a card, and short words for requests and what they left."""

from typing import Any

from payment_kit.sandbox import Sandbox
from tests.sandbox import memory

DAY = 86_400


class Till:
    """One sandbox and the requests a test makes of it."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()

    def post(self, path: str, **data: Any) -> dict[str, Any]:
        """The answer of a request that has to succeed; `data` nests dicts and lists as an SDK would."""
        status, body = memory.ask(self.sandbox, "POST", f"/v1/{path}", flat(data))
        assert status == 200, body
        return dict(body)

    def get(self, path: str, **data: Any) -> dict[str, Any]:
        """The answer of a GET that has to succeed."""
        status, body = memory.ask(self.sandbox, "GET", f"/v1/{path}", flat(data))
        assert status == 200, body
        return dict(body)

    def delete(self, path: str) -> dict[str, Any]:
        """The answer of a DELETE that has to succeed."""
        status, body = memory.ask(self.sandbox, "DELETE", f"/v1/{path}")
        assert status == 200, body
        return dict(body)

    def refused(self, path: str, method: str = "POST", **data: Any) -> dict[str, Any]:
        """The error of a request that has to fail."""
        status, body = memory.ask(self.sandbox, method, f"/v1/{path}", flat(data))
        assert status >= 400, body
        return {"status": status, **body["error"]}

    def customer(self, card: str | None = "visa", **data: Any) -> str:
        """A customer whose default payment method is this test card."""
        customer = self.post("customers", **data)["id"]
        if card is not None:
            self.card(customer, card)
        return str(customer)

    def card(self, customer: str, name: str) -> str:
        """Attach a test card and make it the default."""
        method = self.post(f"payment_methods/pm_card_{name}/attach", customer=customer)["id"]
        self.post(f"customers/{customer}", invoice_settings={"default_payment_method": method})
        return str(method)

    def invoice(self, customer: str, *amounts: int, currency: str = "usd", **data: Any) -> dict[str, Any]:
        """A draft with lines of these amounts."""
        draft = self.post("invoices", customer=customer, currency=currency, **data)
        for amount in amounts:
            self.post("invoiceitems", customer=customer, invoice=draft["id"], amount=amount, currency=currency)
        return self.get(f"invoices/{draft['id']}")

    def events(self, of: str) -> list[dict[str, Any]]:
        """The events that carry the object `of`, oldest first."""
        return [row for row in self.sandbox.store.rows("event") if row["data"]["object"].get("id") == of]

    def types(self, prefix: str = "") -> list[str]:
        """The types of all events so far that start with `prefix`, oldest first."""
        return [row["type"] for row in self.sandbox.store.rows("event") if row["type"].startswith(prefix)]

    def wait(self, seconds: int) -> None:
        """Let the clock run."""
        self.sandbox.advance_to(self.sandbox.now + seconds)


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested data as form fields."""
    if isinstance(value, dict):
        parts = [flat(part, f"{name}[{key}]" if name else key) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [flat(part, f"{name}[{at}]") for at, part in enumerate(value)]
    else:
        return {name: str(value).lower() if isinstance(value, bool) else str(value)}
    return {key: text for part in parts for key, text in part.items()}
