"""A sandbox in a thread of its own: for clients that block, and for processes of their own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from payment_kit.sandbox import Sandbox, serve_until
from tests.waiting import SECONDS_MAX


@contextmanager
def served_apart(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Serve `sandbox` for the length of the block."""
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
