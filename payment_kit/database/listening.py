"""Being woken by another process: LISTEN, kept up for as long as somebody waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import psycopg

from payment_kit.database.connection import Pool, connect_async
from payment_kit.errors import Problem

LISTEN_SECONDS = 30.0
RECONNECT_SECONDS = 1.0


class Wakes(Protocol):
    """What is woken, an `asyncio.Event` for example."""

    def set(self) -> None:
        """Wake whoever waits."""


async def listen(pool: Pool, channel: str, woken: Wakes, *, name: str) -> None:
    """Set `woken` at every NOTIFY on `channel`, and whenever one may have been missed; ends when it is cancelled.

    A database that is away is tried again: whoever is woken so also looks by itself now and then.
    """
    while True:
        try:
            async with await connect_async(str(pool.conninfo), name=name) as connection:
                await connection.execute(f"listen {channel}".encode())
                woken.set()
                while True:
                    async for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                        woken.set()
        except (psycopg.Error, Problem):
            await asyncio.sleep(RECONNECT_SECONDS)


class Bell:
    """One connection that listens on `channel` for all who wait in this process; it is there while somebody does."""

    def __init__(self, pool: Pool, channel: str, *, name: str) -> None:
        self._pool = pool
        self._channel = channel
        self._name = name
        self._waiting: set[asyncio.Event] = set()
        self._listening: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set at every NOTIFY, and whenever one may have been missed."""
        woken = asyncio.Event()
        self._waiting.add(woken)
        if self._listening is None:
            self._listening = asyncio.create_task(listen(self._pool, self._channel, self, name=self._name))
        try:
            yield woken
        finally:
            self._waiting.discard(woken)
            if not self._waiting and self._listening is not None:
                listening, self._listening = self._listening, None
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    def set(self) -> None:
        """Wake all of them."""
        for woken in self._waiting:
            woken.set()
