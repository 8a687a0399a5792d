"""Pays debts: reads from Stripe what is owed and writes it, each read outside any transaction.

A read that is refused or fails stays owed and is tried again with growing waits; it holds up nothing but the claim to
be complete.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import orjson
import psycopg
import structlog

from payment_kit.database.connection import Pool, through_deadlocks
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Problem, Refused
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import as_they_come
from payment_kit.mirror.debts import LISTINGS
from payment_kit.mirror.order import Key, State
from payment_kit.mirror.reading import read_list, read_object
from payment_kit.mirror.writer import write
from payment_kit.stripe_gateway.gateway import StripeGateway

BATCH_MAX = 64
READS_AT_ONCE = 8
LEASE_SECONDS = 60.0
BACKOFF_SECONDS_MAX = 300.0
ERROR_CHARACTERS_MAX = 500

_CLAIM = sql("owed.claim")
_SETTLE = sql("owed.settle")
_FAIL = sql("owed.fail")
_BAD_PAYLOAD = (KeyError, TypeError, ValueError, AttributeError)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claimed:
    """One debt taken for payment."""

    account_id: str
    object: str
    id: str
    part: str
    livemode: bool
    token: int
    attempts: int
    since: int

    @property
    def key(self) -> dict[str, str | int]:
        """What names it in the table, within its account."""
        return {"object": self.object, "id": self.id, "part": self.part}


@dataclass(frozen=True, slots=True)
class _Seen:
    """A debt, the object to be read, and the event and the second of the state its row held before that."""

    debt: Claimed
    where: Key | None
    event: str | None
    second: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """The states that pay a debt; `own` names the one of the object that was to be read, and its read."""

    debt: Claimed
    states: Sequence[State]
    own: tuple[Key, str] | None


class Explain(Protocol):
    """Turns an error into words that quote no payload."""

    def __call__(self, error: Exception) -> str: ...


class Payer:
    """Pays what is owed to one platform's accounts. Any number may run, in any number of processes."""

    def __init__(self, pool: Pool, gateway: StripeGateway, platform: str, explain: Explain) -> None:
        self._pool = pool
        self._gateway = gateway
        self._platform = platform
        self._explain = explain

    async def step(self) -> tuple[int, int]:
        """Pay some debts; returns how many were taken and how many of them were paid. (0, 0): nothing is due."""
        parameters = {"platform": self._platform, "limit": BATCH_MAX, "lease_seconds": LEASE_SECONDS}
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_CLAIM, parameters)).fetchall()
        claimed = [Claimed(*row) for row in rows]
        seen = await self._seen([(debt, await self._where(debt)) for debt in claimed])
        paid = 0
        async with aclosing(as_they_come(self._read, seen, READS_AT_ONCE)) as answers:
            async for some in answers:
                paid += await self._write([answer for answer in some if answer is not None])
        return len(claimed), paid

    async def _read(self, seen: _Seen) -> _Answer | None:
        """What Stripe says now; None when it cannot be known yet, which is noted."""
        try:
            states = await self._states(seen)
            own = next(((state.key, state.event) for state in states if state.key == seen.where), None)
            return _Answer(seen.debt, states, None if seen.debt.part else own)
        except (Problem, *_BAD_PAYLOAD) as error:
            await self._fail(seen.debt, error)
            return None

    async def _write(self, answers: Sequence[_Answer]) -> int:
        """Write answers together, and one by one when that fails for a reason of theirs; returns how many are paid."""
        try:
            await through_deadlocks(lambda: self._write_all(answers))
        except (psycopg.DataError, *_BAD_PAYLOAD) as error:
            if len(answers) > 1:
                return sum([await self._write([answer]) for answer in answers])
            await self._fail(answers[0].debt, error)
            return 0
        return len(answers)

    async def _write_all(self, answers: Sequence[_Answer]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            in_order = sorted(answers, key=lambda answer: (answer.debt.account_id, answer.debt.livemode))
            for (account_id, livemode), group in groupby(
                in_order, key=lambda answer: (answer.debt.account_id, answer.debt.livemode)
            ):
                some = list(group)
                states = [state for answer in some for state in answer.states]
                written = await write(connection, account_id, livemode, states, platform=self._platform)
                outcomes = dict(zip(((state.key, state.event) for state in states), written.outcomes, strict=True))
                # A row that changed while its object was read may be newer or older than the answer: not paid.
                paid = [answer.own is None or outcomes.get(answer.own) != "undecided" for answer in some]
                debts = [
                    {**answer.debt.key, "token": answer.debt.token if settled else None}
                    for answer, settled in zip(some, paid, strict=True)
                ]
                await connection.execute(_SETTLE, {"account_id": account_id, "debts": orjson.dumps(debts).decode()})

    async def _fail(self, debt: Claimed, error: Exception) -> None:
        why = self._explain(error)
        _log.warning("owed read failed", object=debt.object, id=debt.id, part=debt.part, why=why)
        seconds = min(BACKOFF_SECONDS_MAX, 2.0**debt.attempts)
        given = {**debt.key, "account_id": debt.account_id, "error": why[:ERROR_CHARACTERS_MAX], "seconds": seconds}
        async with self._pool.connection() as connection:
            await connection.execute(_FAIL, given)

    async def _states(self, seen: _Seen) -> Sequence[State]:
        """What Stripe says now. Nothing, when it does not know the object.

        That is no tombstone: a wrong key answers the same, and if it was deleted, its own event says so.
        """
        debt = seen.debt
        account = debt.account_id if debt.account_id != self._platform else None
        try:
            if debt.part:
                listing = LISTINGS[debt.object, debt.part]
                listed = await read_list(self._gateway, listing, debt.id, account=account)
                # Begun after the reason was known; a second has room for both, and what follows has its own reason.
                return [replace(state, time=max(state.time, debt.since)) for state in listed.states()]
            if seen.where is None:
                return []
            read = await read_object(self._gateway, CATALOGUE[seen.where[0]], seen.where[1], account=account)
        except NotFound:
            return []
        except Refused as refused:
            # The account has left us: nobody can read it, its catch-up says so, and one that comes back is listed anew.
            theirs = account is not None or debt.object == "account"
            if not theirs or refused.metadata.get("stripe_code") != "account_invalid":
                raise
            return []
        # The request began after the row's state was known, so it cannot be of an earlier second.
        second = max(seen.second, debt.since, read.time)
        return [
            replace(state, after=seen.event, time=max(state.time, second)) if state.key == seen.where else state
            for state in read.states()
        ]

    async def _seen(self, debts: Sequence[tuple[Claimed, Key | None]]) -> list[_Seen]:
        """The states the rows hold before anything is asked, of each kind in one query."""
        held: dict[tuple[str, Key], tuple[str, int]] = {}
        wanted = sorted({(debt.account_id, *where) for debt, where in debts if where is not None and not debt.part})
        async with self._pool.connection() as connection:
            for (account_id, kind), group in groupby(wanted, key=itemgetter(0, 1)):
                query = (
                    f"select id, source_event, extract(epoch from source_time)::bigint"
                    f" from stripe.{CATALOGUE[kind].table} where account_id = %(account_id)s and id = any(%(ids)s)"
                ).encode()
                given = {"account_id": account_id, "ids": [object_id for _, _, object_id in group]}
                for object_id, event, second in await (await connection.execute(query, given)).fetchall():
                    held[account_id, (kind, object_id)] = event, second
        rows = [held.get((debt.account_id, where)) if where is not None else None for debt, where in debts]
        return [_Seen(*debt, *(row or (None, 0))) for debt, row in zip(debts, rows, strict=True)]

    async def _where(self, debt: Claimed) -> Key | None:
        """The object to read: itself, or the one that shows it when Stripe shows no single one of its kind."""
        entry = CATALOGUE[debt.object]
        if entry.at is not None or entry.carried:
            return (debt.object, debt.id)
        through = _THROUGH.get(debt.object, {})
        if not through:
            return None
        query = (
            f"select {', '.join(through)} from stripe.{entry.table} where account_id = %(account_id)s and id = %(id)s"
        )
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.encode(), {"account_id": debt.account_id, "id": debt.id})
            row = await cursor.fetchone()
        shown = zip(through.values(), row or (), strict=False)
        return next(((kind, found) for kind, found in shown if found), None)


_THROUGH = {"discount": {"subscription": "subscription", "invoice": "invoice", "customer": "customer"}}
"""Kinds without a path of their own: the columns that name an object which shows them, and its kind."""
