"""A served sandbox for a client that blocks, and the list of the operations a story has to use."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from payment_kit.sandbox import Sandbox, registry, serve_until
from tests.fix_spec import heard
from tests.waiting import SECONDS_MAX

OPERATIONS = Path(__file__).parent / "operations.txt"


@pytest.fixture
def served() -> Iterator[Sandbox]:
    """A sandbox on 2026-07-01, served by a thread of its own."""
    sandbox, ready, loop = Sandbox(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    serving = serve_until(sandbox, "127.0.0.1", 0, stop, lambda _url: ready.set())
    thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
    thread.start()
    assert ready.wait(SECONDS_MAX)
    yield sandbox
    loop.call_soon_threadsafe(stop.set)
    thread.join(SECONDS_MAX)
    loop.close()


def used() -> list[str]:
    """The operations of this test's story, as operations.txt lists them."""
    asked = {(method, path.removeprefix("/v1/")) for method, path, status, _ in heard() if status == 200}
    found = [registry.match(*one)[0] for one in asked]
    return sorted({f"{endpoint.method} {endpoint.path}" for endpoint in found})
