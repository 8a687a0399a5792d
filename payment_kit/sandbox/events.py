"""Events as the API lists them: the last 30 days."""

from payment_kit.sandbox import listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, Endpoint
from payment_kit.sandbox.errors import invalid, no_such
from payment_kit.sandbox.form import array, string
from payment_kit.sandbox.store import EVENTS_WINDOW_SECONDS, Row

TYPES_MAX = 20  # docs.stripe.com/api/events/list


def _events(call: Call) -> Row:
    """GET /v1/events"""
    if len(call.params.get("types") or ()) > TYPES_MAX:
        raise invalid("types", f"You can filter by at most {TYPES_MAX} event types.")
    if call.params.get("types") and call.params.get("type"):
        raise invalid("types", "You may only specify one of these parameters: type, types.")
    return listing.page(call, "event", "/v1/events")


def _event(call: Call) -> Row:
    """GET /v1/events/{id}"""
    row = call.find("event", call.path[0])
    if row["created"] < call.now - EVENTS_WINDOW_SECONDS:
        raise no_such("event", row["id"])
    return row


ENDPOINTS = (
    Endpoint("GET", "events", _events, {**DATED, "type": string, "types": array(string)}),
    Endpoint("GET", "events/*", _event, EXPAND),
)
