"""Whether the mirror holds what Stripe holds, and all it was ever told."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from payment_kit.mirror.catalogue import CATALOGUE
from tests.convergence.account import Key, shown

if TYPE_CHECKING:
    from tests.convergence.play import Play

Json = dict[str, Any]
SHOWN_MAX = 20
PULLED = frozenset({"balance_transaction"})
"""Without an event of its own, and yet always read: no excuse for a difference."""


class Stored(NamedTuple):
    """One state in the mirror: a row, or a version that was one."""

    raw: Json
    deleted: bool
    event: str
    time: int


async def differences(play: "Play") -> list[str]:
    """What is wrong, in words; empty for a mirror that can be believed."""
    rows = await _rows(play)
    return [*_unequal(play, rows), *await _inbox(play), *await _history(play, rows)]


# ---- equal rows -----------------------------------------------------------------------------------------------------


def _unequal(play: "Play", rows: Mapping[Key, Stored]) -> list[str]:
    last = _last_told(play)
    found = []
    truth = {key: _truth(life.moments[-1].row) for key, life in play.account.truth.lives.items() if key[1] in CATALOGUE}
    for key in sorted(truth.keys() | rows.keys()):
        theirs, ours = truth.get(key), rows.get(key)
        mine = None if ours is None or ours.deleted else canonical(ours.raw, key[1])
        if same(mine, theirs):
            continue
        pulled = key[1] in PULLED and key[0] == play.account.id
        if not pulled and theirs != last.get(key):
            play.met["change told to nobody"] += 1
            continue
        found.append(f"{' '.join(key)}: {_what(mine, theirs)}")
    return found


def _truth(row: Json) -> Json | None:
    return None if "deleted" in row else canonical(shown(row), row["object"])


def _last_told(play: "Play") -> dict[Key, Json | None]:
    """What the last event about an object said of it; None that it is gone."""
    last: dict[Key, Json | None] = {}
    for event in play.account.truth.told:
        row = event["data"]["object"]
        if "id" in row:
            gone = event["type"] == f"{row['object']}.deleted"
            key = (event.get("account", play.account.id), row["object"], row["id"])
            last[key] = None if gone else canonical(row, row["object"])
    return last


def canonical(raw: Json, kind: str) -> Json:
    """An object with the objects in it as ids, and without the secrets nobody keeps."""
    drop = CATALOGUE[kind].drop if kind in CATALOGUE else ()
    kept = {"last_payment_error", "last_setup_error", "metadata"}
    return {name: value if name in kept else _inner(value) for name, value in raw.items() if name not in drop}


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("object") in CATALOGUE and isinstance(value.get("id"), str):
        return value["id"]
    return canonical(value, "")


def same(one: Any, other: Any) -> bool:
    """Equality in which a missing field is null: older shapes leave out what newer ones have empty."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(one.get(name), other.get(name)) for name in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _what(ours: Json | None, theirs: Json | None) -> str:
    if ours is None:
        return "missing"
    if theirs is None:
        return "not at Stripe"
    fields = sorted(name for name in ours | theirs if ours.get(name) != theirs.get(name))
    return ", ".join(
        f"{name} {str(ours.get(name))[:60]!r}, at Stripe {str(theirs.get(name))[:60]!r}" for name in fields
    )


async def _rows(play: "Play") -> dict[Key, Stored]:
    async with play.pool.connection() as connection:
        cursor = await connection.execute(_ROWS, {"accounts": play.subject.ids})
        return {
            (a, kind, id_): Stored(raw, gone, event, at)
            for a, kind, id_, raw, gone, event, at in await cursor.fetchall()
        }


_ROWS = " union all ".join(
    f"select account_id, '{entry.name}', id, raw, deleted_at is not null, source_event,"
    f" extract(epoch from source_time)::bigint from stripe.{entry.table} where account_id = any(%(accounts)s)"
    for entry in CATALOGUE.values()
).encode()


# ---- nothing lost, nothing twice ------------------------------------------------------------------------------------


async def _inbox(play: "Play") -> list[str]:
    async with play.pool.connection() as connection:
        query = "select event_id from payment_kit.inbox where account_id = any(%s)"
        stored = {row[0] for row in await (await connection.execute(query, [play.subject.ids])).fetchall()}
    found = [f"acknowledged and lost: {one}" for one in sorted(play.acknowledged - stored)]
    told = {event["id"] for event in play.account.truth.told if "account" not in event}
    found += [f"never caught up: {one}" for one in sorted(told - stored)]
    return found + [f"given up: {one}: {why}" for one, why in await play.subject.dead()]


# ---- history --------------------------------------------------------------------------------------------------------


async def _history(play: "Play", rows: Mapping[Key, Stored]) -> list[str]:
    async with play.pool.connection() as connection:
        cursor = await connection.execute(_VERSIONS, {"accounts": play.subject.ids})
        states = [((a, kind, id_), event) for a, kind, id_, event in await cursor.fetchall()]
    there = Counter({(key, event) for key, event in states} | {(key, row.event) for key, row in rows.items()})
    found = []
    for event in play.account.truth.told:
        row = event["data"]["object"]
        key = (event.get("account", play.account.id), row["object"], row.get("id", ""))
        if row["object"] in CATALOGUE and (key, event["id"]) not in there and (key[0] == play.account.id):
            found.append(f"state of {event['id']} ({event['type']}) is in no row and no version")
    return found


_VERSIONS = """
select account_id, object, id, source_event from payment_kit.versions where account_id = any(%(accounts)s)
"""
