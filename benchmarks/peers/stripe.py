"""The fake Stripe that every contender asks: pages and single objects out of memory, some microseconds each.

``python -m benchmarks.peers.stripe RECORDING COPIES [MILLISECONDS]`` prints ``{"port": …}`` and serves until its stdin
ends, each answer so many milliseconds after its request. It reads no keys, knows no writes and answers in one API
version, that of the recording. ``GET /requests`` says how many requests came since the last time that was asked, by the
shape of their path.
"""

import asyncio
import re
import sys
import threading
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import httptools
import orjson
import uvloop

from benchmarks.peers.copies import Asked, Copies
from benchmarks.peers.recording import Recording
from payment_kit.sandbox.kinds import KINDS

KINDS_BY_PATH = {entry.path: kind for kind, entry in KINDS.items() if entry.path}
_CHILDREN = {"lines": "lines", "refunds": "refunds"}
_BOUND = re.compile(r"created\[(gte|gt|lte|lt)]$")

Answer = tuple[int, bytes]


class FakeStripe:
    """What is answered to ``GET`` of a path with its query."""

    def __init__(self, recording: Recording, copies: int) -> None:
        self._copies = Copies(recording, copies)
        self._account = orjson.dumps(recording.account)
        self.requests: Counter[str] = Counter()

    def answer(self, path: str, query: str) -> Answer:
        """Status and JSON; an unknown list is empty, an unknown object is Stripe's 404."""
        if path == "/requests":
            counted, self.requests = self.requests, Counter()
            return 200, orjson.dumps(counted)
        asked = parsed(query)
        below = path.removeprefix("/v1/")
        if below == "account" or below.startswith("accounts/"):
            self.requests["account"] += 1
            return 200, self._account
        if below in KINDS_BY_PATH or "/" not in below:
            self.requests[below] += 1
            return 200, self._list(below, asked)
        collection, _, rest = below.partition("/")
        while rest and collection not in KINDS_BY_PATH and "/" in rest:
            more, _, rest = rest.partition("/")
            collection = f"{collection}/{more}"
        id_, _, part = rest.partition("/")
        self.requests[f"{collection}/{{id}}/{part}".rstrip("/")] += 1
        return self._part(f"{collection}/{id_}/{part}", id_, part) if part else self._one(id_, asked)

    def _list(self, collection: str, asked: Asked) -> bytes:
        if collection == "subscription_items":
            return self._part(collection, asked.params.get("subscription", ""), "items")[1]
        found, more = self._copies.page(KINDS_BY_PATH.get(collection, ""), asked)
        return _listed(f"/v1/{collection}", found, more=more)

    def _one(self, id_: str, asked: Asked) -> Answer:
        found = self._copies.one(id_, asked.expand)
        if found is None:
            error = {"type": "invalid_request_error", "code": "resource_missing", "message": f"No such object: '{id_}'"}
            return 404, orjson.dumps({"error": error})
        return 200, found

    def _part(self, path: str, id_: str, part: str) -> Answer:
        """A list inside an object, as far as the object carries it."""
        found = self._copies.one(id_)
        inside = orjson.loads(found).get(part) if found else None
        if isinstance(inside, dict) and "data" in inside:
            return 200, orjson.dumps(inside)
        return 200, _listed(f"/v1/{path}", [], more=False)


def parsed(query: str) -> Asked:
    """A query string as Stripe's clients write them."""
    params, created, expand = dict[str, str](), dict[str, int](), list[str]()
    for name, value in parse_qsl(query):
        bound = _BOUND.match(name)
        if bound:
            created[bound[1]] = int(value)
        elif name.startswith("expand["):
            expand.append(value)
        else:
            params[name] = value
    return Asked(params, created, tuple(expand))


def _listed(path: str, found: list[bytes], *, more: bool) -> bytes:
    head = f'{{"object":"list","url":"{path}","has_more":{"true" if more else "false"},"data":['
    return head.encode() + b",".join(found) + b"]}"


class _Protocol(asyncio.Protocol):
    """HTTP/1.1 with connections that stay open."""

    def __init__(self, stripe: FakeStripe, delay_seconds: float) -> None:
        self._stripe = stripe
        self._delay_seconds = delay_seconds
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        url = httptools.parse_url(self._url)
        status, body = self._stripe.answer(url.path.decode(), (url.query or b"").decode())
        self._answered += 1
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}\r\nContent-Type: application/json\r\n"
            f"Date: {formatdate(usegmt=True)}\r\nRequest-Id: req_{id(self):x}{self._answered:x}\r\n"
            f"Stripe-Version: 2026-10-28.endive\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = (head.encode(), body)
        if self._delay_seconds:
            asyncio.get_running_loop().call_later(self._delay_seconds, self._transport.writelines, answer)
        else:
            self._transport.writelines(answer)


async def serve(stripe: FakeStripe, delay_seconds: float) -> None:
    """On a free port of this machine, until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(stripe, delay_seconds), "127.0.0.1", 0)
    sys.stdout.write(orjson.dumps({"port": server.sockets[0].getsockname()[1]}).decode() + "\n")
    sys.stdout.flush()
    ended = asyncio.Event()

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    _recording, _copies, *_delay = sys.argv[1:]
    uvloop.run(serve(FakeStripe(Recording.load(Path(_recording)), int(_copies)), sum(map(int, _delay)) / 1000))
