"""Deletions nobody told us of: rows that a list of Stripe's should have shown and did not.

A row whose creation time lies in what a page covers, or whose parent's list was read to its end, and that was not in
the answer, is only suspected: what hangs on a test clock is in lists of its own, and a page is a moment. Suspicions are
stored in the transaction that moves the window past them. Each is then asked for by itself, outside any transaction:
an object that is still there is written as it is; one Stripe calls deleted, or does not know any more, becomes a
tombstone.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Problem, Refused
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.order import READ, State, progress_of
from payment_kit.mirror.reading import read_object
from payment_kit.mirror.stripe_object import Listing, StripeObject
from payment_kit.mirror.windows import Range
from payment_kit.mirror.writer import Connection, write
from payment_kit.stripe_gateway.gateway import StripeGateway

READS_AT_ONCE = 8
BATCH_MAX = 64

_MISSED = sql("backfill.missed")
_SETTLED = sql("backfill.settled")


class Covered(NamedTuple):
    """What one answer covers, the ids it brought, and its order time."""

    range: Range
    ids: Sequence[str]
    at: int


def can_vanish(entry: StripeObject) -> bool:
    """Does a backfill look for deletions of it? A payment method does not vanish: it leaves its customer."""
    return entry.at is not None and (entry.vanishes or entry.name == "payment_method")


async def suspect_in_ranges(
    connection: Connection, account: Account, entry: StripeObject, started: int, answers: Iterable[Covered]
) -> None:
    """Remember the rows in the ranges of some answers that no answer brought; `started` is when the reading began."""
    known = list(answers)
    ranges = [{"low": one.range.low, "high": one.range.high, "at": one.at} for one in known]
    ids = {id_ for one in known for id_ in (*one.ids, *one.range.also)}
    if ranges:
        given = _given(account, entry, started, ids) | {"ranges": orjson.dumps(ranges).decode()}
        await connection.execute(_in_ranges_sql(entry.name), given)


async def suspect_below(
    connection: Connection,
    account: Account,
    entry: StripeObject,
    listing: Listing,
    started: int,
    parents: Sequence[str],
    ids: Iterable[str],
    at: int,
) -> None:
    """Remember the rows that name one of `parents`, whose lists were read at `at` and brought `ids` only."""
    column = parent_column(entry, listing)
    if column is not None:
        given = _given(account, entry, started, ids) | {"parents": list(parents), "at": at}
        await connection.execute(_below_sql(entry.name, column), given)


async def suspect_orphans(
    connection: Connection, account: Account, entry: StripeObject, listing: Listing, started: int
) -> None:
    """Remember the rows whose parent is deleted: its list is not asked for any more."""
    column = parent_column(entry, listing)
    if column is not None:
        given = _given(account, entry, started, ()) | {"at": started}
        await connection.execute(_orphans_sql(entry.name, column, str(listing.per)), given)


async def settle(gateway: StripeGateway, pool: Pool, account: Account, entry: StripeObject) -> int:
    """Ask for every suspected row of a kind by itself and write what is found; returns how many rows changed."""
    key = {"account_id": account.id, "stream": entry.table}
    changed = 0
    while True:
        async with pool.connection() as connection:
            rows = await (await connection.execute(_MISSED, key | {"limit": BATCH_MAX})).fetchall()
        if not rows:
            return changed

        async def read(row: Sequence[Any]) -> list[State]:
            return await _read(gateway, account, entry, *row)

        states = [state for found in await each(read, rows, READS_AT_ONCE) for state in found]
        async with pool.connection() as connection, connection.transaction():
            written = await write(connection, account.id, account.livemode, states, platform=account.key_account)
            await connection.execute(_SETTLED, key | {"ids": [row[0] for row in rows]})
        changed += written.count("applied")


def parent_column(entry: StripeObject, listing: Listing) -> str | None:
    """The column of a row that names the parent in whose list it is; None when its kind is not searched for."""
    names = {name for name, value in dict(listing.params).items() if value == "{id}"}
    found = names & {column.name for column in entry.columns}
    return next(iter(found), None) if can_vanish(entry) else None


async def _read(gateway: StripeGateway, account: Account, entry: StripeObject, id_: str, missed: int) -> list[State]:
    try:
        return (await read_object(gateway, entry, id_, account=account.header, bulk=True)).states()
    except (NotFound, Refused) as gone:
        if not _is_gone(gone, entry, account):
            raise
        # The list has missed it at `missed`, and Stripe knows it no more: the stub a deleted object leaves.
        raw = {"id": id_, "object": entry.name, "deleted": True}
        event = READ + gone.metadata.get("stripe_request_id", "missed")
        return [State(entry.name, id_, raw, missed, progress_of(entry.name, raw, deleted=True), event, deleted=True)]


def _is_gone(problem: Problem, entry: StripeObject, account: Account) -> bool:
    """A connected account that has left its platform is refused, in the words for one that never existed.

    Asked in its own name, everything of it is refused so, and nothing of it is gone.
    """
    left = entry.name == "account" and account.header is None
    return isinstance(problem, NotFound) or (left and problem.metadata.get("stripe_code") == "account_invalid")


def _given(account: Account, entry: StripeObject, started: int, ids: Iterable[str]) -> dict[str, Any]:
    return {"account_id": account.id, "stream": entry.table, "started": started, "ids": list(ids)}


@cache
def _in_ranges_sql(name: str) -> bytes:
    entry = CATALOGUE[name]
    created = "created" if any(column.name == "created" for column in entry.columns) else "date"
    elsewhere = any(listing.per == "test_helpers.test_clock" for listing in entry.listings)
    # One look into the index for each range, whatever PostgreSQL knows of a table that has just been filled.
    return _suspect(
        f"""
        jsonb_to_recordset(%(ranges)s::jsonb) as given (low bigint, high bigint, at bigint),
        lateral (
            select * from stripe.{entry.table} as known
            where known.account_id = %(account_id)s
            and known.{created} between to_timestamp(given.low) and to_timestamp(given.high)
            {"and known.test_clock is null" if elsewhere else ""}
            offset 0
        ) as stored
        """,
        "given.at",
    )


@cache
def _below_sql(name: str, column: str) -> bytes:
    return _suspect(
        f"""
        unnest(%(parents)s::text[]) as given (parent)
        join stripe.{CATALOGUE[name].table} as stored on stored.{column} = given.parent
        """,
        "%(at)s::bigint",
    )


@cache
def _orphans_sql(name: str, column: str, parent: str) -> bytes:
    return _suspect(
        f"""
        stripe.{CATALOGUE[parent].table} as parents
        join stripe.{CATALOGUE[name].table} as stored
            on parents.account_id = stored.account_id and parents.id = stored.{column}
            and parents.deleted_at is not null
        """,
        "%(at)s::bigint",
    )


def _suspect(stored: str, at: str) -> bytes:
    """Of the rows that `stored` joins, remember those no answer brought."""
    return f"""
        insert into payment_kit.backfill_missed (account_id, stream, id, missed_at)
        select stored.account_id, %(stream)s::text, stored.id, max(to_timestamp({at}))
        from {stored}
        where stored.account_id = %(account_id)s and stored.deleted_at is null
        and stored.source_time <= to_timestamp(%(started)s::bigint)
        and stored.id not in (select unnest(%(ids)s::text[]))
        group by stored.account_id, stored.id
        order by stored.id
        on conflict do nothing
    """.encode()
