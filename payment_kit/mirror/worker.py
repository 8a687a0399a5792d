"""The worker: inbox rows become mirror rows, each exactly once, however often a worker dies on the way.

A batch is claimed, written and marked in one transaction, so a crash undoes all three. A payload PostgreSQL refuses is
singled out by halving its batch, retried alone with growing waits and given up as ``dead``; it never holds up another.
Events of one second that nobody can put in order wait until their object was fetched again.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson
import psycopg
import structlog

from payment_kit.database.connection import Pool, connect_async
from payment_kit.database.queries import sql
from payment_kit.errors import Problem
from payment_kit.mirror.inbox import CHANNEL
from payment_kit.mirror.normalise import event_states
from payment_kit.mirror.order import State
from payment_kit.mirror.refetch import refetch
from payment_kit.mirror.writer import Connection, Outcome, Undecided, write
from payment_kit.stripe_gateway.gateway import StripeGateway

BATCH_MAX = 200
ATTEMPTS_MAX = 8
BACKOFF_SECONDS_MAX = 300.0
REFETCH_LEASE_SECONDS = 30.0
REFETCH_ROUNDS = 3
DEADLOCK_TRIES = 5
POLL_SECONDS = 1.0
LISTEN_SECONDS = 30.0
ERROR_CHARACTERS_MAX = 500

_CLAIM = sql("inbox.claim")
_FINISH = sql("inbox.finish")
_POSTPONE = sql("inbox.postpone")
_FAIL = sql("inbox.fail")
_BAD_PAYLOAD_STATES = ("21", "22", "23", "54")
"""SQLSTATE classes that are about the values: cardinality, data, integrity, program limits."""
_BAD_PAYLOAD = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
_DEADLOCK = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claimed:
    """One inbox row taken for work."""

    account_id: str
    event_id: str
    type: str
    livemode: bool
    body: bytes
    attempts: int


_Waiting = dict[tuple[str, str], tuple[Claimed, list[Undecided]]]


@dataclass(slots=True)
class Tally:
    """What a worker did: events by outcome (applied, stale, unmapped, dead), failed attempts, objects fetched again."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    refetched: int = 0

    @property
    def finished(self) -> int:
        """Events that are done with, dead ones included."""
        return sum(self.outcomes.values())

    def copy(self) -> "Tally":
        """The tally as it is now."""
        return Tally(Counter(self.outcomes), self.failed, self.refetched)

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.outcomes + other.outcomes, self.failed + other.failed, self.refetched + other.refetched)

    def since(self, before: "Tally") -> "Tally":
        """What was done after `before`, an earlier copy."""
        outcomes = self.outcomes - before.outcomes
        return Tally(outcomes, self.failed - before.failed, self.refetched - before.refetched)


@dataclass(slots=True)
class _Batch:
    """One batch on its way: what is decided, and which events wait for which objects."""

    finished: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: _Waiting = field(default_factory=dict)


class Worker:
    """Applies the inbox of one database. Any number may run, in any number of processes.

    `account_id` is the account of the gateway's key; events of other accounts are connected ones. `arrived` may be an
    `Inbox.arrived` of the same process: a worker then starts the moment something was stored.
    """

    def __init__(
        self, pool: Pool, gateway: StripeGateway, account_id: str, *, arrived: asyncio.Event | None = None
    ) -> None:
        self.tally = Tally()
        self._pool = pool
        self._gateway = gateway
        self._account_id = account_id
        self._arrived = arrived or asyncio.Event()

    async def drain(self) -> Tally:
        """Apply everything that is due now and return what was done in this call."""
        before = self.tally.copy()
        while await self.step():
            pass
        return self.tally.since(before)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set: at once when something arrives, and every second in any case.

        A database that is away is waited for; nothing is lost or skipped meanwhile.
        """
        listener = asyncio.create_task(self._listen())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._arrived.clear()
                if not await self._step_if_possible():
                    await self._idle(stopping)
        finally:
            for task in (listener, stopping):
                task.cancel()
            await asyncio.gather(listener, stopping, return_exceptions=True)

    async def step(self) -> int:
        """Apply one batch of at most `BATCH_MAX` events; returns how many were taken, 0 when nothing is due."""
        for _ in range(DEADLOCK_TRIES - 1):
            try:
                return await self._step()
            except _DEADLOCK:
                # Events tried alone lock their rows in no common order; whoever loses starts again.
                continue
        return await self._step()

    async def _step(self) -> int:
        batch = _Batch()
        async with self._pool.connection() as connection, connection.transaction():
            rows = await (await connection.execute(_CLAIM, {"limit": BATCH_MAX})).fetchall()
            claimed = [Claimed(*row) for row in rows]
            await self._apply(connection, [event for event in claimed if not event.attempts], batch)
            for event in claimed:
                if event.attempts:
                    await self._apply(connection, [event], batch)
            await _finish(connection, batch.finished)
            await _postpone(connection, list(batch.waiting))
        self.tally.outcomes.update(batch.finished.values())
        await self._settle(batch.waiting)
        return len(claimed)

    async def _apply(self, connection: Connection, events: Sequence[Claimed], batch: _Batch) -> None:
        """Write `events` together; when that fails for a reason of theirs, halve until the culprit is alone."""
        if not events:
            return
        try:
            async with connection.transaction():
                part = await _write(connection, events)
        except (psycopg.Error, *_BAD_PAYLOAD) as error:
            if _is_transient(error):
                raise
            if len(events) == 1:
                await self._fail(connection, events[0], error)
                return
            middle = len(events) // 2
            await self._apply(connection, events[:middle], batch)
            await self._apply(connection, events[middle:], batch)
        else:
            batch.finished |= part.finished
            batch.waiting |= part.waiting

    async def _fail(self, connection: Connection, event: Claimed, error: Exception) -> None:
        parameters = {
            "account_id": event.account_id,
            "event_id": event.event_id,
            "error": _error_text(error),
            "seconds": min(BACKOFF_SECONDS_MAX, 2.0**event.attempts),
            "attempts_max": ATTEMPTS_MAX,
        }
        row = await (await connection.execute(_FAIL, parameters)).fetchone()
        self.tally.failed += 1
        if row and row[0]:
            self.tally.outcomes[row[0]] += 1
        _log.warning(
            "event could not be applied", event_id=event.event_id, type=event.type, attempts=event.attempts + 1
        )

    async def _settle(self, waiting: _Waiting) -> None:
        """Fetch undecided objects and write them; what stays undecided comes back when its lease is over."""
        for _ in range(REFETCH_ROUNDS):
            if not waiting:
                return
            waiting = {
                key: left
                for account_id, events in groupby(sorted(waiting.items()), key=lambda item: item[0][0])
                for key, left in (await self._settle_account(account_id, dict(events))).items()
            }

    async def _settle_account(self, account_id: str, waiting: _Waiting) -> _Waiting:
        """Settle `waiting` together; an answer nobody can store is singled out and counts as a failed attempt."""
        try:
            return await self._settle_together(account_id, waiting)
        except (psycopg.Error, *_BAD_PAYLOAD) as error:
            if _is_transient(error):
                raise
            events = list(waiting.items())
            if len(events) == 1:
                async with self._pool.connection() as connection:
                    await self._fail(connection, events[0][1][0], error)
                return {}
        middle = len(events) // 2
        left = await self._settle_account(account_id, dict(events[:middle]))
        return left | await self._settle_account(account_id, dict(events[middle:]))

    async def _settle_together(self, account_id: str, waiting: _Waiting) -> _Waiting:
        connected = account_id if account_id != self._account_id else None
        wanted = [undecided for _, objects in waiting.values() for undecided in objects]
        fetched = await refetch(self._gateway, wanted, connected_account=connected)
        states = [state for states in fetched.values() for state in states]
        livemode = next(iter(waiting.values()))[0].livemode
        async with self._pool.connection() as connection, connection.transaction():
            written = await write(connection, account_id, livemode, states)
            again = {(undecided.object, undecided.id): undecided for undecided in written.undecided}
            left: _Waiting = {}
            for key, (event, objects) in waiting.items():
                open_objects = [again.get((one.object, one.id)) for one in objects if one in fetched]
                remaining = [one for one in open_objects if one] + [one for one in objects if one not in fetched]
                if remaining:
                    left[key] = (event, remaining)
            await _finish(connection, {key: "applied" for key in waiting if key not in left})
        self.tally.refetched += len(fetched)
        self.tally.outcomes["applied"] += len(waiting) - len(left)
        return left

    async def _step_if_possible(self) -> int:
        try:
            return await self.step()
        except (psycopg.Error, Problem) as error:
            _log.warning("worker waits", reason=_error_text(error))
            return 0

    async def _idle(self, stopping: asyncio.Task[bool]) -> None:
        arriving = asyncio.create_task(self._arrived.wait())
        await asyncio.wait((arriving, stopping), timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        arriving.cancel()

    async def _listen(self) -> None:
        """Set `arrived` when another process stored something; without a connection the poll is enough."""
        while True:
            try:
                async with await connect_async(str(self._pool.conninfo), name="payment-kit worker") as connection:
                    await connection.execute(f"listen {CHANNEL}".encode())
                    while True:
                        async for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                            self._arrived.set()
            except (psycopg.Error, Problem):
                await asyncio.sleep(POLL_SECONDS)


async def _write(connection: Connection, events: Sequence[Claimed]) -> _Batch:
    batch = _Batch()
    in_order = sorted(events, key=lambda event: (event.account_id, event.livemode))
    for (account_id, livemode), group in groupby(in_order, key=lambda event: (event.account_id, event.livemode)):
        projected = [(event, _states(event)) for event in group]
        states = [state for _, found in projected for state in found]
        written = await write(connection, account_id, livemode, states)
        outcomes = iter(written.outcomes)
        undecided = {(one.object, one.id): one for one in written.undecided}
        for event, found in projected:
            key = (account_id, event.event_id)
            each = [next(outcomes) for _ in found]
            if "undecided" in each:
                objects = [
                    undecided[state.key] for state, outcome in zip(found, each, strict=True) if outcome == "undecided"
                ]
                batch.waiting[key] = (event, objects)
            else:
                batch.finished[key] = _event_outcome(each)
    return batch


def _event_outcome(outcomes: Sequence[Outcome]) -> str:
    """Of an event's own object, which is the first of its states."""
    if not outcomes:
        return "unmapped"
    return "applied" if outcomes[0] == "applied" else "stale"


def _states(event: Claimed) -> list[State]:
    parsed: dict[str, Any] = orjson.loads(event.body)
    # A thin notification carries no state of the object it is about.
    return event_states(parsed) if parsed.get("object") == "event" else []


async def _finish(connection: Connection, outcomes: dict[tuple[str, str], str]) -> None:
    if outcomes:
        parameters = _keys(list(outcomes)) | {"outcomes": list(outcomes.values())}
        await connection.execute(_FINISH, parameters)


async def _postpone(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    if keys:
        await connection.execute(_POSTPONE, _keys(keys) | {"seconds": REFETCH_LEASE_SECONDS})


def _keys(keys: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"account_ids": [key[0] for key in keys], "event_ids": [key[1] for key in keys]}


def _is_transient(error: Exception) -> bool:
    """Is it the database that fails (away, read-only, full, a right or a table missing)? Then no event is to blame."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] not in _BAD_PAYLOAD_STATES


def _error_text(error: Exception) -> str:
    """The kind of error and what is safe to repeat of it: never the payload the server or Python quotes."""
    if isinstance(error, Problem):
        return str(error)
    if isinstance(error, psycopg.Error) and not isinstance(error, psycopg.DataError):
        said = error.diag.message_primary or "the connection was lost"
    else:
        said = "the payload is not what the columns can hold"
    return f"{type(error).__name__}: {said}"[:ERROR_CHARACTERS_MAX]
