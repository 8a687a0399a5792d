"""One table against what Stripe shows (evidence.py), against its own JSON, and against what wrote its rows.

Stripe cannot contradict everything: not a typed column, not a tombstone's content, not the time a state is ordered by.
Therefore each row is also held against its `raw`, against the event or the read that its order key names, and against
the row that carries it. Nothing of a table is kept in memory: rows are streamed, what is found is a list of ids.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import orjson
import psycopg

from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE, CHILDREN
from payment_kit.mirror.evidence import SUMMARIES, UNSHOWN, Sample
from payment_kit.mirror.normalise import event_states
from payment_kit.mirror.order import READ, State, progress_of
from payment_kit.mirror.stripe_object import Column, Payload
from payment_kit.mirror.writer import digest

Connection = psycopg.AsyncConnection[Any]

ROWS_AT_ONCE = 500
SCAN_SECONDS_MAX = 3600
ABSENT_MAX = 50_000
"""Of one kind; a mirror that lacks more is to be backfilled, not repaired."""
_PARSE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)

WHAT = {
    "missing": "Stripe has it, the mirror has not",
    "not_in_stripe": "the mirror has it, Stripe has not",
    "deleted": "deleted in the mirror, but not in Stripe",
    "differs": "its content is not Stripe's",
    "columns": "typed columns are not what its JSON says",
    "digest": "its digest is not that of its JSON",
    "livemode": "it is of the other mode",
    "order": "nothing that reached us gives it this order",
    "content": "its JSON is not what wrote it",
    "child": "it is not what its parent carries",
    "lost": "its history is there, its row is not",
    "stray": "rows of an account nobody knows",
    "event": "the event never reached us",
    "itemisation": "its balance transactions are not Stripe's",
}
"""What can be wrong, in words."""


class Difference(NamedTuple):
    """One thing that is wrong: with which object, what (a key of `WHAT`), and the names of the fields, never values.

    `via` is the kind and the id of the object Stripe shows it in, when it is in no list of its own.
    """

    object: str
    id: str
    what: str
    fields: tuple[str, ...] = ()
    via: tuple[str, ...] = ()


class Row(NamedTuple):
    """One row as the scan reads it, with what it is compared with."""

    id: str
    raw: Payload
    digest: bytes | None
    deleted: bool
    livemode: bool
    time: Decimal
    deleted_time: Decimal | None
    progress: Sequence[int]
    event: str
    api_version: str | None
    wrong_columns: Sequence[str]
    parent: str | None
    shown: bool
    gone: bool | None
    shown_digest: bytes | None
    shown_parent: str | None
    shown_bucket: str | None
    body: bytes | None
    read: bool
    carried: Payload | None
    parent_lives: bool | None
    parent_order: bool
    before: Payload | None


async def compare(
    connection: Connection,
    account_id: str,
    livemode: bool,
    name: str,
    *,
    sample: Sample,
    ids: Sequence[str] | None = None,
    settled: bool = False,
) -> AsyncIterator[Difference]:
    """Every difference of one table, or of some of its rows; in a transaction of its own.

    In the first look (`settled` false) a row Stripe's lists do not show is only suspected. Digests of the JSON that are
    not in a row are left in `pg_temp.actual`, for buckets.py.
    """
    given = {"account_id": account_id, "object": name, "ids": list(ids) if ids is not None else None}
    async with connection.transaction():
        await connection.execute(f"set local statement_timeout = '{SCAN_SECONDS_MAX}s'".encode())
        await connection.execute(b"set local idle_in_transaction_session_timeout = 0")
        if name == "discount":
            await connection.execute(_ENDED, given)
        for statement, what in ((_MISSING, "missing"), (_LOST, "lost")):
            for row in await (await connection.execute(_of(statement, name), given)).fetchall():
                yield Difference(name, row[0], what)
        async with connection.cursor(name="scan") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            await cursor.execute(_scan(name), given)
            while rows := await cursor.fetchmany(ROWS_AT_ONCE):
                actual: list[tuple[str, bytes]] = []
                for values in rows:
                    row = Row._make(values)
                    if not sample.takes(name, row.id) and ids is None:
                        presence = _presence(name, row, settled=settled)
                        if presence:
                            yield Difference(name, row.id, presence)
                        continue
                    found = digest(row.raw)
                    if found != row.digest:
                        actual.append((row.id, found))
                    for difference in _judge(name, row, found, livemode, settled=settled):
                        yield difference
                await _remember(connection, name, actual)


async def strays(connection: Connection, name: str) -> list[Difference]:
    """Rows of a kind under an account that neither a key nor an event ever named."""
    query = f"""
        select id from stripe.{CATALOGUE[name].table} as stored
        where not exists (select 1 from payment_kit.accounts where accounts.account_id = stored.account_id)
        and not exists (select 1 from payment_kit.inbox where inbox.account_id = stored.account_id)
    """
    rows = await (await connection.execute(query.encode())).fetchall()
    return [Difference(name, row[0], "stray", ("account_id",)) for row in rows]


async def prepare(connection: Connection) -> None:
    """Make (or empty) the session's table of digests."""
    await connection.execute(
        b"create temp table if not exists actual (object text, id text, digest bytea, primary key (object, id))"
    )
    await connection.execute(b"truncate actual")


async def _remember(connection: Connection, name: str, actual: Sequence[tuple[str, bytes]]) -> None:
    if actual:
        await connection.execute(
            b"insert into actual select %(object)s, * from unnest(%(ids)s::text[], %(digests)s::bytea[])"
            b" on conflict (object, id) do update set digest = excluded.digest",
            {"object": name, "ids": [one for one, _ in actual], "digests": [found for _, found in actual]},
        )


# ---- one row --------------------------------------------------------------------------------------------------------


def _judge(name: str, row: Row, actual: bytes, livemode: bool, *, settled: bool) -> Iterable[Difference]:
    presence = _presence(name, row, settled=settled)
    if presence:
        yield Difference(name, row.id, presence)
    elif not row.deleted and row.shown_digest is not None and row.shown_digest != actual:
        yield Difference(name, row.id, "differs")
    if row.wrong_columns:
        yield Difference(name, row.id, "columns", tuple(row.wrong_columns))
    if row.livemode != livemode:
        yield Difference(name, row.id, "livemode", ("livemode",))
    if row.digest != (None if name in CARRIED_BY else actual):
        yield Difference(name, row.id, "digest", ("digest",))
    confirmed = not row.deleted and row.shown_digest == actual
    yield from _child(name, row) if name in CARRIED_BY else _cause(name, row, confirmed=confirmed)


def _presence(name: str, row: Row, *, settled: bool) -> str:
    if row.deleted:
        return "deleted" if row.shown and not row.gone and row.shown_bucket != UNSHOWN else ""
    if row.gone:
        return "not_in_stripe"
    return "not_in_stripe" if not row.shown and not (settled and name in SUMMARIES) else ""


def _child(name: str, row: Row) -> Iterable[Difference]:
    """A row that is a part of another: it is what the parent carries, and was written with a state of the parent."""
    wrong: list[str] = []
    if row.deleted:
        if row.carried is not None and row.parent_lives:
            yield Difference(name, row.id, "child", ("deleted_at",))
        if row.before is not None and not _same(row.before, row.raw):
            yield Difference(name, row.id, "content", differing(row.raw, row.before))
    elif row.carried is None or not row.parent_lives:
        yield Difference(name, row.id, "child", ("parent_id",))
    elif not _same(row.carried, row.raw):
        yield Difference(name, row.id, "child", differing(row.raw, row.carried))
    if not row.parent_order:
        wrong.append("source_event")
    if row.deleted and row.deleted_time != row.time:
        wrong.append("deleted_at")
    if wrong:
        yield Difference(name, row.id, "order", tuple(wrong))


def _cause(name: str, row: Row, *, confirmed: bool) -> Iterable[Difference]:
    """The event or the read a row names must be there and give exactly this time, progress, version and content."""
    wrong: list[str] = []
    if row.deleted and row.deleted_time != row.time:
        wrong.append("deleted_at")
    if row.event.startswith(READ):
        wrong += _of_read(name, row)
    else:
        state = _told(name, row)
        wrong += _of_event(row, state)
        if state and not confirmed and not state.is_stub and not _same(state.raw, row.raw):
            yield Difference(name, row.id, "content", differing(row.raw, state.raw))
    if name in CHILDREN and row.shown_parent and row.parent != row.shown_parent:
        yield Difference(name, row.id, "child", ("parent_id",))
    if row.event.startswith(READ) and row.deleted and row.before is not None and not _same(row.before, row.raw):
        yield Difference(name, row.id, "content", differing(row.raw, row.before))
    if wrong:
        yield Difference(name, row.id, "order", tuple(dict.fromkeys(wrong)))


def _of_read(name: str, row: Row) -> list[str]:
    wrong = [] if row.read else ["source_event", "source_time"]
    try:
        progress = {progress_of(name, row.raw, deleted=row.deleted)}
        if row.deleted:
            progress.add(progress_of(name, {"id": row.id}, deleted=True))
    except _PARSE:
        progress = set()
    return wrong if tuple(row.progress) in progress else [*wrong, "source_progress"]


def _of_event(row: Row, state: State | None) -> list[str]:
    if state is None:
        return ["source_event"]
    expected = {
        "source_time": row.time == state.time,
        "source_progress": tuple(row.progress) == state.progress,
        "api_version": row.api_version == state.api_version,
        "deleted_at": row.deleted == state.deleted,
    }
    return [field for field, right in expected.items() if not right]


def _told(name: str, row: Row) -> State | None:
    """The state of this object in the event that its row names; None when that says nothing of it."""
    if row.body is None:
        return None
    try:
        event = orjson.loads(row.body)
        states = event_states(event)
    except _PARSE:
        return None
    return next((state for state in states if state.key == (name, row.id)), None)


def _same(one: Payload, other: Payload) -> bool:
    return digest(one) == digest(other)


def differing(one: Payload, other: Payload) -> tuple[str, ...]:
    """The names of the fields in which two contents of an object differ; a missing one is not null."""
    missing = object()
    return tuple(
        sorted(name for name in one.keys() | other.keys() if one.get(name, missing) != other.get(name, missing))
    )


# ---- SQL ------------------------------------------------------------------------------------------------------------

_MISSING = """
    select shown.id from shown
    where shown.object = %(object)s and not shown.gone and coalesce(shown.bucket, '') <> 'unshown'
    and (%(ids)s::text[] is null or shown.id = any(%(ids)s))
    and not exists (
        select 1 from stripe.TABLE as stored where stored.account_id = %(account_id)s and stored.id = shown.id
    )
    limit LIMIT
"""
_ENDED = b"""
    update shown set gone = true from stripe.discounts as stored
    where shown.object = 'discount' and stored.account_id = %(account_id)s and stored.id = shown.id
    and stored.deleted_at is not null and stored.source_event not like 'read:%%'
"""
"""Invoices go on showing a discount that has ended: an event told its end, and proves it."""
_LOST = """
    select known.id from (
        select id from payment_kit.changes where account_id = %(account_id)s and object = %(object)s
        union
        select id from payment_kit.versions where account_id = %(account_id)s and object = %(object)s
    ) as known
    where (%(ids)s::text[] is null or known.id = any(%(ids)s))
    and not exists (
        select 1 from stripe.TABLE as stored where stored.account_id = %(account_id)s and stored.id = known.id
    )
    limit LIMIT
"""


@cache
def _of(statement: str, name: str) -> bytes:
    return statement.replace("TABLE", CATALOGUE[name].table).replace("LIMIT", str(ABSENT_MAX)).encode()


@cache
def _scan(name: str) -> bytes:
    entry = CATALOGUE[name]
    wrong = ", ".join(f"case when {wrong_sql(one)} then '{one.name}' end" for one in entry.columns)
    parent = "stored.parent_id" if name in CHILDREN else "null::text"
    carrier = _carrier(name) if name in CARRIED_BY else ("null::jsonb", "null::boolean", "true", "")
    return f"""
        select
            stored.id, stored.raw, stored.digest, stored.deleted_at is not null, stored.livemode,
            extract(epoch from stored.source_time), extract(epoch from stored.deleted_at), stored.source_progress,
            stored.source_event, stored.api_version, array_remove(array[{wrong}]::text[], null), {parent},
            shown.id is not null, shown.gone, shown.digest, shown.parent, shown.bucket,
            inbox.body, reads.event is not null, {carrier[0]}, {carrier[1]}, {carrier[2]},
            case when stored.deleted_at is not null then (
                select versions.raw from payment_kit.versions
                where versions.account_id = stored.account_id and versions.object = '{name}'
                and versions.id = stored.id and not versions.deleted
                order by versions.source_time desc, versions.source_progress desc, versions.recorded_at desc limit 1
            ) end
        from stripe.{entry.table} as stored
        left join shown on shown.object = '{name}' and shown.id = stored.id
        left join payment_kit.inbox on inbox.account_id = stored.account_id and inbox.event_id = stored.source_event
        left join payment_kit.reads
            on reads.account_id = stored.account_id and reads.event = stored.source_event
            and reads.source_time = stored.source_time and reads.api_version is not distinct from stored.api_version
        {carrier[3]}
        where stored.account_id = %(account_id)s and (%(ids)s::text[] is null or stored.id = any(%(ids)s))
    """.encode()


def _carrier(name: str) -> tuple[str, str, str, str]:
    """Of a carried row: what its parent carries of it, whether that lives, whether its order is one of the parent's."""
    entry = CARRIED_BY[name]
    nested = next(one for one in entry.carried if one.child == name)
    data = f"carrier.raw->'{nested.field}'->'data'"
    carried = f"""(
        select child from jsonb_array_elements(case jsonb_typeof({data}) when 'array' then {data} end) as child
        where child->>'id' = stored.id limit 1
    )"""
    same = "source_event = stored.source_event and {0}.source_time = stored.source_time"
    same += " and {0}.source_progress = stored.source_progress"
    same += " and {0}.api_version is not distinct from stored.api_version"
    order = f"""(
        (carrier.{same.format("carrier")}) is true
        or exists (
            select 1 from payment_kit.versions as earlier
            where earlier.account_id = stored.account_id and earlier.object = '{entry.name}'
            and earlier.id = stored.parent_id and earlier.{same.format("earlier")}
        )
    )"""
    join = f"""
        left join stripe.{entry.table} as carrier
            on carrier.account_id = stored.account_id and carrier.id = stored.parent_id
    """
    return carried, "carrier.deleted_at is null", order, join


_SHAPES = {
    "bigint": r"^-?[0-9]{1,18}$",
    "time": r"^-?[0-9]{1,11}$",
    "numeric": r"^-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,3})?$",
    "boolean": r"^(true|false)$",
}


def readable_sql(column: Column, raw: str = "stored.raw") -> str:
    """Can the column be read out of the JSON without an error?"""
    if column.kind not in _SHAPES:
        return "true"
    path = column.path or (column.name,)
    text = raw + "".join(f"->'{key}'" for key in path[:-1]) + f"->>'{path[-1]}'"
    return f"coalesce({text} ~ '{_SHAPES[column.kind]}', true)"


def wrong_sql(column: Column) -> str:
    """Is the typed column something else than what its expression over the JSON gives?"""
    value = column.sql.replace("raw->", "stored.raw->")
    return f"case when {readable_sql(column)} then stored.{column.name} is distinct from {value} else true end"
