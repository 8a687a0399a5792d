"""Webhook endpoints: where events are sent, and the secret each delivery is signed with."""

import re
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.call import API_VERSION, Call
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get, listed
from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.form import array, boolean, string, url
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

ENDPOINTS_MAX = 16  # docs.stripe.com/webhooks: "up to 16 webhook endpoints"
_EVENT_TYPE = re.compile(r"\*|[a-z0-9_]+(\.[a-z0-9_]+)+")


def create_endpoint(call: Call) -> Row:
    """POST /v1/webhook_endpoints; the only answer that holds the secret."""
    params = call.params
    if sum("deleted" not in row for row in call.store.rows("webhook_endpoint")) >= ENDPOINTS_MAX:
        raise invalid("url", f"You have reached the maximum of {ENDPOINTS_MAX} webhook endpoints.")
    if params.get("api_version") not in (None, API_VERSION):
        raise invalid("api_version", f"The sandbox renders events as of {API_VERSION} only.")
    id_ = call.new_id("webhook_endpoint")
    secret = "whsec_" + ids.text(32, "secret", call.store.meta["account_seed"], id_)
    row: Row = {
        "id": id_,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": call.now,
        "description": params.get("description"),
        "enabled_events": _checked(params["enabled_events"]),
        "livemode": False,
        "metadata": merged({}, params),
        "status": "enabled",
        "url": params["url"],
        "_secret": secret,
    }
    return {**call.add(row), "secret": secret}


def update_endpoint(call: Call) -> Row:
    """POST /v1/webhook_endpoints/{id}"""
    row, params = call.find("webhook_endpoint", call.path[0]), call.params
    changes: dict[str, Any] = {name: params[name] for name in ("description", "url") if name in params}
    if "enabled_events" in params:
        changes["enabled_events"] = _checked(params["enabled_events"])
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    return call.change(row, **changes, metadata=merged(row, params))


def delete_endpoint(call: Call) -> Row:
    """DELETE /v1/webhook_endpoints/{id}: what is still owed to it is no longer sent."""
    row = call.find("webhook_endpoint", call.path[0])
    return call.add({"id": row["id"], "object": "webhook_endpoint", "deleted": True})


def _checked(types: list[str | None]) -> list[str]:
    if not types:
        raise invalid("enabled_events", "Specify at least one event type, or '*' for all.", "parameter_invalid_empty")
    for type_ in types:
        if type_ is None or not _EVENT_TYPE.fullmatch(type_):
            raise invalid("enabled_events", f"Invalid event type: {type_}")
    return [type_ for type_ in types if type_ is not None]


_UPDATE = {**META, "description": string, "disabled": boolean, "enabled_events": array(string), "url": url}
_CREATE = {**META, "api_version": string, "description": string, "enabled_events": array(string), "url": url}

ENDPOINTS = (
    Endpoint("GET", "webhook_endpoints", listed("webhook_endpoint"), PAGE),
    Endpoint("POST", "webhook_endpoints", create_endpoint, _CREATE, ("enabled_events", "url")),
    Endpoint("GET", "webhook_endpoints/*", get("webhook_endpoint"), EXPAND),
    Endpoint("POST", "webhook_endpoints/*", update_endpoint, _UPDATE),
    Endpoint("DELETE", "webhook_endpoints/*", delete_endpoint, {}),
)
