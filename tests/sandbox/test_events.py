"""Events: one for every change, with the object as it was then, for thirty days."""

from typing import Any

import stripe

from payment_kit.sandbox import Sandbox
from tests.sandbox.wire import ask, control, event_types, pay, rows

DAY = 86_400


async def test_a_payment_tells_its_whole_story_in_order(sandbox: Sandbox) -> None:
    await pay(sandbox)
    assert await event_types(sandbox) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]


async def test_a_decline_tells_its_story(sandbox: Sandbox) -> None:
    await pay(sandbox, card="chargeDeclined")
    assert await event_types(sandbox) == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


async def test_an_update_tells_what_was_before_and_only_that(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {"name": "Ada", "metadata[a]": "1"})).body["id"]
    await ask(sandbox, "POST", f"/v1/customers/{customer}", {"name": "Eva", "metadata[b]": "2"})
    created, updated = await rows(sandbox, "event")
    assert updated["data"]["previous_attributes"] == {"name": "Ada", "metadata": {"b": None}}
    assert created["data"]["object"]["name"] == "Ada"
    assert updated["data"]["object"]["name"] == "Eva"


async def test_an_update_that_changes_nothing_tells_nothing(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {"name": "Ada"})).body["id"]
    await ask(sandbox, "POST", f"/v1/customers/{customer}", {"name": "Ada"})
    assert await event_types(sandbox) == ["customer.created"]


async def test_an_event_names_the_request_that_made_it_and_the_clock_has_none(sandbox: Sandbox) -> None:
    made = await ask(sandbox, "POST", "/v1/customers", {}, key="k")
    await pay(sandbox, card="bypassPending")
    await control(sandbox, "clock", advance_seconds=DAY)
    events = await rows(sandbox, "event")
    assert events[0]["request"] == {"id": made.headers["request-id"], "idempotency_key": "k"}
    assert events[-1]["type"] == "payout.created"
    assert events[-1]["request"] == {"id": None, "idempotency_key": None}
    assert {event["livemode"] for event in events} == {False}
    assert {event["api_version"] for event in events} == {"2026-10-28.endive"}


async def test_no_event_tells_of_a_balance_transaction(sandbox: Sandbox) -> None:
    await pay(sandbox)
    await control(sandbox, "clock", advance_seconds=5 * DAY)
    kinds = {event["data"]["object"]["object"] for event in await rows(sandbox, "event")}
    assert "balance_transaction" not in kinds
    assert "balance" in kinds


async def test_events_filter_by_type_types_and_wildcard(stripe_client: stripe.StripeClient, sandbox: Sandbox) -> None:
    await pay(sandbox)
    await ask(sandbox, "POST", "/v1/customers", {})

    async def types(params: Any) -> list[str]:
        return [event.type for event in (await stripe_client.v1.events.list_async(params)).data]

    assert await types({"type": "customer.created"}) == ["customer.created"]
    assert await types({"type": "charge.*"}) == ["charge.updated", "charge.succeeded"]
    assert await types({"types": ["customer.created", "charge.succeeded"]}) == ["customer.created", "charge.succeeded"]


async def test_events_older_than_thirty_days_are_gone(sandbox: Sandbox) -> None:
    await ask(sandbox, "POST", "/v1/customers", {})
    (event,) = await rows(sandbox, "event")
    await control(sandbox, "clock", advance_seconds=30 * DAY)
    assert len((await ask(sandbox, "GET", "/v1/events")).body["data"]) == 1
    await control(sandbox, "clock", advance_seconds=1)
    assert (await ask(sandbox, "GET", "/v1/events")).body["data"] == []
    assert (await ask(sandbox, "GET", f"/v1/events/{event['id']}")).status == 404


async def test_the_clock_dates_what_it_does_with_the_time_it_was_due(sandbox: Sandbox) -> None:
    start = sandbox.now
    await pay(sandbox)
    await control(sandbox, "clock", advance_seconds=10 * DAY)
    told = {event["type"]: event["created"] - start for event in await rows(sandbox, "event")}
    assert told["balance.available"] == told["payout.created"] == 2 * DAY
    assert told["payout.updated"] == 2 * DAY + 6 * 3600
    assert told["payout.paid"] == 4 * DAY
