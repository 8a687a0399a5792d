"""Catch-up: what webhooks did not bring, from Stripe's lists.

The events since the last catch-up (with an overlap) are compared with the inbox; missing ones are stored there and take
the ordinary way. Then what has no events is read again (polling.py, settlement.py). Afterwards the mirror is complete
through the moment the list was asked for, unless an event still waits or is dead, or a read is still owed: then up to
the oldest of those.

Stripe keeps events for 30 days. A longer gap, or a first run, is bridged by listing every object that was not listed
completely since; until that is done the gap is remembered, and nothing new is claimed.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import Report, backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.polling import Polled, only_platforms, poll
from payment_kit.mirror.settlement import Settlement, pull_settlement
from payment_kit.mirror.stream import swept
from payment_kit.mirror.worker import Tally, Worker
from payment_kit.stripe_gateway.gateway import StripeGateway

STREAM = "events"
DAY = 24 * 3600
LIST_SECONDS_MAX = 29 * DAY
"""Stripe lists events of the last 30 days; a day is left for the reading itself."""
OVERLAP_SECONDS = 3600
WINDOW_SECONDS = 5 * DAY
OTHERS_SECONDS_MAX = 10.0
OTHERS_POLL_SECONDS = 0.05

_POSITION = sql("sync.position")
_COMPLETE = sql("sync.complete")
_ADVANCE = sql("sync.advance")
_GAP = sql("sync.gap")
_REFUSED = sql("sync.refused")
_LISTED_SINCE = sql("sync.listed_since")
_UNTRIED_BEFORE = sql("inbox.untried_before")
_FIRST_UNAPPLIED = sql("inbox.first_unapplied")


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What a catch-up found: events listed, those that had never reached us, what the worker made of everything due,
    whether a gap had to be bridged, what polling and settlement brought, and Unix seconds through which the mirror is
    complete."""

    seen: int
    missing: int
    backfilled: bool
    applied: Tally
    polled: Polled
    settlement: Settlement
    complete_through: int


async def catch_up(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    *,
    worker: Worker | None = None,
    progress: Report | None = None,
    seen_so_far: Callable[[int], None] | None = None,
) -> CatchUp:
    """Bring the mirror of one account up to Stripe's present; safe to repeat and to run beside live webhooks.

    Raises the gateway's problems; what was stored before is kept, and completeness is claimed only for what was read:
    whoever was interrupted, or killed, reads the same window again.
    """
    worker = worker or Worker(pool, gateway, account.key_account)
    inbox = Inbox(pool, account.id, account.key_account)
    now = (await gateway.page("/v1/events", {"limit": 1}, account=account.header, bulk=True)).server_time
    since = await _listed_through(pool, account.id)
    gap = since is None or now - since > LIST_SECONDS_MAX
    if gap:
        await _bridge(gateway, pool, account, (since, now - LIST_SECONDS_MAX), progress)
    start = now - LIST_SECONDS_MAX if since is None or gap else since - OVERLAP_SECONDS
    applied, seen, missing, through = Tally(), 0, 0, start
    while True:
        end = through + WINDOW_SECONDS
        window = {"gte": through} if end >= now else {"gte": through, "lt": end}
        tell = _offset(seen, seen_so_far)
        listed, stored, asked = await _store_window(gateway, inbox, account, window, tell)
        seen, missing = seen + listed, missing + stored
        applied = applied.plus(await _apply(pool, worker, account.id, min(end, now)))
        through = asked if end >= now else end
        if not gap or end >= now:
            await _claim_complete(pool, account.id, through, stored)
        if end >= now:
            break
    polled = await poll(gateway, pool, account, since=now if gap else None)
    settlement = await pull_settlement(gateway, pool, account)
    applied = applied.plus(await _apply(pool, worker, account.id, now))
    return CatchUp(seen, missing, gap, applied, polled, settlement, await _complete_through(pool, account.id) or 0)


async def _bridge(
    gateway: StripeGateway, pool: Pool, account: Account, gap: tuple[int | None, int], progress: Report | None
) -> None:
    """List every object whose last complete listing began before the end of the gap, which is remembered first.

    `gap`: Unix seconds from (None: for ever) and to which the events are gone from Stripe's list. Deletions in it are
    found by the backfill: a stream is complete only when every row its lists missed was asked for. What Stripe refuses
    to list stays incomplete, and the status says so.
    """
    key = {"account_id": account.id}
    async with pool.connection() as connection:
        given = key | {"stream": STREAM, "position": orjson.dumps({"gap": gap}).decode()}
        await connection.execute(_GAP, given)
        rows = await (await connection.execute(_LISTED_SINCE, key | {"since": gap[1]})).fetchall()
    listed = {row[0] for row in rows}
    wanted = [entry for entry in CATALOGUE.values() if swept(entry) and not only_platforms(entry, account)]
    needed = [entry.name for entry in wanted if entry.table not in listed]
    done = await backfill(gateway, pool, account, objects=needed, progress=progress) if needed else {}
    for stream, why in ((name, one.refused) for name, one in done.items() if one.refused):
        given = key | {"stream": stream, "refused": orjson.dumps({"refused": why}).decode()}
        async with pool.connection() as connection:
            await connection.execute(_REFUSED, given)


def _offset(before: int, report: Callable[[int], None] | None) -> Callable[[int], None]:
    def tell(seen: int) -> None:
        if report is not None:
            report(before + seen)

    return tell


async def _store_window(
    gateway: StripeGateway, inbox: Inbox, account: Account, created: dict[str, int], tell: Callable[[int], None]
) -> tuple[int, int, int]:
    """Store the missing events of one window, page by page, however many there are.

    Returns (listed, missing, order time of the first page's request).
    """
    listed = missing = 0
    asked: int | None = None
    path, params = "/v1/events", {"created": created}
    async with aclosing(gateway.list(path, params, account=account.header, bulk=True, ahead=1)) as pages:
        async for page in pages:
            asked = page.server_time if asked is None else asked
            missing += await inbox.store_missing([envelope(orjson.dumps(event)) for event in page.data], "catch_up")
            listed += len(page.data)
            tell(listed)
    assert asked is not None, "a list has at least one page"
    return listed, missing, asked


async def _apply(pool: Pool, worker: Worker, account_id: str, before: int) -> Tally:
    """Apply what is due; events another worker holds at the moment are waited for, a bounded time."""
    applied = await worker.drain()
    deadline = time.monotonic() + OTHERS_SECONDS_MAX
    while time.monotonic() < deadline and await _others_work(pool, account_id, before):
        await asyncio.sleep(OTHERS_POLL_SECONDS)
        applied = applied.plus(await worker.drain())
    return applied


async def _others_work(pool: Pool, account_id: str, before: int) -> bool:
    async with pool.connection() as connection:
        parameters = {"account_id": account_id, "before": before}
        row = await (await connection.execute(_UNTRIED_BEFORE, parameters)).fetchone()
    return bool(row and row[0])


async def _claim_complete(pool: Pool, account_id: str, listed: int, missing: int) -> None:
    """Remember what was listed; it is complete only up to the first event that is not in the mirror."""
    key = {"account_id": account_id, "stream": STREAM}
    async with pool.connection() as connection, connection.transaction():
        row = await (await connection.execute(_FIRST_UNAPPLIED, {"account_id": account_id})).fetchone()
        unapplied = row[0] if row else None
        through = listed if unapplied is None else min(listed, unapplied)
        await connection.execute(_COMPLETE, key | {"complete_through": through, "objects": missing})
        await connection.execute(_ADVANCE, key | {"position": orjson.dumps({"listed": listed}).decode(), "objects": 0})


async def _listed_through(pool: Pool, account_id: str) -> int | None:
    """Every event before this moment of Stripe's time is in the inbox, applied or not."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_POSITION, {"account_id": account_id, "stream": STREAM})).fetchone()
    if row is None or row[0] is None:
        return None
    return max(int(row[0]), int(row[1].get("listed", 0)))


async def _complete_through(pool: Pool, account_id: str) -> int | None:
    """What the stream claims, less what came in late: an event or a debt that is older than the claim."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_POSITION, {"account_id": account_id, "stream": STREAM})).fetchone()
        late = await (await connection.execute(_FIRST_UNAPPLIED, {"account_id": account_id})).fetchone()
    if row is None or row[0] is None:
        return None
    return int(row[0] if late is None or late[0] is None else min(row[0], late[0]))
