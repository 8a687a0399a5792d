"""What goes wrong in the programs people use today, each failure once, by name.

The commonest of all was found in 2026 in receivers that have nothing to do with each other: a delivery is stored, then
its processing is lost (the queue is away, the process dies), and its redelivery is suppressed because the row exists:

- https://github.com/LanternOps/breeze/issues/4095 ("recorded but never enqueued have no recovery path")
- https://github.com/nazarli-shabnam/clevis/issues/409 ("nothing ever read that status back")
- https://github.com/JSONbored/loopover/issues/9054 (5,547 deliveries "permanently un-redeliverable")
- https://github.com/Vexa-ai/vexa/issues/520 (75 minutes of silent drops, nothing delivered after recovery)

Here the stored row is the job itself, so there is nothing between storing and processing that could be lost. The
others are known from the issue trackers of programs that copy Stripe into PostgreSQL. `tests/convergence` looks for
all of them at once and in any mixture.
"""

import asyncio
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import identify
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.worker import Worker
from payment_kit.mirror.writer import write
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.stripe_gateway.gateway import API_VERSION
from tests.mirror.events import NOON, customer, event, state

Json = dict[str, Any]
LINES = 14


async def _deliver(inbox: Inbox, *events: Json) -> list[bool]:
    return [(await inbox.store(envelope(orjson.dumps(one)), "webhook")).new for one in events]


async def _all(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def _names(pool: Pool) -> list[str]:
    return [row[0] for row in await _all(pool, "select name from stripe.customers where deleted_at is null")]


class _Dies(BaseException):
    """The process is gone."""


async def _die(*_arguments: object, **_options: object) -> None:
    raise _Dies


# ---- the commonest --------------------------------------------------------------------------------------------------


async def test_a_row_is_stored_its_processing_lost_and_its_redelivery_suppressed(
    pool: Pool, inbox: Inbox, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = event(customer("Ada"))
    assert await _deliver(inbox, told) == [True]
    with monkeypatch.context() as lost:
        lost.setattr(worker, "_apply", _die)
        with pytest.raises(_Dies):
            await worker.drain()
    assert await _names(pool) == []
    assert await _deliver(inbox, told) == [False]
    await worker.drain()
    assert await _names(pool) == ["Ada"]


async def test_a_row_is_stored_and_nobody_comes_to_process_it_until_a_restart(
    pool: Pool, inbox: Inbox, gateway: StripeGateway
) -> None:
    await _deliver(inbox, event(customer("Ada")))
    successor = Worker(pool, gateway, inbox.account_id)
    await successor.drain()
    assert await _names(pool) == ["Ada"]


async def test_it_is_acknowledged_although_processing_fails(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _deliver(inbox, event(customer(balance="a lot")))
    await worker.drain()
    ((outcome, attempts, error),) = await _all(pool, "select outcome, attempts, last_error from payment_kit.inbox")
    assert (outcome, attempts) == (None, 1)
    assert error


async def test_an_unknown_type_of_event_is_refused_or_lost(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    assert await _deliver(inbox, event({"object": "starship", "id": "ss_1"}, "starship.launched")) == [True]
    await worker.drain()
    assert await _all(pool, "select type, outcome from payment_kit.inbox") == [("starship.launched", "unmapped")]


async def test_a_change_is_published_before_it_is_stored(
    pool: Pool, inbox: Inbox, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _deliver(inbox, event(customer("Ada")))
    monkeypatch.setattr("payment_kit.mirror.worker._finish", _die)
    with pytest.raises(_Dies):
        await worker.drain()
    assert await _all(pool, "select * from payment_kit.changes") == await _all(pool, "select * from stripe.customers")


# ---- order ----------------------------------------------------------------------------------------------------------


async def test_two_events_of_one_second_leave_the_older_state(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    paid = event(
        _subscription("active"), "customer.subscription.updated", id="evt_2", previous={"status": "incomplete"}
    )
    made = event(_subscription("incomplete"), "customer.subscription.created", id="evt_1")
    for one in (paid, made):
        await _deliver(inbox, one)
        await worker.drain()
    assert await _all(pool, "select status from stripe.subscriptions") == [("active",)]


async def test_a_late_update_brings_back_what_was_deleted(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    await _deliver(inbox, event(customer("Ada"), "customer.deleted", id="evt_2", created=NOON + 1))
    await worker.drain()
    await _deliver(inbox, event(customer("Ada"), id="evt_1"), event(customer("Ada"), id="evt_3", created=NOON + 2))
    await worker.drain()
    assert await _names(pool) == []


async def test_a_stale_page_of_a_backfill_overwrites_a_fresh_webhook(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway, sandbox: Sandbox
) -> None:
    made = (await gateway.request("post", "/v1/customers", {"name": "read"})).body
    page = await gateway.page("/v1/customers")
    sandbox.advance_to(sandbox.now + 60)
    await _deliver(inbox, event({**made, "name": "fresh"}, created=sandbox.now))
    await worker.drain()
    await _write_read(pool, inbox, page.data, page.server_time)
    assert await _names(pool) == ["fresh"]


async def test_an_event_between_a_pages_reading_and_its_writing_is_dropped(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway
) -> None:
    """In the very second of the page."""
    made = (await gateway.request("post", "/v1/customers", {"name": "read"})).body
    page = await gateway.page("/v1/customers")
    changed = (await gateway.request("post", f"/v1/customers/{made['id']}", {"name": "fresh"})).body
    told = event(changed, created=page.server_time + 1, previous={"name": "read"})
    await _deliver(inbox, told)
    await worker.drain()
    await _write_read(pool, inbox, page.data, page.server_time)
    await worker.drain()
    assert await _names(pool) == ["fresh"]


async def test_an_older_event_deletes_the_newer_items_of_a_subscription(
    pool: Pool, inbox: Inbox, worker: Worker
) -> None:
    both = event(_subscription("active", "si_1", "si_2"), "customer.subscription.updated", id="evt_2", created=NOON + 1)
    one = event(_subscription("active", "si_1"), "customer.subscription.created", id="evt_1")
    for told in (both, one):
        await _deliver(inbox, told)
        await worker.drain()
    found = await _all(pool, "select id from stripe.subscription_items where deleted_at is null order by id")
    assert found == [("si_1",), ("si_2",)]


# ---- shapes and values ----------------------------------------------------------------------------------------------


async def test_an_older_api_version_empties_columns(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    """Since 2025-03-31 an invoice names its subscription elsewhere, and items have the period."""
    old = {"id": "in_1", "object": "invoice", "created": NOON, "subscription": "sub_1", "lines": _list()}
    bare = _subscription("active", "si_1") | {"current_period_start": NOON, "current_period_end": NOON + 60}
    await _deliver(
        inbox,
        event(old, "invoice.created", api_version="2024-06-20"),
        event(bare, "customer.subscription.updated", id="evt_2", api_version="2024-06-20"),
    )
    await worker.drain()
    assert await _all(pool, "select subscription from stripe.invoices") == [("sub_1",)]
    period = "extract(epoch from current_period_end)::bigint"
    assert await _all(pool, f"select {period} from stripe.subscription_items") == [(NOON + 60,)]


async def test_an_event_of_a_connected_account_is_stored_under_the_platform(
    pool: Pool, inbox: Inbox, worker: Worker
) -> None:
    await _deliver(inbox, event(customer("there"), account="acct_elsewhere"))
    await worker.drain()
    assert await _all(pool, "select account_id from stripe.customers") == [("acct_elsewhere",)]


async def test_an_invoice_ends_after_ten_lines(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway, sandbox: Sandbox
) -> None:
    payer = (await gateway.request("post", "/v1/customers", {})).body["id"]
    draft = (await gateway.request("post", "/v1/invoices", {"customer": payer, "currency": "usd"})).body["id"]
    lines = [{"amount": 100 + number, "description": "Tea"} for number in range(LINES)]
    await gateway.request("post", f"/v1/invoices/{draft}/add_lines", {"lines": lines})
    await _deliver(inbox, *[one async for page in gateway.list("/v1/events") for one in page.data])
    await worker.drain()
    ((stored,),) = await _all(pool, "select count(*) from stripe.invoice_line_items where deleted_at is null")
    assert stored == LINES


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 1200), ("kwd", 12_340), ("usd", 1999)])
async def test_amounts_are_multiplied_by_a_hundred(
    pool: Pool, inbox: Inbox, worker: Worker, currency: str, amount: int
) -> None:
    paid = {"id": "ch_1", "object": "charge", "created": NOON, "amount": amount, "currency": currency}
    await _deliver(inbox, event(paid, "charge.succeeded"))
    await worker.drain()
    assert await _all(pool, "select amount, currency from stripe.charges") == [(amount, currency)]


@pytest.mark.parametrize(
    ("kind", "table", "valid"),
    [
        ("coupon", "coupons", {"id": "WELCOME", "percent_off": 12.5, "amount_off": None, "currency": None}),
        ("price", "prices", {"id": "gold", "unit_amount": 0, "currency": "usd"}),
        ("price", "prices", {"id": "price_1", "unit_amount": None, "unit_amount_decimal": "0.5"}),
        ("payment_method", "payment_methods", {"id": "pm_1", "card": {"exp_month": 1, "exp_year": 1999}}),
        ("product", "products", {"id": "tea", "name": "Tea"}),
    ],
)
async def test_a_constraint_refuses_what_stripe_can_produce(
    pool: Pool, inbox: Inbox, worker: Worker, kind: str, table: str, valid: Json
) -> None:
    await _deliver(inbox, event({"object": kind, "created": NOON, **valid}, f"{kind}.created"))
    await worker.drain()
    assert await _all(pool, f"select id from stripe.{table}") == [(valid["id"],)]


async def test_the_fee_of_a_payment_stays_unknown(pool: Pool, inbox: Inbox, worker: Worker) -> None:
    """``charge.succeeded`` comes before its balance transaction is there; ``charge.updated`` brings it."""
    paid = {"id": "ch_1", "object": "charge", "created": NOON, "status": "succeeded", "balance_transaction": None}
    settled = event({**paid, "balance_transaction": "txn_1"}, "charge.updated", id="evt_2")
    for told in (settled, event(paid, "charge.succeeded")):
        await _deliver(inbox, told)
        await worker.drain()
    assert await _all(pool, "select balance_transaction from stripe.charges") == [("txn_1",)]


# ---- how it is written ----------------------------------------------------------------------------------------------


async def test_unchanged_rows_are_written_again_by_every_backfill(
    pool: Pool, gateway: StripeGateway, inbox: Inbox
) -> None:
    await gateway.request("post", "/v1/customers", {"name": "Ada"})
    account = await identify(gateway, pool)
    await backfill(gateway, pool, account, objects=["customer"])
    before = await _all(pool, "select xmin::text, ctid::text from stripe.customers")
    await backfill(gateway, pool, account, objects=["customer"])
    assert await _all(pool, "select xmin::text, ctid::text from stripe.customers") == before


async def test_writers_in_opposite_orders_deadlock(pool: Pool) -> None:
    states = [state(customer(f"{number}", id=f"cus_{number:03}"), id=f"evt_{number}") for number in range(100)]

    async def write_all(some: list[Any]) -> None:
        async with pool.connection() as connection:
            await write(connection, "acct_test", False, some)

    await asyncio.gather(write_all(states), write_all(states[::-1]), write_all(states), write_all(states[::-1]))
    assert await _all(pool, "select count(*) from stripe.customers") == [(100,)]


async def test_stripe_is_asked_while_a_transaction_is_open(
    pool: Pool, inbox: Inbox, worker: Worker, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await gateway.request("post", "/v1/customers", {"name": "a"})).body
    for name in ("b", "c", "b"):
        await gateway.request("post", f"/v1/customers/{made['id']}", {"name": name})
    await _deliver(inbox, *[one async for page in gateway.list("/v1/events") for one in page.data])
    asked: list[int] = []
    request = gateway.request

    async def watched(*arguments: Any, **options: Any) -> Any:
        query = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in %'"
        asked.append((await _all(pool, query))[0][0])
        return await request(*arguments, **options)

    monkeypatch.setattr(gateway, "request", watched)
    await worker.drain()
    assert asked
    assert set(asked) == {0}


# ---- helpers --------------------------------------------------------------------------------------------------------


def _subscription(status: str, *items: str) -> Json:
    listed = [{"id": one, "object": "subscription_item", "subscription": "sub_1"} for one in items]
    return {"id": "sub_1", "object": "subscription", "created": NOON, "status": status, "items": _list(*listed)}


def _list(*data: Json) -> Json:
    return {"object": "list", "data": list(data), "has_more": False, "url": "/v1/things"}


async def _write_read(pool: Pool, inbox: Inbox, payloads: list[Json], time: int) -> None:
    states = read_states(payloads, time=time, request_id="req_1", api_version=API_VERSION)
    async with pool.connection() as connection:
        await write(connection, inbox.account_id, False, states)
