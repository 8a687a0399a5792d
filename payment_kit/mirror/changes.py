"""The outbox: every insert, update and delete of a mirror row, in the order in which each row saw them, without loss.

Triggers write `payment_kit.changes` in the transaction that changes the row, under the row's lock; so the positions of
one object's changes grow as the changes happened. But positions are handed out before they are committed, and a later
one may be visible first: behind a gap a change may still come, or never (its transaction was undone). Everything up to
the first gap is final. At a gap a mark is taken, a transaction number above all that have written by then; once no
older transaction is under way, what was visible then is final with everything below it. So an open transaction only
delays, and only behind a gap it may have made.

A cursor is a text: ``"<position>"``, or ``"<position>.<visible up to>.<mark>"`` while a gap is being waited for.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
import structlog

from payment_kit.database.connection import Pool
from payment_kit.database.listening import Bell
from payment_kit.database.queries import sql
from payment_kit.errors import Unavailable, UsageProblem
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.stripe_object import Payload

CHANNEL = "payment_kit_changes"
PAGE_MAX = 500
NOTIFY_INTERVAL_SECONDS = 0.1
POLL_SECONDS = 1.0
START_SECONDS_MAX = 60.0
START_POLL_SECONDS = 0.05
BEGINNING = "0"
Connection = psycopg.AsyncConnection[Any]
Operation = Literal["insert", "update", "delete"]

_BEHIND = sql("changes.behind")
_MARK = sql("changes.mark")
_VERSIONS = sql("changes.versions")
_NOTIFY = sql("changes.notify")
_ENTER = sql("changes.enter")
_RESUME = sql("changes.resume")
_ACKNOWLEDGE = sql("changes.acknowledge")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one row. `before` is None for an insert, `after` for a delete; both are canonical `raw` JSON.

    `event` caused it: an event's id or ``read:<request id>``. A delete may be told of what was never there, or twice.
    A payload that was erased from the history is None, too.
    """

    position: int
    account_id: str
    object: str
    id: str
    operation: Operation
    event: str
    before: Payload | None
    after: Payload | None
    recorded_at: datetime

    @property
    def cursor(self) -> str:
        """Where to go on after this change."""
        return str(self.position)


async def read(connection: Connection, cursor: str, limit: int = PAGE_MAX) -> tuple[list[Change], str]:
    """The next changes behind `cursor` that are final, at most `limit` (1..`PAGE_MAX`), and the cursor behind them.

    An empty list means that nothing more is final now. The new cursor then may still differ: keep it. Needs a
    connection that may write (a mark is a transaction number), in autocommit or in a READ COMMITTED transaction.
    Raises `UsageProblem` CURSOR_INVALID for a text that is no cursor, or one that is ahead of this database.
    """
    limit = max(1, min(limit, PAGE_MAX))
    at = _parsed(cursor)
    page = await _page(connection, at.position, limit)
    if page.newest and at.position > page.newest:
        raise UsageProblem(
            "CURSOR_INVALID", f"The cursor {cursor} is ahead of this database, which an older backup may have replaced."
        )
    if at.mark > page.coming:
        # Of another server, before a dump was restored here: its transactions are none of ours.
        at = _Cursor(at.position)
    if at.mark and page.oldest >= at.mark and all(row.position > at.visible for row in page.rows):
        at = _Cursor(max(at.position, at.visible))
    final = _final(at, page)
    if not final and page.rows and not at.mark:
        mark = await (await connection.execute(_MARK)).fetchone()
        at = _Cursor(at.position, page.newest, mark[0] if mark else 0)
        page = await _page(connection, at.position, limit)
        final = _final(at, page)
    return await _changes(connection, final), _behind(at, page, final)


async def follow(pool: Pool, cursor: str, *, stop: asyncio.Event) -> AsyncGenerator[Change, None]:
    """Every change behind `cursor`, for as long as `stop` is not set: at once when a writer announces one, and every
    second in any case. A database that is away is waited for.

    Remember `Change.cursor` of what is done with; after a crash the changes behind it come again. Raises as `read`.
    """
    async with aclosing(pages(pool, cursor, stop=stop)) as found:
        async for page, _ in found:
            for change in page:
                yield change


async def pages(
    pool: Pool, cursor: str, *, stop: asyncio.Event, bell: Bell | None = None, idle_seconds: float | None = None
) -> AsyncGenerator[tuple[list[Change], str], None]:
    """As `follow`, in pages, each with the cursor behind it; a page is empty when none came for `idle_seconds`.

    Followers who share a `bell` share its connection.
    """
    stopping = asyncio.create_task(stop.wait())
    told = time.monotonic()
    try:
        async with (bell or Bell(pool, CHANNEL, name="payment-kit follower")).heard() as woken:
            while not stop.is_set():
                woken.clear()
                found, cursor = await _read_if_possible(pool, cursor)
                if found or (idle_seconds is not None and time.monotonic() - told >= idle_seconds):
                    yield found, cursor
                    told = time.monotonic()
                if not found:
                    await _either(woken, stopping)
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


def check(cursor: str) -> None:
    """Raises `UsageProblem` CURSOR_INVALID for a text that is no cursor."""
    _parsed(cursor)


async def now(pool: Pool) -> str:
    """The cursor behind everything there is: rows that are read after this, and the changes behind it, miss nothing.

    Waits until every transaction that may have written a change by now has ended. Raises `Unavailable`
    CHANGES_NOT_SETTLED when one is open for `START_SECONDS_MAX`.
    """
    until = time.monotonic() + START_SECONDS_MAX
    async with pool.connection() as connection:
        newest = (await _page(connection, 0, 1)).newest
        mark = await (await connection.execute(_MARK)).fetchone()
        while mark and (await _page(connection, newest, 1)).oldest < mark[0]:
            if time.monotonic() > until:
                raise Unavailable("CHANGES_NOT_SETTLED", f"A transaction is open for {START_SECONDS_MAX:.0f} s.")
            await asyncio.sleep(START_POLL_SECONDS)
    return str(newest)


async def resume(connection: Connection, name: str, *, start: str = BEGINNING) -> str:
    """The cursor the follower `name` has acknowledged; `start` when nobody of this name is known.

    Within a transaction others of the same name wait for its end: read, work and acknowledge in it, and what you write
    into the same database happens exactly once.
    """
    async with connection.transaction():
        await connection.execute(_ENTER, {"name": name, "cursor": start})
        row = await (await connection.execute(_RESUME, {"name": name})).fetchone()
    return str(row[0]) if row else start


async def acknowledge(connection: Connection, name: str, cursor: str) -> None:
    """Remember that `name` has done with everything up to `cursor`; part of the caller's transaction if one is open."""
    _parsed(cursor)
    await connection.execute(_ACKNOWLEDGE, {"name": name, "cursor": cursor})


async def announce(pool: Pool) -> None:
    """Wake the followers; call it after a commit that changed rows. Costs nothing when the last call was just now.

    Never inside the transaction: NOTIFY takes a lock that would make every commit wait for the one before. Never raises
    for a database that is away: followers poll as well.
    """
    if time.monotonic() - _announced.get(pool, 0.0) < NOTIFY_INTERVAL_SECONDS:
        return
    _announced[pool] = time.monotonic()
    try:
        async with pool.connection() as connection:
            await connection.execute(_NOTIFY, {"channel": CHANNEL})
    except psycopg.Error as error:
        _log.debug("followers are not woken", error=type(error).__name__)


_announced: WeakKeyDictionary[Pool, float] = WeakKeyDictionary()


# ---- what is final --------------------------------------------------------------------------------------------------


class _Cursor(NamedTuple):
    """All up to `position` is done. With a `mark`: everything up to `visible` is final once no older one is open."""

    position: int
    visible: int = 0
    mark: int = 0


class _Told(NamedTuple):
    position: int
    account_id: str
    object: str
    id: str
    operation: Operation
    event: str
    before_event: str | None
    recorded_at: datetime


class _Page(NamedTuple):
    oldest: int
    coming: int
    newest: int
    rows: Sequence[_Told]


def _final(at: _Cursor, page: _Page) -> list[_Told]:
    settled = at.visible if at.mark and page.oldest >= at.mark else 0
    final: list[_Told] = []
    reached = at.position
    for row in page.rows:
        if row.position > settled and row.position != reached + 1:
            break
        final.append(row)
        reached = row.position
    return final


def _behind(at: _Cursor, page: _Page, final: Sequence[_Told]) -> str:
    reached = final[-1].position if final else at.position
    waiting = at.mark and at.visible > reached and (len(final) < len(page.rows) or page.oldest >= at.mark)
    return f"{reached}.{at.visible}.{at.mark}" if waiting else str(reached)


_CURSOR = re.compile(r"(\d{1,18})(?:\.(\d{1,18})\.(\d{1,18}))?")


def _parsed(cursor: str) -> _Cursor:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise UsageProblem("CURSOR_INVALID", "This is not a cursor of the changes.")
    return _Cursor(*(int(number or 0) for number in match.groups()))


async def _page(connection: Connection, position: int, limit: int) -> _Page:
    rows = await (await connection.execute(_BEHIND, {"position": position, "limit": limit})).fetchall()
    oldest, coming, newest = rows[0][:3]
    return _Page(oldest, coming, newest, [_Told(*row[3:]) for row in rows if row[3] is not None])


# ---- their payloads -------------------------------------------------------------------------------------------------

_Key = tuple[str, str, str, str]
"""Account, object, id, event."""
_States = Mapping[_Key, tuple[Payload, bool]]
"""What a state holds, and whether it is a tombstone."""


async def _changes(connection: Connection, told: Sequence[_Told]) -> list[Change]:
    wanted = {
        (one.account_id, one.object, one.id, event) for one in told for event in (one.event, one.before_event) if event
    }
    # Rows first: a state leaves its row for the versions, never the other way.
    rows = await _rows(connection, wanted)
    versions = await _versions(connection, wanted)
    return [_change(one, rows, versions) for one in told]


def _change(told: _Told, rows: _States, versions: _States) -> Change:
    key = (told.account_id, told.object, told.id)
    before = _alive(versions, rows, (*key, told.before_event)) if told.before_event else None
    # Written again under the same event (a repair): the row has the new content, the versions the old.
    order = (rows, versions) if told.event == told.before_event else (versions, rows)
    after = None if told.operation == "delete" else _alive(*order, (*key, told.event))
    before = None if told.operation == "insert" else before
    return Change(told.position, *key, told.operation, told.event, before, after, told.recorded_at)


def _alive(first: _States, second: _States, key: _Key) -> Payload | None:
    raw, deleted = first.get(key) or second.get(key) or (None, False)
    return None if deleted else raw


async def _rows(connection: Connection, wanted: Iterable[_Key]) -> _States:
    found: dict[_Key, tuple[Payload, bool]] = {}
    for kind, group in groupby(sorted(wanted, key=lambda key: key[1]), key=lambda key: key[1]):
        if kind not in CATALOGUE:
            continue
        query = f"""
            select stored.account_id, stored.id, stored.source_event, stored.raw, stored.deleted_at is not null
            from unnest(%(account_ids)s::text[], %(ids)s::text[], %(events)s::text[]) as given (account_id, id, event)
            join stripe.{CATALOGUE[kind].table} as stored
                on stored.account_id = given.account_id and stored.id = given.id and stored.source_event = given.event
        """
        cursor = await connection.execute(query.encode(), _columns(group))
        found |= {(one[0], kind, one[1], one[2]): (one[3], one[4]) for one in await cursor.fetchall()}
    return found


async def _versions(connection: Connection, wanted: Iterable[_Key]) -> _States:
    cursor = await connection.execute(_VERSIONS, _columns(wanted))
    return {(one[0], one[1], one[2], one[3]): (one[4], one[5]) for one in await cursor.fetchall()}


def _columns(keys: Iterable[_Key]) -> dict[str, list[str]]:
    columns = list(zip(*keys, strict=True)) or [()] * 4
    return {name: list(one) for name, one in zip(("account_ids", "objects", "ids", "events"), columns, strict=True)}


# ---- waiting --------------------------------------------------------------------------------------------------------


async def _read_if_possible(pool: Pool, cursor: str) -> tuple[list[Change], str]:
    try:
        async with pool.connection() as connection:
            return await read(connection, cursor)
    except (psycopg.OperationalError, Unavailable) as error:
        _log.warning("follower waits", error=type(error).__name__)
        return [], cursor


async def _either(woken: asyncio.Event, stopping: asyncio.Future[Any]) -> None:
    waking = asyncio.create_task(woken.wait())
    await asyncio.wait((waking, stopping), timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    waking.cancel()
