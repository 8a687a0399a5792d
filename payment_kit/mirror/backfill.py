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
from payment_kit.errors import NotFound
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.reading import Reading, complete, expanding, parameters, read_list
from payment_kit.mirror.stripe_object import Listing, StripeObject
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
    entries = [entry for entry in map(CATALOGUE.get, objects or CATALOGUE) if entry and _listings(entry)]
    needed = {listing.per for entry in entries for listing in _listings(entry) if listing.per}
    entries += [CATALOGUE[name] for name in sorted(needed - {entry.name for entry in entries})]

    async def read(entry: StripeObject) -> Progress:
        return await _Stream(gateway, pool, account, entry, progress or (lambda _progress: None)).read()

    done: dict[str, Progress] = {}
    for wave in _waves(entries):
        done |= {one.stream: one for one in await each(read, wave, STREAMS_AT_ONCE)}
    return done


def _listings(entry: StripeObject) -> list[Listing]:
    return [listing for listing in entry.listings if listing.swept]


def _waves(entries: Sequence[StripeObject]) -> list[list[StripeObject]]:
    """Parents before what is listed parent by parent."""
    waves, left = list[list[StripeObject]](), list(entries)
    while left:
        names = {entry.name for entry in left}
        wave = [one for one in left if not {listing.per for listing in _listings(one)} & (names - {one.name})]
        waves.append(wave)
        left = [one for one in left if one not in wave]
    return waves


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
        started: int | None = position.get("started")
        for number, listing in list(enumerate(_listings(self._entry)))[position.get("listing", 0) :]:
            after = position.get("after", "") if number == position.get("listing") else ""
            if started is None:
                started = await self._now()
            given = {"started": started, "listing": number}
            if listing.per:
                await self._read_per_parent(listing, given, after)
            else:
                await self._read_pages(listing, given, after)
        async with self._pool.connection() as connection:
            await connection.execute(_COMPLETE, self._key | {"complete_through": started, "objects": 0})
        return self._tell(finished=True)

    async def _resume(self) -> dict[str, Any]:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_POSITION, self._key)).fetchone()
        unfinished = row is not None and not row[3] and "started" in row[1]
        if row and unfinished and await self._now() - row[1]["started"] <= RESUME_SECONDS_MAX:
            self._objects = row[2]
            return dict(row[1])
        async with self._pool.connection() as connection:
            await connection.execute(_START, self._key | {"position": "{}"})
        return {}

    async def _now(self) -> int:
        return (await self._gateway.page("/v1/events", {"limit": 1}, account=self._account.header)).server_time

    async def _read_pages(self, listing: Listing, position: dict[str, Any], after: str) -> None:
        params = {**parameters(listing), **expanding(self._entry, "data.")} | (
            {"starting_after": after} if after else {}
        )
        async for page in self._gateway.list(listing.path, params, account=self._account.header):
            await complete(self._gateway, self._entry, page.data, account=self._account.header)
            after = page.data[-1]["id"] if page.data else after
            async with self._pool.connection() as connection, connection.transaction():
                self._written += await write_pages(connection, self._account, [page])
                await self._advance(connection, {**position, "after": after}, len(page.data))

    async def _read_of(self, listing: Listing, parent: str) -> Reading | None:
        """The list of one parent; None when Stripe has that no more, which its own event tells."""
        try:
            return await read_list(self._gateway, listing, parent)
        except NotFound:
            return None

    async def _read_per_parent(self, listing: Listing, position: dict[str, Any], after: str) -> None:
        """Ask once per parent, in the order of their ids, several at a time."""
        while parents := await self._parents(listing, after):
            for first in range(0, len(parents), PARENTS_AT_ONCE):
                some = parents[first : first + PARENTS_AT_ONCE]
                found = await each(lambda parent: self._read_of(listing, parent), some, PARENTS_AT_ONCE)
                read = [one for one in found if one]
                states = [state for one in read for state in one.states()]
                async with self._pool.connection() as connection, connection.transaction():
                    self._written += await write_reads(connection, self._account, states)
                    after = some[-1]
                    await self._advance(
                        connection, {**position, "after": after}, sum(len(one.payloads) for one in read)
                    )

    async def _of_parent(self, listing: Listing, parent: str) -> Reading:
        return await read_list(self._gateway, listing, parent, account=self._account.header)

    async def _parents(self, listing: Listing, after: str) -> list[str]:
        given = {"account_id": self._account.id, "after": after, "limit": PARENTS_MAX}
        table = CATALOGUE[str(listing.per)].table
        query = (
            f"select id from stripe.{table} where account_id = %(account_id)s and deleted_at is null"
            " and id > %(after)s order by id limit %(limit)s"
        ).encode()
        async with self._pool.connection() as connection:
            return [row[0] for row in await (await connection.execute(query, given)).fetchall()]

    async def _advance(self, connection: Connection, position: dict[str, Any], objects: int) -> None:
        given = self._key | {"position": orjson.dumps(position).decode(), "objects": objects}
        await connection.execute(_ADVANCE, given)
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
    return await write_reads(connection, account, states)


async def write_reads(connection: Connection, account: Account, states: Sequence[State]) -> int:
    """Write what was read, in the writer's order; returns how many rows changed."""
    states = sorted(states, key=lambda state: state.key)
    changed = 0
    for first in range(0, len(states), STATES_AT_ONCE):
        some = states[first : first + STATES_AT_ONCE]
        written = await write(connection, account.id, account.livemode, some, platform=account.key_account)
        changed += written.count("applied")
    return changed
