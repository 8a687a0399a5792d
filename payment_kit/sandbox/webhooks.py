"""Webhook endpoints: where events are sent, in which shape, and the secret each delivery is signed with."""

from typing import Any

from payment_kit.sandbox import event_types, ids, versions
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get, listed
from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.form import array, boolean, string, url
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

ENDPOINTS_MAX = 16  # docs.stripe.com/webhooks: "up to 16 webhook endpoints"
ROLL_SECONDS_MAX = 86_400  # docs.stripe.com/webhooks#roll-endpoint-secrets: "up to 24 hours"


def create_endpoint(call: Call) -> Row:
    """POST /v1/webhook_endpoints; the only answer that holds the secret."""
    params = call.params
    if sum("deleted" not in row for row in call.store.rows("webhook_endpoint")) >= ENDPOINTS_MAX:
        raise invalid("url", f"You have reached the maximum of {ENDPOINTS_MAX} webhook endpoints.")
    version = params.get("api_version")
    if version is not None:
        known_version(version)
    id_ = call.new_id("webhook_endpoint")
    secret = _secret(call, id_, 0)
    row: Row = {
        "id": id_,
        "object": "webhook_endpoint",
        "api_version": version,
        "application": None,
        "created": call.now,
        "description": params.get("description"),
        "enabled_events": _checked(params["enabled_events"]),
        "livemode": False,
        "metadata": merged({}, params),
        "status": "enabled",
        "url": params["url"],
        "_connect": params.get("connect", False),
        "_failing_since": None,
        "_rolls": 0,
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
        changes |= {"status": "disabled" if params["disabled"] else "enabled", "_failing_since": None}
    return call.change(row, **changes, metadata=merged(row, params))


def delete_endpoint(call: Call) -> Row:
    """DELETE /v1/webhook_endpoints/{id}: what is still owed to it is no longer sent."""
    row = call.find("webhook_endpoint", call.path[0])
    return call.add({"id": row["id"], "object": "webhook_endpoint", "deleted": True})


def known_version(version: str) -> str:
    """A version webhooks can be rendered in; raises `ApiError` 400 that names the parameter."""
    if version not in versions.VERSIONS:
        raise invalid("api_version", f"Invalid API version: {version[:100]}. The newest is {versions.NEWEST}.")
    return version


def roll_secret(call: Call, keep_old_seconds: int) -> Row:
    """A new secret, as the dashboard's "Roll secret" gives it; both sign until the old one expires."""
    row = call.find("webhook_endpoint", call.path[0])
    rolls = row["_rolls"] + 1
    secret = _secret(call, row["id"], rolls)
    old = {"_old_secret": row["_secret"], "_old_secret_until": call.now + keep_old_seconds}
    return {**call.change(row, _secret=secret, _rolls=rolls, **old), "secret": secret}


def choose_payload(call: Call, payload: str) -> Row:
    """Send an endpoint thin events or snapshots, as an event destination says when it is made."""
    return call.change(call.find("webhook_endpoint", call.path[0]), _payload=payload)


def _secret(call: Call, id_: str, rolls: int) -> str:
    return "whsec_" + ids.text(32, "secret", call.store.meta["account_seed"], id_, *([rolls] if rolls else []))


def _checked(types: list[str | None]) -> list[str]:
    if not types:
        raise invalid("enabled_events", "Specify at least one event type, or '*' for all.", "parameter_invalid_empty")
    for at, type_ in enumerate(types):
        if type_ is None or not event_types.known(type_):
            raise invalid(f"enabled_events[{at}]", f"Invalid enabled_events[{at}]: there are no events of type {type_}")
    return [type_ for type_ in types if type_ is not None]


_UPDATE = {**META, "description": string, "disabled": boolean, "enabled_events": array(string), "url": url}
_CREATE = {
    **META,
    "api_version": string,
    "connect": boolean,
    "description": string,
    "enabled_events": array(string),
    "url": url,
}

ENDPOINTS = (
    Endpoint("GET", "webhook_endpoints", listed("webhook_endpoint"), PAGE),
    Endpoint("POST", "webhook_endpoints", create_endpoint, _CREATE, ("enabled_events", "url")),
    Endpoint("GET", "webhook_endpoints/*", get("webhook_endpoint"), EXPAND),
    Endpoint("POST", "webhook_endpoints/*", update_endpoint, _UPDATE),
    Endpoint("DELETE", "webhook_endpoints/*", delete_endpoint, {}),
)
