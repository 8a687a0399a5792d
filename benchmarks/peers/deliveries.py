"""Webhooks as Stripe sends them, over HTTP with valid signatures, a fixed number in flight."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import uvloop

from benchmarks.peers.copies import Copies
from benchmarks.peers.recording import COMPARED, Json, Recording

IN_FLIGHT = 50
ANSWER_SECONDS_MAX = 120
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
    waiting = iter(requests)
    statuses: Counter[int] = Counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            writer.write(request)
            status, stays = await asyncio.wait_for(_answer(reader), ANSWER_SECONDS_MAX)
            statuses[status] += 1
            if not stays:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(connection())
    return Delivered(time.perf_counter() - began, statuses)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        at = head.find(b"content-length:")
        if at >= 0:
            await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
    return status, b"connection: close" not in head
