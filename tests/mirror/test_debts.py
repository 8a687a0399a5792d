"""What is owed, and that a newer state does not hide what an older one told of other objects."""

from typing import Any

import orjson

from payment_kit.database.connection import Pool
from payment_kit.mirror.debts import debts_of
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.worker import Worker
from tests.mirror.events import NOON, customer, event, state


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
