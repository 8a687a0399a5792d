"""Webhooks as Stripe sends them, over HTTP with valid signatures, a fixed number in flight."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import httptools
import uvloop

from benchmarks.peers.copies import Copies
from benchmarks.peers.recording import COMPARED, Json, Recording

IN_FLIGHT = 50
DELIVERY_SECONDS_MAX = 1800
NOT_FOR_ALL = frozenset({"invoice.upcoming", "invoice.overdue", "invoice.will_be_due"})
"""Types that somebody refuses, or that carry no object of their own."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How long it took from the first byte to the last answer, and how often each HTTP status was answered."""

    seconds: float
    statuses: Counter[int]


def sendable(recording: Recording) -> list[Json]:
    """The recorded events that every contender knows, oldest first."""
    return [
        event
        for event in recording.events
        if event["data"]["object"]["object"] in COMPARED and event["type"] not in NOT_FOR_ALL
    ]


def bodies(recording: Recording, copies: int) -> Iterator[bytes]:
    """Every copy of every sendable event: the first of all copies, then the second of all copies, and so on."""
    every = Copies(recording, copies)
    for event in sendable(recording):
        template = every.template(event)
        yield from (template.copy(number) for number in range(copies))


def deliver(port: int, path: str, secret: str, events: Sequence[bytes]) -> Delivered:
    """Post `events` in their order, `IN_FLIGHT` at a time over connections that stay open."""
    now = int(time.time())
    return uvloop.run(_deliver(port, [_request(port, path, secret, now, body) for body in events]))


def _request(port: int, path: str, secret: str, now: int, body: bytes) -> bytes:
    signature = hmac.new(secret.encode(), b"%d.%b" % (now, body), sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"User-Agent: Stripe/1.0\r\nStripe-Signature: t={now},v1={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _deliver(port: int, requests: Sequence[bytes]) -> Delivered:
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    statuses: Counter[int] = Counter()
    ended: list[asyncio.Future[None]] = []

    async def connect(answered: asyncio.Future[None]) -> None:
        await loop.create_connection(lambda: _Sender(waiting, statuses, answered, connect), "127.0.0.1", port)

    began = time.perf_counter()
    for _ in range(min(IN_FLIGHT, len(requests))):
        ended.append(loop.create_future())
        await connect(ended[-1])
    async with asyncio.timeout(DELIVERY_SECONDS_MAX):
        await asyncio.gather(*ended)
    return Delivered(time.perf_counter() - began, statuses)


class _Sender(asyncio.Protocol):
    """One connection: a request, its answer, the next request; a new connection when the other side closes this one.

    It has to cost little, for it shares the machine with what it measures.
    """

    def __init__(
        self,
        waiting: Iterator[bytes],
        statuses: Counter[int],
        ended: asyncio.Future[None],
        connect: Callable[[asyncio.Future[None]], Coroutine[None, None, None]],
    ) -> None:
        self._waiting, self._statuses, self._ended, self._connect = waiting, statuses, ended, connect
        self._parser = httptools.HttpResponseParser(self)
        self._idle = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._statuses[self._parser.get_status_code()] += 1
        self._idle = True
        if self._parser.should_keep_alive():
            self._parser = httptools.HttpResponseParser(self)
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._ended.done():
            return
        if self._idle:
            self._reconnecting = asyncio.create_task(self._connect(self._ended))
        else:
            self._ended.set_exception(error or ConnectionResetError("the receiver closed without an answer"))

    def _send(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self._ended.set_result(None)
            self._transport.close()
        else:
            self._idle = False
            self._transport.write(request)
