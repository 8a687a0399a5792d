"""What Stripe holds, in the shape the mirror keeps: worked out from the sandbox's own rows, not with the mirror's code.

The catalogue is asked for facts only: which kinds there are, which lists an object always carries, what is never kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.stripe_object import Nested
from tests.convergence.account import Account, Key, shown

Json = dict[str, Any]
SNAPSHOTS = frozenset({"last_payment_error", "last_setup_error", "metadata"})
"""An object as it was at some past moment, or the user's own words."""
SUMMARY = "entitlements.active_entitlement_summary"
"""Stripe shows it in events only; its entitlements are compared one by one."""


async def everything(account: Account) -> dict[Key, Json | None]:
    """Every object that ever was, as it is now; None for one that is gone."""
    found: dict[Key, Json | None] = {}
    for key, life in account.truth.lives.items():
        if key[1] not in CATALOGUE or key[1] in CARRIED_BY:
            continue
        row = life.moments[-1].row
        found[key] = None if "deleted" in row else canonical(await _whole(account, key, shown(row)))
    for key, raw in list(found.items()):
        found |= dict(children(key, raw))
    ended = {key for key, raw in last_told(account).items() if raw is None and key[1] == "discount"}
    found |= dict.fromkeys(ended)
    for who, store in account.stores():
        kind = "entitlements.active_entitlement"
        found |= {(who, kind, row["id"]): canonical(shown(row)) for row in store.rows(kind) if "deleted" not in row}
    return found


def children(key: Key, raw: Json | None) -> Iterable[tuple[Key, Json]]:
    """The objects an object carries in its lists."""
    for nested in CATALOGUE[key[1]].carried if raw else ():
        for one in (raw or {}).get(nested.field, {}).get("data", ()):
            yield (key[0], nested.child, one["id"]), one


async def _whole(account: Account, key: Key, row: Json) -> Json:
    """With the lists it carries to their end."""
    for nested in CATALOGUE[key[1]].carried:
        if row.get(nested.field, {}).get("has_more"):
            data = await _list(account, key, nested)
            row = {**row, nested.field: {**row[nested.field], "data": data, "has_more": False}}
    return row


async def _list(account: Account, key: Key, nested: Nested) -> list[Json]:
    path, _, query = nested.path.replace("{id}", key[2]).partition("?")
    data: list[Json] = []
    more = True
    while more:
        params = {**dict(parse_qsl(query)), "limit": 100} | ({"starting_after": data[-1]["id"]} if data else {})
        status, page, _ = await account.ask("GET", path, params, account=key[0])
        assert status == 200, page
        data += page["data"]
        more = page["has_more"]
    return data


def canonical(raw: Mapping[str, Any]) -> Json:
    """An object with the objects in it as ids, except those it carries, and without what nobody keeps."""
    entry = CATALOGUE.get(raw.get("object", ""))
    carried = {nested.field for nested in entry.carried} if entry else set()
    away = {*entry.drop, *(nested.field for nested in entry.expanded)} if entry else set()
    found: Json = {}
    for name, value in raw.items():
        if name in SNAPSHOTS:
            found[name] = value
        elif name in carried and isinstance(value, dict) and isinstance(value.get("data"), list):
            data = sorted((canonical(one) for one in value["data"]), key=lambda one: str(one["id"]))
            found[name] = {**value, "data": data}
        elif name not in away:
            found[name] = _inner(value)
    return found


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(part) for part in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("object")
    if isinstance(kind, str) and kind in CATALOGUE and isinstance(value.get("id"), str):
        return value["id"]
    return canonical({name: part for name, part in value.items() if name != "object"}) | (
        {"object": kind} if kind else {}
    )


def same(one: Any, other: Any) -> bool:
    """Equality in which a missing field is null: older shapes leave out what newer ones have empty."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(one.get(name), other.get(name)) for name in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def without_lists(raw: Json | None) -> Json | None:
    """Events carry ten objects of a list at most; whether there are more is no change."""
    fields = {nested.field for entry in CATALOGUE.values() for nested in entry.carried}
    return None if raw is None else {name: value for name, value in raw.items() if name not in fields}


def last_told(account: Account) -> dict[Key, Json | None]:
    """What the last event about each object said of it; None that it is gone."""
    last: dict[Key, Json | None] = {}
    for event in account.truth.told:
        row = event["data"]["object"]
        if "id" in row:
            gone = event["type"].endswith(f"{row['object']}.deleted") and row["object"] != "subscription"
            last[event.get("account", account.id), row["object"], row["id"]] = None if gone else canonical(row)
    return last
