"""A fresh sandbox served over real HTTP, and the unmodified stripe SDK talking to it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest_asyncio
import stripe

from payment_kit.sandbox import Sandbox, SandboxServer, serve_until
from tests.waiting import SECONDS_MAX


@contextmanager
def served_apart(sandbox: Sandbox) -> Iterator[Sandbox]:
    """`sandbox`, served by a thread of its own: for what runs in processes or loops of its own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    serving = serve_until(sandbox, "127.0.0.1", 0, stop, lambda _url: ready.set())
    thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
    thread.start()
    assert ready.wait(SECONDS_MAX)
    yield sandbox
    loop.call_soon_threadsafe(stop.set)
    thread.join(SECONDS_MAX)
    loop.close()


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """An empty in-memory sandbox on a free port of this machine: ``.url``, ``.api_key``, ``.account_id``, ``.now``."""
    fresh = Sandbox()
    async with SandboxServer(fresh):
        yield fresh


@pytest_asyncio.fixture
async def stripe_client(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    """The SDK's client of that sandbox, for its ``…_async`` methods; it never retries."""
    http = stripe.AIOHTTPClient()
    yield stripe.StripeClient(
        sandbox.api_key, base_addresses={"api": sandbox.url}, http_client=http, max_network_retries=0
    )
    await http.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
