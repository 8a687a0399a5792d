"""Reviews: a payment Radar found risky waits for a person; approving it, giving it back or a dispute ends that."""

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row


def open_review(call: Call, charge: Row) -> None:
    """Put `charge` into the queue under the id it names as its review, if it names one."""
    if charge["review"] is None:
        return
    row: Row = {
        "id": charge["review"],
        "object": "review",
        "billing_zip": charge["billing_details"]["address"]["postal_code"],
        "charge": charge["id"],
        "closed_reason": None,
        "created": call.now,
        "ip_address": None,
        "ip_address_location": None,
        "livemode": False,
        "open": True,
        "opened_reason": "rule",
        "payment_intent": charge["payment_intent"],
        "reason": "rule",
        "session": None,
    }
    call.add(row, "review.opened")


def approve_review(call: Call) -> Row:
    """POST /v1/reviews/{id}/approve"""
    row = call.find("review", call.path[0], "review")
    if not row["open"]:
        raise ApiError(400, f"Review {row['id']} has already been closed ({row['closed_reason']}).")
    return _close(call, row, "approved")


def _close(call: Call, row: Row, reason: str) -> Row:
    row = call.change(row, open=False, closed_reason=reason, reason=reason)
    call.emit("review.closed", row)
    return row


def _of(call: Call, charge: Row) -> Row | None:
    row = call.store.get("review", charge["review"]) if charge["review"] else None
    return row if row is not None and row["open"] else None


def _refunded(call: Call, charge: Row) -> None:
    row = _of(call, charge)
    if row is not None and charge["refunded"] and charge["captured"]:
        fraud = charge["fraud_details"].get("user_report") == "fraudulent"
        _close(call, row, "refunded_as_fraud" if fraud else "refunded")


def _disputed(call: Call, dispute: Row) -> None:
    row = _of(call, call.find("charge", dispute["charge"]))
    if row is not None:
        _close(call, row, "disputed")


def _canceled(call: Call, intent: Row) -> None:
    if intent["latest_charge"] is not None:
        row = _of(call, call.find("charge", intent["latest_charge"]))
        if row is not None:
            _close(call, row, "canceled")


ENDPOINTS = (
    Endpoint("GET", "reviews", listed("review"), DATED),
    Endpoint("GET", "reviews/*", get("review", "review"), EXPAND),
    Endpoint("POST", "reviews/*/approve", approve_review, EXPAND),
)
LISTENERS = {"charge.refunded": _refunded, "charge.dispute.created": _disputed, "payment_intent.canceled": _canceled}
