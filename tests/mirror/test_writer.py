"""States into rows: the newest wins whatever came first, and nothing that came is forgotten."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.debts import Debt
from payment_kit.mirror.normalise import event_states, read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.writer import Written, write
from tests.mirror.events import ACCOUNT, NOON, customer, event, state

Row = tuple[Any, ...]


async def _write(pool: Pool, *states: State) -> Written:
    async with pool.connection() as connection:
        return await write(connection, ACCOUNT, False, states)


async def _rows(pool: Pool, query: str) -> list[Row]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def _names(pool: Pool) -> list[Row]:
    return await _rows(pool, "select id, name, deleted_at is not null from stripe.customers order by id")


def _read(payload: dict[str, Any], time: int, **fields: Any) -> State:
    return read_states([payload], time=time, request_id="req_1", api_version="v", **fields)[0]


async def test_columns_are_read_from_the_object(pool: Pool) -> None:
    await _write(pool, state({**customer("Ada"), "balance": -5, "metadata": {"k": "v"}, "email": None}))
    row = await _rows(
        pool,
        "select account_id, livemode, name, balance, metadata, email, extract(epoch from created), api_version"
        " from stripe.customers",
    )
    assert row == [(ACCOUNT, False, "Ada", -5, {"k": "v"}, None, NOON, "2026-10-28.endive")]


async def test_a_newer_state_replaces_an_older(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    written = await _write(pool, state(customer("b"), id="e2", created=NOON + 1))
    assert (await _names(pool), written.outcomes) == ([("cus_1", "b", False)], ("applied",))


async def test_an_older_state_changes_nothing(pool: Pool) -> None:
    await _write(pool, state(customer("b"), id="e2", created=NOON + 1))
    written = await _write(pool, state(customer("a"), id="e1"))
    assert (await _names(pool), written.outcomes) == ([("cus_1", "b", False)], ("stale",))


async def test_several_states_of_one_object_in_one_batch(pool: Pool) -> None:
    written = await _write(pool, state(customer("b"), id="e2", created=NOON + 1), state(customer("a"), id="e1"))
    assert (await _names(pool), written.outcomes) == ([("cus_1", "b", False)], ("applied", "stale"))


async def test_a_tie_is_broken_by_the_stored_events_previous_attributes(pool: Pool) -> None:
    second = event(customer("b"), id="e2", previous={"name": "a"})
    await _store(pool, second)
    await _write(pool, *event_states(second))
    written = await _write(pool, state(customer("a"), id="e1"))
    assert (await _names(pool), written.outcomes) == ([("cus_1", "b", False)], ("stale",))


async def test_a_tie_is_broken_by_the_incoming_previous_attributes(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, state(customer("b"), id="e2", previous={"name": "a"}))
    assert await _names(pool) == [("cus_1", "b", False)]


async def test_a_tie_nobody_can_break_is_owed_a_read(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    written = await _write(pool, state(customer("b"), id="e2"))
    assert (written.outcomes, written.owed) == (("undecided",), (Debt("customer", "cus_1", "", "tie", NOON),))
    assert await _rows(pool, "select object, id, part, reason from payment_kit.owed") == [
        ("customer", "cus_1", "", "tie")
    ]


async def test_a_tie_within_a_batch_writes_one_of_them_until_it_is_fetched(pool: Pool) -> None:
    written = await _write(pool, state(customer("a"), id="e1"), state(customer("b"), id="e2"))
    assert written.outcomes == ("undecided", "undecided")
    assert (await _names(pool))[0][1] in "ab"


async def test_a_refetch_settles_a_tie(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, _read(customer("c"), NOON, after="e1"))
    assert await _names(pool) == [("cus_1", "c", False)]


async def test_a_refetch_settles_a_tie_whatever_else_was_read_in_that_second(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    copy = replace(_read(customer("old"), NOON), event="read:elsewhere")
    await _write(pool, copy, _read(customer("c"), NOON, after="e1"))
    assert await _names(pool) == [("cus_1", "c", False)]


async def test_a_refetch_that_was_overtaken_is_undecided_again(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, state(customer("b"), id="e2", previous={"name": "a"}))
    written = await _write(pool, _read(customer("c"), NOON, after="e1"))
    assert written.outcomes == ("undecided",)


async def test_an_update_after_a_delete_does_not_bring_the_row_back(pool: Pool) -> None:
    await _write(pool, state(customer("a"), "customer.deleted", id="e1"))
    await _write(pool, state(customer("b"), id="e2", created=NOON + 9))
    assert await _names(pool) == [("cus_1", "a", True)]


async def test_a_late_delete_still_deletes(pool: Pool) -> None:
    await _write(pool, state(customer("b"), id="e2", created=NOON + 9))
    await _write(pool, state(customer("a"), "customer.deleted", id="e1"))
    assert await _names(pool) == [("cus_1", "a", True)]


async def test_a_deleted_answer_keeps_the_last_object(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, _read({"id": "cus_1", "object": "customer", "deleted": True}, NOON + 9))
    assert await _names(pool) == [("cus_1", "a", True)]


async def test_a_deleted_answer_for_an_object_never_seen_is_a_tombstone(pool: Pool) -> None:
    await _write(pool, _read({"id": "cus_1", "object": "customer", "deleted": True}, NOON))
    assert await _names(pool) == [("cus_1", None, True)]


async def test_a_stale_page_does_not_overwrite_a_newer_event(pool: Pool) -> None:
    await _write(pool, state(customer("new"), id="e1", created=NOON + 5))
    written = await _write(pool, _read(customer("old"), NOON))
    assert (await _names(pool), written.outcomes) == ([("cus_1", "new", False)], ("stale",))


async def test_a_read_that_found_nothing_new_rewrites_nothing(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    written = await _write(pool, _read(customer("a"), NOON + 60))
    row = await _rows(pool, "select source_event from stripe.customers")
    assert (written.outcomes, row) == (("unchanged",), [("e1",)])


async def test_every_state_of_an_event_is_kept_even_a_stale_one(pool: Pool) -> None:
    await _write(pool, state(customer("b"), id="e2", created=NOON + 1))
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, state(customer("c"), id="e3", created=NOON + 2))
    versions = await _rows(pool, "select source_event, raw->>'name' from payment_kit.versions order by source_time")
    assert versions == [("e1", "a"), ("e2", "b")]


async def test_a_read_is_kept_only_when_it_changed_the_row(pool: Pool) -> None:
    await _write(pool, _read(customer("a"), NOON))
    await _write(pool, _read(customer("a"), NOON + 60))
    await _write(pool, _read(customer("b"), NOON + 90))
    assert await _rows(pool, "select raw->>'name' from payment_kit.versions") == [("a",)]


async def test_every_change_of_a_row_is_told_with_its_cause(pool: Pool) -> None:
    await _write(pool, state(customer("a"), id="e1"))
    await _write(pool, state(customer("b"), id="e2", created=NOON + 1))
    await _write(pool, state(customer("x"), id="e0", created=NOON - 1))
    await _write(pool, state(customer("b"), "customer.deleted", id="e3", created=NOON + 2))
    told = await _rows(pool, "select operation, event, before_event from payment_kit.changes order by position")
    assert told == [("insert", "e1", None), ("update", "e2", "e1"), ("delete", "e3", "e2")]


def _subscription(*items: tuple[str, int], has_more: bool = False) -> dict[str, Any]:
    data = [
        {"id": id_, "object": "subscription_item", "subscription": "sub_1", "quantity": quantity}
        for id_, quantity in items
    ]
    nested = {"object": "list", "data": data, "has_more": has_more}
    return {"id": "sub_1", "object": "subscription", "status": "active", "items": nested, "discounts": []}


ITEMS = "select id, quantity, deleted_at is not null from stripe.subscription_items order by id"


async def test_what_an_object_carries_follows_its_row(pool: Pool) -> None:
    kind = "customer.subscription.updated"
    await _write(pool, state(_subscription(("si_a", 1), ("si_b", 1)), kind, id="e1"))
    await _write(pool, state(_subscription(("si_a", 2)), kind, id="e2", created=NOON + 1))
    assert await _rows(pool, ITEMS) == [("si_a", 2, False), ("si_b", 1, True)]


async def test_an_older_event_never_removes_or_brings_back_what_is_carried(pool: Pool) -> None:
    kind = "customer.subscription.updated"
    await _write(pool, state(_subscription(("si_b", 2), ("si_c", 1)), kind, id="e2", created=NOON + 1))
    await _write(pool, state(_subscription(("si_a", 1), ("si_b", 1)), kind, id="e1"))
    assert await _rows(pool, ITEMS) == [("si_b", 2, False), ("si_c", 1, False)]


async def test_of_a_list_that_goes_on_nothing_is_buried_and_the_rest_is_owed(pool: Pool) -> None:
    kind = "customer.subscription.updated"
    await _write(pool, state(_subscription(("si_a", 1), ("si_b", 1)), kind, id="e1"))
    await _write(pool, state(_subscription(("si_a", 2), has_more=True), kind, id="e2", created=NOON + 1))
    assert await _rows(pool, ITEMS) == [("si_a", 2, False), ("si_b", 1, False)]
    assert await _rows(pool, "select object, id, reason from payment_kit.owed") == [("subscription", "sub_1", "parts")]


async def test_one_unreadable_payload_leaves_nothing_of_its_batch(pool: Pool) -> None:
    with pytest.raises(psycopg.DataError):
        await _write(pool, state(customer("a")), state(customer(id="cus_2", balance="much"), id="e2"))
    assert await _names(pool) == []


async def test_the_same_id_in_two_accounts_is_two_rows(pool: Pool) -> None:
    async with pool.connection() as connection:
        await write(connection, "acct_a", False, [state(customer("a"))])
        await write(connection, "acct_b", False, [state(customer("b"))])
    assert await _rows(pool, "select account_id, name from stripe.customers order by 1") == [
        ("acct_a", "a"),
        ("acct_b", "b"),
    ]


def _history(objects: int, changes: int) -> list[State]:
    """Charges and customers whose every second has one state, so that only the order of arrival varies."""
    states = []
    for number in range(objects):
        for change in range(changes):
            at, label = NOON + change, f"{number}_{change}"
            states.append(state(customer(label, id=f"cus_{number}"), id=f"evt_c{label}", created=at))
            charge = {"id": f"ch_{number}", "object": "charge", "amount": change, "status": "succeeded"}
            states.append(state(charge, "charge.updated", id=f"evt_h{label}", created=at))
    return states


STORED = (
    "select id, name, source_time, source_event from stripe.customers union all"
    " select id, amount::text, source_time, source_event from stripe.charges order by 1"
)


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_and_repetition_gives_the_same_rows(pool: Pool, seed: int) -> None:
    rng = random.Random(seed)
    states = _history(4, 6)
    arrivals = rng.sample(states, len(states)) + rng.choices(states, k=20)
    while arrivals:
        size = rng.randint(1, 9)
        await _write(pool, *arrivals[:size])
        arrivals = arrivals[size:]
    last = {(one.id, one.event) for one in states if one.time == NOON + 5}
    assert {(row[0], row[3]) for row in await _rows(pool, STORED)} == last
    assert await _rows(pool, "select count(*) from payment_kit.versions") == [(len(states) - len(last),)]


async def test_writers_at_once_neither_deadlock_nor_lose(pool: Pool) -> None:
    states = _history(8, 12)

    async def writer(seed: int) -> None:
        arrivals = random.Random(seed).sample(states, len(states))
        for start in range(0, len(arrivals), 24):
            await _write(pool, *arrivals[start : start + 24])

    await asyncio.gather(*(writer(seed) for seed in range(4)))
    last = {(one.id, one.event) for one in states if one.time == NOON + 11}
    assert {(row[0], row[3]) for row in await _rows(pool, STORED)} == last


async def _store(pool: Pool, body: dict[str, Any]) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "insert into payment_kit.inbox (platform, account_id, event_id, type, created, livemode, body, source)"
            " values (%s, %s, %s, %s, to_timestamp(%s), false, %s, 'webhook')",
            (ACCOUNT, ACCOUNT, body["id"], body["type"], body["created"], orjson.dumps(body)),
        )
