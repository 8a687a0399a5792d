"""Webhooks: signed as Stripe signs, filtered, retried until the receiver is there, and faulty on demand."""

import asyncio
import inspect
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import stripe
from stripe.params import _webhook_endpoint_create_params

from payment_kit.sandbox import Sandbox, event_types
from payment_kit.sandbox.delivery import STRIPE_RETRIES
from payment_kit.sandbox.plan import Plan
from tests.sandbox.receiver import Receiver, flush, register
from tests.sandbox.wire import ask, control, rows

DAY = 86_400


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    async with one.listening():
        yield one


async def customers(sandbox: Sandbox, count: int) -> list[str]:
    """Make that many customers; the ids of their events, oldest first."""
    for number in range(count):
        await ask(sandbox, "POST", "/v1/customers", {"name": str(number)}, key=str(number))
    return [event["id"] for event in await rows(sandbox, "event")]


async def test_every_event_arrives_signed_and_equal_to_the_one_in_the_api(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    made = await customers(sandbox, 5)
    counts = await flush(sandbox)
    assert sorted(receiver.ids(endpoint["secret"])) == sorted(made)
    with pytest.raises(stripe.SignatureVerificationError):
        receiver.ids("whsec_another")
    assert (counts["events"], counts["sent"], counts["acknowledged"], counts["waiting"]) == (5, 5, 5, 0)


async def test_the_secret_is_told_once(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    assert endpoint["secret"].startswith("whsec_")
    assert "secret" not in (await ask(sandbox, "GET", f"/v1/webhook_endpoints/{endpoint['id']}")).body
    assert "secret" not in (await rows(sandbox, "webhook_endpoint"))[0]


async def test_only_enabled_events_are_sent_and_none_to_a_disabled_endpoint(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = await register(sandbox, receiver.url, "product.created")
    await customers(sandbox, 2)
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    await ask(sandbox, "POST", f"/v1/webhook_endpoints/{endpoint['id']}", {"disabled": "true"})
    await ask(sandbox, "POST", "/v1/products", {"name": "Air"})
    await flush(sandbox)
    bodies = [stripe.Webhook.construct_event(body, header, endpoint["secret"]) for body, header in receiver.got]
    assert [event.data.object["name"] for event in bodies] == ["Tea"]


async def test_a_refused_delivery_is_repeated_until_it_is_taken(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry_first_seconds=0.01, retry_max_seconds=0.02)
    receiver.status = 500
    made = await customers(sandbox, 1)
    async with receiver.came:
        await asyncio.wait_for(receiver.came.wait_for(lambda: len(receiver.got) >= 3), 30)
    event = (await ask(sandbox, "GET", f"/v1/events/{made[0]}")).body
    assert event["pending_webhooks"] == 1
    receiver.status = 200
    counts = await flush(sandbox)
    assert set(receiver.ids(endpoint["secret"])) == set(made)
    assert counts["failed_attempts"] >= 3
    assert counts["acknowledged"] == 1
    assert (await ask(sandbox, "GET", f"/v1/events/{made[0]}")).body["pending_webhooks"] == 0


async def test_a_receiver_that_comes_back_gets_everything(sandbox: Sandbox) -> None:
    receiver = Receiver()
    async with receiver.listening() as port:
        endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry_first_seconds=0.01, retry_max_seconds=0.05)
    made = await customers(sandbox, 30)
    stats = (await ask(sandbox, "GET", "/_sandbox/stats")).body["delivery"]
    assert stats["waiting"] == 30
    async with receiver.listening(port):
        await flush(sandbox)
    assert sorted(receiver.ids(endpoint["secret"])) == sorted(made)


async def test_the_plan_duplicates_delays_reorders_and_drops_and_counts_it(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = await register(sandbox, receiver.url)
    plan = {"duplicate": 0.3, "delay": 0.3, "delay_seconds": 0.1, "reorder": 0.3, "drop": 0.2, "seed": 7}
    await control(sandbox, "delivery", **plan, concurrency=1)
    made = await customers(sandbox, 60)
    counts = await flush(sandbox)
    got = receiver.ids(endpoint["secret"])
    times = Counter(got)
    assert len(made) - len(times) == counts["dropped"] > 3
    assert sum(count - 1 for count in times.values()) == counts["duplicated"] > 3
    assert counts["delayed"] > 3
    assert counts["reordered"] > 3
    assert list(dict.fromkeys(got)) != [id_ for id_ in made if id_ in times]
    assert counts["acknowledged"] == len(got) == counts["events"] + counts["duplicated"] - counts["dropped"]


async def test_the_same_plan_meets_the_same_events(receiver: Receiver) -> None:
    from payment_kit.sandbox import SandboxServer

    dropped = []
    for _ in range(2):
        sandbox = Sandbox(seed=5)
        async with SandboxServer(sandbox):
            await register(sandbox, receiver.url)
            await ask(sandbox, "POST", "/v1/webhook_endpoints", {"url": receiver.url, "enabled_events[]": "*"})
            await control(sandbox, "delivery", drop=0.5, seed=2)
            receiver.got.clear()
            made = await customers(sandbox, 20)
            await flush(sandbox)
            dropped.append((made, len(receiver.got)))
    assert dropped[0] == dropped[1]


async def test_what_is_owed_to_a_deleted_endpoint_is_forgotten(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", delay=1, delay_seconds=0.2)
    await customers(sandbox, 3)
    await ask(sandbox, "DELETE", f"/v1/webhook_endpoints/{endpoint['id']}")
    await flush(sandbox)
    assert receiver.got == []


@pytest.mark.parametrize(
    "values",
    [{"drop": 1.5}, {"drop": "much"}, {"delay_seconds": 1e6}, {"concurrency": 0}, {"nonsense": 1}, {"duplicate": True}],
)
def test_an_impossible_plan_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Plan.read(values)


async def test_a_spoilt_signature_is_refused_by_the_sdk_and_told_in_the_counts(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = await register(sandbox, receiver.url)
    for fault, message in (("wrong_secret", "No signatures found"), ("old_timestamp", "Timestamp outside")):
        receiver.got.clear()
        await control(sandbox, "delivery", **{fault: 1.0})
        await ask(sandbox, "POST", "/v1/products", {"name": fault})
        await flush(sandbox)
        ((body, header),) = receiver.got
        with pytest.raises(stripe.SignatureVerificationError, match=message):
            stripe.Webhook.construct_event(body, header, endpoint["secret"])
    stats = (await ask(sandbox, "GET", "/_sandbox/stats")).body["delivery"]
    assert (stats["missigned"], stats["forged_accepted"]) == (2, 2)


async def test_stripes_retries_fall_due_on_the_accounts_clock_and_end_after_three_days(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry="stripe", disable_after_days=30)
    receiver.status = 302
    (made,) = await customers(sandbox, 1)
    counts = await flush(sandbox)
    assert (len(receiver.got), counts["retrying"]) == (1, 1)
    await control(sandbox, "clock", advance_seconds=STRIPE_RETRIES[0] - 1)
    await flush(sandbox)
    assert len(receiver.got) == 1
    await control(sandbox, "clock", advance_seconds=1)
    await flush(sandbox)
    assert len(receiver.got) == 2
    await control(sandbox, "clock", advance_seconds=3 * DAY)
    counts = await flush(sandbox)
    assert len(receiver.got) == 1 + len(STRIPE_RETRIES)
    assert (counts["given_up"], counts["retrying"]) == (1, 0)
    assert sum(STRIPE_RETRIES) <= 3 * DAY
    assert (await ask(sandbox, "GET", f"/v1/events/{made}")).body["pending_webhooks"] == 1


async def test_an_endpoint_that_only_fails_for_days_is_disabled_and_its_retries_end(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry="stripe", disable_after_days=1)
    receiver.status = 500
    await customers(sandbox, 1)
    await flush(sandbox)
    await control(sandbox, "clock", advance_seconds=3 * DAY)
    counts = await flush(sandbox)
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    assert (await ask(sandbox, "GET", path)).body["status"] == "disabled"
    assert (counts["endpoints_disabled"], counts["retrying"]) == (1, 0)
    tries = len(receiver.got)
    assert tries < 1 + len(STRIPE_RETRIES)
    await ask(sandbox, "POST", path, {"disabled": "false"})
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    await flush(sandbox)
    assert (len(receiver.got), (await ask(sandbox, "GET", path)).body["status"]) == (tries + 1, "enabled")


async def test_an_endpoint_keeps_the_version_it_was_made_with(sandbox: Sandbox) -> None:
    asked = {"url": "https://example.com/hook", "enabled_events[]": "*"}
    made = await ask(sandbox, "POST", "/v1/webhook_endpoints", {**asked, "api_version": "2020-08-27"})
    assert made.body["api_version"] == "2020-08-27"
    assert (await ask(sandbox, "POST", "/v1/webhook_endpoints", asked)).body["api_version"] is None
    refused = await ask(sandbox, "POST", "/v1/webhook_endpoints", {**asked, "api_version": "2031-01-01"})
    assert (refused.status, refused.body["error"]["param"]) == (400, "api_version")


async def test_a_type_stripe_has_no_events_of_is_refused(sandbox: Sandbox) -> None:
    answer = await ask(
        sandbox, "POST", "/v1/webhook_endpoints", {"url": "https://example.com", "enabled_events[]": "invoice.payed"}
    )
    assert (answer.status, answer.body["error"]["param"]) == (400, "enabled_events[0]")


def test_the_event_types_are_those_of_the_sdk() -> None:
    source = inspect.getsource(_webhook_endpoint_create_params)
    theirs = {name for name in re.findall(r'"([a-z0-9_.]+)"', source) if "." in name and not name[0].isdigit()}
    assert theirs >= event_types.TYPES
    assert all(event_types.known(name) for name in theirs)


async def test_what_nobody_ever_received_is_forgotten_with_its_event(sandbox: Sandbox) -> None:
    await register(sandbox, "http://127.0.0.1:9/")
    await control(sandbox, "delivery", drop=1.0)
    sandbox.store.set_meta(forgets_events=True)
    made = await customers(sandbox, 3)
    assert [key.partition("|")[0] for key in sandbox.store.waiting] == made
    for _ in range(2):
        await control(sandbox, "clock", advance_seconds=31 * DAY)
    assert not sandbox.store.waiting
    assert not sandbox.store.tables["event"].rows.keys() & set(made)


async def test_a_connected_accounts_own_endpoint_gets_its_events_and_is_disabled_like_any(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    account = (await ask(sandbox, "POST", "/v1/accounts", {"type": "custom"})).body["id"]
    there = {"Stripe-Account": account}
    hook = {"url": receiver.url, "enabled_events[]": "customer.created"}
    endpoint = (await ask(sandbox, "POST", "/v1/webhook_endpoints", hook, headers=there)).body
    await ask(sandbox, "POST", "/v1/customers", {}, headers=there)
    await ask(sandbox, "POST", "/v1/customers", {})
    await flush(sandbox)
    assert len(receiver.ids(endpoint["secret"])) == 1
    receiver.status = 500
    await control(sandbox, "delivery", retry="stripe", disable_after_days=1)
    await ask(sandbox, "POST", "/v1/customers", {}, headers=there)
    for _ in range(6):
        await flush(sandbox)
        await control(sandbox, "clock", advance_seconds=DAY // 2)
    await flush(sandbox)
    shown = await ask(sandbox, "GET", f"/v1/webhook_endpoints/{endpoint['id']}", headers=there)
    assert shown.body["status"] == "disabled"
    assert (await ask(sandbox, "GET", "/v1/webhook_endpoints")).body["data"] == []
