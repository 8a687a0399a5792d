"""What changes without any event is listed again by every catch-up: as little of it as can have changed.

Of a list with a created filter: what was made since the last time, with an overlap. Of what may still change: all of it
(`CHANGING`). A list without such filters is small and read whole. Each object has a stream of its own, so that a list
Stripe refuses this key holds up no other one; balance transactions are settlement's.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Refused, UsageProblem
from payment_kit.mirror import missed
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.pages import write_pages
from payment_kit.mirror.reading import complete, expanding, parameters
from payment_kit.mirror.stripe_object import Listing, StripeObject
from payment_kit.mirror.windows import LATEST, Range
from payment_kit.stripe_gateway.gateway import StripeGateway

STREAM = "polled {table}"
OVERLAP_SECONDS = 3600
LISTS_AT_ONCE = 4

WHOLE: Sequence[Mapping[str, str]] = ({},)
CHANGING: Mapping[str, Sequence[Mapping[str, str]]] = {
    # a platform hears of its accounts' changes under their ids only, and of a new one not at all
    "account": WHOLE,
    # docs.stripe.com/api/invoiceitems/update: no event; once on an invoice, the invoice's events tell of it
    "invoiceitem": ({"pending": "true"},),
    # checkout.session.* tells of the end of one only
    "checkout.session": ({"status": "open"},),
    # docs.stripe.com/api/quotes/update: no event
    "quote": ({"status": "draft"}, {"status": "open"}),
    # docs.stripe.com/api/entitlements/feature: no events
    "entitlements.feature": WHOLE,
}
"""The parameters that find what may still change, kind by kind."""

_POSITION = sql("sync.position")
_COMPLETE = sql("sync.complete")
_REFUSED = sql("sync.refused")


@dataclass(frozen=True, slots=True)
class Polled:
    """What one polling did: objects read, those of them new or changed, and what Stripe refused to list, with why."""

    read: int
    changed: int
    refused: Mapping[str, str]


async def poll(gateway: StripeGateway, pool: Pool, account: Account, *, since: int | None = None) -> Polled:
    """List what has no events. `since`: Stripe's Unix second before which everything is known to be in the mirror.

    Idempotent. A list that Stripe refuses this key is remembered as refused and does not stop the others; raises the
    gateway's other problems.
    """
    entries = [entry for entry in CATALOGUE.values() if entry.polled and not only_platforms(entry, account)]

    async def one(entry: StripeObject) -> Polled:
        return await _poll(gateway, pool, account, entry, since)

    found = await each(one, entries, LISTS_AT_ONCE)
    refused = {table: why for one in found for table, why in one.refused.items()}
    return Polled(sum(one.read for one in found), sum(one.changed for one in found), refused)


def only_platforms(entry: StripeObject, account: Account) -> bool:
    """Is it of no use to list this for `account`? No accounts are connected to a connected account."""
    return entry.name == "account" and account.platform is not None


async def _poll(gateway: StripeGateway, pool: Pool, account: Account, entry: StripeObject, since: int | None) -> Polled:
    key = {"account_id": account.id, "stream": STREAM.format(table=entry.table)}
    read = changed = 0
    started: int | None = None
    ids: list[str] = []
    try:
        for path, params in await _lists(pool, account, entry, await _since(pool, key, since)):
            async with aclosing(gateway.list(path, params, account=account.header, bulk=True, ahead=1)) as pages:
                async for page in pages:
                    started = page.server_time if started is None else started
                    await complete(gateway, entry, page.data, account=account.header, bulk=True)
                    async with pool.connection() as connection:
                        changed += await write_pages(connection, account, [page])
                    read += len(page.data)
                    ids += [one["id"] for one in page.data]
        if started is not None and CHANGING[entry.name] is WHOLE:
            changed += await _bury(gateway, pool, account, entry, started, ids)
    except (Refused, NotFound, UsageProblem) as problem:
        why = f"{problem.code}: {problem.what}"
        async with pool.connection() as connection:
            await connection.execute(_REFUSED, key | {"refused": orjson.dumps({"refused": why}).decode()})
        return Polled(read, changed, {entry.table: why})
    async with pool.connection() as connection:
        await connection.execute(_COMPLETE, key | {"complete_through": started, "objects": changed})
    return Polled(read, changed, {})


async def _bury(
    gateway: StripeGateway, pool: Pool, account: Account, entry: StripeObject, started: int, ids: Sequence[str]
) -> int:
    """Look for what a list that was read whole has missed; returns how many rows changed."""
    if not missed.can_vanish(entry):
        return 0
    whole = missed.Covered(Range(0, LATEST, ()), ids, started)
    async with pool.connection() as connection, connection.transaction():
        await missed.suspect_in_ranges(connection, account, entry, started, [whole])
    return await missed.settle(gateway, pool, account, entry)


async def _since(pool: Pool, key: Mapping[str, str], since: int | None) -> int | None:
    """The later of the last polling and `since`, less the overlap; None when there was neither."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_POSITION, key)).fetchone()
    known = [second for second in (row[0] if row else None, since) if second is not None]
    return max(known) - OVERLAP_SECONDS if known else None


async def _lists(
    pool: Pool, account: Account, entry: StripeObject, since: int | None
) -> list[tuple[str, dict[str, Any]]]:
    """Path and parameters of every list to read."""
    found: list[tuple[str, dict[str, Any]]] = []
    changing, shown = CHANGING[entry.name], expanding(entry, "data.")
    for listing in (one for one in entry.listings if one.swept):
        for parent in await _parents(pool, account, listing):
            given = {**parameters(listing, parent), **shown}
            found += [(listing.path.replace("{id}", parent), {**given, **one}) for one in changing]
        if listing.created and changing is not WHOLE:
            made = {} if since is None else {"created": {"gte": since}}
            found.append((listing.path, {**parameters(listing), **shown, **made}))
    return found


async def _parents(pool: Pool, account: Account, listing: Listing) -> list[str]:
    """The objects a list is asked for one by one; a single "" for a plain list."""
    if listing.per is None:
        return [""]
    table = CATALOGUE[listing.per].table
    query = f"select id from stripe.{table} where account_id = %(account_id)s and deleted_at is null order by id"
    async with pool.connection() as connection:
        rows = await (await connection.execute(query.encode(), {"account_id": account.id})).fetchall()
    return [row[0] for row in rows]
