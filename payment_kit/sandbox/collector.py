"""Webhooks to assert on instead of receiving them: every event as the bytes and the signature that would be sent.

Nothing has to be switched on and nothing is stored twice: the events are there, their bytes follow from them. The
faults of the delivery plan apply here too, seeded, but for the delays: lost ones are missing, duplicated ones come
twice, reordered ones late in the order, spoilt signatures are spoilt.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, NamedTuple

from payment_kit.sandbox import ids, signing
from payment_kit.sandbox.call import listens
from payment_kit.sandbox.plan import Plan
from payment_kit.sandbox.store import Row, Store

LISTED_MAX = 1_000
WAIT_SECONDS_MAX = 300.0
POLL_SECONDS = 0.01


class Wanted(NamedTuple):
    """Which webhooks: of these types (``invoice.*`` and ``*`` too; none: all), as one endpoint would get them."""

    types: Sequence[str] = ()
    endpoint: Row | None = None
    api_version: str | None = None

    def takes(self, type_: str) -> bool:
        """Whether events of this type are wanted."""
        if self.endpoint is not None and not listens(self.endpoint, type_):
            return False
        return not self.types or any(
            pattern in ("*", type_) or (pattern.endswith(".*") and type_.startswith(pattern[:-1]))
            for pattern in self.types
        )


class _Copy(NamedTuple):
    event: Row
    copy: bool


def collected(store: Store, plan: Plan, wanted: Wanted, *, skip: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """The webhooks since the last `clear`, in order: ``{"id", "type", "created", "body", "headers", "fault"}``.

    `body` is the payload as text, to be used as UTF-8; it is signed with the endpoint's secret, or with
    `signing.collector_secret` when none is named.
    """
    now = int(time.time())
    chosen = islice(_copies(store, plan, wanted), skip, skip + limit)
    return [_rendered(store, plan, wanted, one, now) for one in chosen]


async def wait(
    store: Store, plan: Plan, wanted: Wanted, *, skip: int, limit: int, seconds: float
) -> list[dict[str, Any]]:
    """`collected`, as soon as there is one; an empty list when none came in time."""
    end = time.monotonic() + seconds
    seen = None
    while True:
        newest = [latest(each) for each in store.everywhere()]
        if newest != seen:
            seen = newest
            found = collected(store, plan, wanted, skip=skip, limit=limit)
            if found:
                return found
        if time.monotonic() >= end:
            return []
        await asyncio.sleep(POLL_SECONDS)


def clear(store: Store) -> int:
    """Begin anew: what has happened so far is no longer collected. Returns how many events that are."""
    gone = 0
    for each in store.everywhere():
        gone += len(since(each, each.meta.get("collected_after")))
        each.set_meta(collected_after=latest(each))
    store.commit()
    return gone


def latest(store: Store) -> str | None:
    """The id of the event that came last, None before there is one."""
    return next(reversed(store.tables["event"].rows), None)


def since(store: Store, id_: str | None) -> list[Row]:
    """The events that came after one, in the order of arrival; all that are kept when that one is no longer."""
    found = list(takewhile(lambda event: event["id"] != id_, reversed(store.tables["event"].rows.values())))
    return found[::-1]


def _copies(store: Store, plan: Plan, wanted: Wanted) -> Iterator[_Copy]:
    events = (event for event in _events(store, wanted) if wanted.takes(event["type"]))
    if not (plan.drop or plan.duplicate or plan.reorder):
        return (_Copy(event, copy=False) for event in events)
    placed: list[tuple[float, _Copy]] = []
    for at, event in enumerate(events):
        name = event["id"]
        if _hit(plan, "drop", name):
            continue
        place = float(at)
        if _hit(plan, "reorder", name):
            place += 0.5 + int(ids.share(plan.seed, "window", name) * plan.reorder_window)
        placed.append((place, _Copy(event, copy=False)))
        if _hit(plan, "duplicate", name):
            placed.append((place, _Copy(event, copy=True)))
    placed.sort(key=lambda one: one[0])
    return (one for _, one in placed)


def _events(store: Store, wanted: Wanted) -> Iterator[Row]:
    """In the order of arrival; of connected accounts only for an endpoint that listens to those, or for nobody."""
    connect = wanted.endpoint is not None and wanted.endpoint.get("_connect")
    for each in store.everywhere():
        if wanted.endpoint is None or (each is not store) == bool(connect):
            yield from since(each, each.meta.get("collected_after"))


def _hit(plan: Plan, fault: str, name: str) -> bool:
    share: float = getattr(plan, fault)
    return share > 0 and ids.share(plan.seed, fault, name) < share


def _rendered(store: Store, plan: Plan, wanted: Wanted, one: _Copy, now: int) -> dict[str, Any]:
    event, endpoint = one.event, wanted.endpoint
    fault = next(
        (name for name in ("wrong_secret", "old_timestamp") if _hit(plan, name, f"{event['id']}{one.copy}")), None
    )
    secrets = signing.secrets_of(endpoint, store.now) if endpoint else [signing.collector_secret(store)]
    if endpoint and not wanted.api_version:
        body = signing.sent_to(endpoint, event, store)
    else:
        body = signing.body_of(event, wanted.api_version, store)
    return {
        "id": event["id"],
        "type": event["type"],
        "created": event["created"],
        "body": body.decode(),
        "headers": signing.headers_of(signing.signature(body, secrets, now, fault)),
        "fault": fault,
    }
