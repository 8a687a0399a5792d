"""`reproject` rebuilds from stored payloads what is derived from them, and touches nothing else."""

from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.normalise import event_states
from payment_kit.mirror.reproject import Reprojected, reproject
from payment_kit.mirror.writer import write
from tests.mirror.events import customer, event

ACCOUNT = "acct_1"
Json = dict[str, Any]


@pytest.fixture
async def subscribed(pool: Pool) -> Pool:
    """A customer and a subscription with two items, by events."""
    items = [
        {"id": f"si_{number}", "object": "subscription_item", "price": f"price_{number}", "quantity": number}
        for number in (1, 2)
    ]
    data = {"object": "list", "data": items, "has_more": False}
    sold = {"id": "sub_1", "object": "subscription", "status": "active", "items": data, "created": 5}
    told = [event(customer("Ada"), id="evt_1"), event(sold, "customer.subscription.updated", id="evt_2")]
    async with pool.connection() as connection:
        for one in told:
            await write(connection, ACCOUNT, False, event_states(one))
    return pool


async def _rows(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(query.encode())
        return await cursor.fetchall() if cursor.description else []


async def _again(pool: Pool, *objects: str) -> Reprojected:
    return await reproject(pool, ACCOUNT, [ACCOUNT], objects=objects or None)


EVERY = """
select to_jsonb(one) - 'synced_at' from (
    select id, livemode, name as a, raw, digest, source_event, deleted_at from stripe.customers
    union all
    select id, livemode, quantity::text, raw, digest, source_event, deleted_at from stripe.subscription_items
) as one order by id
"""


@pytest.mark.parametrize(
    "damage",
    [
        "update stripe.customers set name = 'x'",
        "update stripe.customers set digest = null",
        "update stripe.subscription_items set quantity = 9 where id = 'si_1'",
        "update stripe.subscription_items set raw = '{\"id\": \"si_1\"}' where id = 'si_1'",
        "update stripe.subscription_items set parent_id = 'sub_2' where id = 'si_1'",
        "update stripe.subscription_items set deleted_at = now() where id = 'si_1'",
        "update stripe.subscription_items set source_event = 'evt_9' where id = 'si_2'",
        "delete from stripe.subscription_items where id = 'si_2'",
    ],
)
async def test_what_is_derived_is_rebuilt(subscribed: Pool, damage: str) -> None:
    good = await _rows(subscribed, EVERY)
    await _rows(subscribed, damage)
    assert await _rows(subscribed, EVERY) != good or "parent_id" in damage
    await _again(subscribed)
    assert await _rows(subscribed, EVERY) == good
    assert await _rows(subscribed, "select distinct parent_id from stripe.subscription_items") == [("sub_1",)]


async def test_a_second_time_nothing_is_written(subscribed: Pool) -> None:
    past = "select (select count(*) from payment_kit.changes), (select count(*) from payment_kit.versions)"
    await _rows(subscribed, "update stripe.customers set name = 'x'")
    assert (await _again(subscribed)).rows == {"customer": 1}
    before = await _rows(subscribed, past)
    assert (await _again(subscribed)).rows == {}
    assert await _rows(subscribed, past) == before


async def test_one_kind_alone_can_be_rebuilt(subscribed: Pool) -> None:
    await _rows(subscribed, "update stripe.customers set name = 'x'")
    assert (await _again(subscribed, "subscription_item")).rows == {}
    assert (await _again(subscribed, "customer")).rows == {"customer": 1}


async def test_json_that_the_columns_cannot_hold_is_counted_and_stops_nothing(subscribed: Pool) -> None:
    await _rows(subscribed, "update stripe.customers set raw = raw || '{\"balance\": \"a lot\"}', email = 'x'")
    done = await _again(subscribed)
    assert (done.unreadable, await _rows(subscribed, "select email from stripe.customers")) == (1, [(None,)])


async def test_events_that_had_no_table_are_applied_now(pool: Pool) -> None:
    for number, told in enumerate((event(customer("Ada")), event({"id": "x", "object": "starship"}, "starship.made"))):
        async with pool.connection() as connection:
            await connection.execute(
                b"insert into payment_kit.inbox"
                b" (platform, account_id, event_id, type, created, livemode, body, source, outcome)"
                b" values (%s, %s, %s, 'a.b', now(), false, %s, 'webhook', 'unmapped')",
                [ACCOUNT, ACCOUNT, f"evt_{number}", orjson.dumps(told)],
            )
    assert (await _again(pool)).events == 1
    assert await _rows(pool, "select name from stripe.customers") == [("Ada",)]
    assert await _rows(pool, "select outcome from payment_kit.inbox order by event_id") == [("applied",), ("unmapped",)]
