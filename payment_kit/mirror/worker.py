"""The worker: inbox rows become mirror rows, each exactly once, however often a worker dies on the way.

A batch is claimed, written and marked in one transaction, so a crash undoes all three. A payload PostgreSQL refuses is
singled out by halving its batch, retried alone with growing waits and given up as ``dead``; it never holds up another.
What the events do not tell becomes a debt (debts.py), which the same worker pays.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import orjson
import psycopg
import structlog

from payment_kit.database.connection import Pool, through_deadlocks
from payment_kit.database.listening import listen
from payment_kit.database.queries import sql
from payment_kit.errors import Problem
from payment_kit.mirror.changes import announce
from payment_kit.mirror.debts import debts_of_event, owe
from payment_kit.mirror.inbox import CHANNEL
from payment_kit.mirror.normalise import event_states
from payment_kit.mirror.payer import Payer
from payment_kit.mirror.writer import Connection, Outcome, write
from payment_kit.stripe_gateway.gateway import StripeGateway

BATCH_MAX = 200
ATTEMPTS_MAX = 8
BACKOFF_SECONDS_MAX = 300.0
POLL_SECONDS = 1.0
GATHER_SECONDS = 0.02
APPLIERS = 2
"""While PostgreSQL writes the events of one, the other reads its own."""
ERROR_CHARACTERS_MAX = 500

_CLAIM = sql("inbox.claim")
_FINISH = sql("inbox.finish")
_FAIL = sql("inbox.fail")
_BAD_PAYLOAD_STATES = ("21", "22", "23", "54")
"""SQLSTATE classes that are about the values: cardinality, data, integrity, program limits."""
_BAD_PAYLOAD = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
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


Outcomes = dict[tuple[str, str], str]
"""What became of events, by (account, event id)."""


@dataclass(slots=True)
class Tally:
    """What a worker did: events by outcome (applied, stale, unmapped, dead), failed attempts, debts paid."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    paid: int = 0

    @property
    def finished(self) -> int:
        """Events that are done with, dead ones included."""
        return sum(self.outcomes.values())

    def copy(self) -> "Tally":
        """The tally as it is now."""
        return Tally(Counter(self.outcomes), self.failed, self.paid)

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.outcomes + other.outcomes, self.failed + other.failed, self.paid + other.paid)

    def since(self, before: "Tally") -> "Tally":
        """What was done after `before`, an earlier copy."""
        outcomes = self.outcomes - before.outcomes
        return Tally(outcomes, self.failed - before.failed, self.paid - before.paid)


class Worker:
    """Applies the inbox of one platform and pays its debts. Any number may run, in any number of processes.

    `account_id` is the platform: the account of the gateway's key; events of other accounts are connected ones.
    `arrived` may be an `Inbox.arrived` of the same process: a worker then starts the moment something was stored.
    """

    def __init__(
        self, pool: Pool, gateway: StripeGateway, account_id: str, *, arrived: asyncio.Event | None = None
    ) -> None:
        self.tally = Tally()
        self._pool = pool
        self._platform = account_id
        self._payer = Payer(pool, gateway, account_id, _error_text)
        self._arrived = arrived or asyncio.Event()
        self._applied = asyncio.Event()

    async def drain(self) -> Tally:
        """Apply everything that is due now and return what was done in this call."""
        before = self.tally.copy()
        while await self.step():
            pass
        return self.tally.since(before)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set: at once when something arrives, and every second in any case.

        Events are applied while debts are being paid, so neither waits for the other. A database that is away is waited
        for; nothing is lost or skipped meanwhile.
        """
        stopping = asyncio.create_task(stop.wait())
        listener = asyncio.create_task(listen(self._pool, CHANNEL, self._arrived, name="payment-kit worker"))
        working = [asyncio.create_task(self._keep_applying(stop, stopping)) for _ in range(APPLIERS)]
        working.append(asyncio.create_task(self._keep_paying(stop, stopping)))
        try:
            await asyncio.gather(*working)
        finally:
            for task in (listener, stopping, *working):
                task.cancel()
            await asyncio.gather(listener, stopping, *working, return_exceptions=True)

    async def step(self) -> int:
        """Apply one batch of at most `BATCH_MAX` events, or pay debts when none is due; returns how many were taken.

        0 means that nothing is due.
        """
        return await self._apply_next() or await self._pay()

    async def _apply_next(self) -> int:
        # Events tried alone lock their rows in no common order.
        return await through_deadlocks(self._apply_events)

    async def _apply_events(self) -> int:
        finished: Outcomes = {}
        async with self._pool.connection() as connection, connection.transaction():
            parameters = {"platform": self._platform, "limit": BATCH_MAX}
            rows = await (await connection.execute(_CLAIM, parameters)).fetchall()
            claimed = [Claimed(*row) for row in rows]
            await self._apply(connection, [event for event in claimed if not event.attempts], finished)
            for event in claimed:
                if event.attempts:
                    await self._apply(connection, [event], finished)
            await _finish(connection, finished)
        self.tally.outcomes.update(finished.values())
        self._applied.set()
        if finished:
            await announce(self._pool)
        return len(claimed)

    async def _keep_applying(self, stop: asyncio.Event, stopping: asyncio.Task[bool]) -> None:
        while not stop.is_set():
            self._arrived.clear()
            taken = await self._if_possible(self._apply_next)
            if not taken:
                await _idle(self._arrived, stopping)
            if taken < BATCH_MAX:
                # Events come in bursts, and a batch costs little more than one event.
                await asyncio.wait({stopping}, timeout=GATHER_SECONDS)

    async def _keep_paying(self, stop: asyncio.Event, stopping: asyncio.Task[bool]) -> None:
        while not stop.is_set():
            self._applied.clear()
            if not await self._if_possible(self._pay):
                await _idle(self._applied, stopping)

    async def _pay(self) -> int:
        taken, paid = await self._payer.step()
        self.tally.paid += paid
        if paid:
            await announce(self._pool)
        return taken

    async def _apply(self, connection: Connection, events: Sequence[Claimed], finished: Outcomes) -> None:
        """Write `events` together; when that fails for a reason of theirs, halve until the culprit is alone."""
        if not events:
            return
        try:
            async with connection.transaction():
                finished |= await self._write(connection, events)
        except (psycopg.Error, *_BAD_PAYLOAD) as error:
            if _is_transient(error):
                raise
            if len(events) == 1:
                await self._fail(connection, events[0], error)
                return
            middle = len(events) // 2
            await self._apply(connection, events[:middle], finished)
            await self._apply(connection, events[middle:], finished)

    async def _write(self, connection: Connection, events: Sequence[Claimed]) -> Outcomes:
        finished: Outcomes = {}
        in_order = sorted(events, key=lambda event: (event.account_id, event.livemode))
        for (account_id, livemode), group in groupby(in_order, key=lambda event: (event.account_id, event.livemode)):
            parsed = [(event, orjson.loads(event.body)) for event in group]
            projected = [(event, event_states(body)) for event, body in parsed]
            states = [state for _, found in projected for state in found]
            written = await write(connection, account_id, livemode, states, platform=self._platform)
            debts = [debt for _, body in parsed for debt in debts_of_event(body)]
            await owe(connection, self._platform, account_id, livemode, debts)
            outcomes = iter(written.outcomes)
            for (event, found), (_, body) in zip(projected, parsed, strict=True):
                each = [next(outcomes) for _ in found]
                finished[account_id, event.event_id] = _event_outcome(each, bool(debts_of_event(body)))
        return finished

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

    async def _if_possible(self, work: Callable[[], Awaitable[int]]) -> int:
        try:
            return await work()
        except (psycopg.Error, Problem) as error:
            _log.warning("worker waits", reason=_error_text(error))
            return 0


async def _idle(woken: asyncio.Event, stopping: asyncio.Task[bool]) -> None:
    """Until something wakes us, we are stopped, or it is time to look by ourselves."""
    arriving = asyncio.create_task(woken.wait())
    await asyncio.wait((arriving, stopping), timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    arriving.cancel()


def _event_outcome(outcomes: Sequence[Outcome], owes: bool) -> str:
    """Of an event's own object, which is the first of its states. What is owed because of it is not forgotten."""
    if not outcomes:
        return "applied" if owes else "unmapped"
    return "applied" if outcomes[0] in ("applied", "undecided") else "stale"


async def _finish(connection: Connection, outcomes: Outcomes) -> None:
    if outcomes:
        parameters = {
            "account_ids": [account_id for account_id, _ in outcomes],
            "event_ids": [event_id for _, event_id in outcomes],
            "outcomes": list(outcomes.values()),
        }
        await connection.execute(_FINISH, parameters)


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
