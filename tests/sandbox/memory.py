"""Requests straight into the sandbox's door, without a socket: for properties that need thousands of them."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import orjson

from payment_kit.sandbox import Sandbox


async def _request(
    sandbox: Sandbox, method: str, path: str, params: dict[str, str], key: str | None
) -> tuple[int, Any]:
    encoded = urlencode(params).encode()
    headers = [(b"authorization", f"Bearer {sandbox.api_key}".encode())]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": encoded if method == "POST" else b""}

    async def send(message: Any) -> None:
        sent.append(message)

    query = encoded if method != "POST" else b""
    scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers, "root_path": ""}
    await sandbox.app(scope, receive, send)
    return sent[0]["status"], orjson.loads(sent[1]["body"])


def ask(
    sandbox: Sandbox, method: str, path: str, params: dict[str, str] | None = None, key: str | None = None
) -> tuple[int, Any]:
    """The status and the parsed body."""
    return asyncio.run(_request(sandbox, method, path, params or {}, key))


def pages(sandbox: Sandbox, path: str, params: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """A whole list, page by page, newest first."""
    found: list[dict[str, Any]] = []
    asked = {"limit": "100", **(params or {})}
    while True:
        status, page = ask(sandbox, "GET", path, asked)
        assert status == 200, page
        found += page["data"]
        if not page["has_more"]:
            return found
        asked["starting_after"] = found[-1]["id"]
