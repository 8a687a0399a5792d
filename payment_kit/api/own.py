"""The methods about our own state: webhooks that are handed over, events that came, changes as they happen."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.api.handlers import Handler
from payment_kit.api.messages import message
from payment_kit.api.params import params
from payment_kit.api.services import Services
from payment_kit.mirror.changes import Change
from payment_kit.payments import events
from payment_kit.v1 import change_pb2, event_pb2, webhook_pb2


def handle_webhook(services: Services) -> Handler:
    """HandleWebhook: stored when it answers."""

    async def handle(request: webhook_pb2.HandleWebhookRequest, _context: Any) -> webhook_pb2.HandleWebhookResponse:
        receipt = await services.intake.accept(request.payload, request.signature, "grpc")
        return webhook_pb2.HandleWebhookResponse(event_id=receipt.event_id, duplicate=not receipt.new)

    return handle


def get_event(services: Services) -> Handler:
    """GetEvent."""

    async def get(request: event_pb2.GetEventRequest, _context: Any) -> event_pb2.GetEventResponse:
        params(request)
        found = await events.get(services.desk.reader, request.id)
        return event_pb2.GetEventResponse(event=message(event_pb2.Event, found))

    return get


def list_events(services: Services) -> Handler:
    """ListEvents."""

    async def list_(request: event_pb2.ListEventsRequest, _context: Any) -> event_pb2.ListEventsResponse:
        page = await events.list_(
            services.desk.reader, params(request), page_size=request.page_size, page_token=request.page_token
        )
        found = [message(event_pb2.Event, payload) for payload in page.payloads]
        return event_pb2.ListEventsResponse(events=found, next_page_token=page.next_page_token)

    return list_


def replay_event(services: Services) -> Handler:
    """ReplayEvent: the worker of this process is woken at once, others by PostgreSQL."""

    async def replay(request: event_pb2.ReplayEventRequest, _context: Any) -> event_pb2.ReplayEventResponse:
        params(request)
        found = await events.replay(services.desk.reader, request.id)
        services.intake.inbox.arrived.set()
        return event_pb2.ReplayEventResponse(event=message(event_pb2.Event, found))

    return replay


def watch_changes(services: Services) -> Handler:
    """WatchChanges: writes as fast as the caller reads, and no faster."""

    async def watch(request: change_pb2.WatchChangesRequest, context: Any) -> None:
        watching = services.desk.watching.watch(request.cursor, request.objects, stop=services.stopping)
        async with aclosing(watching) as seen:
            async for change, cursor in seen:
                told = _told(change) if change else None
                await context.write(change_pb2.WatchChangesResponse(cursor=cursor, change=told))

    return watch


def _told(change: Change) -> change_pb2.Change:
    return change_pb2.Change(
        object=change.object,
        id=change.id,
        operation=change_pb2.Change.Operation.Value(f"OPERATION_{change.operation.upper()}"),
        event=change.event,
        after_json=_json(change.after),
        before_json=_json(change.before),
        record_time=Timestamp(seconds=int(change.recorded_at.timestamp()), nanos=change.recorded_at.microsecond * 1000),
    )


def _json(payload: Any) -> str:
    return "" if payload is None else orjson.dumps(payload).decode()


OWN: Mapping[str, Callable[[Services], Handler]] = {
    "HandleWebhook": handle_webhook,
    "GetEvent": get_event,
    "ListEvents": list_events,
    "ReplayEvent": replay_event,
    "WatchChanges": watch_changes,
}
"""Every method of the kind ``own``."""
