"""Kills of every kind, one after the other, in a seeded order: at a named point or at any moment, of a process of ours
or of PostgreSQL. After each the work goes on by itself, and the mirror is proved.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from tests.crash import points
from tests.crash.field import BACKFILL, CATCH_UP, SERVE, WORK, Field
from tests.crash.postgres import Postgres
from tests.crash.processes import Process
from tests.crash.stripe import ACTS, OWING

KINDS = {
    "receiver": 3,
    "worker": 3,
    "owed": 2,
    "backfill": 1,
    "catch_up": 1,
    "any moment": 6,
    "server": 1,
    "backend": 1,
}
"""What is killed, and how often relative to the others."""
WITHIN_SECONDS = 0.12
ACTS_A_KILL = 4


class Trials:
    """Kills on one field; `postgres` None spares the server. `met` counts what was killed where."""

    def __init__(self, place: Field, postgres: Postgres | None, seed: int, met: Counter[str]) -> None:
        self.place, self.postgres, self.met = place, postgres, met
        self._rng = random.Random(f"trials {seed}")
        self._serving: Process | None = None

    async def run(self, count: int, kinds: Sequence[str] = ()) -> None:
        """So many kills, each proved; fails with what went wrong."""
        spared = ("server", "backend") if self.postgres is None else ()
        chosen = [kind for kind in kinds or KINDS if kind not in spared]
        for _ in range(count):
            kind = self._rng.choices(chosen, [KINDS[kind] for kind in chosen])[0]
            await self._serve()
            await self._kill(kind)
            await self._serve()
            await self.place.recover()
            await self.place.proved()

    async def _serve(self) -> Process:
        if self._serving is None or self._serving.code is not None:
            self._serving = await self.place.start(SERVE)
        return self._serving

    async def _kill(self, kind: str) -> None:
        if kind in ("receiver", "worker", "owed"):
            point = self._rng.choice(points.of(kind))  # type: ignore[arg-type]
            acts = OWING if kind == "owed" else ACTS
            await self.place.kill_serving(await self._serve(), point, self._rng.choice((1, 1, 2, 3)), acts)
            self.met[point] += 1
        elif kind in ("backfill", "catch_up"):
            await self._kill_command(kind)
        elif kind == "any moment":
            await self._kill_any()
        else:
            await self._kill_postgres(kind)

    async def _kill_command(self, kind: str) -> None:
        """At one of its points, beside a receiver and a worker; the next run ends its work.

        A backfill is overtaken by webhooks; a catch-up finds what none brought.
        """
        point = self._rng.choice(points.of(kind))  # type: ignore[arg-type]
        words = BACKFILL if kind == "backfill" else CATCH_UP
        await self.place.stripe.do_business(ACTS_A_KILL)
        copies = 1 if kind == "backfill" else 0
        delivering = asyncio.create_task(self.place.stripe.deliver(copies=copies))
        if await self.place.kill_running(words, point, self._rng.choice((1, 1, 2, 5)) if copies else 1):
            self.met[point] += 1
        await delivering
        await self.place.run(words)

    async def _kill_any(self) -> None:
        """Of receiver and worker, a second worker, or a command, at any moment while events arrive."""
        serving = await self._serve()
        words = self._rng.choice((SERVE, WORK, BACKFILL, CATCH_UP))
        victim = serving if words == SERVE else await self.place.start(words)
        await self.place.stripe.do_business(ACTS_A_KILL)
        delivering = asyncio.create_task(self.place.stripe.deliver())
        # The moment is the test: whatever is under way then is interrupted.
        await asyncio.sleep(self._rng.uniform(0, WITHIN_SECONDS if words in (SERVE, WORK) else 4 * WITHIN_SECONDS))
        await self.place.kill(victim)
        await delivering
        self.met[f"any moment of {' '.join(words[:3])}"] += 1

    async def _kill_postgres(self, kind: str) -> None:
        """While receiver and worker are at work; they stay and find the server again."""
        assert self.postgres is not None
        await self.place.stripe.do_business(ACTS_A_KILL)
        delivering = asyncio.create_task(self.place.stripe.deliver())
        await asyncio.sleep(self._rng.uniform(0, WITHIN_SECONDS))
        if kind == "server":
            self.postgres.kill()
        else:
            await self.postgres.kill_backend(self.place.dsn, self._rng)
        self.place.kills += 1
        self.met[f"PostgreSQL: {kind}"] += 1
        await delivering
