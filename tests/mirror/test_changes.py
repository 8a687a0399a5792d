"""Whoever follows the changes gets each of them, in the order its row saw them, whatever was committed first."""

import asyncio
import random
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool, connect_async, open_pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror import changes
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.changes import BEGINNING, Change, acknowledge, announce, follow, now, read, resume
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.order import State
from payment_kit.mirror.worker import Worker
from payment_kit.mirror.writer import write
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import Business
from tests.mirror.events import ACCOUNT, NOON, customer, state

WAIT_SECONDS = 20


def _customer(name: str, second: int = 0, id: str = "cus_1", kind: str = "customer.updated") -> State:  # noqa: A002
    return state(customer(name, id=id), kind, id=f"e_{id}_{second}", created=NOON + second)


async def _write(pool: Pool, *states: State) -> None:
    async with pool.connection() as connection:
        await write(connection, ACCOUNT, False, states)


async def _read(pool: Pool, cursor: str = BEGINNING, limit: int = changes.PAGE_MAX) -> tuple[list[Change], str]:
    async with pool.connection() as connection:
        return await read(connection, cursor, limit)


async def _all(pool: Pool, cursor: str = BEGINNING, limit: int = changes.PAGE_MAX) -> list[Change]:
    found: list[Change] = []
    while True:
        some, cursor = await _read(pool, cursor, limit)
        if not some:
            return found
        found += some


def _told(found: list[Change]) -> list[tuple[str, str, Any, Any]]:
    names = [tuple((payload or {}).get("name") for payload in (one.before, one.after)) for one in found]
    return [(one.id, one.operation, *both) for one, both in zip(found, names, strict=True)]  # type: ignore[misc]


# ---- what a change says ---------------------------------------------------------------------------------------------


async def test_a_change_tells_what_was_before_and_what_is_after(pool: Pool) -> None:
    await _write(pool, _customer("a"))
    await _write(pool, _customer("b", 1))
    await _write(pool, _customer("b", 2, kind="customer.deleted"))
    found = await _all(pool)
    assert _told(found) == [
        ("cus_1", "insert", None, "a"),
        ("cus_1", "update", "a", "b"),
        ("cus_1", "delete", "b", None),
    ]
    assert [one.event for one in found] == ["e_cus_1_0", "e_cus_1_1", "e_cus_1_2"]
    assert {(one.account_id, one.object) for one in found} == {(ACCOUNT, "customer")}


async def test_a_row_written_again_under_its_event_shows_both_contents(pool: Pool) -> None:
    await _write(pool, _customer("a"))
    async with pool.connection() as connection:
        await connection.execute("""update stripe.customers set raw = raw || '{"name": "mended"}'""")
    assert _told(await _all(pool)) == [("cus_1", "insert", None, "a"), ("cus_1", "update", "a", "mended")]


async def test_pages_are_as_long_as_asked_and_no_longer_than_the_bound(pool: Pool) -> None:
    await _write(pool, *(_customer("a", id=f"cus_{one}") for one in range(5)))
    first, cursor = await _read(pool, limit=2)
    second, _ = await _read(pool, cursor, limit=1000)
    assert [len(first), len(second)] == [2, 3]
    assert first[-1].cursor == cursor


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.2", "1.2.3.4", "1" * 30, "1 "])
async def test_what_is_no_cursor_is_refused(pool: Pool, cursor: str) -> None:
    with pytest.raises(UsageProblem, match="CURSOR_INVALID"):
        await _read(pool, cursor)


# ---- what is final --------------------------------------------------------------------------------------------------


async def test_writers_that_commit_in_reverse_order_lose_nothing(pool: Pool, database: str) -> None:
    """Three transactions take positions 1, 2, 3 and commit 3, 2, 1; a reader looks after each."""
    async with AsyncExitStack() as stack:
        open_ones = []
        for one in range(3):
            connection = await stack.enter_async_context(await connect_async(database))
            await connection.execute("begin")
            await write(connection, ACCOUNT, False, [_customer("a", id=f"cus_{one}")])
            open_ones.append(connection)
        cursor, seen = BEGINNING, []
        for connection in reversed(open_ones):
            found, cursor = await _read(pool, cursor)
            seen.append([one.id for one in found])
            await connection.execute("commit")
        found, cursor = await _read(pool, cursor)
        assert (seen, [one.id for one in found]) == ([[], [], []], ["cus_0", "cus_1", "cus_2"])


async def test_a_newer_transaction_that_took_an_earlier_position_is_waited_for(pool: Pool, database: str) -> None:
    """The number of the open transaction is higher than any that has ended: no snapshot counts it as open."""
    async with await connect_async(database) as early, await connect_async(database) as late:
        await early.execute("begin")
        await early.execute("select pg_current_xact_id()")
        await late.execute("begin")
        await write(late, ACCOUNT, False, [_customer("a", id="late")])
        await write(early, ACCOUNT, False, [_customer("a", id="early")])
        await early.execute("commit")
        first, cursor = await _read(pool)
        await late.execute("commit")
        second, _ = await _read(pool, cursor)
    assert ([one.id for one in first], [one.id for one in second]) == ([], ["late", "early"])


async def test_what_was_undone_is_waited_for_only_as_long_as_it_is_open(pool: Pool, database: str) -> None:
    async with await connect_async(database) as undone:
        await undone.execute("begin")
        await write(undone, ACCOUNT, False, [_customer("a", id="undone")])
        await _write(pool, _customer("a", id="done"))
        first, cursor = await _read(pool)
        await undone.execute("rollback")
        second, cursor = await _read(pool, cursor)
    await _write(pool, _customer("a", id="next"))
    third, _ = await _read(pool, cursor)
    assert [[one.id for one in found] for found in (first, second, third)] == [[], ["done"], ["next"]]


async def test_a_transaction_that_is_open_for_long_delays_nothing_it_did_not_write(pool: Pool, database: str) -> None:
    async with await connect_async(database) as idle:
        await idle.execute("begin")
        await idle.execute("select pg_current_xact_id()")
        await _write(pool, _customer("a"))
        assert [one.id for one in (await _read(pool))[0]] == ["cus_1"]


async def test_a_cursor_that_waits_at_a_gap_survives_the_removal_of_what_it_waited_for(
    pool: Pool, database: str
) -> None:
    async with await connect_async(database) as undone:
        await undone.execute("begin")
        await write(undone, ACCOUNT, False, [_customer("a", id="undone")])
        await _write(pool, _customer("a", id="removed"))
        _, cursor = await _read(pool)
        await undone.execute("rollback")
    async with pool.connection() as connection:
        await connection.execute("delete from payment_kit.changes")
    await _write(pool, _customer("a", id="next"))
    assert [one.id for one in (await _read(pool, cursor))[0]] == ["next"]


async def test_a_cursor_of_a_server_with_higher_transaction_numbers_loses_nothing(pool: Pool) -> None:
    await _write(pool, _customer("a"))
    assert [one.id for one in (await _read(pool, "0.1.999999999999"))[0]] == ["cus_1"]


async def test_a_cursor_ahead_of_the_database_is_refused(pool: Pool) -> None:
    await _write(pool, _customer("a"))
    with pytest.raises(UsageProblem, match="ahead of this database"):
        await _read(pool, "99")


async def test_now_is_behind_everything_that_was_being_written(pool: Pool, database: str) -> None:
    async with await connect_async(database) as slow:
        await slow.execute("begin")
        await write(slow, ACCOUNT, False, [_customer("a", id="slow")])
        await _write(pool, _customer("a", id="quick"))
        asking = asyncio.create_task(now(pool))
        await asyncio.sleep(2 * changes.START_POLL_SECONDS)
        assert not asking.done()
        await slow.execute("commit")
    cursor = await asyncio.wait_for(asking, WAIT_SECONDS)
    await _write(pool, _customer("a", id="next"))
    assert [one.id for one in (await _read(pool, cursor))[0]] == ["next"]


async def test_many_writers_and_a_reader_at_once_lose_and_swap_nothing(pool: Pool, database: str) -> None:
    rng = random.Random(3)
    seen: list[Change] = []

    async def writer(opened: Pool, number: int) -> None:
        for second in range(12):
            async with opened.connection() as connection, connection.transaction(force_rollback=rng.random() < 0.2):
                ids = rng.sample(range(6), 2)
                states = [_customer(f"{number}.{second}", second * 10 + number, id=f"cus_{one}") for one in ids]
                await write(connection, ACCOUNT, False, states)
                await asyncio.sleep(rng.random() / 100)

    async def reader(done: asyncio.Event) -> None:
        cursor = BEGINNING
        while True:
            ended = done.is_set()
            found, cursor = await _read(pool, cursor, 7)
            seen.extend(found)
            if ended and not found:
                return

    done = asyncio.Event()
    async with await open_pool(database, max_size=6, name="writers") as opened:
        reading = asyncio.create_task(reader(done))
        await asyncio.gather(*(writer(opened, number) for number in range(6)))
        done.set()
        await asyncio.wait_for(reading, WAIT_SECONDS)
    async with pool.connection() as connection:
        rows = await (await connection.execute("select position from payment_kit.changes order by 1")).fetchall()
        held = await (await connection.execute("select id, raw from stripe.customers")).fetchall()
    assert [one.position for one in seen] == [row[0] for row in rows]
    copy: dict[str, Any] = {}
    for one in seen:
        assert copy.get(one.id) == one.before
        copy[one.id] = one.after
    assert copy == dict(held)


# ---- a copy kept by the changes -------------------------------------------------------------------------------------


def _replayed(found: list[Change]) -> dict[str, dict[str, Any]]:
    copy: dict[str, dict[str, Any]] = {name: {} for name in CATALOGUE}
    for one in found:
        if one.operation == "delete":
            copy[one.object].pop(one.id, None)
        else:
            copy[one.object][one.id] = one.after
    return copy


async def _stored(pool: Pool) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    async with pool.connection() as connection:
        for name, entry in CATALOGUE.items():
            query = f"select id, raw from stripe.{entry.table} where deleted_at is null"
            found[name] = dict(await (await connection.execute(query.encode())).fetchall())
    return found


async def _everything(gateway: StripeGateway) -> list[dict[str, Any]]:
    return [one async for page in gateway.list("/v1/events") for one in page.data]


async def test_a_copy_made_of_all_changes_equals_every_table(
    gateway: StripeGateway, pool: Pool, sandbox: Sandbox, inbox: Inbox, worker: Worker
) -> None:
    business = Business(gateway, sandbox)
    await business.trade(12)
    events = await _everything(gateway)
    random.Random(5).shuffle(events)
    for one in events:
        await inbox.store(envelope(orjson.dumps(one)), "webhook")
    await worker.drain()
    stored = await _stored(pool)
    assert sum(map(len, stored.values())) > 40
    assert _replayed(await _all(pool, limit=50)) == stored


async def test_five_deliveries_over_eight_connections_leave_no_further_change(
    gateway: StripeGateway, database: str, pool: Pool, sandbox: Sandbox
) -> None:
    business = Business(gateway, sandbox)
    for number in range(6):
        made = await business.post("customers", name=f"c{number}")
        business.pass_time(2)
        await business.post(f"customers/{made['id']}", name="changed")
    events = await _everything(gateway)
    async with await open_pool(database, max_size=8, name="eight") as eight:
        box = Inbox(eight, sandbox.account_id)
        workers = [Worker(eight, gateway, sandbox.account_id) for _ in range(3)]
        for _ in range(5):
            await asyncio.gather(*(box.store(envelope(orjson.dumps(one)), "webhook") for one in events))
            await asyncio.gather(*(one.drain() for one in workers))
    found = await _all(pool)
    assert len({(one.id, one.event) for one in found}) == len(found)
    async with pool.connection() as connection:
        versions = await (await connection.execute("select count(*) from payment_kit.versions")).fetchone()
    assert versions == (len(events) - 6,)


# ---- following ------------------------------------------------------------------------------------------------------


async def _next(found: Any, count: int) -> list[Change]:
    return [await asyncio.wait_for(anext(found), WAIT_SECONDS) for _ in range(count)]


async def test_a_follower_is_woken_by_an_announcement(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "POLL_SECONDS", 10 * WAIT_SECONDS)
    async with aclosing(follow(pool, BEGINNING, stop=asyncio.Event())) as found:
        waiting = asyncio.create_task(_next(found, 1))
        await asyncio.sleep(0)
        await _write(pool, _customer("a"))
        while not waiting.done():
            await announce(pool)
            await asyncio.wait((waiting,), timeout=changes.NOTIFY_INTERVAL_SECONDS)
        assert [one.id for one in waiting.result()] == ["cus_1"]


async def test_a_worker_announces_what_it_wrote(pool: Pool, database: str, inbox: Inbox, worker: Worker) -> None:
    async with await connect_async(database) as listener:
        await listener.execute(f"listen {changes.CHANNEL}".encode())
        body = orjson.dumps(
            {"id": "e1", "object": "event", "type": "customer.updated", "created": NOON, "data": {"object": customer()}}
        )
        await inbox.store(envelope(body), "webhook")
        await worker.drain()
        heard = [one async for one in listener.notifies(timeout=WAIT_SECONDS, stop_after=1)]
    assert len(heard) == 1


async def test_a_follower_without_announcements_polls(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.05)
    async with aclosing(follow(pool, BEGINNING, stop=asyncio.Event())) as found:
        waiting = asyncio.create_task(_next(found, 1))
        await asyncio.sleep(0)
        await _write(pool, _customer("a"))
        assert len(await waiting) == 1


async def test_following_ends_when_it_is_told_to(pool: Pool) -> None:
    stop = asyncio.Event()
    stop.set()
    assert [one async for one in follow(pool, BEGINNING, stop=stop)] == []


async def test_a_follower_that_was_killed_goes_on_where_it_acknowledged(pool: Pool) -> None:
    await _write(pool, *(_customer("a", id=f"cus_{one}") for one in range(4)))
    async with pool.connection() as connection:
        cursor = await resume(connection, "copier")
        found, _ = await read(connection, cursor, 4)
        await acknowledge(connection, "copier", found[1].cursor)
        assert (await read(connection, await resume(connection, "copier")))[0] == found[2:]


async def test_work_and_acknowledgement_in_one_transaction_happen_once(pool: Pool) -> None:
    """Two processes of one name, each killed (rolled back) now and then: every change is copied exactly once."""
    await _write(pool, *(_customer("a", id=f"cus_{one}") for one in range(20)))
    rng = random.Random(1)
    async with pool.connection() as connection:
        await connection.execute("create table copied (position bigint)")

    async def process() -> None:
        empty = False
        while not empty:
            async with pool.connection() as connection, connection.transaction(force_rollback=rng.random() < 0.3):
                found, cursor = await read(connection, await resume(connection, "copier"), 3)
                for one in found:
                    await connection.execute("insert into copied values (%s)", [one.position])
                await acknowledge(connection, "copier", cursor)
                empty = not found

    await asyncio.gather(process(), process())
    async with pool.connection() as connection:
        rows = await (await connection.execute("select position from copied order by 1")).fetchall()
    assert [row[0] for row in rows] == [one.position for one in await _all(pool)]


async def test_a_new_follower_begins_where_it_says(pool: Pool) -> None:
    await _write(pool, _customer("a"))
    start = await now(pool)
    await _write(pool, _customer("b", 1))
    async with pool.connection() as connection:
        found, _ = await read(connection, await resume(connection, "late", start=start))
    assert _told(found) == [("cus_1", "update", "a", "b")]


async def test_the_example_of_the_documents_copies_each_change_once(pool: Pool) -> None:
    _, _, block = (Path(__file__).parents[2] / "docs" / "changes.md").read_text().partition("```python\n")
    names: dict[str, Any] = {}
    exec(block.partition("```")[0], names)
    await _write(pool, _customer("a"), _customer("x", id="cus_2"))
    await _write(pool, _customer("b", 1), _customer("x", 1, id="cus_2", kind="customer.deleted"))
    async with pool.connection() as connection:
        await connection.execute("create table my_customers (id text primary key, name text)")
    assert [await names["copy_customers"](pool), await names["copy_customers"](pool)] == [4, 0]
    async with pool.connection() as connection:
        assert await (await connection.execute("select * from my_customers")).fetchall() == [("cus_1", "b")]
