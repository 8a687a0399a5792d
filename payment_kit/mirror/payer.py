"""Pays debts: reads from Stripe what is owed and writes it, each read outside any transaction.

A read that is refused or fails stays owed and is tried again with growing waits; it holds up nothing but the claim to
be complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import psycopg
import structlog

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Problem, Refused
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
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
    def key(self) -> dict[str, str]:
        """What names it in the table."""
        return {"account_id": self.account_id, "object": self.object, "id": self.id, "part": self.part}


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
        paid = await each(self._pay, claimed, READS_AT_ONCE)
        return len(claimed), sum(paid)

    async def _pay(self, debt: Claimed) -> bool:
        try:
            await self._read_and_write(debt)
        except (Problem, psycopg.DataError, KeyError, TypeError, ValueError, AttributeError) as error:
            _log.warning("owed read failed", object=debt.object, id=debt.id, part=debt.part, why=self._explain(error))
            seconds = min(BACKOFF_SECONDS_MAX, 2.0**debt.attempts)
            given = {**debt.key, "error": self._explain(error)[:ERROR_CHARACTERS_MAX], "seconds": seconds}
            async with self._pool.connection() as connection:
                await connection.execute(_FAIL, given)
            return False
        return True

    async def _read_and_write(self, debt: Claimed) -> None:
        states = await self._answer(debt)
        async with self._pool.connection() as connection, connection.transaction():
            await write(connection, debt.account_id, debt.livemode, states, platform=self._platform)
            await connection.execute(_SETTLE, {**debt.key, "token": debt.token})

    async def _answer(self, debt: Claimed) -> Sequence[State]:
        """What Stripe says now. Nothing, when it does not know the object.

        That is no tombstone: a wrong key answers the same, and if it was deleted, its own event says so.
        """
        account = debt.account_id if debt.account_id != self._platform else None
        try:
            if debt.part:
                listing = LISTINGS[debt.object, debt.part]
                listed = await read_list(self._gateway, listing, debt.id, account=account)
                # Begun after the reason was known; a second has room for both, and what follows has its own reason.
                return [replace(state, time=max(state.time, debt.since)) for state in listed.states()]
            where = await self._where(debt)
            if where is None:
                return []
            seen, second = await self._row(debt.account_id, *where)
            read = await read_object(self._gateway, CATALOGUE[where[0]], where[1], account=account)
        except NotFound:
            return []
        except Refused as refused:
            # The account has left us: nobody can read it, its catch-up says so, and one that comes back is listed anew.
            theirs = account is not None or debt.object == "account"
            if not theirs or refused.metadata.get("stripe_code") != "account_invalid":
                raise
            return []
        # The request began after the row's state was known, so it cannot be of an earlier second.
        second = max(second, debt.since, read.time)
        return [
            replace(state, after=seen, time=max(state.time, second)) if state.key == where else state
            for state in read.states()
        ]

    async def _row(self, account_id: str, kind: str, object_id: str) -> tuple[str | None, int]:
        """The event of the state the row holds and its second; None when there is no row."""
        query = (
            f"select source_event, extract(epoch from source_time)::bigint from stripe.{CATALOGUE[kind].table}"
            " where account_id = %(account_id)s and id = %(id)s"
        ).encode()
        async with self._pool.connection() as connection:
            row = await (await connection.execute(query, {"account_id": account_id, "id": object_id})).fetchone()
        return (row[0], row[1]) if row else (None, 0)

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
