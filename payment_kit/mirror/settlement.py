"""Where the money went: balance transactions, which have no webhook, and what each payout pays out.

Both are pulled. A transaction changes once after it was made, from pending to available, so the pull goes back to the
oldest one still pending. A payout's list is final once Stripe says its reconciliation is completed
(docs.stripe.com/payouts/reconciliation); before that it is not asked for.
"""

from contextlib import aclosing
from dataclasses import dataclass

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.pages import write_pages
from payment_kit.stripe_gateway.gateway import StripeGateway

STREAM = "balance_transactions"
OVERLAP_SECONDS = 24 * 3600
PAYOUTS_AT_ONCE = 4
PENDING_SECONDS_MAX = 35 * 24 * 3600

_POSITION = sql("sync.position")
_COMPLETE = sql("sync.complete")
_OLDEST_PENDING = sql("sync.oldest_pending_transaction")
_PAYOUTS_TO_ITEMISE = sql("sync.payouts_to_itemise")
_LINK_PAYOUT = sql("sync.link_payout")
_ITEMISED = sql("sync.itemised")


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one pull did: transactions read, those of them new or changed, payouts itemised."""

    transactions: int
    changed: int
    payouts: int


async def pull_settlement(gateway: StripeGateway, pool: Pool, account: Account) -> Settlement:
    """Bring balance transactions and payout items up to date. Idempotent; raises the gateway's problems."""
    transactions, changed = await pull_balance_transactions(gateway, pool, account)
    return Settlement(transactions, changed, await itemise_payouts(gateway, pool, account))


async def pull_balance_transactions(gateway: StripeGateway, pool: Pool, account: Account) -> tuple[int, int]:
    """Read the transactions made since the last pull and those that were pending; returns (read, changed).

    The stream is complete through the moment the first page was asked for.
    """
    key = {"account_id": account.id, "stream": STREAM}
    since = await _pull_from(pool, account.id)
    read = changed = 0
    started: int | None = None
    params = {} if since is None else {"created": {"gte": since}}
    path = CATALOGUE["balance_transaction"].path
    async with aclosing(gateway.list(path, params, account=account.header, bulk=True, ahead=1)) as pages:
        async for page in pages:
            started = page.server_time if started is None else started
            async with pool.connection() as connection:
                changed += await write_pages(connection, account, [page])
            read += len(page.data)
    async with pool.connection() as connection:
        await connection.execute(_COMPLETE, key | {"complete_through": started, "objects": changed})
    return read, changed


async def itemise_payouts(gateway: StripeGateway, pool: Pool, account: Account) -> int:
    """Read what each completed automatic payout pays out, once; returns how many payouts were itemised."""
    async with pool.connection() as connection:
        rows = await (await connection.execute(_PAYOUTS_TO_ITEMISE, {"account_id": account.id})).fetchall()

    async def itemise(payout_id: str) -> bool:
        return await _itemise(gateway, pool, account, payout_id)

    return sum(await each(itemise, [row[0] for row in rows], PAYOUTS_AT_ONCE))


async def _itemise(gateway: StripeGateway, pool: Pool, account: Account, payout_id: str) -> bool:
    """Write the payout's transactions page by page, and only then, in one transaction, that they are its items."""
    ids: list[str] = []
    path, params = CATALOGUE["balance_transaction"].path, {"payout": payout_id}
    async with aclosing(gateway.list(path, params, account=account.header, bulk=True, ahead=1)) as pages:
        async for page in pages:
            ids += [transaction["id"] for transaction in page.data]
            async with pool.connection() as connection:
                await write_pages(connection, account, [page])
    # The payout's own transaction is always there; an empty list is one Stripe has not made yet.
    if not ids:
        return False
    key = {"account_id": account.id, "payout_id": payout_id}
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_LINK_PAYOUT, key | {"balance_transaction_ids": ids})
        await connection.execute(_ITEMISED, key | {"items": len(ids)})
    return True


async def _pull_from(pool: Pool, account_id: str) -> int | None:
    """Unix seconds to list from; None for everything, when no pull was finished yet."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_POSITION, {"account_id": account_id, "stream": STREAM})).fetchone()
        if row is None or row[0] is None:
            return None
        since = row[0] - PENDING_SECONDS_MAX
        pending = await (
            await connection.execute(_OLDEST_PENDING, {"account_id": account_id, "since": since})
        ).fetchone()
    oldest = pending[0] if pending and pending[0] is not None else row[0]
    return int(min(oldest, row[0] - OVERLAP_SECONDS))
