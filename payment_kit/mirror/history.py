"""The past: every object of a kind as it was at a moment of Stripe's time, as far as we knew it at a moment of ours.

`payment_kit.versions` holds every state that is not, or no longer, in a row; a trigger refuses to change it. A row is
the newest of everything known of its object, so the past is the row where that is old enough, else the newest version
of then by the order key (order.py). SQL finds it (payment_kit.states_at); where states of one second have equal keys,
it is decided here, by what their events say was before.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.normalise import previous_in
from payment_kit.mirror.order import State, latest
from payment_kit.mirror.stripe_object import Nested, Payload

PAGE_ROWS = 500
Connection = psycopg.AsyncConnection[Any]

_STATES_AT = sql("history.states_at")
_BODIES = sql("mirror.bodies")


class Then(NamedTuple):
    """One object as it was. `certain` is false when nobody can know which of several states of one second was the last,
    and for what is inside a list that went on at Stripe: there may have been more of it."""

    state: State
    certain: bool


def as_of(
    connection: Connection,
    account_id: str,
    kind: str,
    at: datetime,
    *,
    known_at: datetime | None = None,
    ids: Collection[str] | None = None,
) -> AsyncGenerator[Then, None]:
    """Every object of `kind` as it was at the end of the second `at` of Stripe's time, in the order of their ids.

    What was deleted by then is left out. `known_at` is a moment of our own clock: what reached the mirror in a
    transaction begun later does not count. `ids` limits it to some objects. What lives inside another object
    (subscription items, lines) is read out of its parent's state of then, in the order of the parents.

    Streams within a transaction of its own, `PAGE_ROWS` rows at a time; who leaves early closes it
    (`contextlib.aclosing`). Raises KeyError for a kind that is not mirrored, ValueError for a time without a zone.
    """
    if at.tzinfo is None or (known_at is not None and known_at.tzinfo is None):
        raise ValueError("a moment needs a time zone")
    moment = _Moment(account_id, CATALOGUE[kind].name, at, known_at)
    if kind in CARRIED_BY:
        return _inside(connection, moment, ids)
    return _alone(connection, moment, ids)


def typed_sql(kind: str) -> str:
    """One statement for analysts: `payment_kit.as_of` with the columns the table of `kind` has.

    Parameters as psycopg writes them: ``%(account_id)s``, ``%(at)s`` (timestamptz). Raises KeyError.
    """
    columns = ", ".join(f"{column.sql} as {column.name}" for column in CATALOGUE[kind].columns)
    return (
        f"select id, {columns}, raw, source_time, source_event, certain"
        f" from payment_kit.as_of(%(account_id)s::text, '{kind}', %(at)s::timestamptz)"
    )


# ---- one kind that stands alone -------------------------------------------------------------------------------------


class _Moment(NamedTuple):
    account_id: str
    object: str
    at: datetime
    known_at: datetime | None


class _Row(NamedTuple):
    id: str
    time: int
    progress: Sequence[int]
    event: str
    raw: Payload
    api_version: str | None
    recorded_at: datetime
    is_row: bool
    tied: bool


async def _alone(connection: Connection, moment: _Moment, ids: Collection[str] | None) -> AsyncGenerator[Then, None]:
    waiting: list[_Row] = []
    given = moment._asdict() | {"ids": None if ids is None else list(ids)}
    async with connection.transaction(), connection.cursor(name="payment_kit_as_of") as cursor:
        await cursor.execute(_STATES_AT, given)
        while page := await cursor.fetchmany(PAGE_ROWS):
            waiting += [_Row(*row) for row in page]
            # The last object of a page may go on in the next one.
            whole = [row for row in waiting if row.id != waiting[-1].id]
            for then in await _decided(connection, moment, whole):
                yield then
            waiting = waiting[len(whole) :]
        for then in await _decided(connection, moment, waiting):
            yield then


async def _decided(connection: Connection, moment: _Moment, rows: Sequence[_Row]) -> list[Then]:
    open_ties = [row for row in rows if row.tied and not row.is_row]
    previous = await _previous(connection, moment.account_id, open_ties) if open_ties else {}
    found = []
    for _, group in groupby(rows, key=lambda row: row.id):
        tied = list(group)
        states = [_state(moment.object, row, previous) for row in tied]
        found.append(_newest(tied, states) if len(tied) > 1 else Then(states[0], not tied[0].tied))
    return found


def _newest(rows: Sequence[_Row], states: Sequence[State]) -> Then:
    """Of several states with equal order keys."""
    winner = latest(states)
    if winner is not None:
        return Then(winner, certain=True)
    recorded = sorted(zip((row.recorded_at for row in rows), states, strict=True), key=lambda one: one[0])
    (before, _), (last, state) = recorded[-2:]
    # A read is written over a state of its own second only when it was asked for because of that state.
    return Then(state, certain=state.is_read and before < last)


def _state(kind: str, row: _Row, previous: Mapping[str, bytes]) -> State:
    state = State(kind, row.id, row.raw, row.time, tuple(row.progress), row.event, row.api_version)
    return replace(state, previous=previous_in(previous[row.event], row.id)) if row.event in previous else state


async def _previous(connection: Connection, account_id: str, rows: Iterable[_Row]) -> dict[str, bytes]:
    events = sorted({row.event for row in rows})
    cursor = await connection.execute(_BODIES, {"account_id": account_id, "event_ids": events})
    return {event_id: body for event_id, body in await cursor.fetchall()}  # noqa: C416 - rows are no pairs to mypy


# ---- what lives inside another object -------------------------------------------------------------------------------


async def _inside(connection: Connection, moment: _Moment, ids: Collection[str] | None) -> AsyncGenerator[Then, None]:
    carrier, kind = CARRIED_BY[moment.object], moment.object
    parents = None if ids is None else await _parents(connection, moment.account_id, kind, ids)
    nested = next(one for one in carrier.carried if one.child == kind)
    async with aclosing(_alone(connection, moment._replace(object=carrier.name), parents)) as carriers:
        async for then in carriers:
            for child in _children(nested, then):
                if ids is None or child.state.id in ids:
                    yield child


def _children(nested: Nested, parent: Then) -> list[Then]:
    inside = parent.state.raw.get(nested.field)
    data = inside.get("data") if isinstance(inside, Mapping) else None
    if not isinstance(inside, Mapping) or not isinstance(data, list):
        return []
    certain = parent.certain and not inside.get("has_more")
    return [
        Then(replace(parent.state, object=nested.child, id=raw["id"], raw=raw, parent=parent.state.id), certain)
        for raw in data
        if isinstance(raw.get("id"), str)
    ]


async def _parents(connection: Connection, account_id: str, kind: str, ids: Collection[str]) -> list[str] | None:
    """The objects that carry these; None when one of them is in no row, so that all have to be looked through."""
    table = f"stripe.{CATALOGUE[kind].table}"
    query = f"select id, parent_id from {table} where account_id = %(account_id)s and id = any(%(ids)s)"
    cursor = await connection.execute(query.encode(), {"account_id": account_id, "ids": list(ids)})
    rows = await cursor.fetchall()
    return sorted({parent for _, parent in rows}) if {one for one, _ in rows} >= set(ids) else None
