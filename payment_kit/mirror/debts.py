"""Reads that are owed: what the events alone do not tell has to be asked of Stripe, and nobody may forget it.

A debt is stored in the transaction that wrote its reason and settled in the one that wrote the answer (payer.py). Until
then the mirror is complete only up to it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
import psycopg

from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.event_types import related_object
from payment_kit.mirror.order import State
from payment_kit.mirror.shapes import is_current
from payment_kit.mirror.stripe_object import Listing, Payload

Reason = Literal["tie", "parts", "version", "thin", "reference"]
Connection = psycopg.AsyncConnection[Any]

_OWE = sql("owed.owe")


@dataclass(frozen=True, slots=True)
class Debt:
    """One read that is owed: the object `id`, or of it the list of the kind `part`. `since` is Stripe's Unix second."""

    object: str
    id: str
    part: str
    reason: Reason
    since: int


LISTINGS: dict[tuple[str, str], Listing] = {
    (listing.per, entry.name): listing
    for entry in CATALOGUE.values()
    for listing in entry.listings
    if listing.per and listing.owed
}
"""(parent's kind, child's kind) -> the list that a change of the parent may have changed."""


def debts_of(state: State) -> list[Debt]:
    """What is owed after `state` went into its row."""
    entry = CATALOGUE[state.object]
    if state.deleted:
        return []
    found: list[Debt] = []
    if state.partial or (not state.is_read and entry.owed(state.raw, state.previous or {})):
        found.append(Debt(*state.key, "", "parts", state.time))
    elif not state.is_read and not is_current(state.api_version):
        found.append(Debt(*state.key, "", "version", state.time))
    return found + around(state)


def around(state: State) -> list[Debt]:
    """What is owed because of `state` even when a newer one is in the row: what it tells of other objects.

    That a customer's balance moved is told by one event; the next one does not repeat it.
    """
    found: list[Debt] = []
    if state.deleted:
        return found
    for (per, child), listing in LISTINGS.items():
        if per == state.object and not state.is_read and listing.owed and listing.owed(state.raw, state.previous or {}):
            found.append(Debt(*state.key, child, "parts", state.time))
    for kind, fields in dict(CATALOGUE[state.object].refers).items():
        ids = {state.raw.get(field) for field in fields}
        found += [Debt(kind, one, "", "reference", state.time) for one in sorted(filter(None, ids))]
    return found


def debts_of_event(event: Payload) -> list[Debt]:
    """What is owed because of an event that brings no row by itself: a thin notification, or a part of an object."""
    if event.get("object") != "event":
        related = related_object(event)
        return [Debt(*related, "", "thin", _second(event["created"]))] if related else []
    payload = event["data"]["object"]
    parent = CARRIED_BY.get(payload.get("object") or "")
    if parent is None:
        return []
    found = next((payload[field] for field in _PARENT_FIELDS if isinstance(payload.get(field), str)), None)
    return [Debt(parent.name, found, "", "parts", event["created"])] if found else []


def tie(state: State) -> Debt:
    """Nobody can know which of the states of one second is the newest: the object is read again."""
    return Debt(*state.key, "", "tie", state.time)


_PARENT_FIELDS = ("fee", "transfer", "subscription", "invoice", "credit_note", "customer")
"""Where a carried object names the one that carries it."""


def _second(created: str | int) -> int:
    return created if isinstance(created, int) else int(datetime.fromisoformat(created).timestamp())


async def owe(
    connection: Connection, platform: str, account_id: str, livemode: bool, debts: Iterable[Debt]
) -> Collection[Debt]:
    """Store debts within the caller's transaction; returns them. One that is open already is only renewed.

    A reference to an object that is there is none.
    """
    kept = {(debt.object, debt.id, debt.part): debt for debt in debts}
    if kept:
        rows = [
            {"object": one.object, "id": one.id, "part": one.part, "reason": one.reason, "since": one.since}
            for _, one in sorted(kept.items())
        ]
        parameters = {"platform": platform, "account_id": account_id, "livemode": livemode}
        await connection.execute(_OWE, parameters | {"rows": orjson.dumps(rows).decode()})
    return kept.values()
