"""Whoever writes reads it back at once, before the webhooks come and after."""

from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import Declined, NotFound
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.worker import Worker
from payment_kit.money import Money
from payment_kit.payments.desk import Desk
from payment_kit.payments.idempotency import Request, idempotency_key
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway

from ..fix_service import new_id
from . import acts

Payload = dict[str, Any]


def request() -> Request:
    return Request(new_id(), "Test", b"")


async def create(desk: Desk, name: str) -> Payload:
    return await acts.create(desk, request(), name)


async def deliver(gateway: StripeGateway, inbox: Inbox, worker: Worker, *kinds: str) -> int:
    """Store and apply the events of these types that Stripe has so far, oldest first."""
    page = await gateway.page("/v1/events")
    events = [event for event in reversed(page.data) if not kinds or event["type"] in kinds]
    for event in events:
        await inbox.store(envelope(orjson.dumps(event)), "webhook")
    await worker.drain()
    return len(events)


async def test_an_update_is_read_back_although_the_clock_has_not_moved(desk: Desk) -> None:
    created = await create(desk, "First")

    for name in ("Second", "Third"):
        await acts.update(desk, request(), created["id"], {"name": name})
        assert (await acts.get(desk, created["id"]))["name"] == name


async def test_an_update_is_read_back_when_the_event_of_the_creation_came_first(
    desk: Desk, gateway: StripeGateway, inbox: Inbox, worker: Worker
) -> None:
    created = await create(desk, "First")
    assert await deliver(gateway, inbox, worker) == 1

    await acts.update(desk, request(), created["id"], {"name": "Second"})

    assert (await acts.get(desk, created["id"]))["name"] == "Second"


async def test_a_late_event_of_the_creation_does_not_take_an_update_back(
    desk: Desk, gateway: StripeGateway, inbox: Inbox, worker: Worker
) -> None:
    created = await create(desk, "First")
    await acts.update(desk, request(), created["id"], {"name": "Second"})

    assert await deliver(gateway, inbox, worker, "customer.created") == 1

    assert (await acts.get(desk, created["id"]))["name"] == "Second"


async def test_events_of_one_second_in_any_order_leave_the_last_write(
    desk: Desk, gateway: StripeGateway, inbox: Inbox, worker: Worker
) -> None:
    created = await create(desk, "First")
    for name in ("Second", "Third"):
        await acts.update(desk, request(), created["id"], {"name": name})

    assert await deliver(gateway, inbox, worker) == 3

    assert (await acts.get(desk, created["id"]))["name"] == "Third"


async def test_an_answer_the_mirror_cannot_place_is_read_again(
    desk: Desk, gateway: StripeGateway, inbox: Inbox, worker: Worker, pool: Pool
) -> None:
    created = await create(desk, "First")
    standing = desk.writes.mirror.standing

    async def outdated(kind: str, id_: str) -> Any:
        found = await standing(kind, id_)
        # Between our look at the row and Stripe's answer, another state reached it.
        async with pool.connection() as connection:
            await connection.execute(
                "update stripe.customers set source_event = 'evt_other', source_time = source_time + interval '1 hour'"
            )
        desk.writes.mirror.standing = standing  # type: ignore[method-assign]
        return found

    desk.writes.mirror.standing = outdated  # type: ignore[method-assign]
    await acts.update(desk, request(), created["id"], {"name": "Second"})

    assert (await acts.get(desk, created["id"]))["name"] == "Second"


async def test_a_declined_payment_and_its_charge_are_in_the_mirror(desk: Desk, pool: Pool) -> None:
    declined = None
    try:
        await acts.pay(desk, request(), Money(2000, "usd"), payment_method="pm_card_chargeDeclined")
    except Declined as problem:
        declined = problem

    assert declined is not None
    intent = await desk.reader.get("payment_intent", declined.metadata["payment_intent"])
    assert intent["last_payment_error"]["decline_code"] == "generic_decline"
    async with pool.connection() as connection:
        rows = await (await connection.execute("select id, status from stripe.charges")).fetchall()
    assert rows == [(intent["latest_charge"], "failed")]


async def test_a_payment_and_its_refund_show_on_the_mirrored_charge_at_once(desk: Desk, pool: Pool) -> None:
    intent = await acts.pay(desk, request(), Money(12_340, "kwd"), payment_method="pm_card_visa")
    await acts.refund(desk, request(), intent["id"], Money(340, "kwd"))

    async with pool.connection() as connection:
        cursor = await connection.execute("select amount, amount_refunded, currency from stripe.charges")
        assert await cursor.fetchall() == [(12_340, 340, "kwd")]


async def test_a_write_by_another_program_wins_over_our_older_answer(
    desk: Desk, gateway: StripeGateway, inbox: Inbox, worker: Worker, sandbox: Sandbox
) -> None:
    created = await create(desk, "Ours")
    await gateway.request("post", f"/v1/customers/{created['id']}", {"name": "Theirs"}, idempotency_key=new_id())

    await deliver(gateway, inbox, worker)

    assert (await acts.get(desk, created["id"]))["name"] == "Theirs"
    assert len(list(sandbox.store.rows("customer"))) == 1


async def test_a_repeated_write_does_not_take_back_what_was_written_since(desk: Desk, gateway: StripeGateway) -> None:
    customer, first = await create(desk, "First"), request()
    # Stripe has made the change, and whoever asked for it died before hearing of it.
    key = idempotency_key(desk.writes.account, first.id)
    await gateway.request("post", f"/v1/customers/{customer['id']}", {"name": "Second"}, idempotency_key=key)
    await acts.update(desk, request(), customer["id"], {"name": "Third"})

    answer = await acts.update(desk, first, customer["id"], {"name": "Second"})

    assert answer["name"] == "Second"
    assert (await acts.get(desk, customer["id"]))["name"] == "Third"


async def test_a_repeated_write_is_read_back_at_once(desk: Desk, gateway: StripeGateway) -> None:
    customer, first = await create(desk, "First"), request()
    key = idempotency_key(desk.writes.account, first.id)
    await gateway.request("post", f"/v1/customers/{customer['id']}", {"name": "Second"}, idempotency_key=key)

    await acts.update(desk, first, customer["id"], {"name": "Second"})

    assert (await acts.get(desk, customer["id"]))["name"] == "Second"


async def test_what_was_deleted_is_not_found_by_a_read_or_a_write(
    desk: Desk, gateway: StripeGateway, inbox: Inbox, worker: Worker
) -> None:
    customer = await create(desk, "Gone")
    await gateway.request("delete", f"/v1/customers/{customer['id']}", idempotency_key="gone")
    assert await deliver(gateway, inbox, worker, "customer.deleted") == 1

    with pytest.raises(NotFound):
        await acts.get(desk, customer["id"])
    with pytest.raises(NotFound):
        await acts.update(desk, request(), customer["id"], {"name": "Back"})
    with pytest.raises(NotFound):
        await acts.update(desk, request(), customer["id"], {"metadata": {"back": "1"}})
    with pytest.raises(NotFound):
        await acts.get(desk, customer["id"])


async def test_a_deletion_whose_event_is_lost_is_learnt_from_the_next_write(desk: Desk, gateway: StripeGateway) -> None:
    customer = await create(desk, "Gone")
    await gateway.request("delete", f"/v1/customers/{customer['id']}", idempotency_key="gone")

    with pytest.raises(NotFound):
        await acts.update(desk, request(), customer["id"], {"metadata": {"back": "1"}})

    with pytest.raises(NotFound):
        await acts.get(desk, customer["id"])
