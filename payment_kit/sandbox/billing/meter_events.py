"""Meter events: what customers used, as it is reported; and taking a report back."""

import re
from typing import Any

from payment_kit.sandbox.billing import meters
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import fields, integer, one_of, string
from payment_kit.sandbox.store import Row

# "Must be within the past 35 calendar days or up to 5 minutes in the future."
PAST_SECONDS_MAX, AHEAD_SECONDS_MAX = 35 * 86_400, 300
UNIQUE_SECONDS = 86_400  # "uniqueness within a rolling period of at least 24 hours"
CANCEL_SECONDS_MAX = 86_400
IDENTIFIER_MAX, PAYLOAD_KEYS_MAX = 100, 50


def create_event(call: Call) -> Row:
    """POST /v1/billing/meter_events; its time is the test clock's when its customer follows one."""
    params = call.params
    meter = _meter(call)
    customer = call.find("customer", _payload(call, meter["customer_mapping"], None), "payload", 400)
    value = "1" if meter["default_aggregation"]["formula"] == "count" else None
    amount = _payload(call, meter["value_settings"], value)
    if not re.fullmatch("-?[0-9]{1,15}", amount):
        raise invalid("payload", "Invalid value: usage is a whole number of at most 15 digits.")
    at = params.get("timestamp", call.now)
    if not call.now - PAST_SECONDS_MAX <= at <= call.now + AHEAD_SECONDS_MAX:
        raise invalid("timestamp", "The timestamp must be within the past 35 days and no more than 5 minutes ahead.")
    id_ = call.new_id("billing.meter_event")
    identifier = params.get("identifier") or id_
    if len(identifier) > IDENTIFIER_MAX:
        raise invalid("identifier", f"Invalid string: must be at most {IDENTIFIER_MAX} characters.")
    if any(call.now - event["created"] < UNIQUE_SECONDS for event in _identified(call, meter, identifier)):
        raise ApiError(400, f"An event already exists with identifier {identifier}.", param="identifier")
    row: Row = {
        "id": id_,
        "object": "billing.meter_event",
        "created": call.now,
        "event_name": params["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": params["payload"],
        "timestamp": at,
        "_canceled": False,
        "_identifier": f"{meter['id']}|{identifier}",
        "_usage": f"{meter['id']}|{customer['id']}",
        "_value": int(amount),
    }
    # the API's object has no id
    return {name: value for name, value in call.add(row).items() if name != "id"}


def cancel_event(call: Call) -> Row:
    """POST /v1/billing/meter_event_adjustments: the named event of the last 24 hours no longer counts."""
    meter, identifier = _meter(call), (call.params.get("cancel") or {}).get("identifier")
    if identifier is None:
        raise missing("cancel[identifier]")
    found = [event for event in _identified(call, meter, identifier) if not event["_canceled"]]
    if not found:
        raise ApiError(400, f"No meter event with identifier {identifier}.", param="cancel[identifier]")
    call.clock = found[-1].get("_clock", call.clock)
    if call.now - found[-1]["created"] > CANCEL_SECONDS_MAX:
        raise ApiError(400, "A meter event can be canceled within 24 hours only.", param="cancel[identifier]")
    call.change(found[-1], None, _canceled=True)
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": call.params["event_name"],
        "livemode": False,
        "status": "complete",
        "type": "cancel",
    }


def _meter(call: Call) -> Row:
    name = call.params["event_name"]
    meter = meters.by_event_name(call, name)
    if meter is None:
        raise ApiError(400, f"No active meter found for event name `{name}`.", param="event_name")
    return meter


def _payload(call: Call, setting: Row, default: str | None) -> str:
    key = setting["event_payload_key"]
    value = call.params["payload"].get(key, default)
    if value is None:
        raise missing(f"payload[{key}]")
    return str(value)


def _identified(call: Call, meter: Row, identifier: str) -> list[Row]:
    return call.store.tables["billing.meter_event"].having("_identifier", f"{meter['id']}|{identifier}")


def payload(raw: Any, path: str) -> dict[str, str]:
    """Free keys and values, as texts."""
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise invalid(path, "Invalid object: the payload is a set of key-value pairs of strings.")
    if len(raw) > PAYLOAD_KEYS_MAX:
        raise invalid(path, f"A payload can have up to {PAYLOAD_KEYS_MAX} keys.")
    return raw


_EVENT = {**EXPAND, "event_name": string, "identifier": string, "payload": payload, "timestamp": integer}
_CANCEL = {**EXPAND, "cancel": fields({"identifier": string}), "event_name": string, "type": one_of("cancel")}

ENDPOINTS = (
    Endpoint("POST", "billing/meter_events", create_event, _EVENT, ("event_name", "payload")),
    Endpoint("POST", "billing/meter_event_adjustments", cancel_event, _CANCEL, ("event_name", "type")),
)
