"""What a payout pays out is stored whole and in the way of nobody."""

import asyncio
from typing import Any

import psycopg
import pytest

from payment_kit.database.connection import Pool, connect_async
from payment_kit.mirror import backfill
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import write_pages
from payment_kit.mirror.settlement import itemise_payouts
from payment_kit.stripe_gateway import Page
from tests.mirror.events import ACCOUNT, NOON
from tests.waiting import until_found

PAYOUT = {
    "object": "payout",
    "id": "po_1",
    "automatic": True,
    "reconciliation_status": "completed",
    "status": "paid",
    "created": NOON,
}


def _moved(name: str) -> dict[str, Any]:
    return {"object": "balance_transaction", "id": name, "status": "available", "net": 1, "created": NOON}


class _TwoPages:
    """Lists a payout of two pages, newest first, so not in the order of their ids."""

    async def list(self, _path: str, _params: dict[str, Any], **_options: Any) -> Any:
        yield Page([_moved("txn_b")], True, NOON + 10, "req_1")
        yield Page([_moved("txn_a")], False, NOON + 10, "req_2")


@pytest.mark.parametrize("states_at_once", [1, 1000])
async def test_itemising_beside_another_writer_of_the_same_rows_is_no_deadlock(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch, states_at_once: int
) -> None:
    monkeypatch.setattr(backfill, "STATES_AT_ONCE", states_at_once)
    account = Account(ACCOUNT, livemode=False)
    async with pool.connection() as connection:
        for one in (PAYOUT, _moved("txn_a") | {"fee": 1}, _moved("txn_b") | {"fee": 1}):
            page = Page([one], False, NOON, f"req_{one['id']}")
            await write_pages(connection, account, [page])
    other = await psycopg.AsyncConnection.connect(database)
    lock = "select 1 from stripe.balance_transactions where id = %s for update"
    async with other, await connect_async(database) as watching:
        await other.execute(lock, ["txn_a"])
        itemising = asyncio.create_task(itemise_payouts(_TwoPages(), pool, account))  # type: ignore[arg-type]
        blocked = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

        async def is_blocked() -> object:
            return await (await watching.execute(blocked)).fetchall()

        await until_found(is_blocked)
        await other.execute(lock, ["txn_b"])
        await other.commit()
    assert await itemising == 1
