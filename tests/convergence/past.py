"""Whether the mirror's past is right too: no state is lost or made up, and the changes it told of lead to its rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.event_types import mapped_object
from payment_kit.stripe_gateway.gateway import API_VERSION
from tests.convergence import truth
from tests.convergence.account import Account, Key, Life, shown

if TYPE_CHECKING:
    from tests.convergence.play import Play

Json = dict[str, Any]
READ = "read:"
MISSED = "read:missed"
"""What a backfill did not find any more."""


class Stored(NamedTuple):
    """One state in the mirror: a row, or a version that was one."""

    raw: Json
    deleted: bool
    event: str
    time: int
    progress: tuple[int, ...]
    api_version: str | None


class Change(NamedTuple):
    """One line of the outbox."""

    operation: str
    event: str
    before: str | None


async def differences(play: "Play", rows: Mapping[Key, Stored]) -> list[str]:
    """What is wrong with versions and changes, in words."""
    states = await _states(play, rows)
    found = [*_lost(play.account, states), *_made_up(play, states), *_then(play.account, states)]
    return found + _replayed(await _changes(play), rows)


# ---- versions -------------------------------------------------------------------------------------------------------


def _lost(account: Account, states: Mapping[Key, Sequence[Stored]]) -> list[str]:
    """Every event's state is in a row or in the versions."""
    found, gone = [], account.gone()
    for event in account.truth.told:
        row = event["data"]["object"]
        kind = row["object"]
        if (
            event.get("account") in gone
            or kind not in CATALOGUE
            or kind in CARRIED_BY
            or not row.get(CATALOGUE[kind].id_field)
            or mapped_object(event["type"]) is None
        ):
            continue
        key = (event.get("account", account.id), kind, row[CATALOGUE[kind].id_field])
        if all(state.event != event["id"] for state in states.get(key, ())):
            found.append(f"state of {event['id']} ({event['type']}) is in no row and no version")
    return found


def _made_up(play: "Play", states: Mapping[Key, Sequence[Stored]]) -> list[str]:
    """Every state came with an event or an answer there was."""
    known = {event["id"] for event in play.account.truth.told}
    # what an event holds as a copy is kept as if it had been read
    known |= {READ + told for told in known}
    known |= {READ + request for request in play.subject.gateway.read_at} | {MISSED}
    return [
        f"{' '.join(key)}: nobody ever told {state.event}"
        for key, held in states.items()
        for state in held
        if state.event not in known
    ]


def _then(account: Account, states: Mapping[Key, Sequence[Stored]]) -> list[str]:
    """At the end of each second in which Stripe told of an object, the mirror's past shows it as it was then.

    Not of what lives by a test clock, whose seconds are not the account's, nor of discounts, which end by an event.
    """
    found = []
    for key, life in account.truth.lives.items():
        if (
            key not in states
            or key[1] == "discount"
            or any(row.get("_clock") for row in (life.moments[0].row, life.moments[-1].row))
        ):
            continue
        for second in sorted({state.time for state in states[key] if not state.event.startswith(READ)}):
            what = _wrong_at(second, life, states[key])
            if what:
                found.append(f"{' '.join(key)} as of {second}: {what}")
    return found


def _wrong_at(second: int, life: Life, states: Sequence[Stored]) -> str | None:
    before = [state for state in states if state.time <= second]
    newest = max((state.time, state.progress) for state in before)
    shown_then = [state for state in before if (state.time, state.progress) == newest or state.deleted]
    wanted = _seen([moment.row for moment in life.moments if moment.at <= second][-1:])
    for state in shown_then:
        if state.api_version not in (API_VERSION, None):
            return None
        mine = None if state.deleted else truth.without_lists(truth.canonical(state.raw))
        later = (
            [moment.row for moment in life.moments if moment.at >= state.time] if state.event.startswith(READ) else []
        )
        if any(truth.same(mine, one) for one in [*wanted, *_seen(later)]):
            return None
    told = [state for state in before if not state.event.startswith(READ) and not state.deleted]
    if not any(truth.same(truth.without_lists(truth.canonical(state.raw)), wanted[0]) for state in told):
        return None
    return f"shows {[state.event for state in shown_then]}, not what it was"


def _seen(rows: Sequence[Json]) -> list[Json | None]:
    return [None if "deleted" in row else truth.without_lists(truth.canonical(shown(row))) for row in rows]


async def _states(play: "Play", rows: Mapping[Key, Stored]) -> dict[Key, list[Stored]]:
    async with play.pool.connection() as connection:
        cursor = await connection.execute(_VERSIONS, {"accounts": play.subject.ids})
        found: dict[Key, list[Stored]] = {key: [row] for key, row in rows.items() if key[1] not in CARRIED_BY}
        for who, kind, id_, raw, gone, event, at, progress, version in await cursor.fetchall():
            if kind not in CARRIED_BY:
                state = Stored(raw, gone, event, at, tuple(progress), version)
                found.setdefault((who, kind, id_), []).append(state)
    return found


_VERSIONS = """
select account_id, object, id, raw, deleted, source_event, extract(epoch from source_time)::bigint, source_progress,
    api_version
from payment_kit.versions where account_id = any(%(accounts)s)
"""


# ---- the outbox -----------------------------------------------------------------------------------------------------


def _replayed(changes: Mapping[Key, Sequence[Change]], rows: Mapping[Key, Stored]) -> list[str]:
    """Each object's changes form one chain, from its first row to the row there is now."""
    found = []
    for key in rows.keys() | changes.keys():
        chain, row = changes.get(key, ()), rows.get(key)
        name = " ".join(key)
        if not chain or row is None:
            found.append(f"{name}: {'a row nobody was told of' if row else 'a change without its row'}")
            continue
        alive = False
        before: str | None = None
        for change in chain:
            if change.before != before or alive is {"insert": True, "update": False}.get(change.operation):
                found.append(f"{name}: {change} does not follow {before}")
            alive, before = change.operation != "delete", change.event
        if before != row.event or alive is row.deleted:
            found.append(f"{name}: the last change told is {before}, the row is of {row.event}")
        events = [change.event for change in chain if not change.event.startswith(READ)]
        if len(events) != len(set(events)) and key[1] not in CARRIED_BY:
            found.append(f"{name}: an event was applied twice: {events}")
    return found


async def _changes(play: "Play") -> dict[Key, list[Change]]:
    found: dict[Key, list[Change]] = {}
    async with play.pool.connection() as connection:
        cursor = await connection.execute(_CHANGES, {"accounts": play.subject.ids})
        for who, kind, id_, *rest in await cursor.fetchall():
            found.setdefault((who, kind, id_), []).append(Change(*rest))
    return found


_CHANGES = """
select account_id, object, id, operation, event, before_event
from payment_kit.changes where account_id = any(%(accounts)s) order by position
"""
