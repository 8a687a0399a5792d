"""States into rows: batched over all tables, right under concurrent writers, every version kept.

PostgreSQL reads the typed columns out of `raw` with the catalogue's expressions, so only JSON travels. A row changes
only when the incoming state is newer by the order key, which the statement itself checks under the row's lock; what it
refuses is looked at again under that lock, where ties are broken with everything known of that second, or left to a
read that is owed from then on. What a row carries inside (`StripeObject.carried`) is projected into the child tables
under the same lock. What a row held before goes to the versions by a trigger. Rows are written in (table, id) order,
so that two writers wait for each other and never deadlock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any, Literal

import orjson
import psycopg

from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import CATALOGUE, CHILDREN
from payment_kit.mirror.content import content
from payment_kit.mirror.debts import Debt, around, debts_of, owe, tie
from payment_kit.mirror.normalise import previous_in
from payment_kit.mirror.order import Key, State, compare, equal, latest, tied
from payment_kit.mirror.stripe_object import Nested, Payload, StripeObject

Outcome = Literal["applied", "stale", "unchanged", "undecided"]
Connection = psycopg.AsyncConnection[Any]

_APPEND_VERSIONS = sql("mirror.append_versions")
_KNOWN_OF_SECOND = sql("mirror.known_of_second")
_BODIES = sql("mirror.bodies")
_REMEMBER_READS = sql("mirror.remember_reads")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each state, in the order given, and the reads that are owed because of them."""

    outcomes: tuple[Outcome, ...]
    owed: tuple[Debt, ...]

    def count(self, outcome: Outcome) -> int:
        """How many states had this outcome."""
        return self.outcomes.count(outcome)


@dataclass(slots=True)
class _Decision:
    """Of one object: the state the row holds now as far as we wrote it, and what became of what was given."""

    outcome: Outcome
    winner: State


async def write(
    connection: Connection,
    account_id: str,
    livemode: bool,
    states: Sequence[State],
    *,
    platform: str | None = None,
    repair: bool = False,
) -> Written:
    """Bring the mirror's rows of one account up to `states`, in one transaction (a savepoint inside an open one).

    Every event's state is kept, in its row or in the versions, a read's only when it changed the row. What has to be
    read from Stripe because of them is stored as owed, under `platform` (the account of the key; default: the account
    itself). An undecided read is left alone: whatever it knew more has an event of its own. With `repair` a state is
    written over the row whose event its `after` names, a tombstone or a newer one too: that row is known to be wrong.
    Raises psycopg.DataError for a payload PostgreSQL cannot read; nothing of the batch is written then.
    """
    groups = _by_key(states)
    async with connection.transaction():
        unchanged = await _unchanged(connection, account_id, groups)
        chosen = {key: _chosen(group) for key, group in groups.items() if key not in unchanged}
        whole = [state for state in chosen.values() if not (state.deleted and state.is_stub)]
        applied = await _upsert(connection, account_id, livemode, whole, force=False)
        decisions = {key: _Decision("unchanged", groups[key][0]) for key in unchanged}
        decisions |= {key: _applied(groups[key], chosen[key]) for key in applied}
        rest = {key: groups[key] for key in chosen if key not in applied}
        if rest:
            decisions |= await _decide(connection, account_id, livemode, rest, chosen, repair)
        new = [one.winner for key, one in decisions.items() if one.outcome == "applied" or key in applied]
        await _project(connection, account_id, new, {key for key, fresh in applied.items() if fresh})
        await _remember_reads(connection, account_id, new)
        elsewhere = _elsewhere(states, decisions)
        await _append_versions(connection, account_id, elsewhere)
        owed = [debt for state in new if _may_owe(state) for debt in debts_of(state)]
        owed += [debt for state in elsewhere for debt in around(state)]
        owed += [tie(one.winner) for key, one in decisions.items() if _owes_tie(one, groups[key])]
        await owe(connection, platform or account_id, account_id, livemode, owed)
    return Written(_outcomes(states, decisions), tuple(dict.fromkeys(owed)))


def digest(raw: Payload) -> bytes:
    """What tells two contents of an object apart without comparing them; 12 bytes."""
    return content(raw).digest


def _by_key(states: Iterable[State]) -> dict[Key, list[State]]:
    groups: dict[Key, list[State]] = {}
    for state in states:
        groups.setdefault(state.key, []).append(state)
    return groups


def _latest(group: Sequence[State]) -> State | None:
    return group[0] if len(group) == 1 else latest(group)


def _chosen(group: Sequence[State]) -> State:
    """The newest, or of those nobody can order the one that was read to decide it."""
    return _latest(group) or min(tied(group), key=lambda state: state.after is None)


def _may_owe(state: State) -> bool:
    """A read that is whole owes nothing but what it refers to."""
    return state.partial or bool(CATALOGUE[state.object].refers) or not state.is_read


def _applied(group: Sequence[State], winner: State) -> _Decision:
    return _Decision("applied" if _latest(group) else "undecided", winner)


def _owes_tie(decision: _Decision, group: Sequence[State]) -> bool:
    return decision.outcome == "undecided" and not all(state.is_read for state in group)


async def _decide(
    connection: Connection,
    account_id: str,
    livemode: bool,
    groups: Mapping[Key, Sequence[State]],
    chosen: Mapping[Key, State],
    repair: bool,
) -> dict[Key, _Decision]:
    """Decide the objects whose row is not plainly older, under the lock of that row, and write the winners."""
    current = await _lock(connection, account_id, [chosen[key] for key in groups])
    ties = [state for state in current.values() if state.order == chosen[state.key].order]
    known = await _known(connection, account_id, ties) if ties else {}
    decisions = {
        key: _over(current[key], chosen[key])
        if repair and key in current
        else _against(current.get(key), tied([*group, *known.get(key, ())]), chosen[key])
        for key, group in groups.items()
    }
    winners = [decision.winner for decision in decisions.values() if decision.outcome == "applied"]
    await _upsert(connection, account_id, livemode, winners, force=True)
    return decisions


def _against(current: State | None, group: Sequence[State], chosen: State) -> _Decision:
    """`group`: every state known of the highest second, the stored one among them when it is of that second."""
    if current is None:
        # Only a stub of an object never seen gets here without a row.
        return _Decision("applied", chosen)
    if chosen.deleted:
        if compare(chosen, current) != "newer":
            return _Decision("stale", current)
        return _Decision("applied", replace(chosen, raw=current.raw) if chosen.is_stub else chosen)
    if current.deleted or current.order > chosen.order:
        decided = not current.deleted and chosen.after == current.event
        return _Decision("applied", chosen) if decided else _Decision("stale", current)
    if current.order < chosen.order:
        # The statement refused it although it is newer: a read that found the row as it is.
        return _Decision("unchanged", current)
    return _break_tie(current, group, chosen)


def _over(current: State, chosen: State) -> _Decision:
    """A repair: the row is wrong, whatever its order says, unless somebody else has written it since it was seen."""
    if chosen.after != current.event:
        return _Decision("stale", current)
    return _Decision("applied", replace(chosen, raw=current.raw) if chosen.is_stub else chosen)


def _break_tie(current: State, group: Sequence[State], chosen: State) -> _Decision:
    if chosen.after == current.event:
        return _Decision("unchanged", current) if chosen.raw == current.raw else _Decision("applied", chosen)
    winner = latest(group)
    if winner is None:
        return _Decision("undecided", current)
    stored = next((state for state in group if state.event == current.event), current)
    if winner.event == current.event or equal(winner.raw, stored.raw):
        return _Decision("unchanged" if chosen.is_read else "stale", current)
    return _Decision("applied", winner)


def _outcomes(states: Sequence[State], decisions: Mapping[Key, _Decision]) -> tuple[Outcome, ...]:
    outcomes: list[Outcome] = []
    for state in states:
        decision = decisions[state.key]
        if decision.outcome == "applied":
            outcomes.append("applied" if state.event == decision.winner.event else "stale")
        elif decision.outcome == "undecided" and state.order != decision.winner.order:
            outcomes.append("stale")
        else:
            outcomes.append(decision.outcome)
    return tuple(outcomes)


def _elsewhere(states: Iterable[State], decisions: Mapping[Key, _Decision]) -> list[State]:
    """The events' states that are in no row: late ones, and those another of the batch or of the second replaced."""
    return [state for state in states if not state.is_read and state.event != decisions[state.key].winner.event]


# ---- SQL ------------------------------------------------------------------------------------------------------------


async def _unchanged(connection: Connection, account_id: str, groups: Mapping[Key, Sequence[State]]) -> set[Key]:
    """The objects that were only read, and whose row holds exactly that: they cost no more than this."""
    reads = [group[0] for group in groups.values() if len(group) == 1 and group[0].is_read and not group[0].after]
    found: set[Key] = set()
    for name, batch in groupby(sorted(reads, key=lambda state: state.key), key=lambda state: state.object):
        rows = [{"id": one.id, "digest": one.content.digest.hex()} for one in batch if not one.deleted]
        given = {"account_id": account_id, "rows": orjson.dumps(rows).decode()}
        cursor = await connection.execute(_unchanged_sql(name), given)
        found |= {(name, row[0]) for row in await cursor.fetchall()}
    return found


async def _upsert(
    connection: Connection, account_id: str, livemode: bool, states: Iterable[State], *, force: bool
) -> dict[Key, bool]:
    """Write the states whose rows are older (all of them with `force`); of each changed row, whether it is new."""
    changed: dict[Key, bool] = {}
    for name, batch in groupby(sorted(states, key=lambda state: state.key), key=lambda state: state.object):
        some = list(batch)
        parameters = {"account_id": account_id, "livemode": livemode, "force": force, "rows": _rows(some, raw=False)}
        parameters["bodies"] = [state.content.json for state in some]
        cursor = await connection.execute(_upsert_sql(name), parameters)
        changed |= {(name, object_id): fresh for object_id, fresh in await cursor.fetchall()}
    return changed


async def _project(connection: Connection, account_id: str, states: Iterable[State], fresh: Collection[Key]) -> None:
    """Bring the child tables up to what these states, which are in their rows now, carry inside.

    A fresh row has no children yet that it might carry no more.
    """
    for name, batch in groupby(sorted(states, key=lambda state: state.key), key=lambda state: state.object):
        carried = CATALOGUE[name].carried
        ids = [state.id for state in batch] if carried else []
        known = [one for one in ids if (name, one) not in fresh]
        for nested in carried:
            upsert, bury = project_sql(name, nested)
            await connection.execute(upsert, {"account_id": account_id, "ids": ids})
            if known:
                await connection.execute(bury, {"account_id": account_id, "ids": known})


async def _lock(connection: Connection, account_id: str, states: Collection[State]) -> dict[Key, State]:
    """The stored states of the same objects, locked; their `raw` only where a decision needs it."""
    found: dict[Key, State] = {}
    for name, batch in groupby(sorted(states, key=lambda state: state.key), key=lambda state: state.object):
        cursor = await connection.execute(_lock_sql(name), {"account_id": account_id, "rows": _rows(batch, raw=False)})
        for object_id, time, progress, event, version, deleted, raw in await cursor.fetchall():
            found[name, object_id] = State(
                name, object_id, raw or {}, time, tuple(progress), event, version, deleted=deleted
            )
    return found


async def _known(connection: Connection, account_id: str, current: Sequence[State]) -> dict[Key, list[State]]:
    """Every state with the same order as one of `current`, these among them, with what its event says was before."""
    parameters = {"account_id": account_id, "rows": _rows(current, raw=False)}
    rows = await (await connection.execute(_KNOWN_OF_SECOND, parameters)).fetchall()
    versions = [
        State(name, object_id, raw, time, tuple(progress), event, version, deleted)
        for name, object_id, raw, time, progress, event, version, deleted in rows
    ]
    states = [*current, *versions]
    events = sorted({state.event for state in states if not state.is_read})
    cursor = await connection.execute(_BODIES, {"account_id": account_id, "event_ids": events})
    previous = {event_id: body for event_id, body in await cursor.fetchall()}  # noqa: C416 - rows are no pairs to mypy
    return _by_key(replace(state, previous=previous_in(previous.get(state.event), state.id)) for state in states)


async def _append_versions(connection: Connection, account_id: str, states: Sequence[State]) -> None:
    if states:
        await connection.execute(_APPEND_VERSIONS, {"account_id": account_id, "rows": _rows(states)})


async def _remember_reads(connection: Connection, account_id: str, states: Iterable[State]) -> None:
    """A row that came by no event has its order key from a read: `verify` wants to know of which and when."""
    reads = {(state.event, state.time): state.api_version for state in states if state.is_read}
    if reads:
        given = {
            "account_id": account_id,
            "events": [event for event, _ in reads],
            "times": [time for _, time in reads],
            "api_versions": list(reads.values()),
        }
        await connection.execute(_REMEMBER_READS, given)


def _rows(states: Iterable[State], *, raw: bool = True) -> str:
    """One JSON text for a whole batch: PostgreSQL parses it far faster than a driver adapts arrays of JSON."""
    rows = [
        {
            "object": state.object,
            "id": state.id,
            "parent": state.parent,
            "raw": orjson.Fragment(state.content.json) if raw else None,
            "digest": state.content.digest.hex(),
            "api_version": state.api_version,
            "at": state.time,
            "progress": state.progress,
            "event": state.event,
            "deleted": state.deleted,
            "stub": state.is_stub,
        }
        for state in states
    ]
    return orjson.dumps(rows).decode()


_ROWS = """
    (
        select given.*, convert_from(given.body, 'UTF8')::jsonb as raw
        from rows from (
            jsonb_to_recordset(%(rows)s::jsonb) as (
                id text, parent text, digest text, api_version text, at bigint, progress bigint[], event text,
                deleted boolean
            ),
            unnest(%(bodies)b::bytea[])
        ) as given (id, parent, digest, api_version, at, progress, event, deleted, body)
        offset 0
    ) as given
"""
# Each object's JSON is read by itself, in half the time it takes to read it out of one JSON for all; `offset 0` keeps
# PostgreSQL from reading it once per column.

_INPUT = "jsonb_to_recordset(%(rows)s::jsonb) as given (id text, at bigint, progress bigint[], stub boolean)"


@cache
def _upsert_sql(name: str) -> bytes:
    entry: StripeObject = CATALOGUE[name]
    values = {
        "livemode": "%(livemode)s",
        **({"parent_id": "parent"} if name in CHILDREN else {}),
        **{column.name: column.sql for column in entry.columns},
        "raw": "raw",
        "digest": "decode(digest, 'hex')",
        "api_version": "api_version",
        "source_time": "to_timestamp(at)",
        "source_progress": "progress",
        "source_event": "event",
        "deleted_at": "case when deleted then to_timestamp(at) end",
    }
    return f"""
        insert into stripe.{entry.table} as stored (account_id, id, {", ".join(values)})
        select %(account_id)s, id, {", ".join(values.values())} from {_ROWS} order by id
        on conflict (account_id, id) do update set
        {", ".join(f"{column} = excluded.{column}" for column in values)}, synced_at = now()
        where %(force)s or (
            stored.deleted_at is null
            and (
                excluded.deleted_at is not null
                or (excluded.source_time, excluded.source_progress) > (stored.source_time, stored.source_progress)
            )
            and (excluded.source_event not like 'read:%%' or excluded.digest is distinct from stored.digest)
        )
        returning id, xmax = 0
    """.encode()


@cache
def project_sql(name: str, nested: Nested) -> tuple[bytes, bytes]:
    """Two statements over parents given by ``ids``: write the children they carry, then bury what they carry no more.

    Of a list that goes on at Stripe nothing is buried.
    """
    parent, child = CATALOGUE[name], CATALOGUE[nested.child]
    values = {column.name: column.sql for column in child.columns}
    kept = {
        one: f"parents.{one}" for one in ("livemode", "api_version", "source_time", "source_progress", "source_event")
    }
    given = f"""
        from (select * from stripe.{parent.table} where account_id = %(account_id)s and id = any(%(ids)s)) as parents,
        lateral (
            select child as raw from jsonb_array_elements(parents.raw->'{nested.field}'->'data') as child
        ) as carried
    """
    columns = ["parent_id", *values, "raw", *kept]
    upsert = f"""
        insert into stripe.{child.table} as stored (account_id, id, {", ".join(columns)})
        select parents.account_id, carried.raw->>'id', parents.id,
            {", ".join(value.replace("raw->", "carried.raw->") for value in values.values())},
            carried.raw, {", ".join(kept.values())}
        {given}
        where parents.deleted_at is null and jsonb_typeof(carried.raw->'id') = 'string'
        order by carried.raw->>'id'
        on conflict (account_id, id) do update set
        {", ".join(f"{column} = excluded.{column}" for column in columns)}, deleted_at = null, synced_at = now()
        where stored.raw is distinct from excluded.raw or stored.deleted_at is not null
    """
    bury = f"""
        update stripe.{child.table} as stored
        set deleted_at = parents.source_time, source_time = parents.source_time,
            source_progress = parents.source_progress, source_event = parents.source_event, synced_at = now()
        from stripe.{parent.table} as parents
        where parents.account_id = %(account_id)s and parents.id = any(%(ids)s)
        and stored.account_id = parents.account_id and stored.parent_id = parents.id and stored.deleted_at is null
        and (
            parents.deleted_at is not null
            or (
                jsonb_typeof(parents.raw->'{nested.field}'->'data') = 'array'
                and coalesce(parents.raw->'{nested.field}'->>'has_more', 'false') <> 'true'
                and not exists (
                    select 1 from jsonb_array_elements(parents.raw->'{nested.field}'->'data') as child
                    where child->>'id' = stored.id
                )
            )
        )
    """
    return upsert.encode(), bury.encode()


@cache
def _unchanged_sql(name: str) -> bytes:
    return f"""
        select given.id
        from jsonb_to_recordset(%(rows)s::jsonb) as given (id text, digest text),
        lateral (
            select from stripe.{CATALOGUE[name].table} as stored
            where stored.account_id = %(account_id)s and stored.id = given.id
            and stored.digest = decode(given.digest, 'hex') and stored.deleted_at is null
            -- one look into the key for each, whatever PostgreSQL knows of a table that has just been filled
            offset 0
        ) as same
    """.encode()


@cache
def _lock_sql(name: str) -> bytes:
    return f"""
        select
            stored.id, extract(epoch from stored.source_time)::bigint, stored.source_progress, stored.source_event,
            stored.api_version, stored.deleted_at is not null,
            case
                when given.stub or (stored.source_time = to_timestamp(given.at) and stored.source_progress = progress)
                    then stored.raw
            end
        from {_INPUT}
        join stripe.{CATALOGUE[name].table} as stored
            on stored.account_id = %(account_id)s and stored.id = given.id
        order by stored.id
        for update of stored
    """.encode()
