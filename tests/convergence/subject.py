"""The mirror under test, with two workers, as an installation has it: everything the suite asks of it in one place."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from payment_kit.database.connection import Pool
from payment_kit.errors import Problem
from payment_kit.mirror import accounts
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.connect import for_each_account
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.worker import Worker
from payment_kit.payments.mirroring import Mirror, Seen
from payment_kit.payments.reading import Reader
from payment_kit.sandbox.ids import share
from tests.convergence.account import Account
from tests.convergence.near import NearGateway

_OLDER = """
update payment_kit.inbox set available_at = now() - interval '1 day', received_at = received_at - interval '1 day'
where outcome is null and account_id = any(%s)
"""
_OLDER_DEBTS = "update payment_kit.owed set available_at = now() - interval '1 day' where platform = %s"
_WAITING = """
select (select count(*) from payment_kit.inbox where outcome is null and platform = %(platform)s)
    + (select count(*) from payment_kit.owed where platform = %(platform)s)
"""
_STORED = "select event_id from payment_kit.inbox where account_id = any(%s)"
_DEAD = "select event_id, last_error from payment_kit.inbox where outcome = 'dead' and account_id = any(%s)"
_COUNTED = """
select count(*) filter (where source = 'catch_up'), count(*) filter (where outcome = 'stale')
from payment_kit.inbox where account_id = any(%s)
"""
_CAUGHT_UP = """
insert into payment_kit.sync_state (account_id, stream, complete_through, started_at, finished_at)
values (%s, 'events', to_timestamp(%s), now(), now())
on conflict do nothing
"""


MET_EMPTY = 0.97
"""Of the connected accounts: the others are listed whole when they are first caught up with."""


class Subject:
    """The mirror of one account."""

    def __init__(self, pool: Pool, account: Account) -> None:
        self.pool, self.account = pool, account
        self.gateway = NearGateway(account)
        self._met = {account.id}
        self.inbox = Inbox(pool, account.id)
        self.workers = [Worker(pool, self.gateway, account.id) for _ in range(2)]
        self.replies = Mirror(Reader(pool, account.id), self.gateway, livemode=False)

    async def open(self) -> None:
        """Set up while the account is still empty: what happens from now on is in Stripe's list of events."""
        self.known = await accounts.identify(self.gateway, self.pool)
        async with self.pool.connection() as connection:
            await connection.execute(_CAUGHT_UP, [self.account.id, self.account.now])

    async def close(self) -> None:
        """Give the gateway's session back."""
        await self.gateway.__aexit__(None, None, None)

    async def store(self, bodies: Sequence[bytes]) -> None:
        """Deliver webhooks side by side; returning is the acknowledgement of all."""
        async with asyncio.TaskGroup() as deliveries:
            for body in bodies:
                deliveries.create_task(self.inbox.store(envelope(body), "webhook"))

    def restart_receiver(self) -> None:
        """A new process receives from now on."""
        self.inbox = Inbox(self.pool, self.account.id)

    async def work(self, worker: int = 0) -> None:
        """One worker does what is due."""
        await self.workers[worker].drain()

    async def backfill(self, objects: Sequence[str] | None = None) -> None:
        """List objects into the mirror."""
        await backfill(self.gateway, self.pool, self.known, objects=objects)

    async def catch_up(self) -> None:
        """What webhooks did not bring, of every account the key reaches."""
        await for_each_account(self.pool, self.known, self._catch_up)

    async def _catch_up(self, account: accounts.Account) -> None:
        await catch_up(self.gateway, self.pool, account, worker=self.workers[0])

    async def meet(self) -> None:
        """Know of accounts that were connected: most installations hear of them while they are empty."""
        for id_ in self.ids:
            if id_ not in self._met and share("meet", id_) < MET_EMPTY:
                async with self.pool.connection() as connection:
                    await connection.execute(_CAUGHT_UP, [id_, self.account.now])
            self._met.add(id_)

    async def command(self, kind: str, id_: str | None, path: str, params: dict[str, Any], key: str) -> None:
        """A write as the service does it: Stripe's answer is in the mirror when its caller hears of it."""
        before = await self.replies.standing(kind, id_) if id_ else None
        seen = Seen()
        try:
            seen.add(await self.gateway.request("post", path, params, idempotency_key=key), before=before)
        except Problem:
            return
        async with self.pool.connection() as connection, connection.transaction():
            refused = await self.replies.write(connection, seen)
        await self.replies.read_again(refused)

    async def let_time_pass(self) -> None:
        """A day of the database's clock: whatever was put off is due."""
        async with self.pool.connection() as connection:
            await connection.execute(_OLDER, [self.ids])
            await connection.execute(_OLDER_DEBTS, [self.account.id])

    async def lag(self) -> int:
        """How many events wait to be applied and how many reads are owed."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_WAITING, {"platform": self.account.id})).fetchone()
        return row[0] if row else 0

    async def counted(self) -> Counter[str]:
        """What the mirror did about the disorder."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_COUNTED, [self.ids])).fetchone()
        healed, refused = row or (0, 0)
        again = sum(worker.tally.paid for worker in self.workers)
        return Counter({"loss healed by catch-up": healed, "older state refused": refused, "owed read paid": again})

    async def stored(self) -> set[str]:
        """The ids of all events that are in the inbox."""
        async with self.pool.connection() as connection:
            return {row[0] for row in await (await connection.execute(_STORED, [self.ids])).fetchall()}

    async def dead(self) -> list[tuple[str, str]]:
        """Events that were given up, with why."""
        async with self.pool.connection() as connection:
            rows = await (await connection.execute(_DEAD, [self.ids])).fetchall()
        return [(row[0], row[1]) for row in rows]

    @property
    def ids(self) -> list[str]:
        """The platform's account and those connected to it."""
        return [id_ for id_, _ in self.account.stores()]


OBJECTS = tuple(CATALOGUE)
