"""Puts right what a verification found: Stripe's state over damaged rows, and what never reached us fetched.

What is only derived is rebuilt from the row's own JSON (reproject.py). Everything else is read from Stripe and written
over the row, unless somebody wrote that row meanwhile. A row that was damaged is no state the object ever had: it
leaves no version, but what the event it names really said does.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Problem, Refused
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.compare import Difference
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.evidence import INSIDE_LISTS, LISTED, Connection
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.normalise import event_states, read_states
from payment_kit.mirror.order import DELETED, READ, Key, State, latest
from payment_kit.mirror.reading import read_list, read_object
from payment_kit.mirror.reproject import reproject_rows
from payment_kit.mirror.second_look import shower_of
from payment_kit.mirror.settlement import itemise_payouts
from payment_kit.mirror.worker import Worker
from payment_kit.mirror.writer import write
from payment_kit.stripe_gateway.gateway import API_VERSION, StripeGateway

OBJECTS_AT_ONCE = 50
READS_AT_ONCE = 8

ACTIONS = {
    "rebuild": "rebuild from the JSON that is stored",
    "rewrite": "read from Stripe and write over the row",
    "replay": "fetch the event and apply it",
    "itemise": "read the payout's balance transactions again",
    "remove": "remove rows of an account nobody knows",
}
"""What a repair does, in words."""
_ACTION_OF = {"columns": "rebuild", "digest": "rebuild", "event": "replay", "itemisation": "itemise", "stray": "remove"}
_UNSOUND = frozenset({"order", "content", "digest"})
_PARSE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)

_FORGET_ITEMS = sql("verify.forget_items")
_EVENTS_ABOUT = sql("verify.events_about")
_NEWEST_VERSIONS = sql("verify.newest_versions")
_HAS_VERSION = sql("verify.has_version")
_DROP_VERSION = sql("verify.drop_version")
_KEEP_VERSIONS = sql("mirror.append_versions")


@dataclass(frozen=True, slots=True)
class Row:
    """What a row holds before it is repaired."""

    event: str
    time: float
    deleted: bool


def plan(differences: Iterable[Difference]) -> dict[str, dict[str, int]]:
    """What a repair would do: kind -> action (a key of `ACTIONS`) -> how many objects."""
    counted: dict[str, Counter[str]] = {}
    for (kind, _), whats in _by_object(differences).items():
        counted.setdefault(kind, Counter()).update(_actions(whats))
    return {kind: dict(actions) for kind, actions in counted.items()}


async def repair(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    differences: Mapping[str, Sequence[Difference]],
    *,
    worker: Worker | None = None,
) -> dict[str, int]:
    """Repair these differences (by account) of the key of `account`; returns how many objects each action was done for.

    Safe to repeat, and beside live traffic. Raises the gateway's problems; what was repaired before stays so.
    """
    worker = worker or Worker(pool, gateway, account.id)
    done: Counter[str] = Counter()
    for account_id, these in differences.items():
        one = Account(account_id, account.livemode, platform=account.id if account_id != account.id else None)
        mender = _Mender(gateway, pool, one, account.id, worker)
        done.update(await mender.run(_by_object(these)))
    return dict(done)


def _by_object(differences: Iterable[Difference]) -> dict[Key, list[Difference]]:
    found: dict[Key, list[Difference]] = {}
    for one in differences:
        found.setdefault((one.object, one.id), []).append(one)
    return found


def _actions(differences: Collection[Difference]) -> set[str]:
    """What has to be done for one object; a row that is read anew needs no rebuilding."""
    actions = {_ACTION_OF.get(one.what, "rewrite") for one in differences}
    return actions - {"rebuild"} if "rewrite" in actions else actions


@dataclass(slots=True)
class _Mender:
    """Of one account."""

    gateway: StripeGateway
    pool: Pool
    account: Account
    platform: str
    worker: Worker

    async def run(self, wrong: Mapping[Key, Sequence[Difference]]) -> Counter[str]:
        """Replay first: an event that never came may be all that is wrong."""
        todo: dict[str, list[Key]] = {name: [] for name in ACTIONS}
        for key, differences in wrong.items():
            for action in _actions(differences):
                todo[action].append(key)
        await self._replay([one for _, one in todo["replay"]])
        await self._remove(todo["remove"])
        for first in range(0, len(todo["rewrite"]), OBJECTS_AT_ONCE):
            some = {key: wrong[key] for key in todo["rewrite"][first : first + OBJECTS_AT_ONCE]}
            await self._rewrite(some)
        await self._rebuild(todo["rebuild"])
        await self._itemise([one for _, one in todo["itemise"]])
        await self.worker.drain()
        return Counter({name: len(keys) for name, keys in todo.items() if keys})

    async def _replay(self, events: Sequence[str]) -> None:
        inbox = Inbox(self.pool, self.account.id, self.platform)

        async def fetch(event_id: str) -> None:
            try:
                reply = await self.gateway.request(
                    "get", f"/v1/events/{event_id}", account=self.account.header, bulk=True
                )
            except NotFound:
                return
            await inbox.store_missing([envelope(orjson.dumps(reply.body))], "catch_up")

        await each(fetch, events, READS_AT_ONCE)
        await self.worker.drain()

    async def _remove(self, keys: Sequence[Key]) -> None:
        for kind, object_id in keys:
            query = f"""
                delete from stripe.{CATALOGUE[kind].table} as stored
                where id = %(id)s
                and not exists (select 1 from payment_kit.accounts where accounts.account_id = stored.account_id)
                and not exists (select 1 from payment_kit.inbox where inbox.account_id = stored.account_id)
            """
            async with self.pool.connection() as connection:
                await connection.execute(query.encode(), {"id": object_id})

    async def _itemise(self, payouts: Sequence[str]) -> None:
        for payout in payouts:
            async with self.pool.connection() as connection, connection.transaction():
                await connection.execute(_FORGET_ITEMS, {"account_id": self.account.id, "payout_id": payout})
        if payouts:
            await itemise_payouts(self.gateway, self.pool, self.account)

    async def _rebuild(self, keys: Sequence[Key]) -> None:
        for kind, object_id in keys:
            async with self.pool.connection() as connection:
                await reproject_rows(connection, self.account.id, kind, [object_id])

    # ---- rewriting ------------------------------------------------------------------------------------------------

    async def _rewrite(self, wrong: Mapping[Key, Sequence[Difference]]) -> None:
        """Each object's state from Stripe over its row; of a carried one that of the object that carries it."""
        targets: dict[Key, set[str]] = {}
        for key, differences in wrong.items():
            carrier = await self._carrier(key, differences)
            if carrier:
                targets.setdefault(carrier, set())
            if not carrier or key[0] not in CARRIED_BY:
                targets.setdefault(key, set()).update(one.what for one in differences)
        via = {key: _via(these) for key, these in wrong.items() if _via(these)}
        answers = dict(await each(lambda key: self._answer(key, via.get(key)), list(targets), READS_AT_ONCE))
        for key, whats in targets.items():
            if key[0] not in CARRIED_BY:
                await self._over(key, answers[key], damaged=bool(whats & _UNSOUND))
        await self._rebuild(list(targets))
        await self._buried([key for key in wrong if key[0] in CARRIED_BY])

    async def _carrier(self, key: Key, differences: Sequence[Difference]) -> Key | None:
        if key[0] not in CARRIED_BY:
            return None
        via = _via(differences)
        if via:
            return via[0], via[1]
        async with self.pool.connection() as connection:
            return await shower_of(connection, self.account.id, key)

    async def _answer(self, key: Key, via: Sequence[str] | None) -> tuple[Key, list[State] | None]:
        """What Stripe shows of an object now; None when it has no place to show it."""
        where: Key | None = (via[0], via[1]) if via else key
        if not via and not CATALOGUE[key[0]].at and not CATALOGUE[key[0]].carried:
            async with self.pool.connection() as connection:
                where = await shower_of(connection, self.account.id, key)
        if where is None:
            return key, None
        try:
            return key, await self._read(key, where)
        except Refused:
            return key, None
        except NotFound as problem:
            return key, [await self._gone(key, problem)] if where == key else None

    async def _read(self, key: Key, where: Key) -> list[State] | None:
        if key[0] in INSIDE_LISTS:
            listing = next(one for one in LISTED[key[0]] if one.per == where[0])
            read = await read_list(self.gateway, listing, where[1], account=self.account.header, bulk=True)
        else:
            read = await read_object(
                self.gateway, CATALOGUE[where[0]], where[1], account=self.account.header, bulk=True
            )
        states = read_states(read.payloads, time=read.time, request_id=read.request_id, api_version=API_VERSION)
        mine = [state for state in states if state.key == key]
        if mine or key[0] not in INSIDE_LISTS:
            return mine or None
        return [State(*key, _stub(key), read.time, (DELETED,), READ + read.request_id, API_VERSION, deleted=True)]

    async def _gone(self, key: Key, problem: Problem) -> State:
        now = await self.gateway.page("/v1/events", {"limit": 1}, account=self.account.header)
        event = READ + (problem.metadata.get("request_id") or now.request_id)
        return State(*key, _stub(key), now.server_time, (DELETED,), event, API_VERSION, deleted=True)

    async def _over(self, key: Key, answer: Sequence[State] | None, *, damaged: bool) -> None:
        """Write it over the row, in one transaction with what the row's past needs."""
        async with self.pool.connection() as connection, connection.transaction():
            row = await self._row(connection, key)
            told = await self._told(connection, key)
            state = await self._wanted(connection, key, answer, told)
            if state is None:
                return
            given = {"account_id": self.account.id, "object": key[0], "id": key[1]}
            bogus = None
            if row and damaged:
                bogus = given | {"event": row.event, "time": row.time}
                there = await (await connection.execute(_HAS_VERSION, bogus)).fetchone()
                bogus = None if there else bogus
            state = replace(state, after=row.event if row else None)
            await write(
                connection, self.account.id, self.account.livemode, [state], platform=self.platform, repair=True
            )
            if bogus:
                await connection.execute(b"set local payment_kit.may_change_history = 'yes'")
                await connection.execute(_DROP_VERSION, bogus)
                await connection.execute(b"set local payment_kit.may_change_history = 'no'")
            keep = [one for one in told if one.event != state.event] if damaged else []
            if keep:
                await connection.execute(_KEEP_VERSIONS, {"account_id": self.account.id, "rows": _lines(keep)})

    async def _wanted(
        self, connection: Connection, key: Key, answer: Sequence[State] | None, told: Sequence[State]
    ) -> State | None:
        """The state the row should hold: Stripe's; of a deleted object what its last event or version said."""
        newest = latest(told) if told else None
        live = answer[0] if answer and not answer[0].deleted else None
        if live or (answer is None and newest and not newest.deleted):
            return live or newest
        if newest and newest.deleted:
            return newest
        if not answer:
            return None
        row = await (
            await connection.execute(
                _NEWEST_VERSIONS, {"account_id": self.account.id, "object": key[0], "ids": [key[1]]}
            )
        ).fetchone()
        return replace(answer[0], raw=row[1]) if row else answer[0]

    async def _row(self, connection: Connection, key: Key) -> Row | None:
        query = f"""
            select source_event, extract(epoch from source_time)::double precision, deleted_at is not null
            from stripe.{CATALOGUE[key[0]].table} where account_id = %(account_id)s and id = %(id)s for update
        """
        given = {"account_id": self.account.id, "id": key[1]}
        row = await (await connection.execute(query.encode(), given)).fetchone()
        return Row(*row) if row else None

    async def _told(self, connection: Connection, key: Key) -> list[State]:
        """Every state of an object that its own events told."""
        given = {"account_id": self.account.id, "object_id": key[1]}
        found: list[State] = []
        for (body,) in await (await connection.execute(_EVENTS_ABOUT, given)).fetchall():
            try:
                event = orjson.loads(body)
                states = event_states(event)
            except _PARSE:
                continue
            found += [state for state in states if state.key == key]
        return found

    async def _buried(self, keys: Sequence[Key]) -> None:
        """Child rows that no parent carries any more: what they last were, under the parent that carried them."""
        for kind, object_id in keys:
            entry = CARRIED_BY[kind]
            nested = next(one for one in entry.carried if one.child == kind)
            query = f"""
                with last as (
                    select raw from payment_kit.versions
                    where account_id = %(account_id)s and object = '{kind}' and id = %(id)s and not deleted
                    order by source_time desc, source_progress desc, recorded_at desc limit 1
                ), carrier as (
                    select parents.* from stripe.{entry.table} as parents
                    join payment_kit.versions as earlier
                        on earlier.account_id = parents.account_id and earlier.object = '{entry.name}'
                        and earlier.id = parents.id
                    where parents.account_id = %(account_id)s
                    and earlier.raw->'{nested.field}'->'data'
                        @> jsonb_build_array(jsonb_build_object('id', %(id)s::text))
                    limit 1
                )
                update stripe.{CATALOGUE[kind].table} as stored
                set raw = coalesce((select raw from last), stored.raw), parent_id = carrier.id,
                    livemode = carrier.livemode, api_version = carrier.api_version, digest = null,
                    source_time = carrier.source_time, source_progress = carrier.source_progress,
                    source_event = carrier.source_event, deleted_at = carrier.source_time, synced_at = now()
                from carrier
                where stored.account_id = %(account_id)s and stored.id = %(id)s and stored.deleted_at is not null
            """
            given = {"account_id": self.account.id, "id": object_id}
            async with self.pool.connection() as connection:
                await connection.execute(query.encode(), given)
                await reproject_rows(connection, self.account.id, kind, [object_id])


def _via(differences: Iterable[Difference]) -> Sequence[str]:
    return next((one.via for one in differences if one.via), ())


def _stub(key: Key) -> dict[str, Any]:
    return {"id": key[1], "object": key[0], "deleted": True}


def _lines(states: Sequence[State]) -> str:
    rows = [
        {
            "object": one.object,
            "id": one.id,
            "raw": one.raw,
            "api_version": one.api_version,
            "at": one.time,
            "progress": one.progress,
            "event": one.event,
            "deleted": one.deleted,
        }
        for one in states
    ]
    return orjson.dumps(rows).decode()
