"""Inbox rows become mirror rows, each once, and no event harms another."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import psycopg
import pytest
from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.errors import Refused
from payment_kit.mirror import worker as worker_module
from payment_kit.mirror import writer
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.worker import ATTEMPTS_MAX, Worker
from payment_kit.stripe_gateway import Reply, StripeGateway
from tests.mirror.events import NOON, customer, event
from tests.waiting import SECONDS_MAX, until, until_found

POISON = {"balance": "a lot"}


async def _store(inbox: Inbox, *events: dict[str, Any]) -> None:
    for each in events:
        await inbox.store(envelope(orjson.dumps(each)), "webhook")


async def _rows(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def _outcomes(pool: Pool) -> dict[str, str | None]:
    return dict(await _rows(pool, "select event_id, outcome from payment_kit.inbox"))


async def _due_now(pool: Pool) -> None:
    await _rows(pool, "update payment_kit.inbox set available_at = now() where outcome is null returning 1")


async def test_events_become_rows(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event(customer("a")), event(customer("b", id="cus_2"), id="evt_2"))
    tally = await worker.drain()
    assert tally.outcomes == {"applied": 2}
    assert await _rows(pool, "select id, name from stripe.customers order by id") == [("cus_1", "a"), ("cus_2", "b")]


async def test_an_event_older_than_its_row_is_stale(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event(customer("new"), id="evt_2", created=NOON + 1))
    await worker.drain()
    await _store(inbox, event(customer("old"), id="evt_1"))
    await worker.drain()
    assert await _outcomes(pool) == {"evt_1": "stale", "evt_2": "applied"}


async def test_an_unknown_type_is_marked_unmapped(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event({"object": "starship", "id": "ss_1"}, "starship.launched"))
    await worker.drain()
    assert await _outcomes(pool) == {"evt_1": "unmapped"}


THIN = {"id": "evt_t", "object": "v2.core.event", "type": "v1.customer.updated", "livemode": False}


async def test_a_thin_notification_is_followed_by_a_read(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway
) -> None:
    made = (await gateway.request("post", "/v1/customers", {"name": "truth"})).body
    related = {"id": made["id"], "type": "customer", "url": f"/v1/customers/{made['id']}"}
    await _store(inbox, THIN | {"created": "2026-07-01T12:00:00.000Z", "related_object": related})
    await worker.drain()
    assert await _rows(pool, "select name from stripe.customers") == [("truth",)]
    assert await _outcomes(pool) == {"evt_t": "applied"}


async def test_of_a_customer_who_is_gone_no_entitlement_is_left(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    one = {"id": "ent_1", "object": "entitlements.active_entitlement", "feature": "feat_1", "lookup_key": "k"}
    for number, data in enumerate(([one], [])):
        summary = {
            "object": "entitlements.active_entitlement_summary",
            "customer": "cus_gone",
            "entitlements": {"object": "list", "data": data, "has_more": False},
        }
        before = {"entitlements": {"data": [] if data else [one]}}
        kind = "entitlements.active_entitlement_summary.updated"
        await _store(inbox, event(summary, kind, id=f"evt_{number}", previous=before))
    await worker.drain()
    assert await _rows(pool, "select id from stripe.active_entitlements where deleted_at is null") == []


async def test_a_thin_notification_about_nothing_we_hold_is_unmapped(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    related = {"id": "ss_1", "type": "starship", "url": "/"}
    await _store(inbox, THIN | {"type": "v1.starship.updated", "created": NOON, "related_object": related})
    await worker.drain()
    assert await _outcomes(pool) == {"evt_t": "unmapped"}


@pytest.mark.parametrize(
    "broken",
    [
        event(customer(id="cus_bad", **POISON), id="evt_bad"),
        event(customer(), id="evt_bad") | {"data": None},
        event(customer(id="cus_bad", created="long ago"), id="evt_bad"),
        event({"object": "product", "id": "prod_1", "updated": "x"}, "product.updated", id="evt_bad"),
    ],
    ids=["column", "shape", "time", "progress"],
)
async def test_a_poison_event_harms_only_itself(
    pool: Pool, inbox: Inbox, worker: Worker, broken: dict[str, Any]
) -> None:
    good = [event(customer(id=f"cus_{n}"), id=f"evt_{n}") for n in range(20)]
    await _store(inbox, *good[:10], broken, *good[10:])
    await worker.drain()
    outcomes = await _outcomes(pool)
    assert outcomes.pop("evt_bad") is None
    assert set(outcomes.values()) == {"applied"}


async def test_a_poison_event_of_one_account_changes_nothing_for_another(
    pool: Pool, inbox: Inbox, worker: Worker
) -> None:
    await _store(
        inbox,
        event(customer(), id="evt_good", account="acct_a"),
        event(customer(**POISON), id="evt_bad", account="acct_b"),
    )
    await worker.drain()
    assert await _outcomes(pool) == {"evt_good": "applied", "evt_bad": None}


async def test_a_poison_event_is_given_up_after_its_last_attempt(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event(customer(**POISON)))
    for _ in range(ATTEMPTS_MAX):
        await _due_now(pool)
        await worker.drain()
    row = await _rows(pool, "select outcome, attempts, last_error from payment_kit.inbox")
    assert row == [("dead", ATTEMPTS_MAX, "InvalidTextRepresentation: the payload is not what the columns can hold")]


async def test_a_failed_event_waits_before_it_is_tried_again(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event(customer(**POISON)))
    await worker.drain()
    assert await _rows(pool, "select attempts, available_at > now() from payment_kit.inbox") == [(1, True)]


async def test_a_tie_is_settled_by_asking_stripe(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway
) -> None:
    truth = (await gateway.request("post", "/v1/customers", {"name": "truth"})).body
    one, two = (event(truth | {"name": name}, id=f"evt_{name}", created=truth["created"]) for name in ("a", "b"))
    await _store(inbox, one, two)
    tally = await worker.drain()
    assert tally.paid == 1
    assert await _rows(pool, "select name from stripe.customers") == [("truth",)]
    assert set((await _outcomes(pool)).values()) == {"applied"}


async def test_a_tie_waits_while_stripe_is_away(pool: Pool, inbox: Inbox, unused_tcp_port: int) -> None:
    base = f"http://127.0.0.1:{unused_tcp_port}"
    async with StripeGateway(SecretStr("sk_test_away"), base=base, retries=0) as unreachable:
        away = Worker(pool, unreachable, inbox.account_id)
        await _store(inbox, event(customer("a"), id="evt_a"), event(customer("b"), id="evt_b"))
        await away.drain()
    assert await _rows(pool, "select reason, attempts from payment_kit.owed") == [("tie", 1)]


async def test_a_tie_of_an_object_stripe_has_no_more_keeps_the_row(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event(customer("a"), id="evt_a"), event(customer("b"), id="evt_b"))
    await worker.drain()
    assert set((await _outcomes(pool)).values()) == {"applied"}


async def test_a_tie_stripe_gives_no_answer_about_stops_nobody(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(*_: Any, **__: Any) -> Reply:
        raise Refused("STRIPE_PERMISSION_DENIED", "The restricted key may not read customers.")

    monkeypatch.setattr(gateway, "request", refuses)
    await _store(inbox, event(customer("a"), id="evt_a"), event(customer("b"), id="evt_b"))
    await _store(inbox, event(customer("c", id="cus_2"), id="evt_c"))
    await worker.drain()
    assert await _rows(pool, "select id, attempts from payment_kit.owed") == [("cus_1", 1)]
    assert (await _outcomes(pool))["evt_c"] == "applied"


async def test_an_answer_nobody_can_store_stays_owed_alone(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(_method: str, path: str, *_: Any, **__: Any) -> Reply:
        fields = POISON if path.endswith("cus_bad") else {"name": "truth"}
        return Reply(customer(id=path.rpartition("/")[2]) | fields, NOON + 1, f"req_{path[-3:]}")

    monkeypatch.setattr(gateway, "request", answers)
    for owner in ("good", "bad"):
        tie = [event(customer(name, id=f"cus_{owner}"), id=f"evt_{owner}_{name}") for name in ("a", "b")]
        await _store(inbox, *tie)
    await worker.drain()
    assert await _rows(pool, "select id, attempts from payment_kit.owed") == [("cus_bad", 1)]


async def test_a_row_that_changes_while_it_is_read_is_read_again(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    async def answers(_method: str, path: str, *_: Any, **__: Any) -> Reply:
        asked.append(path)
        if len(asked) == 1:
            async with pool.connection() as connection:
                await connection.execute("update stripe.customers set source_event = 'evt_other'")
        return Reply({**customer("c"), "id": "cus_1"}, NOON, f"req_{len(asked)}", False)

    monkeypatch.setattr(gateway, "request", answers)
    await _store(inbox, *[event(customer(name, id="cus_1"), id=f"evt_{name}") for name in ("a", "b")])

    await worker.drain()

    assert len(asked) == 2
    assert await _rows(pool, "select raw->>'name' from stripe.customers") == [("c",)]
    assert await _rows(pool, "select id from payment_kit.owed") == []


async def test_trouble_of_the_database_is_waited_for_and_blames_no_event(
    pool: Pool, inbox: Inbox, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, tried_if_possible = asyncio.Event(), worker._if_possible

    async def tried(work: Callable[[], Awaitable[int]]) -> int:
        count = await tried_if_possible(work)
        waits.set()
        return count

    monkeypatch.setattr(worker_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(worker, "_if_possible", tried)
    async with pool.connection() as connection:
        await connection.execute("alter table stripe.customers rename to customers_away")
    await _store(inbox, event(customer("a")))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.wait_for(waits.wait(), SECONDS_MAX)
    assert await _rows(pool, "select outcome, attempts from payment_kit.inbox") == [(None, 0)]
    async with pool.connection() as connection:
        await connection.execute("alter table stripe.customers_away rename to customers")
    await until(lambda: worker.tally.finished > 0)
    stop.set()
    await running


async def test_whoever_loses_a_deadlock_starts_again(
    pool: Pool, inbox: Inbox, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = list[bool]()

    async def loses_once(*arguments: Any, **options: Any) -> Any:
        if not lost:
            lost.append(True)
            raise psycopg.errors.DeadlockDetected("deadlock detected")
        return await writer.write(*arguments, **options)

    monkeypatch.setattr(worker_module, "write", loses_once)
    await _store(inbox, event(customer("a")))
    assert (await worker.drain()).outcomes == {"applied": 1}


async def test_every_event_is_applied_once_by_workers_at_once(pool: Pool, inbox: Inbox, gateway: StripeGateway) -> None:
    events = [
        event(customer(f"n{step}", id=f"cus_{n}"), id=f"evt_{n}_{step}", created=NOON + step)
        for n in range(30)
        for step in range(20)
    ]
    await asyncio.gather(*(_store(inbox, *events[part::10]) for part in range(10)))
    workers = [Worker(pool, gateway, inbox.account_id) for _ in range(3)]
    tallies = await asyncio.gather(*(each.drain() for each in workers))
    assert sum(tally.finished for tally in tallies) == len(events)
    assert await _rows(pool, "select distinct name from stripe.customers") == [("n19",)]
    assert await _rows(pool, "select count(*) from payment_kit.versions") == [(len(events) - 30,)]


async def test_a_crash_before_the_commit_undoes_row_and_mark_together(
    pool: Pool, inbox: Inbox, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    await _store(inbox, event(customer("a")))
    with monkeypatch.context() as patched:
        patched.setattr(worker_module, "_finish", crash)
        with pytest.raises(KeyboardInterrupt):
            await worker.step()
    assert await _rows(pool, "select 1 from stripe.customers") == []
    assert (await worker.drain()).outcomes == {"applied": 1}


async def test_an_event_of_a_connected_account_goes_to_its_rows(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _store(inbox, event(customer("a"), account="acct_connected"))
    await worker.drain()
    assert await _rows(pool, "select account_id from stripe.customers") == [("acct_connected",)]


async def test_a_running_worker_wakes_when_something_arrives(
    pool: Pool, inbox: Inbox, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 600.0)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await _store(inbox, event(customer("a")))
    await until(lambda: worker.tally.finished > 0)
    stop.set()
    await running


async def test_a_worker_of_another_process_hears_of_it(
    pool: Pool, inbox: Inbox, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 600.0)
    stop, other = asyncio.Event(), Worker(pool, gateway, inbox.account_id)
    running = asyncio.create_task(other.run(stop))
    listening = (
        "select 1 from pg_stat_activity where datname = current_database() and state = 'idle' and query like 'listen%'"
    )
    await until_found(lambda: _rows(pool, listening))
    await _store(inbox, event(customer("a")))
    await until(lambda: other.tally.finished > 0)
    stop.set()
    await running
