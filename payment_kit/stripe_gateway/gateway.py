"""Requests to Stripe. Writes go through the official SDK, with its idempotency and retries; reads past it, for speed.

Typed SDK objects cost about 90 times what parsing costs, so nothing here builds them: answers are raw JSON.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
import stripe
import structlog
from pydantic import SecretStr

from payment_kit.errors import Problem
from payment_kit.stripe_gateway import failures
from payment_kit.stripe_gateway.budget import (
    ENDPOINT_PER_SECOND,
    LIVE_ACCOUNT_PER_SECOND,
    TEST_ACCOUNT_PER_SECOND,
    Budget,
)
from payment_kit.stripe_gateway.endpoint import endpoint
from payment_kit.stripe_gateway.patience import BULK_SECONDS, Patience
from payment_kit.stripe_gateway.reader import Answer, Reader, order_time
from payment_kit.stripe_gateway.text import clean_json

API_VERSION = "2026-10-28.endive"
"""The version every request asks for, whatever the account's default is."""
PAGE_SIZE = 100
READ_AHEAD = "read ahead"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_log = structlog.get_logger()

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

    Every failure is raised as a `payment_kit.errors.Problem` (see failures.py). Reads are repeated with growing,
    jittered waits (see patience.py): a live one `retries` times at most, a `bulk` one for `bulk_patience_seconds`.
    Writes are repeated by the SDK, `retries` times at most and never after a 429, because their caller's deadline and
    request_id decide.

    `budget` says when a request may be sent (see budget.py); by default what Stripe allows a key of its mode, and no
    limit for a Stripe on this machine.
    """

    def __init__(
        self,
        api_key: SecretStr,
        *,
        base: str = "https://api.stripe.com",
        timeout_seconds: float = 30,
        retries: int = 4,
        bulk_patience_seconds: float = BULK_SECONDS,
        budget: Budget | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        stripe.enable_telemetry = False
        self.livemode = "_live_" in api_key.get_secret_value()[:8]
        """True when the key reaches real money."""
        self.budget = budget or default_budget(base, livemode=self.livemode)
        self._http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=timeout_seconds))
        self._client = stripe.StripeClient(
            api_key.get_secret_value(),
            stripe_version=API_VERSION,
            base_addresses={"api": base, "files": base, "connect": base, "meter_events": base},
            max_network_retries=retries,
            http_client=self._http,
        )
        self._reader = Reader(api_key, base=base, version=API_VERSION, timeout_seconds=timeout_seconds)
        self._retries, self._bulk_patience_seconds = retries, bulk_patience_seconds
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.close()
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def request(
        self,
        method: Method,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        account: str | None = None,
        bulk: bool = False,
        patience_seconds: float | None = None,
    ) -> Reply:
        """Ask Stripe and parse the answer.

        `path` starts with ``/v1/``; `account` is a connected account to act as. A write should carry an
        `idempotency_key`: without one a lost answer cannot be asked for again. `bulk` reads let everything else go
        first; `patience_seconds` (tries and waits together) replaces how long a read is repeated.
        """
        where = endpoint(method, path)
        if method != "get":
            await self.budget.take(account or "", where)
            return await self._write(method, path, params, idempotency_key, account, where)
        if patience_seconds is not None or bulk:
            long = self._bulk_patience_seconds if patience_seconds is None else patience_seconds
            patience = Patience.minutes(long)
        else:
            patience = Patience.live(self._retries)
        while True:
            await self.budget.take(account or "", where, bulk=bulk)
            answer = await self._reader.get(path, params, account=account)
            problem = answer.problem()
            if problem is None:
                return _reply(answer)
            await self._wait(where, account, answer, problem, patience)

    async def page(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str | None = None,
        bulk: bool = False,
        patience_seconds: float | None = None,
    ) -> Page:
        """One page of a list endpoint, at most `PAGE_SIZE` objects."""
        asked = {"limit": PAGE_SIZE, **(params or {})}
        reply = await self.request("get", path, asked, account=account, bulk=bulk, patience_seconds=patience_seconds)
        data = reply.body.get("data")
        if not isinstance(data, list):
            raise failures.connection_problem(write=False)
        return Page(data, bool(reply.body.get("has_more")), reply.server_time, reply.request_id)

    async def list(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str | None = None,
        bulk: bool = False,
        patience_seconds: float | None = None,
        ahead: int = 0,
    ) -> AsyncGenerator[Page, None]:
        """Every page of a list endpoint in Stripe's order (newest first); an empty list yields one empty page.

        With ``ahead=1`` the next page is read while the caller has the last one. A caller that may leave the loop early
        then closes the iterator (`contextlib.aclosing`), which ends that read.
        """
        params = dict(params or {})
        options: dict[str, Any] = {"account": account, "bulk": bulk, "patience_seconds": patience_seconds}
        coming: asyncio.Task[Page] | None = None
        try:
            while True:
                page = await coming if coming else await self.page(path, params, **options)
                if not page.has_more or not page.data:
                    yield page
                    return
                params = {**params, "starting_after": page.data[-1]["id"]}
                coming = asyncio.create_task(self.page(path, params, **options), name=READ_AHEAD) if ahead else None
                yield page
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _wait(
        self, where: str, account: str | None, answer: Answer, problem: Problem, patience: Patience
    ) -> None:
        """Until the read is to be repeated; raises `problem` when it is not."""
        self._slow_down(account, where, problem, answer.headers)
        seconds = patience.wait_seconds(answer, problem)
        if seconds is None:
            raise problem
        _log.info(
            "Stripe will be asked again",
            endpoint=where,
            reason=problem.reason,
            status=answer.status,
            repeats=patience.repeats,
            wait_seconds=round(seconds, 1),
        )
        await self._sleep(seconds)

    async def _write(
        self,
        method: Method,
        path: str,
        params: Mapping[str, Any] | None,
        key: str | None,
        account: str | None,
        where: str,
    ) -> Reply:
        options = {"idempotency_key": key, "stripe_account": account}
        options = {name: value for name, value in options.items() if value is not None}
        began_at, began = time.time(), time.monotonic()
        try:
            response = await self._client.raw_request_async(method, path, **(params or {}), **options)
        except stripe.StripeError as error:
            problem = failures.problem(error, write=True)
            self._slow_down(account, where, problem, error.headers or {})
            raise problem from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The SDK wraps a failed connect, but not a connection lost while the body is read.
            raise failures.connection_problem(write=True) from None
        took = time.monotonic() - began
        replayed = response.headers.get("Idempotent-Replayed") == "true"
        return Reply(
            _parse(response.body),
            0 if replayed else order_time(response.headers, took, began_at),
            _request_id(response.headers),
            replayed,
        )

    def _slow_down(self, account: str | None, where: str, problem: Problem, headers: Mapping[str, str]) -> None:
        if problem.reason == "STRIPE_RATE_LIMITED":
            self.budget.refused(account or "", where, headers.get("Stripe-Rate-Limited-Reason"))


def default_budget(
    base: str, *, livemode: bool, account_per_second: float | None = None, endpoint_per_second: float | None = None
) -> Budget:
    """The limits given, else what Stripe allows a key of that mode; no limit when `base` is on this machine."""
    if account_per_second is None and endpoint_per_second is None and urlsplit(base).hostname in _THIS_MACHINE:
        return Budget.unlimited()
    return Budget(
        account_per_second or (LIVE_ACCOUNT_PER_SECOND if livemode else TEST_ACCOUNT_PER_SECOND),
        endpoint_per_second or ENDPOINT_PER_SECOND,
    )


def _reply(answer: Answer) -> Reply:
    return Reply(answer.body or {}, answer.server_time, _request_id(answer.headers))


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("Request-Id") or f"local_{random.getrandbits(64):016x}"


def _parse(body: str) -> Json:
    try:
        value = orjson.loads(clean_json(body.encode("utf-8", "surrogatepass")))
    except ValueError:
        raise failures.connection_problem(write=True) from None
    if not isinstance(value, dict):
        raise failures.connection_problem(write=True)
    return value
