"""Payloads as Stripe sends them -> canonical states, one per object.

Canonical means: the same object looks the same whether it came expanded, inside another one or alone, and in whatever
API version. Known objects inside a payload become states of their own and leave their id behind, except those a list
always carries (`StripeObject.carried`): they live and die with the state around them. Fields the catalogue drops are
gone. Everything else stays as Stripe sent it. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.content import content, content_of
from payment_kit.mirror.event_types import is_deletion, why_not_mirrored
from payment_kit.mirror.order import READ, Payload, State, progress_of
from payment_kit.mirror.shapes import canonical_changes, canonical_shape
from payment_kit.mirror.stripe_object import Nested, StripeObject

SNAPSHOTS = frozenset({"last_payment_error", "last_setup_error", "metadata"})
"""Fields that keep an object as it was at some past moment (or belong to the user): no state of it today."""


class _Found(NamedTuple):
    """A known object on its way to a state, the object whose expanded list it was in, and whether it is a copy."""

    payload: Payload
    parent: str | None
    copy: bool = False


def event_states(event: Payload) -> list[State]:
    """The states one parsed event carries, its own object first; empty when no table holds the object.

    Empty also for a thin notification, which carries no state of what it is about. Raises KeyError, TypeError or
    ValueError when the event has not the shape every Stripe event has.
    """
    if event.get("object") != "event":
        return []
    payload, version = event["data"]["object"], event.get("api_version")
    kind: str = event["type"]
    if not is_known(payload) or payload["object"] in CARRIED_BY or why_not_mirrored(kind):
        return []
    name = payload["object"]
    states = _states([canonical_shape(payload, version)], event["created"], event["id"], version)
    own, previous = states[0], previous_attributes(event)
    if is_deletion(kind):
        own = replace(own, previous=previous, deleted=True, progress=progress_of(name, own.raw, deleted=True))
    elif kind.endswith(".created"):
        own = replace(own, previous=previous, progress=progress_of(name, own.raw, created=True))
    elif previous is not None:
        own = replace(own, previous=previous)
    return [own, *states[1:]]


def previous_attributes(event: Payload) -> Payload | None:
    """What an event says its object was before, in canonical shape; None when it does not say."""
    previous, payload = event["data"].get("previous_attributes"), event["data"]["object"]
    if not previous or not is_known(payload):
        return None
    changes = canonical_changes(previous, payload, event.get("api_version"))
    return _canonical(changes, CATALOGUE[payload["object"]], [], set())


def previous_in(body: bytes | None, object_id: str) -> Payload | None:
    """The same of a stored event, when it is about the object `object_id` itself and not about one around it."""
    if body is None:
        return None
    event = orjson.loads(body)
    payload = event["data"]["object"]
    mine = payload.get(CATALOGUE[payload["object"]].id_field) if payload.get("object") in CATALOGUE else None
    return previous_attributes(event) if mine == object_id else None


def read_states(
    payloads: Iterable[Payload], *, time: int, request_id: str, api_version: str | None, after: str | None = None
) -> list[State]:
    """The states in the answer to one request: an object, or the objects of one page.

    `time` is the request's order time (`Reply.server_time`); no state is placed before its object's creation, so the
    event of a creation never undoes what the creating call answered. Objects no table holds are skipped, what is inside
    them is not. `after` is for a refetch: the event of the stored state this one surely is newer than.
    """
    states = _states(payloads, time, READ + request_id, api_version)
    return [
        replace(state, time=max(time, state.raw.get("created") or 0), after=after)
        if after or time < (state.raw.get("created") or 0)
        else state
        for state in states
    ]


def is_known(value: Any) -> bool:
    """Is it an object a table can hold?"""
    if not isinstance(value, Mapping):
        return False
    entry = CATALOGUE.get(value.get("object") or "")
    return entry is not None and isinstance(value.get(entry.id_field), str)


def _states(payloads: Iterable[Payload], time: int, event: str, api_version: str | None) -> list[State]:
    waiting: list[_Found] = [_Found(payload, None) for payload in payloads]
    states: dict[tuple[str, str], State] = {}
    position = 0
    while position < len(waiting):
        payload, parent, copy = waiting[position]
        position += 1
        name = payload.get("object")
        entry = CATALOGUE.get(name) if isinstance(name, str) else None
        partial: set[str] = set()
        raw, json = (_plain(payload, entry, waiting, partial) if entry else None) or (
            _canonical(payload, entry, waiting, partial),
            None,
        )
        if entry is None or not is_known(payload) or entry.name in CARRIED_BY:
            continue
        key = (entry.name, payload[entry.id_field])
        if key in states:
            continue
        deleted = payload.get("deleted") is True
        progress = progress_of(entry.name, raw, deleted=deleted)
        made = content_of(raw, json) if json is not None else content(raw)
        state = State(
            *key, raw, time, progress, event, api_version, deleted, parent=parent, partial=bool(partial), made=made
        )
        states[key] = _as_created(state) if copy else state
    return list(states.values())


def _as_created(state: State) -> State:
    """A copy may be of any moment since the object was made: it counts where nothing else is known."""
    event = state.event if state.is_read else READ + state.event
    made = state.raw.get("created")
    return replace(state, time=made if isinstance(made, int) else 0, event=event)


def _plain(
    payload: Payload, entry: StripeObject, found: list[_Found], partial: set[str]
) -> tuple[Payload, bytes] | None:
    """What `_canonical` gives, and its JSON, for a payload without objects but where lists have them; None for others.

    An object inside has a key "object": where the JSON has no more of those than the lists account for, nothing has to
    be looked for.
    """
    removed = _REMOVED[entry.name]
    raw = payload if removed.isdisjoint(payload) else {key: payload[key] for key in payload if key not in removed}
    objects, goes_on, inside = 1, list[str](), list[_Found]()
    for field, (nested, carried) in _NESTED[entry.name].items():
        value = payload.get(field)
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            continue
        if value.get("has_more"):
            goes_on.append(field)
        if not carried:
            inside += [_Found(child, payload.get("id")) for child in value["data"]]
        elif nested.child in _WHOLE:
            objects += sum(isinstance(one.get("object"), str) for one in (value, *value["data"]))
        else:
            return None
    json = orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
    if json.count(b'"object":"') != objects:
        return None
    found += inside
    partial.update(goes_on)
    return raw, json


def _canonical(payload: Payload, entry: StripeObject | None, found: list[_Found], partial: set[str]) -> dict[str, Any]:
    """`payload` without what it drops; the objects inside go to `found`, fields whose list goes on to `partial`."""
    if entry is None:
        return {key: _replaced(value, found) for key, value in payload.items()}
    nested = _NESTED[entry.name]
    raw: dict[str, Any] = {}
    for key, value in payload.items():
        if key in nested:
            one, carried = nested[key]
            if carried:
                raw[key] = _carried(value, one, found, partial)
            else:
                _expanded(value, one, payload.get("id"), found, partial)
        elif key in SNAPSHOTS:
            raw[key] = value
        elif key not in entry.drop:
            raw[key] = value if value.__class__ in _PLAIN else _replaced(value, found, copy=key in entry.copies)
    return raw


def _carried(value: Any, nested: Nested, found: list[_Found], partial: set[str]) -> Any:
    if not isinstance(value, Mapping) or not isinstance(value.get("data"), list):
        return value
    if value.get("has_more"):
        partial.add(nested.field)
    entry = CATALOGUE[nested.child]
    children = [_canonical(child, entry, found, partial) for child in value["data"]]
    return {**value, "data": children}


def _expanded(value: Any, nested: Nested, parent: Any, found: list[_Found], partial: set[str]) -> None:
    if not isinstance(value, Mapping) or not isinstance(value.get("data"), list):
        return
    if value.get("has_more"):
        partial.add(nested.field)
    found += [_Found(child, parent) for child in value["data"]]


def _replaced(value: Any, found: list[_Found], *, copy: bool = False) -> Any:
    if isinstance(value, dict):
        if "object" in value and is_known(value):
            found.append(_Found(value, None, copy))
            return value.get("id", value)
        return {
            key: inner if inner.__class__ in _PLAIN or key in SNAPSHOTS else _replaced(inner, found)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [inner if inner.__class__ in _PLAIN else _replaced(inner, found) for inner in value]
    return value


_PLAIN = frozenset({str, int, bool, float, type(None)})
_NESTED: dict[str, dict[str, tuple[Nested, bool]]] = {
    entry.name: {one.field: (one, True) for one in entry.carried} | {one.field: (one, False) for one in entry.expanded}
    for entry in CATALOGUE.values()
}
_REMOVED = {
    entry.name: frozenset(entry.drop) - SNAPSHOTS | {one.field for one in entry.expanded}
    for entry in CATALOGUE.values()
}
"""What is not in the `raw` of a kind."""
_WHOLE = frozenset(entry.name for entry in CATALOGUE.values() if not (_REMOVED[entry.name] or entry.carried))
"""Kinds that are kept as they come."""
