"""What a client does to a sandbox without a socket, each in one line, with the answer's status asserted."""

from typing import Any

from payment_kit.sandbox import Sandbox
from tests.sandbox import memory

DAY = 86_400
CARD = {"confirm": "true", "allowed_payment_method_types[]": "card"}


def post(sandbox: Sandbox, path: str, **data: str) -> Any:
    """The body of a POST that succeeds."""
    status, body = memory.ask(sandbox, "POST", f"/v1/{path}", data)
    assert status == 200, body
    return body


def refused(sandbox: Sandbox, path: str, **data: str) -> Any:
    """The error of a POST that does not."""
    status, body = memory.ask(sandbox, "POST", f"/v1/{path}", data)
    assert status in (400, 402, 404), body
    return body["error"]


def get(sandbox: Sandbox, path: str, **data: str) -> Any:
    """The body of a GET."""
    status, body = memory.ask(sandbox, "GET", f"/v1/{path}", data)
    assert status == 200, body
    return body


def pay(sandbox: Sandbox, amount: int | str = 1000, currency: str = "usd", card: str = "visa", **more: str) -> Any:
    """A payment intent that is created and confirmed at once and is not declined."""
    data = {"amount": str(amount), "currency": currency, "payment_method": f"pm_card_{card}", **CARD, **more}
    return post(sandbox, "payment_intents", **data)


def types(sandbox: Sandbox, *about: str) -> list[str]:
    """The types of the events so far, oldest first, of those that begin with one of `about`."""
    return [event["type"] for event in sandbox.store.rows("event") if event["type"].startswith(about or "")]
