"""Billing meters: how much a customer used, as metered prices bill it."""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, PAGE, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.form import fields, integer, one_of, string
from payment_kit.sandbox.store import Row

MINUTE = 60
WINDOWS = {"hour": 3_600, "day": 86_400}
SUMMARIES_MAX = 10_000
CUSTOMER_KEY, VALUE_KEY = "stripe_customer_id", "value"


def usage(call: Call, meter_id: str, customer_id: str, start: int, end: int) -> int:
    """What a customer used from unix second `start` up to, not with, `end`; never below 0.

    A canceled event does not count. "If the overall cycle usage is negative, the invoice line's quantity is 0."
    """
    meter = call.store.get("billing.meter", meter_id)
    if meter is None:
        raise no_such("billing.meter", meter_id, "meter", 400)
    return max(0, _aggregated(meter, _events(call, meter_id, customer_id, start, end)))


def create_meter(call: Call) -> Row:
    """POST /v1/billing/meters"""
    params = call.params
    if by_event_name(call, params["event_name"]) is not None:
        raise ApiError(
            400, f"There is already an active meter with the event name `{params['event_name']}`.", param="event_name"
        )
    mapping, values = params.get("customer_mapping") or {}, params.get("value_settings") or {}
    row: Row = {
        "id": call.new_id("billing.meter"),
        "object": "billing.meter",
        "created": call.now,
        "customer_mapping": {"event_payload_key": mapping.get("event_payload_key") or CUSTOMER_KEY, "type": "by_id"},
        "default_aggregation": {"formula": params["default_aggregation"]["formula"]},
        "display_name": params["display_name"],
        "event_name": params["event_name"],
        "event_time_window": params.get("event_time_window"),
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": call.now,
        "value_settings": {"event_payload_key": values.get("event_payload_key") or VALUE_KEY},
    }
    return call.add(row, "billing.meter.created")


def by_event_name(call: Call, name: str) -> Row | None:
    """The active meter that counts events of this name."""
    found = call.store.tables["billing.meter"].having("event_name", name)
    return next((meter for meter in found if meter["status"] == "active"), None)


def update_meter(call: Call) -> Row:
    """POST /v1/billing/meters/{id}: its name only."""
    row = call.find("billing.meter", call.path[0])
    name = call.params.get("display_name") or row["display_name"]
    if name == row["display_name"]:
        return row
    return call.change(row, "billing.meter.updated", display_name=name, updated=call.now)


def deactivate_meter(call: Call) -> Row:
    """POST /v1/billing/meters/{id}/deactivate: no more events, no more prices."""
    return _switch(call, "inactive", "billing.meter.deactivated", call.now)


def reactivate_meter(call: Call) -> Row:
    """POST /v1/billing/meters/{id}/reactivate"""
    row = call.find("billing.meter", call.path[0])
    if row["status"] == "inactive" and by_event_name(call, row["event_name"]) is not None:
        raise ApiError(400, f"There is already an active meter with the event name `{row['event_name']}`.")
    return _switch(call, "active", "billing.meter.reactivated", None)


def _switch(call: Call, status: str, event: str, at: int | None) -> Row:
    row = call.find("billing.meter", call.path[0])
    if row["status"] == status:
        raise ApiError(400, f"The meter {row['id']} is already {status}.")
    changes: dict[str, Any] = {"status": status, "status_transitions": {"deactivated_at": at}, "updated": call.now}
    return call.change(row, event, **changes)


def _summaries(call: Call) -> Row:
    """GET /v1/billing/meters/{id}/event_summaries: usage of one customer, per window, newest first."""
    params = call.params
    meter = call.find("billing.meter", call.path[0])
    customer = call.find("customer", params["customer"], "customer", 400)
    start, end, window = params["start_time"], params["end_time"], params.get("value_grouping_window")
    step = WINDOWS[window] if window else MINUTE
    for name in ("start_time", "end_time"):
        if params[name] % step:
            raise invalid(name, f"{name} must be aligned with {window or 'minute'} boundaries.")
    if end <= start:
        raise invalid("end_time", "end_time must be after start_time.")
    width = step if window else end - start
    if (end - start) // width > SUMMARIES_MAX:
        raise invalid("end_time", f"Ask for at most {SUMMARIES_MAX} windows at once.")
    found = [
        _summary(meter, customer["id"], at, at + width, events)
        for at in range(start, end, width)
        if (events := _events(call, meter["id"], customer["id"], at, at + width))
    ]
    return _page(call, found[::-1], f"/v1/billing/meters/{meter['id']}/event_summaries")


def _summary(meter: Row, customer: str, start: int, end: int, events: list[Row]) -> Row:
    return {
        "id": "mtrusg_" + ids.text(24, meter["id"], customer, start, end),
        "object": "billing.meter_event_summary",
        "aggregated_value": _aggregated(meter, events),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }


def _page(call: Call, rows: list[Row], url: str) -> Row:
    """The asked page of rows that are made up for the answer."""
    at = {row["id"]: place for place, row in enumerate(rows)}
    limit = call.params.get("limit", listing.PAGE_DEFAULT)
    if not 1 <= limit <= listing.PAGE_MAX:
        raise invalid("limit", f"Invalid integer: limit must be between 1 and {listing.PAGE_MAX}.")
    first, last = 0, len(rows)
    for name in ("starting_after", "ending_before"):
        id_ = call.params.get(name)
        if id_ is not None and id_ not in at:
            raise no_such("billing.meter_event_summary", id_, name, 400)
    if call.params.get("starting_after"):
        first = at[call.params["starting_after"]] + 1
    if call.params.get("ending_before"):
        last = at[call.params["ending_before"]]
        return {"object": "list", "data": rows[max(first, last - limit) : last], "has_more": last - limit > first,
                "url": url}  # fmt: skip
    return {"object": "list", "data": rows[first : first + limit], "has_more": first + limit < last, "url": url}


def _events(call: Call, meter: str, customer: str, start: int, end: int) -> list[Row]:
    found = call.store.tables["billing.meter_event"].having("_usage", f"{meter}|{customer}")
    return [row for row in found if not row["_canceled"] and start <= row["timestamp"] < end]


def _aggregated(meter: Row, events: list[Row]) -> int:
    match meter["default_aggregation"]["formula"]:
        case "count":
            return len(events)
        case "last":
            latest = max(events, key=lambda row: row["timestamp"], default=None)
            return 0 if latest is None else int(latest["_value"])
    return sum(row["_value"] for row in events)


_NAME = {**EXPAND, "display_name": string}
_METER = {
    **_NAME,
    "customer_mapping": fields({"event_payload_key": string, "type": one_of("by_id")}, ("event_payload_key", "type")),
    "default_aggregation": fields({"formula": one_of("count", "last", "sum")}, ("formula",)),
    "event_name": string,
    "event_time_window": one_of("day", "hour"),
    "value_settings": fields({"event_payload_key": string}, ("event_payload_key",)),
}
_SUMMARIES = {
    **PAGE,
    "customer": string,
    "end_time": integer,
    "start_time": integer,
    "value_grouping_window": one_of("day", "hour"),
}

ENDPOINTS = (
    Endpoint("GET", "billing/meters", listed("billing.meter"), {**PAGE, "status": one_of("active", "inactive")}),
    Endpoint("POST", "billing/meters", create_meter, _METER, ("default_aggregation", "display_name", "event_name")),
    Endpoint("GET", "billing/meters/*", get("billing.meter"), EXPAND),
    Endpoint("POST", "billing/meters/*", update_meter, _NAME),
    Endpoint("POST", "billing/meters/*/deactivate", deactivate_meter, EXPAND),
    Endpoint("POST", "billing/meters/*/reactivate", reactivate_meter, EXPAND),
    Endpoint("GET", "billing/meters/*/event_summaries", _summaries, _SUMMARIES, ("customer", "end_time", "start_time")),
)
