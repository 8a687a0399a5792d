"""Small builders of Stripe events and states, so that a test shows only what it is about."""

from typing import Any

from payment_kit.mirror.normalise import event_states
from payment_kit.mirror.order import State

ACCOUNT = "acct_test"
NOON = 1_782_907_200


def customer(name: str | None = "Ada", *, id: str = "cus_1", **fields: Any) -> dict[str, Any]:  # noqa: A002
    """A customer as Stripe sends it."""
    return {"id": id, "object": "customer", "livemode": False, "created": NOON, "name": name, "metadata": {}, **fields}


def event(
    payload: dict[str, Any],
    kind: str = "customer.updated",
    *,
    id: str = "evt_1",  # noqa: A002
    created: int = NOON,
    previous: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A snapshot event as Stripe sends it."""
    data = {"object": payload} | ({"previous_attributes": previous} if previous is not None else {})
    return {
        "id": id,
        "object": "event",
        "type": kind,
        "created": created,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": data,
        **fields,
    }


def state(payload: dict[str, Any], kind: str = "customer.updated", **fields: Any) -> State:
    """The state of the event's own object."""
    return event_states(event(payload, kind, **fields))[0]
