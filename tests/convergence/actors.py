"""Processes that die or stand still at a chosen point: between any two statements or requests of the mirror's code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from payment_kit.database import connection as database
from payment_kit.database.connection import Pool

CONNECTIONS_MAX = 8
WAIT_SECONDS = 0.002
PREPARED_MAX = 2000
"""More statements than there are: thousands of histories use the same ones."""
_BLOCKED = "select count(*) from pg_locks where pid = any(%s) and not granted"


class Crash(BaseException):
    """The process is gone. No code of the mirror can catch it, as none can catch a SIGKILL."""


@dataclass(slots=True)
class Actor:
    """One process: it dies at its point `crash_at`, or stands still at `pause_at` while `meanwhile` runs."""

    crash_at: int | None = None
    pause_at: int | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None
    points: int = 0
    crashed: bool = False
    paused: bool = False
    backends: set[int] = field(default_factory=set)


_ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)


async def point() -> None:
    """A statement or a request is about to leave the process."""
    actor = _ACTOR.get()
    if actor is None:
        return
    actor.points += 1
    if actor.crashed or actor.points == actor.crash_at:
        actor.crashed = True
        raise Crash
    if actor.points == actor.pause_at and actor.meanwhile:
        actor.paused = True
        await actor.meanwhile()


def start(actor: Actor, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[bool]":
    """Run `work` as a process of its own; the result is whether it lived to its end."""

    async def live() -> bool:
        _ACTOR.set(actor)
        try:
            await work
        except BaseException as error:
            if _is_crash(error):
                return False
            raise
        return True

    return asyncio.create_task(live())


def _is_crash(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(Crash) is not None
    return isinstance(error, Crash)


class Watched(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection each of whose statements is a point."""

    async def execute(self, *args: Any, **options: Any) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        """As psycopg's."""
        actor = _ACTOR.get()
        if actor is not None:
            actor.backends.add(self.info.backend_pid)
        await point()
        return await super().execute(*args, **options)


@asynccontextmanager
async def watched_pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool as `open_pool` makes it, of watched connections."""
    pool: Pool = AsyncConnectionPool(
        dsn,
        connection_class=Watched,
        kwargs=database._parameters(dsn, "convergence"),
        min_size=1,
        max_size=CONNECTIONS_MAX,
        configure=_configure,
        open=False,
    )
    async with pool:
        await pool.wait()
        yield pool


async def _configure(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    await database._configure_async(connection)
    connection.prepared_max = PREPARED_MAX
    # Deadlocks are looked for at once: they are part of what is tested.
    await connection.execute("set deadlock_timeout = '20ms'")


async def until_done_or_blocked(pool: Pool, task: "asyncio.Task[bool]", actor: Actor) -> bool:
    """Wait until the other process has finished (True) or waits for a lock of ours (False)."""
    while True:
        done, _ = await asyncio.wait({task}, timeout=WAIT_SECONDS)
        if done:
            return True
        token = _ACTOR.set(None)
        try:
            async with pool.connection() as connection:
                row = await (await connection.execute(_BLOCKED, [list(actor.backends)])).fetchone()
        finally:
            _ACTOR.reset(token)
        if row and row[0]:
            return False
