"""Thin events: what happened to which object, without the object, as an event destination with thin payloads gets them.

By docs.stripe.com/event-destinations and stripe-python 16.1.0 (`stripe.v2.core.Event`, `stripe.events`). Every thin
event stands beside a snapshot event and has an id of its own, from which the other follows.
"""

import re
from datetime import UTC, datetime
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import Endpoint
from payment_kit.sandbox.errors import ApiError, no_such
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.store import EVENTS_WINDOW_SECONDS, Row

PAYLOADS = ("snapshot", "thin")
_SNAPSHOT, _THIN, _FILLER = "evt_1", "evt_test_6", 29
_PATH = re.compile(r"core/events/([A-Za-z0-9_]{1,100})")
# of these it knows no related object
_ABOUT_NOTHING = ("account.application.", "account.external_account.", "entitlements.", "invoice.upcoming")


def notification(event: Row) -> Row:
    """What a destination is sent of an event (a row): of a connected account's `context` names the account."""
    request = event["request"]["id"]
    reason = {"type": "request", "request": event["request"]} if request else None
    created = datetime.fromtimestamp(event["created"], UTC)
    related = _related(event)
    return {
        "id": _THIN + event["id"].removeprefix(_SNAPSHOT) + ids.text(_FILLER, "thin", event["id"]),
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "livemode": event["livemode"],
        "created": created.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "context": event.get("account"),
        "reason": reason,
        **({} if related is None else {"related_object": related}),
    }


def match(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
    """The operation of a path, below /v2; raises 501 for all but the reading of one event."""
    found = _PATH.fullmatch(path)
    if found is None or method != "GET":
        raise ApiError(
            501,
            "The sandbox does not have this operation of Stripe's API v2; it answers what is below /v1, and GET "
            "/v2/core/events/{id}.",
            kind="api_error",
            code="sandbox_unsupported",
            stored=False,
        )
    return _FETCH, (found[1],)


def _fetched(call: Call) -> Row:
    """GET /v2/core/events/{id}: the notification, and the snapshot event beside it."""
    id_ = call.path[0]
    snapshot = _SNAPSHOT + id_.removeprefix(_THIN)[:-_FILLER]
    event = call.store.get("event", snapshot) if id_.startswith(_THIN) else None
    if event is None or event["created"] < call.now - EVENTS_WINDOW_SECONDS or notification(event)["id"] != id_:
        raise no_such("event", id_)
    return {**notification(event), "changes": None, "snapshot_event": event["id"]}


def _related(event: Row) -> dict[str, Any] | None:
    row, type_ = event["data"]["object"], event["type"]
    if type_.startswith(_ABOUT_NOTHING):
        return None
    kind = row["object"]
    match kind:
        case "balance" | "balance_settings":
            return {"type": kind, "url": f"/v1/{kind}"}
        case "discount":
            return {"type": kind, "url": f"/v1/customers/{row['customer']}/discount"}
        case "fee_refund":
            url = f"/v1/application_fees/{row['fee']}/refunds/{row['id']}"
        case "tax_id" if row.get("customer"):
            url = f"/v1/customers/{row['customer']}/tax_ids/{row['id']}"
        case _:
            url = f"/v1/{KINDS[kind].path}/{row['id']}"
    return {"id": row["id"], "type": kind, "url": url}


# named as the events below /v1 are: a restricted key that may read those may read this
_FETCH = Endpoint("GET", "events/*", _fetched, {})
