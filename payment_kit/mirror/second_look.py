"""The second look at what seemed to differ, so that what is only in flight gives no alarm.

The inbox is drained, the objects are read again, and only a row that nobody wrote since, of which no event and no owed
read waits, counts as different. What moves on every look is reported as undecided.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg

from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE, CHILDREN
from payment_kit.mirror.compare import Difference, compare, differing
from payment_kit.mirror.evidence import INSIDE_LISTS, UNLISTED, UNSHOWN, Evidence
from payment_kit.mirror.order import Key, State
from payment_kit.mirror.stripe_object import Payload
from payment_kit.mirror.worker import Worker

Connection = psycopg.AsyncConnection[Any]

OBJECTS_AT_ONCE = 100
LOOKS_MAX = 5
PAUSE_SECONDS = 1.0

_NOW = sql("verify.now")
_UNDER_WAY = sql("verify.under_way")
_PLACE = b"""
insert into shown (object, id, bucket)
select given.object, given.id, %(bucket)s from unnest(%(objects)s::text[], %(ids)s::text[]) as given (object, id)
on conflict (object, id) do update set bucket = excluded.bucket
"""

_THROUGH = {"discount": {"subscription": "subscription", "invoice": "invoice", "customer": "customer"}}
"""Kinds that are found inside others only: the columns that name such an object, and its kind."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is different after all, and which objects were never at rest."""

    differences: list[Difference]
    moving: list[Key]


@dataclass(slots=True)
class SecondLook:
    """Looks again at some objects of one account. `coming` are ids of objects of which an event is on its way."""

    evidence: Evidence
    worker: Worker
    began: int
    patience_seconds: float
    coming: Callable[[], Awaitable[Collection[str]]]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def at(self, keys: Collection[Key]) -> Looked:
        """Look at these until they are at rest, `LOOKS_MAX` times or for `patience_seconds` at least."""
        differences: list[Difference] = []
        moving: list[Key] = []
        ordered = sorted(keys)
        for first in range(0, len(ordered), OBJECTS_AT_ONCE):
            left: Sequence[Key] = ordered[first : first + OBJECTS_AT_ONCE]
            deadline, looks = time.monotonic() + self.patience_seconds, 0
            while left and (looks < LOOKS_MAX or time.monotonic() < deadline):
                if looks and time.monotonic() < deadline:
                    await self.sleep(PAUSE_SECONDS)
                looks += 1
                found, unrest = await self._once(left)
                differences += [one for key, these in found.items() if key not in unrest for one in these]
                left = [key for key in found if key in unrest]
            moving += left
        return Looked(differences, moving)

    async def _once(self, keys: Sequence[Key]) -> tuple[dict[Key, list[Difference]], set[Key]]:
        await self.worker.drain()
        connection = self.evidence.connection
        row = await (await connection.execute(_NOW)).fetchone()
        before = await self._shown(keys)
        showers = await self._showers(keys)
        readable = [key for key in keys if CATALOGUE[key[0]].at or CATALOGUE[key[0]].carried or key in showers]
        states = await self.evidence.look(readable, showers)
        await self._place(keys, before, states)
        found = {
            key: [one._replace(via=showers.get(key, ())) for one in these]
            for key, these in (await self._compare(keys, states)).items()
        }
        return found, await self._unrest(found, showers, row[0] if row else None)

    # ---- where an object is read --------------------------------------------------------------------------------

    async def _showers(self, keys: Sequence[Key]) -> dict[Key, Key]:
        """For objects that Stripe shows inside others only: in which one."""
        hidden = [key for key in keys if CATALOGUE[key[0]].at is None and not CATALOGUE[key[0]].carried]
        query = b"""
            select shown.object, shown.id, by_object, by_id from shown
            join unnest(%(objects)s::text[], %(ids)s::text[]) as given (object, id)
                on shown.object = given.object and shown.id = given.id
            where by_object is not null
        """
        rows = await (await self.evidence.connection.execute(query, _given(hidden))).fetchall()
        found: dict[Key, Key] = {(kind, one): (by, of) for kind, one, by, of in rows if (by, of) != (kind, one)}
        for key in hidden:
            if key not in found:
                shower = await shower_of(self.evidence.connection, self.evidence.account.id, key)
                if shower:
                    found[key] = shower
        return found

    async def _place(self, keys: Sequence[Key], before: Collection[Key], looked: Mapping[Key, State]) -> None:
        """Of what no list showed: is it there when asked for, or can nobody see it any more?"""
        showers = await self._showers(keys)
        shown = await self._shown([*keys, *showers.values()])
        unlisted = [
            key
            for key in keys
            if key in shown and key not in before and CATALOGUE[key[0]].at and self._should_be_listed(looked.get(key))
        ]
        unshown = [key for key in keys if key not in shown and self._is_hidden(key, shown, showers)]
        for some, where in ((unlisted, UNLISTED), (unshown, UNSHOWN)):
            await self.evidence.connection.execute(_PLACE, _given(some) | {"bucket": where})

    def _should_be_listed(self, state: State | None) -> bool:
        """Was it made before the lists were read?"""
        created = state.raw.get("created") if state else None
        return state is not None and not (isinstance(created, int) and created >= self.began)

    def _is_hidden(self, key: Key, shown: Mapping[Key, bool], showers: Mapping[Key, Key]) -> bool:
        """Does Stripe have no place where it would show this object, if it had it?"""
        kind, shower = key[0], showers.get(key)
        if kind in CARRIED_BY or CATALOGUE[kind].at or CATALOGUE[kind].carried:
            return False
        return kind in _THROUGH or shower is None or shown.get(shower, True)

    async def _shown(self, keys: Iterable[Key]) -> dict[Key, bool]:
        """Which of these Stripe has shown so far, and whether as gone."""
        query = b"""
            select shown.object, shown.id, shown.gone from shown
            join unnest(%(objects)s::text[], %(ids)s::text[]) as given (object, id)
                on shown.object = given.object and shown.id = given.id
        """
        rows = await (await self.evidence.connection.execute(query, _given(list(keys)))).fetchall()
        return {(kind, one): gone for kind, one, gone in rows}

    # ---- comparing again ----------------------------------------------------------------------------------------

    async def _compare(self, keys: Sequence[Key], states: Mapping[Key, State]) -> dict[Key, list[Difference]]:
        account = self.evidence.account
        found: dict[Key, list[Difference]] = {}
        contents = _contents(states.values())
        for name, group in groupby(sorted(keys), key=lambda key: key[0]):
            ids = [object_id for _, object_id in group]
            async for one in compare(
                self.evidence.connection,
                account.id,
                account.livemode,
                name,
                sample=self.evidence.sample,
                ids=ids,
                settled=True,
            ):
                found.setdefault((name, one.id), []).append(one)
        for key, these in found.items():
            if any(one.what == "differs" for one in these) and key in contents:
                fields = differing(await self._raw(key), contents[key])
                found[key] = [one._replace(fields=fields) if one.what == "differs" else one for one in these]
        return found

    async def _raw(self, key: Key) -> Payload:
        query = f"select raw from stripe.{CATALOGUE[key[0]].table} where account_id = %(account_id)s and id = %(id)s"
        given = {"account_id": self.evidence.account.id, "id": key[1]}
        row = await (await self.evidence.connection.execute(query.encode(), given)).fetchone()
        return row[0] if row else {}

    async def _unrest(self, keys: Collection[Key], showers: Mapping[Key, Key], since: Any) -> set[Key]:
        """Those that somebody wrote since, of which something waits, or of which an event is on its way."""
        connection, account_id = self.evidence.connection, self.evidence.account.id
        asked = [*keys, *(showers[key] for key in keys if key in showers)]
        rows = await (await connection.execute(_UNDER_WAY, _given(asked) | {"account_id": account_id})).fetchall()
        busy = {row[0] for row in rows} | set(await self.coming())
        for name, group in groupby(sorted(asked), key=lambda key: key[0]):
            query = (
                f"select id from stripe.{CATALOGUE[name].table}"
                " where account_id = %(account_id)s and id = any(%(ids)s) and synced_at >= %(since)s"
            )
            given = {"account_id": account_id, "ids": [one for _, one in group], "since": since}
            busy |= {row[0] for row in await (await connection.execute(query.encode(), given)).fetchall()}
        return {key for key in keys if key[1] in busy or (key in showers and showers[key][1] in busy)}


async def shower_of(connection: Connection, account_id: str, key: Key) -> Key | None:
    """The object Stripe shows a stored one in, as its row names it."""
    kind, object_id = key
    for column, parent in _ways(kind):
        query = f"""
            select parents.id from stripe.{CATALOGUE[kind].table} as stored
            join stripe.{CATALOGUE[parent].table} as parents
                on parents.account_id = stored.account_id and parents.id = stored.{column}
            where stored.account_id = %(account_id)s and stored.id = %(id)s
        """
        row = await (await connection.execute(query.encode(), {"account_id": account_id, "id": object_id})).fetchone()
        if row:
            return parent, row[0]
    return None


def _ways(kind: str) -> list[tuple[str, str]]:
    """Columns of a kind that may name an object that shows it, and the kind of that."""
    entry = CATALOGUE[kind]
    if kind in CHILDREN:
        parents = CATALOGUE.values()
        return [
            ("parent_id", one.name) for one in parents if any(n.child == kind for n in (*one.carried, *one.expanded))
        ]
    if kind in INSIDE_LISTS:
        return [(str(one.per), str(one.per)) for one in entry.listings]
    return list(_THROUGH.get(kind, {}).items())


def _given(keys: Sequence[Key]) -> dict[str, Any]:
    return {"objects": [kind for kind, _ in keys], "ids": [one for _, one in keys]}


def _contents(states: Iterable[State]) -> dict[Key, Payload]:
    """What was read of each object, of those inside another too."""
    found: dict[Key, Payload] = {}
    for state in states:
        found[state.key] = state.raw
        for nested in CATALOGUE[state.object].carried:
            for child in (state.raw.get(nested.field) or {}).get("data") or ():
                found[nested.child, child["id"]] = child
    return found
