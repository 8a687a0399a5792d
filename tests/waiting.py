"""Waiting for what another process, thread or task does: for the condition itself, never for a while.

The bound only ends a test that would hang. It is far from what a busy machine needs, so nobody fails for being slow.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

SECONDS_MAX = 60.0
T = TypeVar("T")


def eventually(condition: Callable[[], T], seconds: float = SECONDS_MAX) -> T:
    """What `condition` returns as soon as it is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


async def until(condition: Callable[[], object], seconds: float = SECONDS_MAX) -> None:
    """The same for something that happens in another task of this loop."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited sets no event of ours
            await asyncio.sleep(0.01)


async def until_found(look: Callable[[], Awaitable[object]], seconds: float = SECONDS_MAX) -> None:
    """The same where looking takes a query or a request."""
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
