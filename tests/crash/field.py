"""A field to die on: one database, one Stripe, and processes that are killed there one after the other."""

import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from payment_kit.database.connection import connect_async
from payment_kit.database.queries import sql
from payment_kit.errors import Problem
from tests.crash import judge
from tests.crash.processes import BOUNDS, Process, Processes, processes
from tests.crash.stripe import ACTS, SECRET, Stripe, stripe
from tests.waiting import until_found

ROUND_ACTS = 3
SERVE = ("serve", "--only", "webhooks", "--only", "worker", "--no-catch-up")
WORK = ("serve", "--only", "worker", "--no-catch-up")
BACKFILL = ("sync", "backfill", "--json")
CATCH_UP = ("sync", "catch-up", "--json")


class Field:
    """Where it happens. `kills` counts the processes that were killed at work."""

    def __init__(self, dsn: str, stripe: Stripe, started: Processes, port: int, seed: int) -> None:
        self.dsn, self.stripe, self.processes = dsn, stripe, started
        self.port = port
        self.rng = random.Random(seed)
        self.kills = 0
        self.bounds = dict(BOUNDS)
        self.environment = {
            "DATABASE_URL": dsn,
            "STRIPE_API_BASE": stripe.account.sandbox.url,
            "STRIPE_API_KEY": stripe.account.sandbox.api_key,
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "PAYMENT_KIT_HOME": str(started.folder / "home"),
            "PAYMENT_KIT_WEBHOOK_PORT": str(port),
            "PAYMENT_KIT_STRIPE_TIMEOUT_SECONDS": "1",
            "PATH": "/usr/bin:/bin",
        }

    async def start(self, words: Sequence[str] = SERVE) -> Process:
        """A process; one that receives is waited for."""
        process = await self.processes.start(words, self.environment, self.bounds)
        if "webhooks" in words:
            await until_found(lambda: self._up(process))
        return process

    async def _up(self, process: Process) -> bool:
        assert process.code is None, process.said
        return await self.stripe.answers_health()

    async def kill_serving(self, process: Process, point: str, passage: int, acts: Sequence[str] = ACTS) -> None:
        """Do business and deliver its events until `process`, which receives or works, dies at `point`."""
        self.processes.arm(point, passage)
        while process.code is None:
            await self.stripe.do_business(ROUND_ACTS, acts)
            await self.stripe.deliver()
            await until_found(lambda: self._idle_or_dead(process))
        await self._dead_at(process, point)

    async def _idle_or_dead(self, process: Process) -> bool:
        return process.code is not None or await judge.waiting(self.dsn) == (0, 0)

    async def kill_running(self, words: Sequence[str], point: str, passage: int) -> bool:
        """Run a command that is killed at `point`; false when it has fewer passages and came to its end."""
        self.processes.arm(point, passage)
        process = await self.start(words)
        await process.gone.wait()
        if process.code == 0:
            self.processes.arm(None)
            return False
        await self._dead_at(process, point)
        return True

    async def _dead_at(self, process: Process, point: str) -> None:
        await process.gone.wait()
        self.processes.arm(None)
        assert (process.code, process.died_at) == (-9, point), process.said
        self.kills += 1

    async def kill(self, process: Process) -> None:
        """SIGKILL, whatever it is doing."""
        process.kill()
        await process.gone.wait()
        self.kills += process.code == -9

    async def run(self, words: Sequence[str]) -> None:
        """Run a command to its end."""
        process = await self.start(words)
        await process.gone.wait()
        assert process.code == 0, process.said

    async def recover(self) -> None:
        """Send again what was not acknowledged, and wait until nothing is left to do; somebody has to serve."""

        async def delivered() -> bool:
            await self.stripe.deliver()
            return not self.stripe.owing

        async def done() -> bool:
            with suppress(psycopg.Error, Problem):
                return await judge.waiting(self.dsn) == (0, 0)
            return False

        await until_found(delivered)
        await until_found(done)

    def trouble(self, name: str | None, path: str = "") -> None:
        """From now on Stripe answers every read below `path` with this fault; None: it is well again."""
        faults = self.stripe.account.sandbox.worlds.default.faults
        faults.configure({name: 1.0, "path": path, "seconds": 60.0, "methods": ["GET"]} if name else {})

    def met(self, name: str) -> int:
        """How many requests met this fault."""
        return self.stripe.account.sandbox.worlds.default.faults.counts.get(name, 0)

    async def asked(self, query: str) -> int:
        """One number."""
        return int((await judge.asked(self.dsn, query))[0][0])

    async def empty(self) -> None:
        """Forget everything that was mirrored."""
        async with await connect_async(self.dsn) as connection, connection.transaction():
            await connection.execute("set local payment_kit.may_change_history = 'yes'")
            tables = [Identifier(*row) for row in await (await connection.execute(sql("demo.tables"))).fetchall()]
            await connection.execute(SQL("truncate {}, crash.finished").format(SQL(", ").join(tables)))

    async def proved(self) -> None:
        """Fails with what is wrong with the mirror; a database that is just starting again is waited for."""
        found: list[str] | None = None

        async def judged() -> bool:
            nonlocal found
            with suppress(psycopg.OperationalError, Problem):
                found = await judge.differences(self.dsn, self.stripe)
            return found is not None

        await until_found(judged)
        assert not found, "\n".join(found[:20])


@asynccontextmanager
async def field(dsn: str, folder: Path, seed: int) -> AsyncIterator[Field]:
    """A field on a migrated database; every process is dead behind it."""
    port = free_port()
    async with (
        stripe(seed, port) as opened,
        processes(folder) as started,
    ):
        async with await connect_async(dsn) as connection:
            await connection.execute(judge.AUDIT.encode())
        yield Field(dsn, opened, started, port, seed)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
