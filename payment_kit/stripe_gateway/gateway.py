"""Requests to Stripe over the official SDK's transport: keys, retries and idempotency are its, answers are raw JSON.

Typed SDK objects cost about 90 times what parsing costs, so nothing here builds them.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
import orjson
import stripe
from pydantic import SecretStr

from payment_kit.errors import Busy, Conflict
from payment_kit.stripe_gateway import failures
from payment_kit.stripe_gateway.text import clean_json

API_VERSION = "2026-10-28.endive"
"""The version every request asks for, whatever the account's default is."""
PAGE_SIZE = 100
RATE_LIMIT_RETRIES = 6
RATE_LIMIT_DELAY_SECONDS = 0.25
RATE_LIMIT_DELAY_SECONDS_MAX = 8.0

Method = Literal["get", "post", "delete"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `server_time`: Unix seconds of Stripe's clock that surely lie before the state in `body` was read.

    A `replayed` answer is the one Stripe gave first under this idempotency key: its body may be old, its time is 0.
    """

    body: Json
    server_time: int
    request_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first, with the order time and id of the request that read it."""

    data: list[Json]
    has_more: bool
    server_time: int
    request_id: str


class StripeGateway:
    """An async context manager: ``async with StripeGateway(key) as gateway: await gateway.request("get", …)``.

    Every failure is raised as a `payment_kit.errors.Problem` (see failures.py). Reads that meet a rate limit are
    repeated with growing, jittered waits; writes are not, because their caller's deadline and request_id decide.
    """

    def __init__(
        self,
        api_key: SecretStr,
        *,
        base: str = "https://api.stripe.com",
        timeout_seconds: float = 30,
        retries: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        stripe.enable_telemetry = False
        self.livemode = "_live_" in api_key.get_secret_value()[:8]
        """True when the key reaches real money."""
        self._http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=timeout_seconds))
        self._client = stripe.StripeClient(
            api_key.get_secret_value(),
            stripe_version=API_VERSION,
            base_addresses={"api": base, "files": base, "connect": base, "meter_events": base},
            max_network_retries=retries,
            http_client=self._http,
        )
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def request(
        self,
        method: Method,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        account: str | None = None,
    ) -> Reply:
        """Ask Stripe once (with the SDK's retries on connection failures, 409 and 5xx) and parse the answer.

        `path` starts with ``/v1/``; `account` is a connected account to act as. A write should carry an
        `idempotency_key`: without one a lost answer cannot be asked for again.
        """
        if method != "get":
            return await self._once(method, path, params, idempotency_key, account)
        for attempt in range(RATE_LIMIT_RETRIES):
            try:
                return await self._once(method, path, params, idempotency_key, account)
            except (Busy, Conflict) as problem:
                await self._sleep(_backoff_seconds(attempt, problem.retry_after_seconds))
        return await self._once(method, path, params, idempotency_key, account)

    async def page(self, path: str, params: Mapping[str, Any] | None = None, *, account: str | None = None) -> Page:
        """One page of a list endpoint, at most `PAGE_SIZE` objects."""
        reply = await self.request("get", path, {"limit": PAGE_SIZE, **(params or {})}, account=account)
        return Page(reply.body["data"], bool(reply.body.get("has_more")), reply.server_time, reply.request_id)

    async def list(
        self, path: str, params: Mapping[str, Any] | None = None, *, account: str | None = None
    ) -> AsyncIterator[Page]:
        """Every page of a list endpoint in Stripe's order (newest first); an empty list yields one empty page."""
        params = dict(params or {})
        while True:
            page = await self.page(path, params, account=account)
            yield page
            if not page.has_more or not page.data:
                return
            params["starting_after"] = page.data[-1]["id"]

    async def _once(
        self, method: Method, path: str, params: Mapping[str, Any] | None, key: str | None, account: str | None
    ) -> Reply:
        options = {"idempotency_key": key, "stripe_account": account}
        options = {name: value for name, value in options.items() if value is not None}
        began_at, began = time.time(), time.monotonic()
        try:
            response = await self._client.raw_request_async(method, path, **(params or {}), **options)
        except stripe.StripeError as error:
            raise failures.problem(error, write=method != "get") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The SDK wraps a failed connect, but not a connection lost while the body is read.
            raise failures.connection_problem(write=method != "get") from None
        took = time.monotonic() - began
        replayed = response.headers.get("Idempotent-Replayed") == "true"
        return Reply(
            _parse(response.body, write=method != "get"),
            0 if replayed else _order_time(response.headers, took, began_at),
            response.headers.get("Request-Id") or f"local_{random.getrandbits(64):016x}",
            replayed,
        )


def _parse(body: str, *, write: bool) -> Json:
    try:
        value = orjson.loads(clean_json(body.encode("utf-8", "surrogatepass")))
    except ValueError:
        raise failures.connection_problem(write=write) from None
    if not isinstance(value, dict):
        raise failures.connection_problem(write=write)
    return value


def _order_time(headers: Mapping[str, str], took_seconds: float, began_at: float) -> int:
    """A second not after the moment Stripe read the state: the response's Date minus how long the request took."""
    try:
        answered_at = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return int(began_at)
    return int(answered_at - took_seconds)


def _backoff_seconds(attempt: int, hint: float | None) -> float:
    ceiling = min(RATE_LIMIT_DELAY_SECONDS_MAX, RATE_LIMIT_DELAY_SECONDS * float(2**attempt))
    jittered = ceiling * random.uniform(0.5, 1)  # noqa: S311
    return max(min(hint or 0.0, RATE_LIMIT_DELAY_SECONDS_MAX), jittered)
