"""Payloads as Stripe sends them -> canonical states, one per object.

Canonical means: the same object looks the same whether it came expanded, inside another one or alone. Known objects
inside a payload become states of their own and leave their id behind; fields the catalogue drops are gone. Everything
else stays as Stripe sent it. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.order import READ, Payload, State, progress_of

SNAPSHOTS = frozenset({"last_payment_error", "last_setup_error", "metadata"})
"""Fields that keep an object as it was at some past moment (or belong to the user): no state of it today."""


def event_states(event: Payload) -> list[State]:
    """The states one parsed snapshot event carries, its own object first; empty when no table holds the object.

    Raises KeyError, TypeError or ValueError when the event has not the shape every Stripe event has.
    """
    data = event["data"]
    payload = data["object"]
    if not _is_known(payload):
        return []
    kind: str = event["type"]
    name = payload["object"]
    deleted = kind == f"{name}.deleted"
    states = _states(payload, event["created"], event["id"], event.get("api_version"))
    own = states[0]
    if deleted:
        states[0] = replace(own, deleted=True, progress=progress_of(name, own.raw, deleted=True))
    elif kind.endswith(".created"):
        states[0] = replace(own, progress=progress_of(name, own.raw, created=True))
    states[0] = replace(states[0], previous=previous_attributes(event))
    return states


def previous_attributes(event: Payload) -> Payload | None:
    """What an event says its object was before, in canonical shape; None when it does not say."""
    previous = event["data"].get("previous_attributes")
    if not previous or not _is_known(event["data"]["object"]):
        return None
    return _canonical(previous, [], CATALOGUE[event["data"]["object"]["object"]].drop)


def read_states(
    payloads: Iterable[Payload], *, time: int, request_id: str, api_version: str | None, after: str | None = None
) -> list[State]:
    """The states in the answer to one request: an object, or the objects of one page.

    `time` is the request's order time (`Reply.server_time`); no state is placed before its object's creation, so the
    event of a creation never undoes what the creating call answered. Objects no table holds are skipped, what is inside
    them is not. `after` is for a refetch: the event of the stored state this one surely is newer than.
    """
    found: dict[tuple[str, str], State] = {}
    for payload in payloads:
        for state in _states(payload, time, READ + request_id, api_version):
            found.setdefault(state.key, replace(state, time=max(time, state.raw.get("created") or 0)))
    return [replace(state, after=after) for state in found.values()] if after else list(found.values())


def _states(payload: Payload, time: int, event: str, api_version: str | None) -> list[State]:
    waiting: list[Payload] = [payload]
    states: dict[tuple[str, str], State] = {}
    while waiting:
        payload = waiting.pop(0)
        if not _is_known(payload):
            _canonical(payload, waiting, ())
            continue
        name, object_id = payload["object"], payload["id"]
        raw = _canonical(payload, waiting, CATALOGUE[name].drop)
        deleted = payload.get("deleted") is True
        progress = progress_of(name, raw, deleted=deleted)
        state = State(name, object_id, raw, time, progress, event, api_version, deleted)
        states.setdefault(state.key, state)
    return list(states.values())


def _canonical(payload: Payload, found: list[Payload], drop: Sequence[str]) -> dict[str, Any]:
    return {
        key: value if key in SNAPSHOTS else _replaced(value, found) for key, value in payload.items() if key not in drop
    }


def _replaced(value: Any, found: list[Payload]) -> Any:
    if isinstance(value, dict):
        if _is_known(value):
            found.append(value)
            return value["id"]
        return {key: inner if key in SNAPSHOTS else _replaced(inner, found) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, found) for inner in value]
    return value


def _is_known(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("object") in CATALOGUE and isinstance(value.get("id"), str)
