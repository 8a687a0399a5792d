"""What Stripe shows of one account: every object of every list, as `id, month, digest`, in a table of this session.

The table (`pg_temp.shown`) keeps the memory of this process flat however much Stripe holds; comparing is PostgreSQL's
work (compare.py). Objects are brought into the canonical shape by the same rules as everything the mirror writes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson
import psycopg

from payment_kit.errors import NotFound, Refused, UsageProblem
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.order import Key, State
from payment_kit.mirror.reading import Reading, complete, expanding, parameters, read_list, read_object
from payment_kit.mirror.stripe_object import Listing, Payload, StripeObject
from payment_kit.mirror.writer import digest
from payment_kit.stripe_gateway.gateway import API_VERSION, StripeGateway

Connection = psycopg.AsyncConnection[Any]

KINDS_AT_ONCE = 4
READS_AT_ONCE = 8
PARENTS_MAX = 200
SHARE_STEPS = 1 << 32
UNTIMED = "all"
"""The bucket of objects that do not tell when they were made."""

LISTED = {name: [one for one in entry.listings if one.swept] for name, entry in CATALOGUE.items()}
EXPANDED = frozenset(nested.child for entry in CATALOGUE.values() for nested in entry.expanded)
INSIDE = (frozenset(name for name, listings in LISTED.items() if not listings) - frozenset(CARRIED_BY)) | EXPANDED
"""Kinds that are found inside others, or by their ids; no list of their own shows them all."""
INSIDE_LISTS = frozenset(
    name
    for name, listings in LISTED.items()
    if listings and all(one.per for one in listings) and not CATALOGUE[name].at
)
"""Kinds Stripe shows in a list of their parent only."""
THROUGH_OTHERS = INSIDE | INSIDE_LISTS | frozenset(CARRIED_BY)
UNLISTED, UNSHOWN = "unlisted", "unshown"
"""Buckets of objects that Stripe shows when asked for them, but in no list; and of those it shows nowhere any more."""
REFERRED = {kind: (entry.name, fields) for entry in CATALOGUE.values() for kind, fields in dict(entry.refers).items()}
SUMMARIES = {name: entry.carried[0] for name, entry in CATALOGUE.items() if entry.at is None and entry.carried}
"""Kinds that are put together from a list: only what they carry can be compared."""

CREATE = """
create temp table if not exists shown (
    object text not null,
    id text not null,
    bucket text,
    digest bytea,
    parent text,
    by_object text,
    by_id text,
    gone boolean not null default false,
    primary key (object, id)
)
"""
_PUT = b"""
insert into shown (object, id, bucket, digest, parent, by_object, by_id, gone)
select object, id, bucket, decode(digest, 'hex'), parent, by_object, by_id, gone
from jsonb_to_recordset(%(rows)s::jsonb) as given (
    object text, id text, bucket text, digest text, parent text, by_object text, by_id text, gone boolean
)
on conflict (object, id) do update set
    bucket = excluded.bucket, digest = excluded.digest, parent = excluded.parent,
    by_object = excluded.by_object, by_id = excluded.by_id, gone = excluded.gone
where shown.digest is null and excluded.digest is not null
"""
_AFTER = b"select id from shown where object = %(object)s and not gone and id > %(after)s order by id limit %(limit)s"
_UNREAD = b"""
select id from shown where object = %(object)s and not gone and digest is null and bucket is null and id > %(after)s
order by id limit %(limit)s
"""
_FORGET = b"""
delete from shown where (object, id) in (select * from unnest(%(objects)s::text[], %(ids)s::text[]))
or (
    object = any(%(again)s::text[])
    and (by_object, by_id) in (select * from unnest(%(objects)s::text[], %(ids)s::text[]))
)
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Which objects have every field compared: `share` of them, the same ones for the same `seed`."""

    share: float
    seed: int

    def takes(self, kind: str, object_id: str) -> bool:
        """Is it one of them? What hangs on an object is taken with that object."""
        text = f"{self.seed}:{kind}:{object_id}".encode()
        return int.from_bytes(blake2b(text, digest_size=4).digest()) < self.share * SHARE_STEPS


EVERYTHING = Sample(1.0, 0)


@dataclass(slots=True)
class Evidence:
    """Stripe's side of one account, gathered over one database connection that holds the table."""

    gateway: StripeGateway
    connection: Connection
    account: Account
    sample: Sample = EVERYTHING
    tell: Callable[[str, int], None] = lambda _kind, _objects: None
    refused: dict[str, str] = field(default_factory=dict)
    """Kinds whose list Stripe refuses this key, and why."""

    async def gather(self, kinds: Sequence[str]) -> None:
        """List every object of these kinds. Raises the gateway's problems, refusals of permission excepted."""
        await self.connection.execute(CREATE.encode())
        await self.connection.execute(b"truncate shown")
        left = [name for name in kinds if LISTED[name]]
        while left:
            parents = {listing.per for name in left for listing in LISTED[name]}
            wave = [name for name in left if not {one.per for one in LISTED[name]} & (set(left) - {name})]
            await each(self._list_kind, sorted(wave, key=lambda name: name not in parents), KINDS_AT_ONCE)
            left = [name for name in left if name not in wave]
        for name in kinds:
            if name in REFERRED and CATALOGUE[name].at:
                await self._in_batches(_UNREAD, name, lambda one, name=name: self._retrieve(name, one))  # type: ignore[misc]
        await self._summaries(kinds)

    async def _list_kind(self, name: str) -> None:
        entry = CATALOGUE[name]
        try:
            for listing in LISTED[name]:
                if listing.per:
                    await self._in_batches(_AFTER, listing.per, lambda one, of=listing: self._list_of(entry, of, one))  # type: ignore[misc]
                else:
                    await self._list_pages(entry, listing)
        except (Refused, NotFound, UsageProblem) as refused:
            self.refused[name] = refused.reason

    async def _list_pages(self, entry: StripeObject, listing: Listing) -> None:
        asked = {**parameters(listing), **expanding(entry, "data.")}
        async for page in self.gateway.list(listing.path, asked, account=self.account.header, bulk=True, ahead=1):
            await self._whole(entry, page.data)
            await self._put(entry, page.data, page.server_time)

    async def _list_of(self, entry: StripeObject, listing: Listing, parent: str) -> None:
        try:
            read = await read_list(self.gateway, listing, parent, account=self.account.header, bulk=True)
        except NotFound:
            return
        await self._whole(entry, read.payloads)
        await self._put(entry, read.payloads, read.time, by=(str(listing.per), parent))

    async def _whole(self, entry: StripeObject, payloads: Sequence[Payload]) -> None:
        """Complete what Stripe cut, of the objects that are compared field by field."""
        taken = [one for one in payloads if self.sample.takes(entry.name, str(one.get(entry.id_field)))]
        await complete(self.gateway, entry, taken, account=self.account.header, bulk=True)  # type: ignore[arg-type]

    async def _retrieve(self, name: str, object_id: str) -> None:
        if self.sample.takes(name, object_id):
            await self.look([(name, object_id)], {})

    async def _summaries(self, kinds: Sequence[str]) -> None:
        """What no list of its own shows, customer by customer, if the account has any of it at all."""
        row = await (
            await self.connection.execute(b"select exists(select 1 from shown where object = 'entitlements.feature')")
        ).fetchone()
        for name in SUMMARIES:
            if name in kinds and row and row[0]:
                await self._in_batches(_AFTER, "customer", lambda one, name=name: self._read_summary(name, one))  # type: ignore[misc]

    async def _read_summary(self, name: str, object_id: str) -> None:
        try:
            read = await read_object(self.gateway, CATALOGUE[name], object_id, account=self.account.header, bulk=True)
        except (NotFound, Refused):
            return
        if read.payloads[0][SUMMARIES[name].field]["data"]:
            await self._put(CATALOGUE[name], read.payloads, read.time)

    async def _in_batches(self, query: bytes, kind: str, function: Callable[[str], Any]) -> None:
        """`function` of every object shown of a kind, several at a time."""
        after = ""
        while True:
            given = {"object": kind, "after": after, "limit": PARENTS_MAX}
            rows = await (await self.connection.execute(query, given)).fetchall()
            if not rows:
                return
            await each(function, [row[0] for row in rows], READS_AT_ONCE)
            after = rows[-1][0]

    # ---- the second look --------------------------------------------------------------------------------------------

    async def look(self, keys: Iterable[Key], showers: Mapping[Key, Key]) -> dict[Key, State]:
        """Read some objects again, each through the one that shows it (`showers`), and forget what was shown before.

        What Stripe does not know (any more) is shown as gone. Returns the states read.
        """
        wanted = dict.fromkeys(showers.get(key, key) for key in keys)
        found: dict[Key, State] = {}
        await self.connection.execute(
            _FORGET,
            {
                "objects": [kind for kind, _ in wanted],
                "ids": [one for _, one in wanted],
                "again": list(THROUGH_OTHERS),
            },
        )

        async def read(key: Key) -> None:
            try:
                answer = await self._answer(key)
            except NotFound:
                await self._insert([_line(State(*key, {}, 0, (), ""), None, key, gone=True)])
                return
            for payload in answer.payloads:
                states = await self._put_one(CATALOGUE[key[0]], payload, answer.time, key)
                found.update({state.key: state for state in states})

        await each(read, wanted, READS_AT_ONCE)
        return found

    async def _answer(self, key: Key) -> Reading:
        entry = CATALOGUE[key[0]]
        return await read_object(self.gateway, entry, key[1], account=self.account.header, bulk=True)

    async def _put_one(self, entry: StripeObject, payload: Payload, time: int, key: Key) -> list[State]:
        states = _states(payload, time)
        lines = _lines(entry, states, key, self.sample)
        lists = [(name, one) for name in INSIDE_LISTS for one in LISTED[name] if one.per == entry.name]
        for name, listing in lists if states and not states[0].deleted else ():
            read = await read_list(self.gateway, listing, key[1], account=self.account.header, bulk=True)
            for one in read.payloads:
                more = _states(one, read.time)
                lines += _lines(CATALOGUE[name], more, key, self.sample)
                states += more
        await self._insert(lines)
        return states

    # ---- the table --------------------------------------------------------------------------------------------------

    async def _put(self, entry: StripeObject, payloads: Sequence[Payload], time: int, by: Key | None = None) -> None:
        lines: list[dict[str, Any]] = []
        for payload in payloads:
            key = by or (entry.name, str(payload.get(entry.id_field)))
            lines += _lines(entry, _states(payload, time), key, self.sample)
        await self._insert(lines)
        self.tell(entry.table, len(payloads))

    async def _insert(self, lines: Sequence[dict[str, Any]]) -> None:
        if lines:
            kept = {(one["object"], one["id"]): one for one in reversed(lines)}
            await self.connection.execute(_PUT, {"rows": orjson.dumps(list(kept.values())).decode()})


def _states(payload: Payload, time: int) -> list[State]:
    return read_states([payload], time=time, request_id="", api_version=API_VERSION)


def _lines(entry: StripeObject, states: Sequence[State], by: Key, sample: Sample) -> list[dict[str, Any]]:
    """The rows of the table for what one payload shows: itself, what no list shows, and what these carry."""
    lines = []
    for position, state in enumerate(states):
        if (position == 0 and state.object == entry.name) or state.object in INSIDE:
            taken = sample.takes(*by)
            summary = state.object in SUMMARIES
            lines.append(_line(state, digest(state.raw) if taken and not summary else None, by, gone=state.deleted))
            lines += _carried(state, by, taken=taken) + _referred(state)
    return lines


def _line(state: State, found: bytes | None, by: Key, *, gone: bool = False) -> dict[str, Any]:
    return {
        "object": state.object,
        "id": state.id,
        "bucket": bucket(state.raw),
        "digest": found.hex() if found else None,
        "parent": state.parent,
        "by_object": by[0],
        "by_id": by[1],
        "gone": gone,
    }


def _carried(state: State, by: Key, *, taken: bool) -> list[dict[str, Any]]:
    lines = []
    for nested in CATALOGUE[state.object].carried if not state.deleted else ():
        for child in (state.raw.get(nested.field) or {}).get("data") or ():
            one = State(nested.child, child["id"], child, state.time, (), "", parent=state.id)
            lines.append(_line(one, digest(child) if taken else None, by))
    return lines


def _referred(state: State) -> list[dict[str, Any]]:
    """Objects known by their ids only; they are read one by one later."""
    ids = {
        (kind, str(state.raw[name]))
        for kind, names in dict(CATALOGUE[state.object].refers).items()
        for name in names
        if state.raw.get(name)
    }
    return [{**_line(State(*key, {}, 0, (), ""), None, key), "bucket": None} for key in sorted(ids)]


def bucket(raw: Payload) -> str:
    """The month of its creation in UTC, e.g. ``2026-07``."""
    created = raw.get("created")
    if not isinstance(created, int) or isinstance(created, bool):
        return UNTIMED
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m")
