"""States into rows: batched over all tables, right under concurrent writers, every version kept.

PostgreSQL reads the typed columns out of `raw` with the catalogue's expressions, so only JSON travels. A row changes
only when the incoming state is newer by the order key, which the statement itself checks under the row's lock; what it
refuses is looked at again under that lock, where ties are broken with everything known of that second, or reported.
Rows are written in (table, id) order,
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
from payment_kit.mirror.catalogue import CATALOGUE, StripeObject
from payment_kit.mirror.normalise import previous_attributes
from payment_kit.mirror.order import Key, State, compare, equal, latest, tied

Outcome = Literal["applied", "stale", "unchanged", "undecided"]
Connection = psycopg.AsyncConnection[Any]

_APPEND_VERSIONS = sql("mirror.append_versions")
_KNOWN_OF_SECOND = sql("mirror.known_of_second")


@dataclass(frozen=True, slots=True)
class Undecided:
    """An object to fetch again: nobody can know which of the states of second `time` is the newest.

    The row holds the state of `seen`; a read begun after this answer is newer than it.
    """

    object: str
    id: str
    seen: str
    time: int


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each state, in the order given, and the objects that have to be fetched again."""

    outcomes: tuple[Outcome, ...]
    undecided: tuple[Undecided, ...]

    def count(self, outcome: Outcome) -> int:
        """How many states had this outcome."""
        return self.outcomes.count(outcome)


@dataclass(slots=True)
class _Decision:
    """Of one object: the state the row holds now as far as we wrote it, and whether we know it is the newest."""

    outcome: Outcome
    winner: State
    undecided: Undecided | None = None


async def write(connection: Connection, account_id: str, livemode: bool, states: Sequence[State]) -> Written:
    """Bring the mirror's rows of one account up to `states`, in one transaction (a savepoint inside an open one).

    Every event's state is appended to the versions, a read's only when it changed the row. An undecided read may be
    left alone: whatever it knew more has an event of its own. An undecided event must not count as applied until its
    object was fetched and written with `State.after`.
    Raises psycopg.DataError for a payload PostgreSQL cannot read; nothing of the batch is written then.
    """
    groups = _by_key(states)
    chosen = {key: latest(group) or tied(group)[0] for key, group in groups.items()}
    async with connection.transaction():
        whole = [state for state in chosen.values() if not (state.deleted and state.is_stub)]
        applied = await _upsert(connection, account_id, livemode, whole, force=False)
        decisions = {key: _applied(groups[key], chosen[key]) for key in applied}
        rest = {key: group for key, group in groups.items() if key not in applied}
        if rest:
            decisions |= await _decide(connection, account_id, livemode, rest, chosen)
        await _append_versions(connection, account_id, _versions(states, decisions))
    return _written(states, decisions)


def _by_key(states: Iterable[State]) -> dict[Key, list[State]]:
    groups: dict[Key, list[State]] = {}
    for state in states:
        groups.setdefault(state.key, []).append(state)
    return groups


def _applied(group: Sequence[State], winner: State) -> _Decision:
    if latest(group) is None:
        return _Decision("undecided", winner, Undecided(winner.object, winner.id, winner.event, winner.time))
    return _Decision("applied", winner)


async def _decide(
    connection: Connection,
    account_id: str,
    livemode: bool,
    groups: Mapping[Key, Sequence[State]],
    chosen: Mapping[Key, State],
) -> dict[Key, _Decision]:
    """Decide the objects whose row is not plainly older, under the lock of that row, and write the winners."""
    current = await _lock(connection, account_id, [chosen[key] for key in groups])
    ties = [state for state in current.values() if state.order == chosen[state.key].order]
    known = _by_key(await _known(connection, account_id, ties)) if ties else {}
    decisions = {
        key: _against(current.get(key), tied([*group, *known.get(key, ())]), chosen[key])
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


def _break_tie(current: State, group: Sequence[State], chosen: State) -> _Decision:
    if chosen.after == current.event:
        return _Decision("unchanged", current) if chosen.raw == current.raw else _Decision("applied", chosen)
    winner = latest(group)
    if winner is None:
        return _Decision("undecided", current, Undecided(current.object, current.id, current.event, current.time))
    stored = next((state for state in group if state.event == current.event), current)
    if winner.event == current.event or equal(winner.raw, stored.raw):
        return _Decision("unchanged" if chosen.is_read else "stale", current)
    return _Decision("applied", winner)


def _written(states: Sequence[State], decisions: Mapping[Key, _Decision]) -> Written:
    outcomes: list[Outcome] = []
    for state in states:
        decision = decisions[state.key]
        if decision.outcome == "applied":
            outcomes.append("applied" if state.event == decision.winner.event else "stale")
        elif decision.outcome == "undecided" and state.order != decision.winner.order:
            outcomes.append("stale")
        else:
            outcomes.append(decision.outcome)
    undecided = [decision.undecided for decision in decisions.values() if decision.undecided]
    return Written(tuple(outcomes), tuple(undecided))


def _versions(states: Iterable[State], decisions: Mapping[Key, _Decision]) -> list[State]:
    """Every event's state, and the reads that are now in a row (a stub with the object it deletes)."""
    versions = []
    for state in states:
        decision = decisions[state.key]
        won = decision.winner.event == state.event and decision.outcome in ("applied", "undecided")
        if won:
            versions.append(decision.winner)
        elif not state.is_read:
            versions.append(state)
    return versions


# ---- SQL ------------------------------------------------------------------------------------------------------------


async def _upsert(
    connection: Connection, account_id: str, livemode: bool, states: Iterable[State], *, force: bool
) -> set[Key]:
    """Write the states whose rows are older (all of them with `force`); returns the keys of the changed rows."""
    changed: set[Key] = set()
    for name, batch in groupby(sorted(states, key=lambda state: state.key), key=lambda state: state.object):
        parameters = {"account_id": account_id, "livemode": livemode, "force": force, "rows": _rows(batch)}
        cursor = await connection.execute(_upsert_sql(name), parameters)
        changed |= {(name, row[0]) for row in await cursor.fetchall()}
    return changed


async def _lock(connection: Connection, account_id: str, states: Collection[State]) -> dict[Key, State]:
    """The stored states of the same objects, locked; their `raw` only where a decision needs it."""
    found: dict[Key, State] = {}
    for name, batch in groupby(sorted(states, key=lambda state: state.key), key=lambda state: state.object):
        cursor = await connection.execute(_lock_sql(name), {"account_id": account_id, "rows": _rows(batch, raw=False)})
        for object_id, time, progress, event, deleted, raw in await cursor.fetchall():
            found[name, object_id] = State(name, object_id, raw or {}, time, tuple(progress), event, deleted=deleted)
    return found


async def _known(connection: Connection, account_id: str, states: Sequence[State]) -> list[State]:
    """Every version with the same order as one of `states`, with what its event says was before."""
    parameters = {"account_id": account_id, "rows": _rows(states, raw=False)}
    cursor = await connection.execute(_KNOWN_OF_SECOND, parameters)
    return [
        State(name, object_id, raw, time, tuple(progress), event, version, deleted, _previous(body, object_id))
        for name, object_id, raw, time, progress, event, version, deleted, body in await cursor.fetchall()
    ]


async def _append_versions(connection: Connection, account_id: str, states: Sequence[State]) -> None:
    if states:
        await connection.execute(_APPEND_VERSIONS, {"account_id": account_id, "rows": _rows(states)})


def _previous(body: bytes | None, object_id: str) -> Any:
    if body is None:
        return None
    event = orjson.loads(body)
    return previous_attributes(event) if event["data"]["object"].get("id") == object_id else None


def _rows(states: Iterable[State], *, raw: bool = True) -> str:
    """One JSON text for a whole batch: PostgreSQL parses it far faster than a driver adapts arrays of JSON."""
    rows = [
        {
            "object": state.object,
            "id": state.id,
            "raw": state.raw if raw else None,
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


_INPUT = (
    "jsonb_to_recordset(%(rows)s::jsonb) as given"
    " (object text, id text, raw jsonb, api_version text, at bigint, progress bigint[], event text, deleted boolean,"
    " stub boolean)"
)


@cache
def _upsert_sql(name: str) -> bytes:
    entry: StripeObject = CATALOGUE[name]
    values = {
        "livemode": "%(livemode)s",
        **{column.name: column.sql for column in entry.columns},
        "raw": "raw",
        "api_version": "api_version",
        "source_time": "to_timestamp(at)",
        "source_progress": "progress",
        "source_event": "event",
        "deleted_at": "case when deleted then to_timestamp(at) end",
    }
    return f"""
        insert into stripe.{entry.table} as stored (account_id, id, {", ".join(values)})
        select %(account_id)s, id, {", ".join(values.values())} from {_INPUT} order by id
        on conflict (account_id, id) do update set
        {", ".join(f"{column} = excluded.{column}" for column in values)}, synced_at = now()
        where %(force)s or (
            stored.deleted_at is null
            and (
                excluded.deleted_at is not null
                or (excluded.source_time, excluded.source_progress) > (stored.source_time, stored.source_progress)
            )
            and (excluded.source_event not like 'read:%%' or excluded.raw is distinct from stored.raw)
        )
        returning id
    """.encode()  # noqa: S608 - names come from the catalogue


@cache
def _lock_sql(name: str) -> bytes:
    return f"""
        select
            stored.id, extract(epoch from stored.source_time)::bigint, stored.source_progress, stored.source_event,
            stored.deleted_at is not null, case when given.wants_raw then stored.raw end
        from (select *, stub or event like 'read:%%' as wants_raw from {_INPUT}) as given
        join stripe.{CATALOGUE[name].table} as stored
            on stored.account_id = %(account_id)s and stored.id = given.id
        order by stored.id
        for update of stored
    """.encode()  # noqa: S608 - names come from the catalogue
