"""Silent damage to a mirror: single fields, rows and events, changed behind its back.

    python -m tests.mirror.damage --cases 1000

damages a mirror of everything in rounds; each thing must be named by one `verify`, and `repair` brings equality back.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from pydantic import SecretStr

from payment_kit.database.connection import Pool, connect_async, open_pool
from payment_kit.database.embedded import throwaway
from payment_kit.database.migrations import migrate
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catalogue import CATALOGUE, CHILDREN
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.connect import for_each_account
from payment_kit.mirror.repair import repair
from payment_kit.mirror.settlement import pull_settlement
from payment_kit.mirror.verification import Report
from payment_kit.mirror.verify import verify
from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.everything import everything

ROUND = 200
DAYS = 24 * 3600
EVENTS_SECONDS = 29 * DAYS - 60
Connection = psycopg.AsyncConnection[Any]
Json = Any


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing done: to which object, and what, in words for a failure."""

    object: str
    id: str
    what: str


async def mirror_everything(gateway: StripeGateway, pool: Pool) -> Account:
    """A mirror whose rows came by events where there are any, and by reads otherwise."""
    account = await identify(gateway, pool)
    now = (await gateway.page("/v1/events", {"limit": 1})).server_time
    async with pool.connection() as connection:
        await connection.execute(
            "insert into payment_kit.sync_state (account_id, stream, complete_through, started_at, finished_at)"
            " values (%s, 'events', to_timestamp(%s), now(), now())",
            [account.id, now - EVENTS_SECONDS],
        )

    async def read(one: Account) -> None:
        await catch_up(gateway, pool, one)
        await backfill(gateway, pool, one)

    await for_each_account(pool, account, read)
    await pull_settlement(gateway, pool, account)
    return account


async def snapshot(pool: Pool) -> dict[tuple[str, str], Json]:
    """Every row without its order and the time of its writing."""
    found: dict[tuple[str, str], Json] = {}
    async with pool.connection() as connection:
        for entry in CATALOGUE.values():
            query = f"""
                select id, to_jsonb(stored) - array['source_time', 'source_progress', 'source_event', 'synced_at',
                    'deleted_at', 'api_version'] || jsonb_build_object('deleted', deleted_at is not null)
                from stripe.{entry.table} as stored
            """
            rows = await (await connection.execute(query.encode())).fetchall()
            found |= {(entry.name, row[0]): row[1] for row in rows}
        items = "select payout_id, array_agg(balance_transaction_id order by 2) from stripe.payout_balance_transactions"
        items = items.replace("order by 2", "order by balance_transaction_id")
        rows = await (await connection.execute(f"{items} group by 1".encode())).fetchall()
        found |= {("itemisation", row[0]): row[1] for row in rows}
    return found


class Vandal:
    """Damages each object once; `seed` decides what and how."""

    def __init__(self, connection: Connection, account: str, now: int, seed: int) -> None:
        self._connection = connection
        self._account = account
        self._now = now
        self._dice = random.Random(seed)

    async def damage(self, count: int) -> list[Damage]:
        """Damage `count` different objects, without a trigger that would notice."""
        await self._connection.execute("set session_replication_role = replica")
        objects = await self._objects()
        events = await self._events()
        self._dice.shuffle(objects)
        self._dice.shuffle(events)
        done: list[Damage] = []
        while len(done) < count:
            if events and self._dice.random() < 0.1:
                done.append(await self._miss(events.pop()))
                continue
            one = await self._harm(*objects.pop())
            done += [one] if one else []
        await self._connection.execute("set session_replication_role = default")
        return done

    async def _objects(self) -> list[tuple[str, str]]:
        found = []
        for entry in CATALOGUE.values():
            rows = await (
                await self._connection.execute(
                    f"select id from stripe.{entry.table} group by id having count(*) = 1 order by id".encode()
                )
            ).fetchall()
            found += [(entry.name, row[0]) for row in rows]
        return found

    async def _events(self) -> list[str]:
        query = "select event_id from payment_kit.inbox where created > to_timestamp(%s) order by event_id"
        rows = await (await self._connection.execute(query.encode(), [self._now - EVENTS_SECONDS])).fetchall()
        return [row[0] for row in rows]

    async def _harm(self, kind: str, object_id: str) -> Damage | None:
        ways: dict[str, Callable[[str, str], Any]] = {
            "column": self._column,
            "raw": self._raw,
            "delete": self._delete,
            "set": self._set,
        }
        names = ["column", "raw", "raw", "delete", "set", "set"]
        if kind == "payout" and self._dice.random() < 0.5:
            done = await self._unlink(object_id)
            if done:
                return Damage(kind, object_id, done)
        name = self._dice.choice(names)
        return Damage(kind, object_id, await ways[name](kind, object_id))

    async def _column(self, kind: str, object_id: str) -> str:
        column = self._dice.choice(CATALOGUE[kind].columns)
        value = {
            "bigint": f"coalesce({column.name}, 0) + 1",
            "numeric": f"coalesce({column.name}, 0) + 0.5",
            "boolean": f"not coalesce({column.name}, false)",
            "time": f"coalesce({column.name}, now()) + interval '1 second'",
            "json": "'{\"planted\": 1}'",
        }.get(column.kind, f"coalesce({column.name}, '') || 'x'")
        await self._update(kind, object_id, f"{column.name} = {value}")
        return f"column {column.name}"

    async def _raw(self, kind: str, object_id: str) -> str:
        query = f"select raw from stripe.{CATALOGUE[kind].table} where id = %s"
        row = await (await self._connection.execute(query.encode(), [object_id])).fetchone()
        assert row
        path, changed = self._changed(row[0], [])
        statement = f"update stripe.{CATALOGUE[kind].table} set raw = %s where id = %s"
        await self._connection.execute(statement.encode(), [orjson.dumps(changed).decode(), object_id])
        return f"raw {'.'.join(path)}"

    def _changed(self, value: Json, path: list[str]) -> tuple[list[str], Json]:
        """The same JSON but for one place."""
        if isinstance(value, dict) and value:
            name = self._dice.choice(sorted(value))
            if not path and name in ("id", "object"):
                return (
                    self._changed({**value, "planted": 0}, ["planted"])
                    if len(value) < 4
                    else self._changed(value, path)
                )
            if self._dice.random() < 0.1:
                return [*path, name, "gone"], {key: inner for key, inner in value.items() if key != name}
            where, inner = self._changed(value[name], [*path, name])
            return where, {**value, name: inner}
        if isinstance(value, list) and value:
            place = self._dice.randrange(len(value))
            where, inner = self._changed(value[place], [*path, str(place)])
            return where, [*value[:place], inner, *value[place + 1 :]]
        if isinstance(value, bool):
            return path, not value
        if isinstance(value, int | float):
            return path, value + 1
        return path, f"{value}x" if isinstance(value, str) else "planted"

    async def _delete(self, kind: str, object_id: str) -> str:
        statement = f"delete from stripe.{CATALOGUE[kind].table} where id = %s"
        await self._connection.execute(statement.encode(), [object_id])
        return "deleted row"

    async def _set(self, kind: str, object_id: str) -> str:
        ways = [
            "digest = '\\x00'",
            "livemode = not livemode",
            "account_id = 'acct_nobody'",
            "source_time = source_time + interval '7 seconds'",
            "source_time = source_time - interval '1 day'",
            "source_progress = source_progress || 7::bigint",
            "source_event = 'evt_nobody'",
            "source_event = 'read:req_nobody'",
            "api_version = '2019-01-01'",
            "deleted_at = case when deleted_at is null then source_time end",
        ]
        if kind in CHILDREN:
            ways += ["parent_id = parent_id || 'x'"] * 2
        way = self._dice.choice(ways)
        await self._update(kind, object_id, way)
        return way

    async def _update(self, kind: str, object_id: str, setting: str) -> None:
        await self._connection.execute(
            f"update stripe.{CATALOGUE[kind].table} set {setting} where id = %s".encode(), [object_id]
        )

    async def _unlink(self, payout: str) -> str:
        query = "delete from stripe.payout_balance_transactions where payout_id = %s and balance_transaction_id in ("
        query += "select min(balance_transaction_id) from stripe.payout_balance_transactions where payout_id = %s)"
        gone = (await self._connection.execute(query.encode(), [payout, payout])).rowcount
        return "itemisation" if gone else ""

    async def _miss(self, event_id: str) -> Damage:
        """The event and everything it left are gone, as if it had never come."""
        await self._connection.execute("delete from payment_kit.versions where source_event = %s", [event_id])
        await self._connection.execute("delete from payment_kit.inbox where event_id = %s", [event_id])
        return Damage("event", event_id, "missed event")


def found_by(report: Report) -> set[tuple[str, str]]:
    """What a report names, by kind and id."""
    return {(one.object, one.id) for account in report.accounts for one in account.differences}


def differences_in(report: Report) -> Mapping[str, Any]:
    """What a repair is given."""
    return {account.account: account.differences for account in report.accounts}


async def round_of(
    gateway: StripeGateway, pool: Pool, dsn: str, account: Account, now: int, seed: int, count: int
) -> tuple[list[Damage], list[str], Counter[str]]:
    """Damage, verify, repair, verify: (what was not found, what is not equal afterwards, what was done)."""
    before = await snapshot(pool)
    connection = await connect_async(dsn)
    try:
        done = await Vandal(connection, account.id, now, seed).damage(count)
    finally:
        await connection.close()
    report = await verify(gateway, pool, account, patience_seconds=0)
    named = found_by(report)
    missed = [one for one in done if (one.object, one.id) not in named]
    await repair(gateway, pool, account, differences_in(report))
    again = await verify(gateway, pool, account, patience_seconds=0)
    after = await snapshot(pool)
    wrong = [
        f"{' '.join(key)} is not as before" for key in before.keys() | after.keys() if before.get(key) != after.get(key)
    ]
    wrong += [f"still {this}" for one in again.accounts for this in one.differences] + [again.verdict] * (
        again.verdict != "COMPLETE"
    )
    wrong += [words for one in again.accounts for words in one.pending]
    names = " ".join(wrong)
    wrong += [f"after {one}" for one in done if one.id in names]
    return missed, wrong, Counter(one.what.partition(" ")[0] for one in done)


async def _main(cases: int, seed: int, sandbox: Sandbox) -> int:
    key = SecretStr(sandbox.api_key)
    with throwaway() as dsn:
        migrate(dsn)
        async with (
            SandboxServer(sandbox),
            await open_pool(dsn, max_size=4, name="damage") as pool,
            StripeGateway(key, base=sandbox.url) as gateway,
        ):
            return await _rounds(gateway, pool, dsn, cases, seed, sandbox)


async def _rounds(gateway: StripeGateway, pool: Pool, dsn: str, cases: int, seed: int, sandbox: Sandbox) -> int:
    account = await mirror_everything(gateway, pool)
    done, began = Counter[str](), time.monotonic()
    for first in range(0, cases, ROUND):
        count = min(ROUND, cases - first)
        missed, wrong, counted = await round_of(gateway, pool, dsn, account, sandbox.now, seed + first, count)
        done.update(counted)
        if missed or wrong:
            print(f"seed {seed + first}: not found {missed}, not repaired {wrong}")
            return 1
    seconds = time.monotonic() - began
    print(f"{done.total()} cases of silent damage, all found and repaired in {seconds:.0f} s: {dict(done)}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Damage a mirror silently; verify must find all of it.")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(asyncio.run(_main(given.cases, given.seed, everything())))
