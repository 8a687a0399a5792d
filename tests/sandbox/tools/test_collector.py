"""Webhooks collected for assertion: exact bytes, valid signatures, filters, waiting, faults."""

import asyncio

import pytest
import stripe

from tests.sandbox.tools.desk import Desk


async def test_every_event_is_collected_with_bytes_the_sdk_verifies() -> None:
    desk = Desk()
    secret = (await desk.read("stats"))["webhook_secret"]
    await desk.post("customers", name="Ada")
    await desk.post("products", name="Tea")
    webhooks = await desk.read("webhooks")
    read = [
        stripe.Webhook.construct_event(one["body"].encode(), one["headers"]["Stripe-Signature"], secret)
        for one in webhooks
    ]
    assert [event.type for event in read] == ["customer.created", "product.created"]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(webhooks[0]["body"] + " ", webhooks[0]["headers"]["Stripe-Signature"], secret)


async def test_types_filter_by_name_and_family() -> None:
    desk = Desk()
    customer = await desk.post("customers", name="Ada")
    await desk.post(f"customers/{customer['id']}", name="Eva")
    await desk.post("products", name="Tea")
    for asked, found in (("customer.*", 2), ("product.created,customer.updated", 2), ("*", 3), ("customer.deleted", 0)):
        assert len(await desk.read("webhooks", type=asked)) == found
    assert [one["type"] for one in await desk.read("webhooks", skip=1, limit=1)] == ["customer.updated"]


async def test_an_endpoint_is_collected_as_it_would_receive() -> None:
    desk = Desk()
    endpoint = await desk.post(
        "webhook_endpoints",
        **{"url": "https://example.com/hook", "enabled_events[]": "product.created", "api_version": "2022-11-15"},
    )
    await desk.order("delivery", collect=True)
    await desk.post("customers", name="Ada")
    await desk.post("products", name="Tea")
    (one,) = await desk.read("webhooks", endpoint=endpoint["id"])
    event = stripe.Webhook.construct_event(one["body"], one["headers"]["Stripe-Signature"], endpoint["secret"])
    assert (event.type, event.api_version) == ("product.created", "2022-11-15")
    (delivery,) = await desk.read("deliveries")
    assert (delivery["status"], delivery["attempts"]) == ("collected", [])
    assert (await desk.get(f"events/{event.id}"))["pending_webhooks"] == 0


async def test_waiting_ends_as_soon_as_the_webhook_is_there_and_empty_when_it_never_comes() -> None:
    desk = Desk()
    waiting = asyncio.create_task(desk.order("webhooks/wait", type="product.created", timeout_seconds=30))
    await asyncio.sleep(0)
    await desk.post("products", name="Tea")
    assert [one["type"] for one in await waiting] == ["product.created"]
    assert await desk.order("webhooks/wait", type="product.created", skip=1, timeout_seconds=0.05) == []


async def test_clearing_begins_anew() -> None:
    desk = Desk()
    await desk.post("products", name="Tea")
    assert await desk.order("webhooks/clear") == {"cleared": 1}
    assert await desk.read("webhooks") == []
    await desk.post("products", name="Air")
    assert len(await desk.read("webhooks")) == 1


async def test_the_plan_loses_doubles_reorders_and_spoils_what_is_collected_the_same_way_each_time() -> None:
    desk = Desk()
    for number in range(40):
        await desk.post("products", name=str(number))
    made = [one["id"] for one in await desk.read("webhooks")]
    await desk.order("delivery", drop=0.3, duplicate=0.3, reorder=0.3, wrong_secret=0.3, seed=3)
    got = await desk.read("webhooks")
    order = [one["id"] for one in got]
    assert 0 < len(set(order)) < len(made)
    assert len(order) > len(set(order))
    assert list(dict.fromkeys(order)) != [id_ for id_ in made if id_ in order]
    assert {one["fault"] for one in got} == {None, "wrong_secret"}
    assert [one["id"] for one in await desk.read("webhooks")] == order


async def test_the_bytes_are_indented_as_stripes_are() -> None:
    desk = Desk()
    await desk.post("products", name="Tea")
    (one,) = await desk.read("webhooks")
    assert one["body"].startswith('{\n  "id": "evt_')


async def test_unknown_fields_and_endpoints_are_refused_by_name() -> None:
    desk = Desk()
    assert "types" in await desk.refused("webhooks/wait", types="x")
    assert "we_1" in await desk.refused("webhooks/wait", endpoint="we_1")
    assert "2099" in await desk.refused("webhooks/wait", api_version="2099-01-01")
    assert "timeout_seconds" in await desk.refused("webhooks/wait", timeout_seconds=1e9)


async def test_collecting_goes_on_when_old_events_are_forgotten() -> None:
    desk = Desk()
    desk.sandbox.store.set_meta(forgets_events=True)
    await desk.post("products", name="Tea")
    await desk.order("webhooks/clear")
    await desk.post("products", name="Air")
    for _ in range(2):
        await desk.order("clock", advance_seconds=31 * 86_400)
    await desk.post("products", name="Ink")
    assert [one["type"] for one in await desk.read("webhooks")] == ["product.created"]
    assert (await desk.order("trigger", event="charge.expired"))["event"]["type"] == "charge.expired"
