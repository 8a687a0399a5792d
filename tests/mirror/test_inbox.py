"""What is acknowledged is stored, whole, once, and counted when it comes again."""

import asyncio
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import Unavailable, UsageProblem
from payment_kit.mirror.inbox import BATCH_MAX, CHANNEL, Inbox, envelope
from tests.mirror.events import ACCOUNT, NOON, customer, event
from tests.waiting import SECONDS_MAX


@pytest.fixture
def inbox(pool: Pool) -> Inbox:
    return Inbox(pool, ACCOUNT)


def _body(**fields: Any) -> bytes:
    return orjson.dumps(event(customer(), **fields))


async def _rows(pool: Pool, columns: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        query = f"select {columns} from payment_kit.inbox order by account_id, event_id".encode()
        return await (await connection.execute(query)).fetchall()


def test_the_envelope_tells_whose_event_it_is() -> None:
    read = envelope(_body(account="acct_connected"))
    assert (read.id, read.type, read.created, read.account, read.object_id) == (
        "evt_1",
        "customer.updated",
        NOON,
        "acct_connected",
        "cus_1",
    )


def test_a_thin_notification_is_an_event_too() -> None:
    thin = {"id": "evt_t", "object": "v2.core.event", "type": "v1.customer.updated", "livemode": False}
    thin |= {"created": "2026-07-01T12:00:00.000Z", "related_object": {"id": "cus_1"}}
    read = envelope(orjson.dumps(thin))
    assert (read.created, read.object_id) == (NOON, "cus_1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 50_000,
        orjson.dumps(customer()),
        _body(id=""),
        _body(id="x" * 300),
        orjson.dumps(event(customer()) | {"id": 5}),
        orjson.dumps(event(customer()) | {"type": None}),
        orjson.dumps(event(customer()) | {"created": "soon"}),
        orjson.dumps(event(customer()) | {"created": True}),
        orjson.dumps(event(customer()) | {"created": -1}),
        orjson.dumps(event(customer()) | {"created": 10**15}),
        orjson.dumps(event(customer()) | {"account": ["x"]}),
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(UsageProblem) as caught:
        envelope(body)
    assert caught.value.reason == "BODY_INVALID"


async def test_the_body_is_kept_byte_for_byte(pool: Pool, inbox: Inbox) -> None:
    body = b" " + _body() + b"\n"
    await inbox.store(envelope(body), "webhook")
    assert await _rows(pool, "body, source, deliveries, account_id") == [(body, "webhook", 1, ACCOUNT)]


async def test_an_event_that_comes_again_is_counted_and_not_new(pool: Pool, inbox: Inbox) -> None:
    receipts = [await inbox.store(envelope(_body()), "webhook") for _ in range(3)]
    assert [receipt.new for receipt in receipts] == [True, False, False]
    assert await _rows(pool, "deliveries") == [(3,)]


async def test_an_event_of_a_connected_account_is_stored_under_it(pool: Pool, inbox: Inbox) -> None:
    await inbox.store(envelope(_body(account="acct_connected")), "webhook")
    assert await _rows(pool, "account_id") == [("acct_connected",)]


async def test_characters_postgresql_cannot_hold_do_not_poison_the_events_view(pool: Pool, inbox: Inbox) -> None:
    body = orjson.dumps(event(customer("a\0b"))).replace(b'"email"', b'"\\ud800"')
    await inbox.store(envelope(body), "webhook")
    async with pool.connection() as connection:
        rows = await (await connection.execute("select raw->'data'->'object'->>'name' from stripe.events")).fetchall()
    assert rows == [("a\ufffdb",)]


async def test_deliveries_that_arrive_together_are_all_stored(pool: Pool, inbox: Inbox) -> None:
    many = BATCH_MAX * 2 + 50
    receipts = await asyncio.gather(
        *(inbox.store(envelope(_body(id=f"evt_{number % many}")), "webhook") for number in range(many + 30))
    )
    assert sum(await _column(pool, "deliveries")) == many + 30
    assert len({receipt.event_id for receipt in receipts if receipt.new}) == many


async def test_a_caller_who_goes_away_takes_nobody_along(
    pool: Pool, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, insert, lots = asyncio.Event(), asyncio.Event(), inbox._insert, list[int]()

    async def slow(deliveries: Any) -> set[str]:
        lots.append(len(deliveries))
        began.set()
        await go_on.wait()
        return await insert(deliveries)

    monkeypatch.setattr(inbox, "_insert", slow)
    async with asyncio.timeout(SECONDS_MAX):
        first = [asyncio.create_task(inbox.store(envelope(_body(id=f"evt_{n}")), "webhook")) for n in range(2)]
        await began.wait()
        second = [asyncio.create_task(inbox.store(envelope(_body(id=f"evt_{n}")), "webhook")) for n in range(2, 5)]
        await asyncio.sleep(0)
        first[0].cancel()
        second[0].cancel()
        go_on.set()
        results = await asyncio.gather(*first, *second, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["CancelledError", "Receipt"] * 2 + ["Receipt"]
    assert lots == [2, 2]
    assert await _column(pool, "event_id") == ["evt_0", "evt_1", "evt_3", "evt_4"]


async def test_a_failure_nobody_foresaw_is_told_and_the_next_delivery_is_stored(
    pool: Pool, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Any) -> set[str]:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_insert", broken)
        with pytest.raises(RuntimeError, match="broken"):
            await asyncio.wait_for(inbox.store(envelope(_body(id="evt_1")), "webhook"), SECONDS_MAX)
    assert (await inbox.store(envelope(_body(id="evt_2")), "webhook")).new


async def test_while_the_database_is_away_nothing_is_acknowledged(pool: Pool, inbox: Inbox) -> None:
    await pool.close()
    with pytest.raises(Unavailable):
        await inbox.store(envelope(_body()), "webhook")


async def test_only_missing_events_are_added_and_none_counted_as_delivered(pool: Pool, inbox: Inbox) -> None:
    await inbox.store(envelope(_body(id="evt_1")), "webhook")
    found = await inbox.store_missing([envelope(_body(id="evt_1")), envelope(_body(id="evt_2"))], "catch_up")
    assert found == 1
    assert await _rows(pool, "event_id, source, deliveries") == [("evt_1", "webhook", 1), ("evt_2", "catch_up", 0)]


async def test_storing_wakes_this_process_and_the_others(pool: Pool, inbox: Inbox) -> None:
    async with pool.connection() as listening:
        await listening.execute(f"listen {CHANNEL}".encode())
        await inbox.store(envelope(_body()), "webhook")
        heard = [notice.channel async for notice in listening.notifies(timeout=SECONDS_MAX, stop_after=1)]
        await listening.execute("unlisten *")
    assert (heard, inbox.arrived.is_set()) == ([CHANNEL], True)


async def _column(pool: Pool, name: str) -> list[Any]:
    return [row[0] for row in await _rows(pool, name)]
