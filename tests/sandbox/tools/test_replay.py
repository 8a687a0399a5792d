"""What became of deliveries, sending them again, and rolling a secret; with a real receiver."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
import stripe

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.deliveries import Attempt
from tests.sandbox.receiver import Receiver, flush, register
from tests.sandbox.wire import ask, control


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    async with one.listening():
        yield one


async def deliveries(sandbox: Sandbox, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await ask(sandbox, "GET", f"/_sandbox/deliveries?{asked}")
    assert answer.status == 200
    found: list[dict[str, Any]] = orjson.loads(answer.raw)
    return found


async def test_every_attempt_is_told_with_its_status_and_the_beginning_of_the_answer(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry="stripe")
    receiver.status = 503
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    await flush(sandbox)
    (one,) = await deliveries(sandbox, type="product.created")
    (attempt,) = one["attempts"]
    assert (one["status"], attempt["status_code"], attempt["response"]) == ("pending", 503, receiver.text[:500])
    assert attempt["signature"] == receiver.got[0][1]
    assert one["next_attempt"] == sandbox.now + 300
    assert await deliveries(sandbox, status="delivered") == []
    assert await deliveries(sandbox, endpoint=endpoint["id"]) == [one]


async def test_a_delivery_and_an_event_are_sent_again_and_end_the_retries(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry="stripe")
    receiver.status = 500
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    await flush(sandbox)
    (one,) = await deliveries(sandbox)
    receiver.status = 200
    again = await control(sandbox, f"deliveries/{one['event']}/{endpoint['id']}/replay")
    assert (again["status"], [attempt["status_code"] for attempt in again["attempts"]]) == ("delivered", [500, 200])
    stats = (await ask(sandbox, "GET", "/_sandbox/stats")).body["delivery"]
    assert stats["retrying"] == 0
    await control(sandbox, f"events/{one['event']}/replay")
    assert receiver.ids(endpoint["secret"]) == [one["event"]] * 3
    assert (await ask(sandbox, "GET", f"/v1/events/{one['event']}")).body["pending_webhooks"] == 0


async def test_a_redirect_and_a_receiver_that_is_not_there_are_failures(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    await control(sandbox, "delivery", retry="stripe")
    receiver.status = 308
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    await flush(sandbox)
    await ask(sandbox, "POST", f"/v1/webhook_endpoints/{endpoint['id']}", {"url": "http://127.0.0.1:9/hook"})
    (one,) = await deliveries(sandbox)
    await control(sandbox, f"events/{one['event']}/replay", endpoint=endpoint["id"])
    told = (await deliveries(sandbox))[0]["attempts"]
    assert [attempt["status_code"] for attempt in told] == [308, None]
    assert told[1]["error"].startswith("ClientConnectorError")


async def test_a_rolled_secret_signs_beside_the_old_one_until_that_expires(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    endpoint = await register(sandbox, receiver.url)
    path = f"webhook_endpoints/{endpoint['id']}/roll_secret"
    rolled = await control(sandbox, path, keep_old_seconds=3600)
    assert rolled["secret"] != endpoint["secret"]
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    await flush(sandbox)
    assert receiver.ids(endpoint["secret"]) == receiver.ids(rolled["secret"])
    await control(sandbox, "clock", advance_seconds=3600)
    receiver.got.clear()
    await ask(sandbox, "POST", "/v1/products", {"name": "Air"})
    await flush(sandbox)
    assert len(receiver.ids(rolled["secret"])) == 1
    ((body, header),) = receiver.got
    assert header.count("v1=") == 1
    stripe.WebhookSignature.verify_header(body.decode(), header, rolled["secret"])


async def test_what_is_not_there_or_disabled_is_refused(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = await register(sandbox, receiver.url)
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    (one,) = await deliveries(sandbox)
    assert (await ask(sandbox, "POST", "/_sandbox/events/evt_1/replay")).status == 404
    assert (await ask(sandbox, "POST", f"/_sandbox/deliveries/{one['event']}/we_1/replay")).status == 404
    await ask(sandbox, "POST", f"/v1/webhook_endpoints/{endpoint['id']}", {"disabled": "true"})
    answer = await ask(sandbox, "POST", f"/_sandbox/events/{one['event']}/replay")
    assert (answer.status, "No enabled endpoint" in answer.body["error"]["message"]) == (400, True)


async def test_an_endpoint_deleted_while_it_answers_a_replay_stays_deleted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, delivery = sandbox.store, sandbox.delivery
    endpoint = await register(sandbox, "http://127.0.0.1:9/")
    await control(sandbox, "delivery", collect=True)
    await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})
    event = next(store.rows("event"))
    store.put({**store.tables["webhook_endpoint"].rows[endpoint["id"]], "_failing_since": 1})
    store.commit()

    async def answers_late(*_: object, **__: object) -> Attempt:
        assert (await ask(sandbox, "DELETE", f"/v1/webhook_endpoints/{endpoint['id']}")).status == 200
        return Attempt(1, sandbox.now, "", status_code=200)

    monkeypatch.setattr(delivery, "_attempt", answers_late)
    await delivery.replay(event, store.tables["webhook_endpoint"].rows[endpoint["id"]])
    assert "deleted" in store.tables["webhook_endpoint"].rows[endpoint["id"]]
