"""EventService: what came and what became of it, without what it holds; and applying one again."""

import grpc
import orjson
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.mirror.worker import Worker
from payment_kit.v1.event_pb2 import Event, GetEventRequest, ListEventsRequest, ReplayEventRequest
from payment_kit.v1.webhook_pb2 import HandleWebhookRequest

from ..fix_service import Service, failure, signed

SECRET = "pi_1_secret_abc"


async def came(service: Service, number: int, type_: str = "payment_intent.created") -> str:
    """An event that was handed over, and its id."""
    about = {"id": f"pi_{number}", "object": "payment_intent", "created": 1_800_000_000, "client_secret": SECRET}
    event = {"id": f"evt_{number}", "object": "event", "type": type_, "created": 1_800_000_000 + number // 2}
    body = orjson.dumps({**event, "livemode": False, "api_version": "2025-01-01", "data": {"object": about}})
    await service.webhooks.HandleWebhook(HandleWebhookRequest(payload=body, signature=signed(body)))
    return f"evt_{number}"


async def listed(service: Service, **fields: object) -> list[str]:
    request = ListEventsRequest(**fields)  # type: ignore[arg-type]
    return [one.id for one in (await service.events.ListEvents(request)).events]


async def test_an_event_tells_what_became_of_it_and_nothing_it_holds(service: Service) -> None:
    id_ = await came(service, 1)
    await came(service, 1)

    event = (await service.events.GetEvent(GetEventRequest(id=id_))).event

    assert (event.id, event.type, event.object_id) == ("evt_1", "payment_intent.created", "pi_1")
    assert (event.outcome, event.source, event.deliveries) == (Event.OUTCOME_WAITING, "grpc", 2)
    assert event.create_time.seconds == 1_800_000_000
    assert event.receive_time.seconds
    assert not event.HasField("apply_time")
    assert SECRET.encode() not in event.SerializeToString()


async def test_events_are_listed_newest_first_page_by_page_by_every_filter(service: Service) -> None:
    ids = [
        await came(service, number, f"payment_intent.{'created' if number % 2 else 'canceled'}") for number in range(7)
    ]
    await service.rows("update payment_kit.inbox set outcome = 'dead' where event_id = 'evt_3' returning 1")

    found, token = list[str](), ""
    while True:
        page = await service.events.ListEvents(ListEventsRequest(page_size=3, page_token=token))
        found += [one.id for one in page.events]
        token = page.next_page_token
        if not token:
            break

    assert found == sorted(ids, reverse=True)
    assert await listed(service, type="payment_intent.canceled") == ["evt_6", "evt_4", "evt_2", "evt_0"]
    assert await listed(service, object_id="pi_5") == ["evt_5"]
    assert await listed(service, outcome=Event.OUTCOME_DEAD) == ["evt_3"]
    assert len(await listed(service, outcome=Event.OUTCOME_WAITING)) == 6
    since, before = Timestamp(seconds=1_800_000_001), Timestamp(seconds=1_800_000_002)
    assert await listed(service, created_from=since, created_before=before) == ["evt_3", "evt_2"]


@pytest.mark.parametrize("outcome", ["dead", "stale"])
async def test_what_was_given_up_or_late_is_applied_again(service: Service, worker: Worker, outcome: str) -> None:
    id_ = await came(service, 1)
    query = "update payment_kit.inbox set outcome = %(outcome)s, attempts = 9, applied_at = now() returning 1"
    await service.rows(query, outcome=outcome)

    waits = (await service.events.ReplayEvent(ReplayEventRequest(id=id_))).event
    assert (waits.outcome, waits.failed_attempts) == (Event.OUTCOME_WAITING, 0)
    await worker.drain()

    event = (await service.events.GetEvent(GetEventRequest(id=id_))).event
    assert event.outcome == Event.OUTCOME_APPLIED
    again = (await service.events.ReplayEvent(ReplayEventRequest(id=id_))).event
    assert again == event


async def test_an_event_that_never_came_is_not_found(service: Service) -> None:
    for call in (
        service.events.GetEvent(GetEventRequest(id="evt_none")),
        service.events.ReplayEvent(ReplayEventRequest(id="evt_none")),
    ):
        assert (await failure(call)).code == grpc.StatusCode.NOT_FOUND
    assert (await failure(service.events.GetEvent(GetEventRequest(id="none")))).fields == ("id",)
    token = await failure(service.events.ListEvents(ListEventsRequest(page_token="none")))
    assert (token.code, token.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("page_token",))
