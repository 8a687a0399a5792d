"""The first copy: every object of the catalogue, listed from Stripe page by page, resumable at every page.

A page, its rows and the position after it are one transaction, so a killed backfill goes on behind the last page it
wrote. A stream that was read to its end is complete through the moment its listing started: whatever changes later has
an event.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE, StripeObject
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.writer import Connection, write
from payment_kit.stripe_gateway.gateway import API_VERSION, Page, StripeGateway

STREAMS_AT_ONCE = 4
PARENTS_AT_ONCE = 8
PARENTS_MAX = 100
RESUME_SECONDS_MAX = 7 * 24 * 3600
"""A listing begun longer ago is begun anew: what changed behind it must still be in Stripe's list of events."""
STATES_AT_ONCE = 1000

_POSITION = sql("sync.position")
_START = sql("sync.start")
_ADVANCE = sql("sync.advance")
_COMPLETE = sql("sync.complete")
_CUSTOMERS_AFTER = sql("sync.customers_after")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stream (a table's name) has come; `written` counts the rows that changed."""

    stream: str
    objects: int
    written: int
    finished: bool


Report = Callable[[Progress], None]


async def backfill(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    *,
    objects: Sequence[str] | None = None,
    progress: Report | None = None,
) -> dict[str, Progress]:
    """List `objects` (names of the catalogue, default all) into the mirror; returns the last progress per stream.

    An interrupted backfill is continued by the next call within a week; a finished stream is read anew. Rows that are
    newer than a page stay as they are. Raises the gateway's problems; every page before is kept.
    """
    entries = [CATALOGUE[name] for name in objects or CATALOGUE]
    parents = {entry.list_per for entry in entries if entry.list_per} - {entry.name for entry in entries}
    entries = [*(CATALOGUE[name] for name in sorted(parents)), *entries]

    async def read(entry: StripeObject) -> Progress:
        return await _Stream(gateway, pool, account, entry, progress or (lambda _progress: None)).read()

    done: dict[str, Progress] = {}

    for wave in ([one for one in entries if not one.list_per], [one for one in entries if one.list_per]):
        done |= {one.stream: one for one in await each(read, wave, STREAMS_AT_ONCE)}
    return done


class _Stream:
    """One object's listing, from where it was left."""

    def __init__(
        self, gateway: StripeGateway, pool: Pool, account: Account, entry: StripeObject, report: Report
    ) -> None:
        self._gateway = gateway
        self._pool = pool
        self._account = account
        self._entry = entry
        self._report = report
        self._key = {"account_id": account.id, "stream": entry.table}
        self._objects = 0
        self._written = 0

    async def read(self) -> Progress:
        position = await self._resume()
        if self._entry.list_per:
            started = await self._read_per_parent(position)
        else:
            started = await self._read_pages(position)
        async with self._pool.connection() as connection:
            await connection.execute(_COMPLETE, self._key | {"complete_through": started, "objects": 0})
        return self._tell(finished=True)

    async def _resume(self) -> dict[str, Any]:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_POSITION, self._key)).fetchone()
        if row is not None and not row[3] and "started" in row[1]:
            now = (await self._gateway.page("/v1/events", {"limit": 1})).server_time
            if now - row[1]["started"] <= RESUME_SECONDS_MAX:
                self._objects = row[2]
                return dict(row[1])
        async with self._pool.connection() as connection:
            await connection.execute(_START, self._key | {"position": "{}"})
        return {}

    async def _read_pages(self, position: dict[str, Any]) -> int:
        after, first = position.get("after"), position.get("part", 0)
        started: int | None = position.get("started")
        for part, asked in list(enumerate(self._entry.list_parts))[first:]:
            params = {**asked, "starting_after": after} if after else dict(asked)
            async for page in self._gateway.list(self._entry.path, params):
                started = page.server_time if started is None else started
                after = page.data[-1]["id"] if page.data else after
                async with self._pool.connection() as connection, connection.transaction():
                    await self._write(connection, [page])
                    await self._advance(connection, {"started": started, "after": after, "part": part}, len(page.data))
            after = None
        assert started is not None, "a list has at least one page"
        return started

    async def _read_per_parent(self, position: dict[str, Any]) -> int:
        """Ask once per parent, in the order of their ids, several at a time."""
        assert self._entry.list_per == "customer", "the parents' query knows customers"
        started, after = position.get("started"), position.get("after", "")
        if started is None:
            started = (await self._gateway.page("/v1/customers", {"limit": 1})).server_time
        while parents := await self._parents(after):
            for first in range(0, len(parents), PARENTS_AT_ONCE):
                some = parents[first : first + PARENTS_AT_ONCE]
                pages = [page for found in await each(self._children, some, PARENTS_AT_ONCE) for page in found]
                async with self._pool.connection() as connection, connection.transaction():
                    await self._write(connection, pages)
                    after = some[-1]
                    found = sum(len(page.data) for page in pages)
                    await self._advance(connection, {"started": started, "after": after}, found)
        return int(started)

    async def _children(self, parent: str) -> list[Page]:
        params = {str(self._entry.list_per): parent}
        return [page async for page in self._gateway.list(self._entry.path, params)]

    async def _parents(self, after: str) -> list[str]:
        parameters = {"account_id": self._account.id, "after": after, "limit": PARENTS_MAX}
        async with self._pool.connection() as connection:
            return [row[0] for row in await (await connection.execute(_CUSTOMERS_AFTER, parameters)).fetchall()]

    async def _write(self, connection: Connection, pages: Sequence[Page]) -> None:
        self._written += await write_pages(connection, self._account, pages)

    async def _advance(self, connection: Connection, position: dict[str, Any], objects: int) -> None:
        parameters = self._key | {"position": orjson.dumps(position).decode(), "objects": objects}
        await connection.execute(_ADVANCE, parameters)
        self._objects += objects
        self._tell(finished=False)

    def _tell(self, *, finished: bool) -> Progress:
        made = Progress(self._entry.table, self._objects, self._written, finished)
        self._report(made)
        return made


async def write_pages(connection: Connection, account: Account, pages: Sequence[Page]) -> int:
    """Write the objects of some pages with the time of each page's request; returns how many rows changed.

    All in one order, that of the writer: in a transaction around it, pages written one by one could deadlock.
    """
    states = [
        state
        for page in pages
        for state in read_states(page.data, time=page.server_time, request_id=page.request_id, api_version=API_VERSION)
    ]
    states.sort(key=lambda state: state.key)
    changed = 0
    for first in range(0, len(states), STATES_AT_ONCE):
        some = states[first : first + STATES_AT_ONCE]
        changed += (await write(connection, account.id, account.livemode, some)).count("applied")
    return changed
