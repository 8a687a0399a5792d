"""Plain HTTP to a sandbox, for what the SDK hides: raw parameters, headers, bodies."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from payment_kit.sandbox import Sandbox

CARD: dict[str, str] = {"allowed_payment_method_types[]": "card"}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, its body parsed."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    raw: bytes


async def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    data: Mapping[str, Any] | bytes | io.BytesIO | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
) -> Answer:
    """Send one request with the sandbox's key; `key` is an idempotency key."""
    sent = {"Authorization": f"Bearer {sandbox.api_key}", **(headers or {})}
    if key is not None:
        sent["Idempotency-Key"] = key
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, sandbox.url + path, data=data, headers=sent) as response,
    ):
        raw = await response.read()
        body = orjson.loads(raw) if response.content_type == "application/json" else {}
        return Answer(response.status, response.headers, body, raw)


async def control(sandbox: Sandbox, path: str, **body: Any) -> dict[str, Any]:
    """One operation of the control API that has to succeed."""
    answer = await ask(sandbox, "POST", f"/_sandbox/{path}", orjson.dumps(body))
    assert answer.status == 200, answer.body
    return answer.body


async def pay(
    sandbox: Sandbox, amount: int = 1000, currency: str = "usd", card: str = "visa", **more: str
) -> dict[str, Any]:
    """A payment intent that is created and confirmed at once; the answer's body whatever the status."""
    data = {"amount": str(amount), "currency": currency, "payment_method": f"pm_card_{card}", "confirm": "true"}
    return (await ask(sandbox, "POST", "/v1/payment_intents", {**data, **CARD, **more})).body


async def rows(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    """The truth: all objects of a kind, oldest first."""
    answer = await ask(sandbox, "GET", f"/_sandbox/objects/{kind}?limit=10000")
    assert answer.status == 200, answer.body
    return [orjson.loads(line) for line in answer.raw.splitlines()]


async def event_types(sandbox: Sandbox) -> list[str]:
    """The types of all events, oldest first."""
    return [event["type"] for event in await rows(sandbox, "event")]
