"""Thin events: what happened to which object, without the object; read and verified by Stripe's own SDK."""

import asyncio
from typing import Any

import orjson
import pytest
import stripe
from stripe.events._event_classes import (
    _V2_EVENT_NOTIFICATION_CLASS_LOOKUP,
    get_v2_event_notification_class,
)

from payment_kit.sandbox import Sandbox, event_types, triggers
from payment_kit.sandbox.call import listens
from tests.sandbox.protocol.visitor import ask, control
from tests.sandbox.receiver import Receiver, flush, register
from tests.sandbox.tools.desk import Desk
from tests.sandbox.wire import ask as over_http
from tests.sandbox.wire import control as order

HOOK = {"url": "https://example.com/hook", "enabled_events[]": "*"}
Row = dict[str, Any]


def _destination(sandbox: Sandbox, **more: str) -> Row:
    """An endpoint that gets thin events."""
    endpoint: Row = ask(sandbox, "POST", "/v1/webhook_endpoints", {**HOOK, **more}).body
    told = control(sandbox, f"webhook_endpoints/{endpoint['id']}/event_payload", {"event_payload": "thin"})
    assert told == {"id": endpoint["id"], "event_payload": "thin"}
    return endpoint


def _sent(sandbox: Sandbox, endpoint: Row) -> list[Row]:
    answer = ask(sandbox, "GET", "/_sandbox/webhooks", {"endpoint": endpoint["id"]})
    return [orjson.loads(one["body"]) for one in answer.body]


def test_the_sdk_knows_every_type_that_is_thin() -> None:
    known = {name.removeprefix("v1.") for name in _V2_EVENT_NOTIFICATION_CLASS_LOOKUP}
    assert {type_ for type_ in event_types.TYPES if event_types.thin(type_)} == event_types.TYPES & known


def test_a_notification_names_the_object_and_the_request_and_holds_no_more() -> None:
    sandbox = Sandbox()
    endpoint = _destination(sandbox)
    made = ask(sandbox, "POST", "/v1/customers", {"name": "Ada"}, idempotency_key="k")
    (notification,) = _sent(sandbox, endpoint)
    assert notification.pop("id").startswith("evt_test_6")
    assert notification == {
        "object": "v2.core.event",
        "type": "v1.customer.created",
        "livemode": False,
        "created": "2026-07-01T00:00:00.000Z",
        "context": None,
        "reason": {"type": "request", "request": {"id": made.headers["request-id"], "idempotency_key": "k"}},
        "related_object": {
            "id": made.body["id"],
            "type": "customer",
            "url": f"/v1/customers/{made.body['id']}",
        },
    }


def test_a_connected_accounts_notification_tells_its_context() -> None:
    sandbox = Sandbox()
    endpoint = _destination(sandbox, connect="true")
    account = ask(sandbox, "POST", "/v1/accounts", {"type": "custom"}).body["id"]
    (notification,) = _sent(sandbox, endpoint)
    assert (notification["type"], notification["context"]) == ("v1.account.updated", account)
    event = ask(sandbox, "GET", f"/v2/core/events/{notification['id']}", stripe_context=account)
    assert event.status == 200
    assert ask(sandbox, "GET", f"/v2/core/events/{notification['id']}").status == 404


@pytest.mark.parametrize("type_", triggers.RECIPES)
async def test_the_sdk_reads_every_notification(type_: str) -> None:
    desk = Desk()
    endpoint = await desk.post("webhook_endpoints", **HOOK)
    await desk.order(f"webhook_endpoints/{endpoint['id']}/event_payload", event_payload="thin")
    await desk.order("trigger", event=type_)
    client = stripe.StripeClient("sk_test_x")
    read = set()
    for one in await desk.read("webhooks", endpoint=endpoint["id"], limit="1000"):
        signature = one["headers"]["Stripe-Signature"]
        notification = client.parse_event_notification(one["body"], signature, endpoint["secret"])
        assert type(notification) is get_v2_event_notification_class(notification.type)
        wanted = {name for cls in type(notification).__mro__ for name in getattr(cls, "__annotations__", {})}
        assert hasattr(notification, "related_object") == ("related_object" in wanted)
        read.add(notification.type)
    assert f"v1.{type_}" in read


async def test_the_sdk_fetches_the_event_and_the_object(sandbox: Sandbox) -> None:
    receiver = Receiver()
    async with receiver.listening():
        endpoint = await register(sandbox, receiver.url, "customer.created")
        await order(sandbox, f"webhook_endpoints/{endpoint['id']}/event_payload", event_payload="thin")
        made = (await over_http(sandbox, "POST", "/v1/customers", {"name": "Ada"})).body
        await flush(sandbox)
    ((body, signature),) = receiver.got
    client = stripe.StripeClient(sandbox.api_key, base_addresses={"api": sandbox.url})
    notification = client.parse_event_notification(body, signature, endpoint["secret"])
    event = await asyncio.to_thread(notification.fetch_event)
    assert (event.id, event.type, event.created) == (notification.id, "v1.customer.created", notification.created)
    snapshot = (await over_http(sandbox, "GET", f"/v1/events/{event.snapshot_event}")).body
    assert snapshot["data"]["object"]["id"] == made["id"]
    assert isinstance(notification, stripe.events.V1CustomerCreatedEventNotification)
    assert (await asyncio.to_thread(notification.fetch_related_object)).to_dict() == made


def test_an_event_the_sdk_has_no_thin_one_of_is_not_sent_thin() -> None:
    endpoint = {"enabled_events": ["*"], "_payload": "thin"}
    assert listens(endpoint, "customer.created")
    assert not listens(endpoint, "customer.source.updated")


def test_an_endpoint_goes_back_to_snapshots() -> None:
    sandbox = Sandbox()
    endpoint = _destination(sandbox)
    path = f"webhook_endpoints/{endpoint['id']}/event_payload"
    control(sandbox, path, {"event_payload": "snapshot"})
    ask(sandbox, "POST", "/v1/customers", {})
    assert [one["object"] for one in _sent(sandbox, endpoint)] == ["event"]
    refused = ask(sandbox, "POST", f"/_sandbox/{path}", b'{"event_payload": "fat"}')
    assert (refused.status, refused.body["error"]["param"]) == (400, "event_payload")


@pytest.mark.parametrize("id_", ["evt_test_6", "evt_test_6" + "x" * 52, "evt_1nothing"])
def test_a_thin_event_that_is_none_is_not_found(id_: str) -> None:
    answer = ask(Sandbox(), "GET", f"/v2/core/events/{id_}")
    assert (answer.status, answer.body["error"]["code"]) == (404, "resource_missing")
