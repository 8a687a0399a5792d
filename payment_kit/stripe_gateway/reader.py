"""GET requests to Stripe: one connection pool, one answer each, and as little work as a page needs.

The SDK parses every answer into ordered dictionaries, which costs ten times what orjson costs; a backfill reads little
else. So reads go over aiohttp directly, with the SDK's certificates; what they have in common with writes is the
translation of failures.
"""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Any

import aiohttp
import orjson
import stripe
from pydantic import SecretStr

from payment_kit.errors import Problem
from payment_kit.stripe_gateway import failures
from payment_kit.stripe_gateway.query import encode
from payment_kit.stripe_gateway.text import clean_json

BODY_BYTES_MAX = 64 << 20
"""Far above any page of Stripe's; a longer answer is no usable one."""
CONNECTIONS_MAX = 100
CONNECT_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of one try. `status` is 0 without a whole answer; `body` is None unless it is a JSON object."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    server_time: int = 0
    took_seconds: float = 0.0

    def problem(self) -> Problem | None:
        """The problem it means to the reader; None when it is what was asked for."""
        if 200 <= self.status < 300 and self.body is not None:
            return None
        return failures.refusal(
            self.status or None, self.body, self.headers, self.headers.get("Request-Id"), write=False
        )


class Reader:
    """Reads as the owner of `api_key`, in the API version `version`."""

    def __init__(self, api_key: SecretStr, *, base: str, version: str, timeout_seconds: float) -> None:
        self._base = base
        self._headers = {
            "Authorization": f"Bearer {api_key.get_secret_value()}",
            "Stripe-Version": version,
            "User-Agent": f"payment-kit/{metadata.version('payment-kit')}",
        }
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS_MAX)
        self._opened: aiohttp.ClientSession | None = None

    async def get(self, path: str, params: Mapping[str, Any] | None, *, account: str | None) -> Answer:
        """One try. Never raises for what Stripe or the network does: see `Answer`."""
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"a path of the API starts with one slash: {path!r}")
        url = f"{self._base}{path}?{encode(params)}" if params else f"{self._base}{path}"
        headers = {**self._headers, "Stripe-Account": account} if account else self._headers
        began_at, began = time.time(), time.monotonic()
        try:
            async with self._session().get(url, headers=headers, allow_redirects=False) as response:
                content = await _content(response)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Answer(took_seconds=time.monotonic() - began)
        took = time.monotonic() - began
        read_at = order_time(response.headers, took, began_at)
        return Answer(response.status, response.headers, _json(content), read_at, took)

    async def close(self) -> None:
        """Closes the connections; a later read would open new ones."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            secure = ssl.create_default_context(cafile=stripe.ca_bundle_path) if _is_https(self._base) else True
            connector = aiohttp.TCPConnector(ssl=secure, limit=CONNECTIONS_MAX)
            self._opened = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._opened


def order_time(headers: Mapping[str, str], took_seconds: float, began_at: float) -> int:
    """A second not after the moment Stripe read the state: the response's Date minus how long the request took."""
    try:
        answered_at = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return int(began_at)
    return int(answered_at - took_seconds)


def _is_https(base: str) -> bool:
    return base.startswith("https:")


async def _content(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise aiohttp.ClientPayloadError("the answer is over the bound")
        chunks.append(chunk)
    return b"".join(chunks)


def _json(content: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(clean_json(content))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
