"""The two sides a scenario is run against: a sandbox in this process, and Stripe's API at an address."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from payment_kit.sandbox.call import API_VERSION
from payment_kit.sandbox.server import Sandbox

PAUSE_SECONDS = 0.2  # 5 requests a second, of the 25 that docs.stripe.com/rate-limits grants a sandbox
TIMEOUT_SECONDS = 30
TRIES_MAX = 4
BODY_BYTES_MAX = 4 << 20
_AGAIN = (409, 429, 500, 502, 503, 504)


class Answer(NamedTuple):
    """One answer: its HTTP status and its parsed body."""

    status: int
    body: dict[str, Any]


class Client(Protocol):
    """Whoever takes requests: `form` is already encoded, `key` is an idempotency key."""

    def ask(self, method: str, path: str, form: str, key: str | None) -> Answer:
        """The answer to one request below /v1; raises `Unreachable`."""


class Unreachable(Exception):
    """The other side gave no answer of Stripe's: no connection, no JSON, or a refused key."""


class InProcess:
    """A sandbox of this process, without a socket."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def ask(self, method: str, path: str, form: str, key: str | None) -> Answer:
        """The sandbox's answer."""
        return asyncio.run(self._asked(method, path, form.encode(), key))

    async def _asked(self, method: str, path: str, form: bytes, key: str | None) -> Answer:
        headers = [(b"authorization", f"Bearer {self._sandbox.api_key}".encode())]
        headers += [(b"idempotency-key", key.encode())] if key else []
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": form if method == "POST" else b""}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": f"/v1/{path}", "headers": headers, "root_path": ""}
        await self._sandbox.app({**scope, "query_string": b"" if method == "POST" else form}, receive, send)
        return Answer(sent[0]["status"], json.loads(sent[1]["body"]))


class Remote:
    """An API at an address, asked slowly; waits and tries again when it is told to slow down or the line breaks."""

    def __init__(self, base: str, api_key: str) -> None:
        self._base, self._api_key = base.rstrip("/"), api_key

    def ask(self, method: str, path: str, form: str, key: str | None) -> Answer:
        """Its answer, after at most `TRIES_MAX` tries."""
        for waits in range(TRIES_MAX):
            time.sleep(PAUSE_SECONDS * 2**waits)
            answer = self._asked(method, path, form, key)
            if answer is not None and (answer.status not in _AGAIN or answer.body["error"].get("code")):
                break
        if answer is None:
            raise Unreachable(f"{self._base} does not answer.")
        if answer.status == 401:
            raise Unreachable(f"{self._base} refuses this key.")
        return answer

    def _asked(self, method: str, path: str, form: str, key: str | None) -> Answer | None:
        url = f"{self._base}/v1/{path}" + (f"?{form}" if form and method != "POST" else "")
        headers = {"Authorization": f"Bearer {self._api_key}", "Stripe-Version": API_VERSION}
        headers |= {"Idempotency-Key": key} if key else {}
        asked = urllib.request.Request(  # noqa: S310  # the caller checked the scheme
            url, form.encode() if method == "POST" else None, headers, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                return _parsed(self._base, response.status, response.read(BODY_BYTES_MAX))
        except urllib.error.HTTPError as error:
            with error:
                return _parsed(self._base, error.code, error.read(BODY_BYTES_MAX))
        except OSError:
            return None


def _parsed(base: str, status: int, body: bytes) -> Answer:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict) or (status >= 400 and not isinstance(value.get("error"), dict)):
        raise Unreachable(f"What answers at {base} is not Stripe's API.")
    return Answer(status, value)


def encoded(params: Mapping[str, Any]) -> str:
    """Nested parameters in Stripe's form encoding."""
    pairs: list[tuple[str, str]] = []

    def put(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for inner, part in value.items():
                put(f"{name}[{inner}]", part)
        elif isinstance(value, (list, tuple)):
            for at, part in enumerate(value):
                put(f"{name}[{at}]", part)
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))

    for name, value in params.items():
        put(name, value)
    return urlencode(pairs)
