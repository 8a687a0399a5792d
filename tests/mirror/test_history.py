"""The past is what it was: exact by Stripe's time and by ours, streamed, and changed by nobody."""

import random
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror import history
from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from payment_kit.mirror.history import Then, as_of, typed_sql
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.normalise import event_states, read_states
from payment_kit.mirror.order import State
from payment_kit.mirror.writer import write
from tests.mirror.events import ACCOUNT, NOON, customer, event, state

Json = dict[str, Any]


async def _write(pool: Pool, *states: State) -> None:
    async with pool.connection() as connection:
        await write(connection, ACCOUNT, False, states)


async def _tell(pool: Pool, *events: Json) -> None:
    """Events as they come: stored in the inbox and written."""
    for one in events:
        await Inbox(pool, ACCOUNT).store(envelope(orjson.dumps(one)), "webhook")
        await _write(pool, *event_states(one))


async def _as_of(pool: Pool, second: int, kind: str = "customer", **given: Any) -> list[Then]:
    async with pool.connection() as connection:
        return [then async for then in as_of(connection, ACCOUNT, kind, datetime.fromtimestamp(second, UTC), **given)]


async def _names(pool: Pool, second: int, **given: Any) -> list[tuple[str, bool]]:
    return [(then.state.raw["name"], then.certain) for then in await _as_of(pool, second, **given)]


async def _asked(pool: Pool, query: str, *given: Any) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode(), given)).fetchall()


async def _names_in_sql(pool: Pool, second: int) -> list[tuple[str, bool]]:
    query = "select raw->>'name', certain from payment_kit.as_of(%s, 'customer', to_timestamp(%s))"
    return await _asked(pool, query, ACCOUNT, second)


def _named(second: int, name: str, previous: str | None = None, **fields: Any) -> Json:
    changed = {"name": previous} if previous else None
    return event(customer(name), id=f"e{second}{name}", created=NOON + second, previous=changed, **fields)


# ---- what it shows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=["in order", "backwards", "late"])
async def test_each_second_shows_the_state_of_then(pool: Pool, order: tuple[int, ...]) -> None:
    told = [_named(0, "a"), _named(10, "b"), _named(20, "c")]
    await _tell(pool, *(told[one] for one in order))
    for second, name in {0: "a", 9: "a", 10: "b", 19: "b", 20: "c", 99: "c"}.items():
        assert await _names(pool, NOON + second) == await _names_in_sql(pool, NOON + second) == [(name, True)]


async def test_before_its_first_state_an_object_is_not_there(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"))
    assert await _names(pool, NOON - 1) == []


async def test_a_deleted_object_is_there_until_it_was_deleted(pool: Pool) -> None:
    gone = event(customer("a"), "customer.deleted", id="gone", created=NOON + 10)
    await _tell(pool, gone, _named(0, "a"))
    assert [await _names(pool, NOON + second) for second in (9, 10, 99)] == [[("a", True)], [], []]


async def test_a_late_event_of_a_deleted_object_does_not_bring_it_back(pool: Pool) -> None:
    gone = event(customer("a"), "customer.deleted", id="gone", created=NOON + 10)
    await _tell(pool, gone, _named(15, "b"))
    assert await _names(pool, NOON + 20) == []


async def test_other_accounts_and_kinds_are_not_shown(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"))
    async with pool.connection() as connection:
        assert [one async for one in as_of(connection, "acct_x", "customer", datetime.now(UTC))] == []
    assert await _as_of(pool, NOON, "product") == []


async def test_ids_limit_it(pool: Pool) -> None:
    await _write(pool, *(state(customer(one, id=one), id=f"e_{one}") for one in "abc"))
    assert await _names(pool, NOON, ids=["a", "c", "x"]) == [("a", True), ("c", True)]
    assert await _names(pool, NOON, ids=[]) == []


async def test_a_kind_nobody_mirrors_and_a_time_without_a_zone_are_refused(pool: Pool) -> None:
    async with pool.connection() as connection:
        with pytest.raises(KeyError):
            as_of(connection, ACCOUNT, "nothing", datetime.now(UTC))
        with pytest.raises(ValueError, match="zone"):
            as_of(connection, ACCOUNT, "customer", datetime.now())  # noqa: DTZ005
        with pytest.raises(psycopg.DataError, match="no table holds"):
            await connection.execute("select * from payment_kit.as_of('a', 'nothing', now())")


# ---- states of one second -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "backwards"])
async def test_of_one_second_the_state_that_follows_the_other_is_shown(pool: Pool, order: tuple[int, ...]) -> None:
    told = [_named(0, "a"), _named(0, "b", previous="a")]
    await _tell(pool, *(told[one] for one in order))
    assert await _names(pool, NOON) == [("b", True)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "backwards"])
async def test_the_same_where_a_later_second_was_there_first(pool: Pool, order: tuple[int, ...]) -> None:
    told = [_named(0, "a"), _named(0, "b", previous="a")]
    await _tell(pool, _named(10, "c"), *(told[one] for one in order))
    assert await _names(pool, NOON) == [("b", True)]
    assert [certain for _, certain in await _names_in_sql(pool, NOON)] == [False]


async def test_what_nobody_can_know_is_marked(pool: Pool) -> None:
    await _tell(pool, _named(10, "c"), _named(0, "a"), _named(0, "b"))
    assert [certain for _, certain in await _names(pool, NOON)] == [False]


async def test_a_tie_in_the_row_is_marked_until_it_was_read(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"), _named(0, "b"))
    assert [certain for _, certain in await _names(pool, NOON)] == [False]
    assert [certain for _, certain in await _names_in_sql(pool, NOON)] == [False]


async def test_a_read_that_was_made_because_of_a_tie_has_decided_it(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"), _named(0, "b"))
    read = read_states([customer("b")], time=NOON, request_id="req_1", api_version=None, after="e0a")
    await _write(pool, *read)
    await _tell(pool, _named(10, "c"))
    assert await _names(pool, NOON) == [("b", True)]


async def test_two_events_with_one_content_are_no_question(pool: Pool) -> None:
    await _tell(pool, _named(10, "c"), _named(0, "a"), _named(0, "a") | {"id": "again"})
    assert await _names(pool, NOON) == await _names_in_sql(pool, NOON) == [("a", True)]


async def test_sql_shows_of_a_tie_what_was_in_the_row_last(pool: Pool) -> None:
    await _tell(pool, _named(0, "b", previous="a"), _named(0, "a"), _named(10, "c"))
    assert await _names_in_sql(pool, NOON) == [("b", False)]


# ---- what we knew ---------------------------------------------------------------------------------------------------


async def test_what_came_later_was_not_known(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"), _named(20, "c"))
    before = (await _asked(pool, "select clock_timestamp()"))[0][0]
    await _tell(pool, _named(10, "b"), _named(30, "d"))
    shown = {second: await _names(pool, NOON + second, known_at=before) for second in (0, 15, 99)}
    assert shown == {0: [("a", True)], 15: [("a", True)], 99: [("c", True)]}
    query = "select raw->>'name' from payment_kit.as_of(%s, 'customer', to_timestamp(%s), %s)"
    assert await _asked(pool, query, ACCOUNT, NOON + 99, before) == [("c",)]
    assert await _names(pool, NOON + 15) == [("b", True)]


async def test_a_deletion_that_came_later_was_not_known(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"))
    before = (await _asked(pool, "select clock_timestamp()"))[0][0]
    await _tell(pool, event(customer("a"), "customer.deleted", id="gone", created=NOON + 10))
    assert await _names(pool, NOON + 20, known_at=before) == [("a", True)]


# ---- what lives inside another object -------------------------------------------------------------------------------


def _subscription(second: int, *items: str, more: bool = False) -> Json:
    data = [{"id": one, "object": "subscription_item", "quantity": second} for one in items]
    held = {"object": "list", "data": data, "has_more": more, "url": "/v1/subscription_items"}
    payload = {"id": "sub_1", "object": "subscription", "status": "active", "created": NOON, "items": held}
    return event(payload, "customer.subscription.updated", id=f"s{second}", created=NOON + second)


async def _items(pool: Pool, second: int, **given: Any) -> list[tuple[str, int, bool]]:
    found = await _as_of(pool, second, "subscription_item", **given)
    assert all(then.state.parent == "sub_1" for then in found)
    return [(then.state.id, then.state.raw["quantity"], then.certain) for then in found]


async def test_children_are_those_of_the_parents_state_of_then(pool: Pool) -> None:
    await _tell(pool, _subscription(0, "a"), _subscription(20, "b", "c"), _subscription(10, "a", "b"))
    shown = [await _items(pool, NOON + second) for second in (-1, 0, 10, 20)]
    assert shown == [[], [("a", 0, True)], [("a", 10, True), ("b", 10, True)], [("b", 20, True), ("c", 20, True)]]
    query = (
        "select id, (raw->>'quantity')::int, certain from payment_kit.as_of(%s, 'subscription_item', to_timestamp(%s))"
    )
    assert await _asked(pool, query, ACCOUNT, NOON + 10) == shown[2]


async def test_children_of_a_deleted_parent_are_gone(pool: Pool) -> None:
    payload = _subscription(10, "a")
    payload["data"]["object"]["deleted"] = True
    await _tell(pool, _subscription(0, "a"), payload)
    assert [await _items(pool, NOON + second) for second in (0, 10)] == [[("a", 0, True)], []]


async def test_a_list_that_went_on_at_stripe_is_marked(pool: Pool) -> None:
    await _tell(pool, _subscription(0, "a", more=True))
    assert await _items(pool, NOON) == [("a", 0, False)]


async def test_ids_of_children_find_their_parents(pool: Pool) -> None:
    await _tell(pool, _subscription(10, "b"), _subscription(0, "a", "b"))
    assert await _items(pool, NOON, ids=["b"]) == [("b", 0, True)]
    assert await _items(pool, NOON, ids=["a"]) == [("a", 0, True)]


async def test_sql_knows_what_the_catalogue_knows(pool: Pool) -> None:
    """Tables by kind, and which kind lives inside which."""
    query = "select payment_kit.table_of(%s)::text, (payment_kit.carried_by(%s)).*"
    for kind, entry in CATALOGUE.items():
        carrier = CARRIED_BY.get(kind)
        field = next((one.field for one in carrier.carried if one.child == kind), None) if carrier else None
        known = (f"stripe.{entry.table}", carrier.name if carrier else None, field)
        assert await _asked(pool, query, kind, kind) == [known]


# ---- for analysts ---------------------------------------------------------------------------------------------------


async def test_the_typed_statement_reads_the_columns_of_the_table(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"), _named(10, "b"))
    for kind in CATALOGUE:
        async with pool.connection() as connection:
            given = {"account_id": ACCOUNT, "at": datetime.fromtimestamp(NOON + 5, UTC)}
            cursor = await connection.execute(typed_sql(kind).encode(), given)
            names = [column.name for column in cursor.description or ()]
            rows = await cursor.fetchall()
        if kind == "customer":
            found = dict(zip(names, rows[0], strict=True))
            assert (found["name"], found["created"]) == ("a", datetime.fromtimestamp(NOON, UTC))


# ---- at large -------------------------------------------------------------------------------------------------------


async def test_any_history_in_any_order_shows_at_each_second_what_was_told(pool: Pool) -> None:
    rng = random.Random(7)
    told = [
        event(customer(str(second), id=f"cus_{one}"), id=f"e_{one}_{second}", created=NOON + second)
        for one in range(20)
        for second in rng.sample(range(30), 8)
    ]
    rng.shuffle(told)
    await _write(pool, *(event_states(one)[0] for one in told))
    for second in range(30):
        wanted: dict[str, int] = {}
        for one in told:
            at, key = one["created"] - NOON, one["data"]["object"]["id"]
            if at <= second:
                wanted[key] = max(at, wanted.get(key, 0))
        found = {then.state.id: int(then.state.raw["name"]) for then in await _as_of(pool, NOON + second)}
        assert found == wanted


async def test_it_streams_in_pages_and_keeps_ties_together(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    told = [
        event(customer(name, id=f"cus_{one}"), id=f"e_{one}_{name}", created=NOON, previous=previous)
        for one in range(5)
        for name, previous in (("a", None), ("b", {"name": "a"}), ("c", {"name": "b"}))
    ]
    late = [event(customer("d", id=f"cus_{one}"), id=f"e_{one}_d", created=NOON + 9) for one in range(5)]
    await _tell(pool, *late, *told)
    assert await _names(pool, NOON) == [("c", True)] * 5


@pytest.mark.parametrize(("kind", "first"), [("customer", "a"), ("subscription_item", "i")])
async def test_who_leaves_early_leaves_the_connection_usable(pool: Pool, kind: str, first: str) -> None:
    await _tell(pool, _subscription(0, "i", "j"))
    await _write(pool, *(state(customer(one, id=one), id=f"e_{one}") for one in "abc"))
    async with pool.connection() as connection:
        async with aclosing(as_of(connection, ACCOUNT, kind, datetime.now(UTC))) as found:
            assert (await anext(found)).state.id == first
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


# ---- it stays -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "update payment_kit.versions set raw = '{}'",
        "delete from payment_kit.versions",
        "truncate payment_kit.versions",
    ],
)
async def test_what_was_recorded_cannot_be_changed(pool: Pool, statement: str) -> None:
    await _tell(pool, _named(0, "a"), _named(10, "b"))
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        await _asked(pool, statement)
    assert await _asked(pool, "select raw->>'name' from payment_kit.versions") == [("a",)]


async def test_maintenance_says_so_in_its_transaction(pool: Pool) -> None:
    await _tell(pool, _named(0, "a"), _named(10, "b"))
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set local payment_kit.may_change_history = 'yes'")
        await connection.execute("delete from payment_kit.versions")
    assert await _asked(pool, "select count(*) from payment_kit.versions") == [(0,)]
    with pytest.raises(psycopg.errors.RestrictViolation):
        await _asked(pool, "truncate payment_kit.versions")
