"""Proof that the mirror holds what Stripe holds: every object of every kind, of every account of the key.

Stripe's lists are read to their ends (evidence.py), each table is compared with them and with what wrote it
(compare.py), whatever seems to differ is looked at again (second_look.py), and the report says which of three it is:

- COMPLETE: everything was compared and is equal, nothing waits;
- PENDING: nothing is known to be wrong, but something is not there yet, or Stripe refused to show it;
- DIFFERENT: the mirror is wrong somewhere; `repair` puts it right.

It writes nothing but what the worker writes when it applies what waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import Refused
from payment_kit.mirror.accounts import Account, connected, find_connected
from payment_kit.mirror.buckets import mirror_buckets, stripe_buckets, unequal
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.compare import Difference, compare, prepare, strays
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.evidence import EVERYTHING, SUMMARIES, Connection, Evidence, Sample
from payment_kit.mirror.order import Key
from payment_kit.mirror.polling import only_platforms
from payment_kit.mirror.second_look import PAUSE_SECONDS, SecondLook
from payment_kit.mirror.verification import AccountResult, KindResult, Report
from payment_kit.mirror.worker import Worker
from payment_kit.stripe_gateway.gateway import StripeGateway

STREAM = "verify"
PATIENCE_SECONDS = 30.0
"""For so long an event may be on its way to us before it counts as missed."""
EVENTS_SECONDS_MAX = 29 * 24 * 3600
"""Stripe lists events of the last 30 days; a day is left for the reading itself."""
MISSED_MAX = 10_000
SUSPECTS_MAX = 50_000
PAYOUTS_AT_ONCE = 4
PAYOUTS_MAX = 100
TRANSACTIONS = "balance_transaction"

_MISSED = sql("verify.missed_events")
_PENDING = sql("verify.pending")
_PAYOUTS = sql("verify.payouts")
_PASSED = sql("verify.passed")
_POSITION = sql("sync.position")

Tell = Callable[[str, int], None]
"""Told of every page: what is read, and how many objects it brought."""


async def verify(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    *,
    worker: Worker | None = None,
    only: str | None = None,
    objects: Sequence[str] | None = None,
    sample: Sample | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    tell: Tell = lambda _what, _objects: None,
) -> Report:
    """Compare every account of the key (or `only` one, or only the kinds `objects`) with Stripe; remembers a pass.

    With `sample` the fields of only some objects are compared, the ids of all of them all the same. Raises the
    gateway's problems.
    """
    worker = worker or Worker(pool, gateway, account.id)
    await find_connected(pool, account)
    accounts = [one for one in (account, *await connected(pool, account)) if only in (None, one.id)]
    kinds = [name for name in CATALOGUE if objects is None or name in objects]
    results: list[AccountResult] = []
    async with pool.connection() as connection:
        try:
            for one in accounts:
                evidence = Evidence(gateway, connection, one, sample or EVERYTHING, tell)
                results.append(await _Verification(pool, evidence, worker, kinds, patience_seconds, sleep).run_if_let())
        finally:
            await connection.execute(b"drop table if exists pg_temp.shown, pg_temp.actual")
        report = Report((account.id,), results, sample, tuple(objects or ()))
        if report.whole:
            await _remember(connection, results)
    return report


async def _remember(connection: Connection, results: Sequence[AccountResult]) -> None:
    for one in results:
        if one.verdict == "COMPLETE":
            position = orjson.dumps(
                {"objects": sum(s.count for kind in one.kinds.values() for s in kind.mirror.values())}
            )
            given = {"account_id": one.account, "complete_through": one.began, "position": position.decode()}
            await connection.execute(_PASSED, given)


@dataclass(slots=True)
class _Verification:
    """Of one account."""

    pool: Pool
    evidence: Evidence
    worker: Worker
    kinds: Sequence[str]
    patience_seconds: float
    sleep: Callable[[float], Awaitable[None]]
    coming: dict[str, str | None] = field(default_factory=dict)
    """Events that had not reached us when they were listed, but may still come -> the object each is about."""

    async def run_if_let(self) -> AccountResult:
        """A connected account may have left, and Stripe refuses it then: that is told, and stops nobody else."""
        account = self.evidence.account
        try:
            return await self.run()
        except Refused as refused:
            if account.header is None:
                raise
            return AccountResult(account.id, account.livemode, 0, refused=refused.reason)

    async def run(self) -> AccountResult:
        began = await self._stripe_time()
        account = self.evidence.account
        result = AccountResult(account.id, account.livemode, began)
        missed = await self._missed_events(result)
        listed = [name for name in _with_parents(self.kinds) if not only_platforms(CATALOGUE[name], account)]
        await self.evidence.gather(listed)
        await self.evidence.connection.execute(b"analyze shown")
        await prepare(self.evidence.connection)
        refused = self.evidence.refused
        for name in self.kinds:
            why = refused.get(name) or refused.get(CARRIED_BY[name].name if name in CARRIED_BY else "", "")
            result.kinds[name] = KindResult(refused=why)
        suspects = await self._suspects(result)
        if self.evidence.account.header is None:
            for name in self.kinds:
                result.add(await strays(self.evidence.connection, name))
        result.add(await self._itemisations(result))
        await self._second_look(result, suspects)
        result.add([Difference("event", one, "event") for one in await self._still_missing(missed)])
        await self._count(result)
        await self._wait_for(result)
        result.ended = await self._stripe_time()
        return result

    async def _stripe_time(self) -> int:
        return (
            await self.evidence.gateway.page("/v1/events", {"limit": 1}, account=self.evidence.account.header)
        ).server_time

    # ---- objects --------------------------------------------------------------------------------------------------

    async def _suspects(self, result: AccountResult) -> set[Key]:
        account, found = self.evidence.account, set[Key]()
        for name, kind in result.kinds.items():
            if kind.refused:
                continue
            async for one in compare(
                self.evidence.connection, account.id, account.livemode, name, sample=self.evidence.sample
            ):
                if len(found) < SUSPECTS_MAX:
                    found.add((name, one.id))
        if len(found) >= SUSPECTS_MAX:
            result.pending.append(f"more than {SUSPECTS_MAX:,} objects differ; repair and verify again")
        return found

    async def _second_look(self, result: AccountResult, suspects: Collection[Key]) -> None:
        look = SecondLook(
            self.evidence, self.worker, result.began, self.patience_seconds, self._on_their_way, self.sleep
        )
        looked = await look.at(suspects)
        late = [one for one in looked.differences if self._not_read_yet(one, looked.differences)]
        result.add([one for one in looked.differences if one not in late])
        if late:
            result.pending.append(f"{len(late):,} objects changed without an event; the next catch-up reads them")
        if looked.moving:
            result.pending.append(f"{len(looked.moving):,} objects changed while they were compared")

    def _not_read_yet(self, one: Difference, every: Sequence[Difference]) -> bool:
        """A sound row of a kind that changes without events is only older than Stripe's object."""
        entry = CATALOGUE[one.object]
        alone = sum((other.object, other.id) == (one.object, one.id) for other in every) == 1
        return one.what == "differs" and (entry.polled or entry.silent) and alone

    async def _count(self, result: AccountResult) -> None:
        connection, whole = self.evidence.connection, self.evidence.sample == EVERYTHING
        for name, kind in result.kinds.items():
            if not kind.refused:
                hashed = whole and name not in SUMMARIES
                kind.stripe = await stripe_buckets(connection, name, hashed=hashed)
                kind.mirror = await mirror_buckets(connection, result.account, name, hashed=hashed)

    # ---- events ---------------------------------------------------------------------------------------------------

    async def _missed_events(self, result: AccountResult) -> list[str]:
        """The events of Stripe's list that are not in the inbox yet; bounded by `MISSED_MAX`."""
        async with self.pool.connection() as connection:
            given = {"account_id": result.account, "stream": "events"}
            row = await (await connection.execute(_POSITION, given)).fetchone()
        if row is None or row[0] is None:
            result.pending.append("the list of events was never read; run a catch-up")
            return []
        missed: list[str] = []
        window = {"created": {"gte": result.began - EVENTS_SECONDS_MAX}}
        async for page in self.evidence.gateway.list(
            "/v1/events", window, account=self.evidence.account.header, bulk=True, ahead=1
        ):
            result.events += len(page.data)
            self.evidence.tell("events", len(page.data))
            absent = set(await self._absent([event["id"] for event in page.data]))
            missed += [event["id"] for event in page.data if event["id"] in absent][: MISSED_MAX - len(missed)]
            for event in page.data:
                if event["id"] in absent and event["created"] >= result.began - self.patience_seconds:
                    self.coming[event["id"]] = event["data"]["object"].get("id")
        return missed

    async def _absent(self, events: Sequence[str]) -> list[str]:
        async with self.pool.connection() as connection:
            given = {"account_id": self.evidence.account.id, "ids": list(events)}
            return [row[0] for row in await (await connection.execute(_MISSED, given)).fetchall()]

    async def _on_their_way(self) -> set[str]:
        """The objects of which an event may still come."""
        if self.patience_seconds <= 0 or not self.coming:
            return set()
        absent = await self._absent(list(self.coming))
        return {about for event, about in self.coming.items() if event in absent and about}

    async def _still_missing(self, missed: Sequence[str]) -> list[str]:
        """Those that did not come although they had time to."""
        deadline = time.monotonic() + self.patience_seconds
        left = await self._absent(missed) if missed else []
        while any(one in self.coming for one in left) and time.monotonic() < deadline:
            await self.sleep(PAUSE_SECONDS)
            left = await self._absent(left)
        return left

    # ---- the rest -------------------------------------------------------------------------------------------------

    async def _itemisations(self, result: AccountResult) -> list[Difference]:
        """Whether we know the same balance transactions of each payout as Stripe."""
        found: list[Difference] = []
        after, waiting = "", 0
        while "payout" in self.kinds:
            async with self.pool.connection() as connection:
                given = {"account_id": result.account, "after": after, "limit": PAYOUTS_MAX}
                rows = await (await connection.execute(_PAYOUTS, given)).fetchall()
            if not rows:
                break
            after = rows[-1][0]
            waiting += sum(not done and not ids for _, done, _, ids in rows)
            some = [row for row in rows if row[1] or row[3]]
            unequal_ones = await each(self._items_differ, some, PAYOUTS_AT_ONCE)
            found += [one for one in unequal_ones if one]
            result.payouts += len(some)
        if waiting:
            result.pending.append(f"{waiting:,} payouts are not itemised yet; the next catch-up does it")
        return found

    async def _items_differ(self, row: tuple[str, bool, int, list[str]]) -> Difference | None:
        payout, done, count, ours = row
        theirs: set[str] = set()
        path = CATALOGUE[TRANSACTIONS].path
        try:
            async for page in self.evidence.gateway.list(
                path, {"payout": payout}, account=self.evidence.account.header, bulk=True
            ):
                theirs |= {one["id"] for one in page.data}
        except Refused:
            return None
        if done and count == len(ours) and theirs == set(ours):
            return None
        return Difference("payout", payout, "itemisation", ("balance_transactions",))

    async def _wait_for(self, result: AccountResult) -> None:
        """What is still to come, in words."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_PENDING, {"account_id": result.account})).fetchone()
        waiting, dead, owed, streams = row or (0, 0, 0, [])
        said = {
            f"{waiting:,} events wait to be applied": waiting,
            f"{dead:,} events were given up": dead,
            f"{owed:,} reads of Stripe are owed": owed,
            f"the backfill is not finished: {', '.join(streams)}": streams,
        }
        result.pending += [words for words, there in said.items() if there]
        moved = [
            name for name, kind in result.kinds.items() if not kind.differences and unequal(kind.stripe, kind.mirror)
        ]
        if moved:
            result.pending.append(f"changed while it was compared: {', '.join(moved)}")


def _with_parents(kinds: Sequence[str]) -> list[str]:
    """These kinds and those through which Stripe shows them."""
    wanted = set(kinds)
    while True:
        more = {CARRIED_BY[name].name for name in wanted if name in CARRIED_BY}
        more |= {str(one.per) for name in wanted for one in CATALOGUE[name].listings if one.per and one.swept}
        more |= {one.name for one in CATALOGUE.values() for nested in one.expanded if nested.child in wanted}
        more |= {one.name for one in CATALOGUE.values() if wanted & dict(one.refers).keys()}
        if "discount" in wanted:
            more |= {"subscription", "invoice", "invoiceitem", "customer"}
        if "entitlements.active_entitlement_summary" in wanted:
            more |= {"customer", "entitlements.feature"}
        if more <= wanted:
            return [name for name in CATALOGUE if name in wanted]
        wanted |= more
