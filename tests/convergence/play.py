"""A history played: acts change Stripe, and between and inside them the mirror is served as badly as can be."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from payment_kit.database.connection import Pool
from payment_kit.errors import Problem
from payment_kit.mirror.inbox import envelope
from tests.convergence import counters, judge
from tests.convergence.account import Account
from tests.convergence.actors import Actor, start, until_done_or_blocked
from tests.convergence.acts import ACTS, act
from tests.convergence.history import Move
from tests.convergence.post import Copy, Post
from tests.convergence.shop import Shop
from tests.convergence.subject import OBJECTS, Subject

ROUNDS_MAX = 12
"""Liveness: after the last catch-up so many rounds of work leave nothing waiting."""
QUIET_SECONDS = 3
"""Between the last act and the last catch-up: what two reads of one second saw, nobody can put in order."""
LISTED_SECONDS = 12 * 86_400
"""After so long a catch-up runs to its end: one act may take two weeks."""
POINTS_MAX = 30
AT_ONCE = 6
"""Deliveries on their way side by side."""
QUICK = ("edit_customer", "edit_charge", "change_subscription", "refund", "draft_lines", "product", "second", "collect")
"""What happens while an answer is on its way,"""
QUICK_AT = {
    "customers": "edit_customer",
    "charges": "edit_charge",
    "coupons": "coupon",
    "disputes": "dispute",
    "invoices": "draft_lines",
    "payment_methods": "card",
    "prices": "price",
    "products": "product",
    "quotes": "quote",
    "refunds": "refund",
    "subscriptions": "change_subscription",
    "transfers": "transfer",
}
"""often to that which was asked for."""


class Play:
    """One history on one account and one mirror."""

    def __init__(self, seed: int, pool: Pool, met: Counter[str]) -> None:
        self.seed, self.pool, self.met = seed, pool, met
        self.account = Account(seed)
        self.subject = Subject(pool, self.account)
        self.post = Post(self.account, seed, met)
        self.acknowledged: set[str] = set()
        self._depth = 0
        self._listed = self.account.now

    async def run(self, moves: Sequence[Move]) -> list[str]:
        """Play it to its end; returns what is wrong with the mirror then, in words."""
        try:
            await self.subject.open()
            for move in moves:
                await self._catch_up_in_time()
                await self._move(move)
            late = await self._settle()
            counters.count(self.account, self.met)
            self.met.update(await self.subject.counted())
            return late + await judge.differences(self)
        finally:
            await self.subject.close()

    async def _catch_up_in_time(self) -> None:
        """Stripe lists the events of thirty days; longer gaps have tests of their own (tests/mirror/test_gap.py)."""
        if self.account.now - self._listed >= LISTED_SECONDS:
            await self.subject.catch_up()
            self._listed = self.account.now

    async def _move(self, move: Move) -> None:
        if move.name in ACTS:
            await act(self.account, move.name, move.id)
            await self.subject.meet()
            self.post.collect()
            return
        steps: dict[str, Callable[[Shop], Awaitable[None]]] = {
            "deliver": self._deliver,
            "work": self._work,
            "crash_work": self._crash_work,
            "race": self._race,
            "backfill": self._backfill,
            "crash_backfill": self._crash_backfill,
            "catch_up": self._catch_up,
            "command": self._command,
        }
        await steps[move.name](Shop(self.account, move.id))

    # ---- what happens to the mirror ---------------------------------------------------------------------------------

    async def _deliver(self, hands: Shop) -> None:
        copies = self.post.take(hands.number(1, 25), hands.name)
        crash = hands.number(1, 4) if hands.happens(0.1) else None
        await self._accept(copies, Actor(crash_at=crash))

    async def _accept(self, copies: Sequence[Copy], receiver: Actor) -> None:
        """Each copy is acknowledged or sent again."""
        for at in range(0, len(copies), AT_ONCE):
            some = copies[at : at + AT_ONCE]
            if not await start(receiver, self.subject.store([copy.body for copy in some])):
                self.met["crash of the receiver"] += 1
                self.subject.restart_receiver()
                self.post.back(copies[at:])
                return
            for copy in some:
                event = envelope(copy.body).id
                self.met["repeated delivery"] += event in self.acknowledged
                self.acknowledged.add(event)
                self.post.arrived(copy)

    async def _work(self, hands: Shop) -> None:
        if hands.happens(0.5):
            await self.subject.let_time_pass()
        await self._with_interruptions(hands, self.subject.work())

    async def _crash_work(self, hands: Shop) -> None:
        actor = Actor(crash_at=hands.number(1, POINTS_MAX))
        await self._alive_or_counted(actor, self.subject.work(), "crash of the worker")

    async def _race(self, hands: Shop) -> None:
        """The first worker stands still somewhere inside its work; the second works until it is done or must wait."""
        others: list[asyncio.Task[bool]] = []

        async def beside(actor: Actor, work: Coroutine[Any, Any, None], name: str) -> None:
            others.append(start(actor, work))
            finished = await until_done_or_blocked(self.pool, others[-1], actor)
            self.met[f"{name} overtook a worker" if finished else f"{name} waited for a worker"] += 1

        async def meanwhile() -> None:
            receiver = Actor()
            copies = self.post.take(hands.number(0, 8), f"{hands.name}.race")
            await beside(receiver, self._accept(copies, receiver), "a delivery")
            second = Actor(crash_at=hands.number(1, POINTS_MAX) if hands.happens(0.2) else None)
            await beside(second, self.subject.work(1), "a worker")

        first = Actor(pause_at=hands.number(1, 12), meanwhile=meanwhile)
        if hands.happens(0.15):
            first.crash_at = (first.pause_at or 0) + 1
        await self._alive_or_counted(first, self.subject.work(), "crash of the worker")
        await asyncio.gather(*others)

    async def _backfill(self, hands: Shop) -> None:
        await self._with_interruptions(hands, self.subject.backfill(_some(hands)))

    async def _crash_backfill(self, hands: Shop) -> None:
        actor = Actor(crash_at=hands.number(1, 4 * POINTS_MAX))
        objects = _some(hands)
        await self._alive_or_counted(actor, self.subject.backfill(objects), "crash of the backfill")
        await act(self.account, hands.pick(QUICK), f"{hands.name}.between")
        self.post.collect()
        await self.subject.backfill(objects)

    async def _catch_up(self, hands: Shop) -> None:
        if hands.happens(0.3):
            actor = Actor(crash_at=hands.number(1, POINTS_MAX))
            await self._alive_or_counted(actor, self.subject.catch_up(), "crash of the catch-up")
        else:
            await self._with_interruptions(hands, self.subject.catch_up())

    async def _command(self, hands: Shop) -> None:
        """The application changes a customer or a product through the service."""
        kind, path = hands.pick((("customer", "customers"), ("product", "products")))
        row = hands.row(kind) if hands.happens(0.8) else None
        where = f"/v1/{path}/{row['id']}" if row else f"/v1/{path}"
        params = {"name": hands.pick("abcd"), "metadata": {"by": hands.pick("12")}}
        work = self.subject.command(kind, row["id"] if row else None, where, params, f"{hands.name}.command")
        await self._with_interruptions(hands, work)
        self.met["command"] += 1

    async def _alive_or_counted(self, actor: Actor, work: Coroutine[Any, Any, None], name: str) -> None:
        if not await start(actor, work):
            self.met[name] += 1
        self.post.collect()

    async def _with_interruptions(self, hands: Shop, work: Coroutine[Any, Any, None]) -> None:
        """While answers are on their way, the business goes on, events arrive and the other worker applies them."""
        gateway, left = self.subject.gateway, hands.number(0, 3)
        refused = hands.happens(0.15)

        async def meanwhile(when: str, path: str) -> None:
            nonlocal left
            if left == 0 or self._depth or not hands.happens(0.25):
                return
            left -= 1
            self._depth += 1
            try:
                await self._interrupt(hands, when, path, left)
            finally:
                self._depth -= 1

        gateway.meanwhile = meanwhile
        if refused:
            gateway.refuse = lambda _method, _path: hands.pick((429, 500)) if hands.happens(0.1) else None
        try:
            await work
        except Problem:
            self.met["Stripe gave no answer"] += 1
        finally:
            gateway.meanwhile, gateway.refuse = None, lambda _method, _path: None
            self.post.collect()

    async def _interrupt(self, hands: Shop, when: str, path: str, number: int) -> None:
        name, told = f"{hands.name}.{number}", len(self.account.truth.told)
        quick = QUICK_AT.get(path.removeprefix("/v1/").partition("/")[0])
        for at in range(hands.number(1, 2)):
            likely = quick if quick and hands.happens(0.7) else hands.pick(QUICK)
            await act(self.account, likely, f"{name}.{at}")
        self.post.collect()
        if hands.happens(0.7):
            await self._accept(self.post.take(hands.number(1, 20), name), Actor())
        if hands.happens(0.6):
            await self.subject.work(1)
        if when == "answered":
            self.met["answer older than its arrival"] += 1
            changed = {event["data"]["object"]["object"] for event in self.account.truth.told[told:]}
            self.met["stale page between two events"] += any(path.endswith(f"/{kind}s") for kind in changed)

    # ---- the end ----------------------------------------------------------------------------------------------------

    async def _settle(self) -> list[str]:
        """The faults stop. Returns what was lost before anything could heal it, and whether work does not end."""
        self.account.pass_time(QUIET_SECONDS)
        self.post.collect()
        await self._accept(self.post.take(len(self.post.waiting), "last"), Actor())
        lost = [f"acknowledged and lost: {one}" for one in sorted(self.acknowledged - await self.subject.stored())]
        await self.subject.catch_up()
        for _ in range(ROUNDS_MAX):
            if not await self.subject.lag():
                return lost
            self.met["round of settling"] += 1
            await self.subject.let_time_pass()
            await self.subject.work()
        return [*lost, f"liveness: {await self.subject.lag()} still wait after {ROUNDS_MAX} rounds"]


def _some(hands: Shop) -> list[str]:
    return [name for name in OBJECTS if hands.happens(0.12)] or ["customer"]
