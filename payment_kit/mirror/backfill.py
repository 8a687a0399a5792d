"""The first copy: every object of the catalogue, listed from Stripe by many readers, resumable at every page.

Each kind is a stream (stream.py), read in windows (windows.py). A stream that was read to its end is complete through
the moment its reading began: whatever changes later has an event. What a list should have shown and did not is asked
for by itself (missed.py), and reads that are owed in the end are paid.
"""

import asyncio
from collections.abc import Callable, Sequence

from payment_kit.database.connection import Pool
from payment_kit.errors import Problem
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.pages import STATES_AT_ONCE, write_pages, write_reads
from payment_kit.mirror.payer import Payer
from payment_kit.mirror.stream import Progress, Run, Stream, swept
from payment_kit.mirror.stripe_object import StripeObject
from payment_kit.stripe_gateway.gateway import StripeGateway

__all__ = ["STATES_AT_ONCE", "Progress", "Report", "backfill", "streams", "write_pages", "write_reads"]

STREAMS_AT_ONCE = 4

Report = Callable[[Progress], None]


async def backfill(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    *,
    objects: Sequence[str] | None = None,
    progress: Report | None = None,
) -> dict[str, Progress]:
    """List `objects` (names of the catalogue, default all) into the mirror; returns the last progress per stream.

    Reads `account` as its platform when it is a connected one. An interrupted backfill is continued by the next call
    within a week; a finished stream is read anew. Rows that are newer than a page stay as they are; objects that are
    gone from Stripe become tombstones. A list that Stripe refuses to this key does not stop the others: its stream is
    not `finished` and says why in `refused`. Raises the gateway's problems; every page saved before is kept.
    """
    entries = _with_parents(objects or [entry.name for entry in CATALOGUE.values() if swept(entry)])
    # Any answer tells Stripe's time; every key may ask for its own account.
    now = (await gateway.request("get", "/v1/account", account=account.header, bulk=True)).server_time
    run = Run(gateway, pool, account, now, progress or (lambda _progress: None))
    finished = {entry.name: asyncio.Event() for entry in entries}
    refused: dict[str, str | None] = {}
    gate = asyncio.Semaphore(STREAMS_AT_ONCE)

    async def read(entry: StripeObject) -> Progress:
        for name in _needs(entry):
            await finished[name].wait()
        lacking = next(filter(None, (refused[name] for name in sorted(_needs(entry)))), None)
        async with gate:
            done = await Stream(run, entry, lacking).read()
        refused[entry.name] = done.refused
        finished[entry.name].set()
        return done

    done = await each(read, entries, len(entries))
    await _pay(gateway, pool, account)
    return {one.stream: one for one in done}


def streams() -> list[str]:
    """The tables a backfill of everything reads."""
    return [entry.table for entry in CATALOGUE.values() if swept(entry)]


def _with_parents(names: Sequence[str]) -> list[StripeObject]:
    """The kinds called `names` that have lists, and what their lists are asked by, in the order of the catalogue."""
    wanted: set[str] = set()
    waiting = [name for name in names if name in CATALOGUE and swept(CATALOGUE[name])]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += _needs(CATALOGUE[name])
    return [entry for entry in CATALOGUE.values() if entry.name in wanted]


def _needs(entry: StripeObject) -> set[str]:
    """The kinds whose rows must be there before this one's lists are asked."""
    needed = {listing.per for listing in swept(entry) if listing.per} - {entry.name}
    return needed | ({"entitlements.feature"} if entry.name == "entitlements.active_entitlement_summary" else set())


async def _pay(gateway: StripeGateway, pool: Pool, account: Account) -> None:
    """Read what the rows refer to and no list shows; what fails stays owed, and a worker tries again."""
    payer = Payer(pool, gateway, account.key_account, _explain)
    while (await payer.step())[0]:
        pass


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, Problem) else type(error).__name__
