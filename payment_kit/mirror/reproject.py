"""Rebuild what is derived from stored payloads, without asking Stripe: typed columns, digests, child rows.

And what an older version of the catalogue could not hold: events that no table held when they came are applied now.
Only rows that are not what their `raw` says are written, in bounded batches, each in a transaction of its own: a
reprojection that is broken off goes on where it is called again, and one that finds nothing to do leaves no trace. No
order key changes, unless a child row has one its parent never had.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE, CHILDREN
from payment_kit.mirror.compare import readable_sql, wrong_sql
from payment_kit.mirror.debts import debts_of_event, owe
from payment_kit.mirror.evidence import Connection
from payment_kit.mirror.normalise import event_states
from payment_kit.mirror.stripe_object import Nested, StripeObject
from payment_kit.mirror.writer import digest, project_sql, write

ROWS_AT_ONCE = 500
EVENTS_AT_ONCE = 200

_UNMAPPED = sql("verify.unmapped")
_MAPPED = sql("verify.mapped")
_PARSE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(slots=True)
class Reprojected:
    """What was rebuilt: rows by kind, events applied that were unmapped before, and rows whose JSON cannot be read."""

    rows: dict[str, int] = field(default_factory=dict)
    events: int = 0
    unreadable: int = 0

    def add(self, name: str, count: int) -> None:
        """So many more rows of a kind."""
        if count:
            self.rows[name] = self.rows.get(name, 0) + count


async def reproject(
    pool: Pool, platform: str, accounts: Sequence[str], *, objects: Collection[str] | None = None
) -> Reprojected:
    """Rebuild the tables of some accounts (those of one key), all or only the kinds `objects`."""
    done = Reprojected()
    for account_id in accounts:
        for name, entry in CATALOGUE.items():
            if objects is None or name in objects or any(nested.child in objects for nested in entry.carried):
                await _table(pool, account_id, entry, done)
    if objects is None:
        await _unmapped(pool, platform, done)
    return done


async def reproject_rows(connection: Connection, account_id: str, name: str, ids: Sequence[str]) -> int:
    """Rebuild some rows of one kind and the rows they carry, in one transaction; returns how many were written."""
    async with connection.transaction():
        written = await _columns(connection, account_id, CATALOGUE[name], ids)
        if name not in CARRIED_BY:
            written += await _digests(connection, account_id, CATALOGUE[name], ids)
        for nested in CATALOGUE[name].carried:
            written += await _children(connection, account_id, CATALOGUE[name], nested, ids)
    return written


async def _table(pool: Pool, account_id: str, entry: StripeObject, done: Reprojected) -> None:
    after = ""
    query = (
        f"select id from stripe.{entry.table} where account_id = %(account_id)s and id > %(after)s"
        " order by id limit %(limit)s"
    ).encode()
    while True:
        async with pool.connection() as connection:
            given = {"account_id": account_id, "after": after, "limit": ROWS_AT_ONCE}
            ids = [row[0] for row in await (await connection.execute(query, given)).fetchall()]
            if not ids:
                return
            done.add(entry.name, await reproject_rows(connection, account_id, entry.name, ids))
            found = await connection.execute(_unreadable_sql(entry.name), {"account_id": account_id, "ids": ids})
            done.unreadable += len(await found.fetchall())
        after = ids[-1]


async def _columns(connection: Connection, account_id: str, entry: StripeObject, ids: Sequence[str]) -> int:
    given = {"account_id": account_id, "ids": list(ids)}
    return (await connection.execute(_columns_sql(entry.name), given)).rowcount


async def _digests(connection: Connection, account_id: str, entry: StripeObject, ids: Sequence[str]) -> int:
    given: dict[str, Any] = {"account_id": account_id, "ids": list(ids)}
    query = f"select id, raw, digest from stripe.{entry.table} where account_id = %(account_id)s and id = any(%(ids)s)"
    rows = await (await connection.execute(query.encode(), given)).fetchall()
    wrong = [(one, digest(raw)) for one, raw, stored in rows if digest(raw) != stored]
    if not wrong:
        return 0
    update = f"""
        update stripe.{entry.table} as stored set digest = given.digest, synced_at = now()
        from unnest(%(ids)s::text[], %(digests)s::bytea[]) as given (id, digest)
        where stored.account_id = %(account_id)s and stored.id = given.id
    """
    given = {"account_id": account_id, "ids": [one for one, _ in wrong], "digests": [found for _, found in wrong]}
    return (await connection.execute(update.encode(), given)).rowcount


async def _children(
    connection: Connection, account_id: str, entry: StripeObject, nested: Nested, ids: Sequence[str]
) -> int:
    given = {"account_id": account_id, "ids": list(ids)}
    written = (await connection.execute(_again_sql(entry.name, nested), given)).rowcount
    for statement in project_sql(entry.name, nested):
        written += (await connection.execute(statement, given)).rowcount
    child = CATALOGUE[nested.child]
    query = f"""
        select id from stripe.{child.table} where account_id = %(account_id)s and parent_id = any(%(ids)s)
    """
    rows = await (await connection.execute(query.encode(), given)).fetchall()
    return written + await _columns(connection, account_id, child, [row[0] for row in rows])


# ---- events ---------------------------------------------------------------------------------------------------------


async def _unmapped(pool: Pool, platform: str, done: Reprojected) -> None:
    account_id = event_id = ""
    while True:
        async with pool.connection() as connection, connection.transaction():
            given = {
                "platform": platform,
                "account_id": account_id,
                "event_id": event_id,
                "limit": EVENTS_AT_ONCE,
            }
            rows = await (await connection.execute(_UNMAPPED, given)).fetchall()
            if not rows:
                return
            account_id, event_id = rows[-1][:2]
            outcomes: dict[tuple[str, str], str] = {}
            for (account, livemode), group in groupby(rows, key=lambda row: (row[0], row[2])):
                for _, event, _, body in group:
                    outcome = await _apply(connection, platform, account, livemode, body)
                    if outcome:
                        outcomes[account, event] = outcome
            if outcomes:
                names = {
                    "account_ids": [account for account, _ in outcomes],
                    "event_ids": [event for _, event in outcomes],
                    "outcomes": list(outcomes.values()),
                }
                await connection.execute(_MAPPED, names)
            done.events += len(outcomes)


async def _apply(connection: Connection, platform: str, account_id: str, livemode: bool, body: bytes) -> str:
    """What became of an event, as the worker says it; empty when there is still no table for it."""
    try:
        event: dict[str, Any] = orjson.loads(body)
        states = event_states(event)
        debts = debts_of_event(event)
    except _PARSE:
        return ""
    if not states and not debts:
        return ""
    written = await write(connection, account_id, livemode, states, platform=platform)
    await owe(connection, platform, account_id, livemode, debts)
    return "stale" if states and written.outcomes[0] in ("stale", "unchanged") else "applied"


# ---- SQL ------------------------------------------------------------------------------------------------------------


@cache
def _columns_sql(name: str) -> bytes:
    """Write the typed columns of the rows in which one is not what the JSON says; what cannot be read stays."""
    entry = CATALOGUE[name]
    settings = ", ".join(
        f"{one.name} = case when {readable_sql(one)} then {one.sql.replace('raw->', 'stored.raw->')}"
        f" else stored.{one.name} end"
        for one in entry.columns
    )
    wrong = " or ".join(f"({readable_sql(one)} and {wrong_sql(one)})" for one in entry.columns)
    if name in CARRIED_BY:
        settings, wrong = f"{settings}, digest = null", f"{wrong} or stored.digest is not null"
    return f"""
        update stripe.{entry.table} as stored set {settings}, synced_at = now()
        where stored.account_id = %(account_id)s and stored.id = any(%(ids)s) and ({wrong})
    """.encode()


@cache
def _unreadable_sql(name: str) -> bytes:
    entry = CATALOGUE[name]
    readable = " and ".join(readable_sql(one) for one in entry.columns)
    return f"""
        select id from stripe.{entry.table} as stored
        where account_id = %(account_id)s and id = any(%(ids)s) and not ({readable})
    """.encode()


@cache
def _again_sql(name: str, nested: Nested) -> bytes:
    """Child rows that are carried, but under another parent, or have an order their parent never had."""
    parent, child = CATALOGUE[name], CATALOGUE[nested.child]
    same = "{0}.source_event = stored.source_event and {0}.source_time = stored.source_time"
    same += " and {0}.source_progress = stored.source_progress"
    same += " and {0}.api_version is not distinct from stored.api_version"
    data = f"parents.raw->'{nested.field}'->'data'"
    assert nested.child in CHILDREN
    return f"""
        update stripe.{child.table} as stored
        set parent_id = parents.id, livemode = parents.livemode, api_version = parents.api_version,
            source_time = parents.source_time, source_progress = parents.source_progress,
            source_event = parents.source_event, synced_at = now()
        from stripe.{parent.table} as parents,
            lateral jsonb_array_elements(case jsonb_typeof({data}) when 'array' then {data} end) as carried
        where parents.account_id = %(account_id)s and parents.id = any(%(ids)s) and parents.deleted_at is null
        and stored.account_id = parents.account_id and stored.id = carried->>'id' and stored.deleted_at is null
        and (
            stored.parent_id is distinct from parents.id
            or stored.livemode is distinct from parents.livemode
            or not (
                ({same.format("parents")})
                or exists (
                    select 1 from payment_kit.versions as earlier
                    where earlier.account_id = parents.account_id and earlier.object = '{name}'
                    and earlier.id = parents.id and {same.format("earlier")}
                )
            )
        )
    """.encode()
