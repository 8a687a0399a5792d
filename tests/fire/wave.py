"""A wave of writes, each asked for by several callers at once, while Stripe fails and the server is killed."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

import grpc

from tests.convergence.account import Account
from tests.crash import points
from tests.crash.field import Field, free_port
from tests.crash.processes import Process
from tests.fire.callers import Caller, Told
from tests.fire.writes import Shop, Write
from tests.waiting import until_found

SERVE = ("serve", "--only", "service", "--log-level", "error")
CALLERS = 64
CALLERS_A_WRITE = 4
FAULT_SECONDS = 1.5
RESOLVED_SECONDS_MAX = 60.0
"""After the faults have ended every caller has been told by then."""
FAULTS = {
    "error_after": 0.1, "error_before": 0.05, "drop_after": 0.07, "drop_before": 0.05, "rate_limit": 0.07,
    "lock_timeout": 0.03, "conflict": 0.03, "hang": 0.03, "truncate": 0.03, "slow": 0.04,
}  # fmt: skip


class Fire:
    """Waves on one field, one server at one port. `met` counts what happened."""

    def __init__(self, place: Field, seed: int, met: Counter[str]) -> None:
        self.place, self.met = place, met
        self.address = f"127.0.0.1:{(port := free_port())}"
        self.place.environment["PORT"] = str(port)
        self._account: Account = place.stripe.account
        self._shop = Shop(self._account, seed)
        self._rng = Random(f"fire {seed}")
        self._seed = seed
        self._serving: Process | None = None

    async def open(self) -> None:
        """What every wave needs."""
        await self._shop.open()
        await self._serve()

    async def wave(self, point: str | None, passage: int = 1) -> list[str]:
        """`CALLERS` callers, the server killed when it passes `point`; returns what is wrong in the end, in words."""
        writes = await self._shop.writes(CALLERS // CALLERS_A_WRITE)
        self.place.processes.arm(point, passage)
        faults = self._account.sandbox.worlds.default.faults
        faults.configure({**FAULTS, "seed": self._rng.getrandbits(30), "seconds": 0.5})
        asking = [
            asyncio.create_task(Caller(self.address, write, Random(self._rng.getrandbits(60)), self.met).told())
            for write in writes
            for _ in range(CALLERS_A_WRITE)
        ]
        try:
            await self._burn(point)
            faults.configure({})
            began = time.monotonic()
            async with asyncio.timeout(RESOLVED_SECONDS_MAX):
                told = await asyncio.gather(*asking)
            self.met["slowest, milliseconds after the fault"] = max(
                self.met["slowest, milliseconds after the fault"], round((time.monotonic() - began) * 1000)
            )
        finally:
            for caller in asking:
                caller.cancel()
        return self._wrong(writes, told) + await self._unlike_the_mirror(writes)

    async def _burn(self, point: str | None) -> None:
        """Until the server has died at `point` and is back, and for `FAULT_SECONDS` at least."""
        until = time.monotonic() + FAULT_SECONDS
        assert self._serving is not None
        try:
            async with asyncio.timeout(2 * FAULT_SECONDS):
                await self._serving.gone.wait()
        except TimeoutError:
            self.met[f"not met: {point}"] += point is not None
        self.place.processes.arm(None)
        if self._serving.code is not None:
            assert (self._serving.code, self._serving.died_at) == (-9, point), self._serving.said
            self.met[f"killed {point}"] += 1
            self.place.kills += 1
            await self._serve()
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _serve(self) -> None:
        """A server that answers; one that found no Stripe to begin with is started again, as by a supervisor."""
        self._serving = await self.place.start(SERVE)

        async def answers() -> bool:
            assert self._serving is not None
            if self._serving.code is not None:
                assert "PK-STRIPE_" in self._serving.said, self._serving.said
                self.met["start without Stripe"] += 1
                self._serving = await self.place.start(SERVE)
            async with grpc.aio.insecure_channel(self.address) as channel:
                try:
                    await asyncio.wait_for(channel.channel_ready(), 0.5)
                except TimeoutError:
                    return False
            return True

        await until_found(answers)

    # ---- the judge ----

    def _wrong(self, writes: Sequence[Write], told: Sequence[Told]) -> list[str]:
        found = []
        for at, write in enumerate(writes):
            heard = told[at * CALLERS_A_WRITE : (at + 1) * CALLERS_A_WRITE]
            name = f"{write.method.name} {write.id}"
            if any(one != heard[0] for one in heard):
                found.append(f"{name}: its callers were told different things: {heard}")
            if (heard[0][0] != "OK") != write.declined:
                found.append(f"{name}: ended as {heard[0]}")
            found += self._made(write, name)
        return found

    def _made(self, write: Write, name: str) -> list[str]:
        """What Stripe has of it: one object, and one charge if it is a payment."""
        made = [row for row in self._account.rows(write.makes) if row.get("metadata", {}).get("write") == write.id]
        if len(made) != 1:
            return [f"{name}: {len(made)} objects at Stripe"]
        if write.makes != "payment_intent":
            return []
        charges = [row for row in self._account.rows("charge") if row["payment_intent"] == made[0]["id"]]
        right = [row["paid"] for row in charges] == [not write.declined]
        return [] if right else [f"{name}: its charges are {[row['status'] for row in charges]}"]

    async def _unlike_the_mirror(self, writes: Sequence[Write]) -> list[str]:
        """Each is in the mirror before any webhook came, and its request is done."""
        found = []
        for write in writes:
            table = f"select count(*) from stripe.{write.makes}s where metadata->>'write' = '{write.id}'"
            request = f"select count(*) from payment_kit.requests where request_id = '{write.id}' and state = 'done'"
            rows = [await self.place.asked(table), await self.place.asked(request)]
            if rows != [1, 1]:
                found.append(f"{write.method.name} {write.id}: {rows[0]} rows in the mirror, {rows[1]} outcomes stored")
        return found


def service_points() -> list[str]:
    """Every step of a write."""
    return points.of("service")
