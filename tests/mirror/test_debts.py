"""What is owed, and that a newer state does not hide what an older one told of other objects."""

import asyncio
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.debts import Debt, debts_of, owe
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.worker import Worker
from tests.mirror.events import NOON, customer, event, state
from tests.waiting import until_found

DEBT = {"object": "customer", "id": "cus_1", "part": ""}


async def _owed(pool: Pool) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute("select object, id, part from payment_kit.owed")).fetchall()


async def test_a_balance_that_moved_is_owed_although_a_newer_state_says_nothing_of_it(
    pool: Pool, inbox: Inbox, worker: Worker
) -> None:
    moved = event(customer(balance=0), id="evt_1", previous={"balance": -500})
    renamed = event(customer("Ada", balance=0), id="evt_2", created=NOON + 1, previous={"name": None})
    for told in (renamed, moved):
        await inbox.store(envelope(orjson.dumps(told)), "webhook")
        await worker._apply_events()
    assert await _owed(pool) == [("customer", "cus_1", "customer_balance_transaction")]


def test_nothing_is_owed_of_what_is_gone() -> None:
    assert debts_of(state(customer(balance=5), "customer.deleted", previous={"balance": 0})) == []


@pytest.mark.parametrize("kind", ["invoice", "subscription"])
def test_the_items_an_invoice_draws_in_are_owed_for_prorations_too(kind: str) -> None:
    """No event tells that an item went onto an invoice; a proration stands on a line of the subscription."""
    lines = {"has_more": False, "data": [{"parent": {f"{kind}_item_details": {"invoice_item": "ii_1"}}}]}
    drawn = {"id": "in_1", "object": "invoice", "created": NOON, "status": "draft", "lines": lines}
    assert ("invoice", "invoiceitem") in {
        (debt.object, debt.part) for debt in debts_of(state(drawn, "invoice.created"))
    }


def test_nothing_is_owed_of_an_invoice_without_items() -> None:
    lines = {"has_more": False, "data": [{"parent": {"subscription_item_details": {"invoice_item": None}}}]}
    drawn = {"id": "in_1", "object": "invoice", "created": NOON, "status": "draft", "lines": lines}
    assert debts_of(state(drawn, "invoice.created")) == []


async def test_a_debt_renewed_while_it_is_settled_is_due_at_once(pool: Pool) -> None:
    """The delete missed it, for it was new, and so did the update, for it had not been: it slept out its lease."""
    given = {"account_id": "acct_1", "debts": orjson.dumps([{**DEBT, "token": 1}]).decode()}
    async with pool.connection() as renewing, pool.connection() as settling:
        await owe(renewing, "acct_1", "acct_1", False, [Debt("customer", "cus_1", "", "tie", NOON)])
        claimed = {"platform": "acct_1", "limit": 1, "lease_seconds": 60.0}
        assert (await renewing.execute(sql("owed.claim"), claimed)).rowcount == 1
        async with renewing.transaction():
            await owe(renewing, "acct_1", "acct_1", False, [Debt("customer", "cus_1", "", "tie", NOON + 1)])
            settled = asyncio.create_task(settling.execute(sql("owed.settle"), given))
            await until_found(lambda: _waits(pool))
        await settled
    async with pool.connection() as connection:
        rows = await (await connection.execute("select token, available_at <= now() from payment_kit.owed")).fetchall()
    assert rows == [(2, True)]


async def _waits(pool: Pool) -> bool:
    query = "select count(*) from pg_locks where not granted"
    async with pool.connection() as connection:
        return await (await connection.execute(query)).fetchone() == (1,)
