"""Requests with any key and header, straight into the door: the status, the headers and the parsed body."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from payment_kit.sandbox import Sandbox


class Answer(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: Any


async def send(
    sandbox: Sandbox,
    method: str,
    path: str,
    params: Mapping[str, str] | bytes | None = None,
    *,
    query: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request in the running loop; the key is the default account's unless a header says otherwise."""
    sent = {"authorization": f"Bearer {sandbox.api_key}", **(headers or {})}
    encoded = params if isinstance(params, bytes) else urlencode(params or {}).encode()
    if method == "GET" and not query:
        encoded, query = b"", encoded
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": encoded}

    async def tell(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
        "root_path": "",
    }
    await sandbox.app(scope, receive, tell)
    found = {name.decode(): value.decode("latin-1") for name, value in told[0]["headers"]}
    raw = b"".join(message.get("body", b"") for message in told[1:])
    parsed = orjson.loads(raw) if found["content-type"] == "application/json" and raw else raw
    return Answer(told[0]["status"], found, parsed)


def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    params: Mapping[str, str] | bytes | None = None,
    key: str | None = None,
    **headers: str,
) -> Answer:
    """One request in a loop of its own; ``stripe_account=…`` is the header ``stripe-account``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        named["authorization"] = f"Bearer {key}"
    return asyncio.run(send(sandbox, method, path, params, headers=named))


def control(sandbox: Sandbox, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> Any:
    """One operation of the control API that has to succeed: POST with a body, else GET."""
    method = "GET" if body is None else "POST"
    answer = ask(sandbox, method, f"/_sandbox/{path}", orjson.dumps(body) if body is not None else None, key)
    assert answer.status == 200, answer.body
    return answer.body
