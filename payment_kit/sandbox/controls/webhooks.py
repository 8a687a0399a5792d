"""Webhooks: the plan they meet, what became of them, sending them again, and collecting them instead."""

from dataclasses import fields
from typing import Any

from payment_kit.sandbox import collector, thin, webhooks
from payment_kit.sandbox.call import listens, public
from payment_kit.sandbox.controls.desk import Desk, Operation, invalid, number, only, text, whole
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.happenings import happen
from payment_kit.sandbox.plan import Plan
from payment_kit.sandbox.store import Row

FLUSH_SECONDS_MAX = 300.0
DELIVERIES_LISTED_MAX = 1_000
_FIELDS = ", ".join(f"`{field.name}`" for field in fields(Plan))
_FILTERS = ("endpoint", "event", "status", "type")
_ASKED = ("type", "endpoint", "api_version", "skip", "limit")


def set_plan(desk: Desk) -> dict[str, Any]:
    """POST delivery"""
    try:
        desk.world.delivery.set_plan(Plan.read(dict(desk.given)))
    except (TypeError, ValueError) as error:
        raise invalid("plan", str(error)) from None
    return dict(vars(desk.world.delivery.plan))


async def flush(desk: Desk) -> dict[str, Any]:
    """POST delivery/flush"""
    only(desk.given, "timeout_seconds")
    delivery = desk.world.delivery
    flushed = await delivery.flush(number(desk.given, "timeout_seconds", 0, FLUSH_SECONDS_MAX, default=30))
    return {"flushed": flushed, "waiting": delivery.waiting}


def deliveries(desk: Desk) -> list[dict[str, Any]]:
    """GET deliveries"""
    only(desk.query, *_FILTERS, "limit")
    limit = whole(desk.query, "limit", 1, DELIVERIES_LISTED_MAX, 100)
    wanted = {name: value for name, value in desk.query.items() if name != "limit"}
    return [entry.shown() for entry in desk.world.delivery.log.latest(limit, **wanted)]


async def replay_delivery(desk: Desk) -> dict[str, Any]:
    """POST deliveries/{event}/{endpoint}/replay"""
    only(desk.given)
    entry = await desk.world.delivery.replay(_event(desk), _endpoint(desk, desk.path[1], 404))
    return entry.shown()


async def replay_event(desk: Desk) -> list[dict[str, Any]]:
    """POST events/{event}/replay"""
    only(desk.given, "endpoint")
    event = _event(desk)
    if "endpoint" in desk.given:
        chosen = [_endpoint(desk, desk.given["endpoint"], 400)]
    else:
        rows = desk.world.store.rows("webhook_endpoint")
        chosen = [row for row in rows if row.get("status") == "enabled" and listens(row, event["type"])]
        if not chosen:
            raise ApiError(400, f"No enabled endpoint listens to {event['type']}.", param="endpoint", stored=False)
    return [(await desk.world.delivery.replay(event, endpoint)).shown() for endpoint in chosen]


def _event(desk: Desk) -> Row:
    event = desk.world.store.anywhere("event", desk.path[0])
    if event is None:
        raise ApiError(404, f"No such event: '{desk.path[0]}'", code="resource_missing", param="id", stored=False)
    return event


def _endpoint(desk: Desk, id_: object, status: int) -> Row:
    row = desk.world.store.get("webhook_endpoint", id_) if isinstance(id_, str) else None
    if row is None or "deleted" in row:
        raise ApiError(
            status, f"No such webhook endpoint: '{id_}'", code="resource_missing", param="endpoint", stored=False
        )
    if row["status"] != "enabled":
        raise ApiError(400, f"Webhook endpoint {id_} is disabled.", param="endpoint", stored=False)
    return row


def collected(desk: Desk) -> list[dict[str, Any]]:
    """GET webhooks"""
    only(desk.query, *_ASKED)
    wanted, skip, limit = _asked(desk, dict(desk.query))
    return collector.collected(desk.world.store, desk.world.delivery.plan, wanted, skip=skip, limit=limit)


async def wait(desk: Desk) -> list[dict[str, Any]]:
    """POST webhooks/wait"""
    only(desk.given, *_ASKED, "timeout_seconds")
    wanted, skip, limit = _asked(desk, dict(desk.given))
    seconds = number(desk.given, "timeout_seconds", 0, collector.WAIT_SECONDS_MAX, default=10)
    world = desk.world
    return await collector.wait(world.store, world.delivery.plan, wanted, skip=skip, limit=limit, seconds=seconds)


def _asked(desk: Desk, given: dict[str, Any]) -> tuple[collector.Wanted, int, int]:
    types = given.get("type", [])
    types = types.split(",") if isinstance(types, str) else types
    if not isinstance(types, list) or not all(isinstance(type_, str) for type_ in types):
        raise invalid("type", "must be an event type, or several with commas between")
    endpoint = _endpoint(desk, given["endpoint"], 400) if given.get("endpoint") else None
    version = given.get("api_version")
    if version is not None:
        webhooks.known_version(version)
    skip = whole(given, "skip", 0, 10_000_000, 0)
    return collector.Wanted(types, endpoint, version), skip, whole(given, "limit", 1, collector.LISTED_MAX, 100)


def roll_secret(desk: Desk) -> Row:
    """POST webhook_endpoints/{id}/roll_secret"""
    only(desk.given, "keep_old_seconds")
    keep = whole(desk.given, "keep_old_seconds", 0, webhooks.ROLL_SECONDS_MAX, 0)
    rolled = {}

    def roll(call: Any) -> Row:
        rolled["row"] = webhooks.roll_secret(call, keep)
        return rolled["row"]

    happen(desk.store, desk.world.delivery, desk.path[0], roll)
    return public(rolled["row"])


def event_payload(desk: Desk) -> dict[str, str]:
    """POST webhook_endpoints/{id}/event_payload"""
    only(desk.given, "event_payload")
    payload = text(desk.given, "event_payload")
    if payload not in thin.PAYLOADS:
        raise invalid("event_payload", f"must be one of {', '.join(thin.PAYLOADS)}")
    row = happen(desk.store, desk.world.delivery, desk.path[0], lambda call: webhooks.choose_payload(call, payload))
    return {"id": row["id"], "event_payload": payload}


OPERATIONS = (
    Operation(
        "POST",
        "delivery",
        set_plan,
        f"shares of the deliveries that meet a fault, retries, `collect` (nothing is sent): {_FIELDS}; "
        "what is left out has its default",
        "the whole plan",
    ),
    Operation("GET", "delivery", lambda desk: dict(vars(desk.world.delivery.plan)), "", "the plan"),
    Operation("POST", "delivery/flush", flush, '`{"timeout_seconds"}` (at most 300)', '`{"flushed", "waiting"}`'),
    Operation(
        "GET",
        "deliveries",
        deliveries,
        "`?event=&endpoint=&type=&status=&limit=`",
        "the latest 2,000, newest first: status and every attempt with status code, beginning of the answer, signature",
    ),
    Operation("POST", "deliveries/*/*/replay", replay_delivery, "the ids of event and endpoint", "the delivery"),
    Operation(
        "POST",
        "events/*/replay",
        replay_event,
        '`{"endpoint"}`; without it to every endpoint that listens',
        "the deliveries, each with the attempt just made",
    ),
    Operation(
        "GET",
        "webhooks",
        collected,
        "`?type=invoice.*,charge.succeeded&endpoint=&api_version=&skip=&limit=`",
        "what was or would be sent, in order: `id`, `type`, `created`, `body` (the exact bytes), `headers` (with a "
        "fresh signature by the endpoint's secret, or by the `webhook_secret` of `stats`), `fault`",
    ),
    Operation(
        "POST",
        "webhooks/wait",
        wait,
        '`{"type", "endpoint", "api_version", "skip", "limit", "timeout_seconds"}`',
        "the same, as soon as there is one; an empty list when none came in time",
    ),
    Operation(
        "POST",
        "webhooks/clear",
        lambda desk: {"cleared": collector.clear(desk.world.store)},
        "",
        '`{"cleared"}`: how many are no longer listed',
    ),
    Operation(
        "POST",
        "webhook_endpoints/*/event_payload",
        event_payload,
        '`{"event_payload": "thin"}` or `snapshot`',
        "the same with the id: what the endpoint is sent from now on, as an event destination says when it is made",
    ),
    Operation(
        "POST",
        "webhook_endpoints/*/roll_secret",
        roll_secret,
        '`{"keep_old_seconds"}` (at most a day)',
        "the endpoint with its new secret; until the old one expires deliveries carry both signatures",
    ),
)
