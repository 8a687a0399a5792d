"""Stripe's failures as our problems, each with the reason a program can act on.

Source of the table: docs.stripe.com/error-codes and docs.stripe.com/api/errors. Texts hold Stripe's own message for the
caller's request, never a response body or a key.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import stripe

from payment_kit.errors import Broken, Busy, Conflict, Declined, NotFound, Problem, Refused, Unavailable, UsageProblem

STATE_CODES = frozenset(
    {
        "balance_insufficient",
        "charge_already_captured",
        "charge_already_refunded",
        "charge_disputed",
        "charge_exceeds_source_limit",
        "charge_expired_for_capture",
        "charge_not_refundable",
        "intent_invalid_state",
        "invoice_no_customer_line_items",
        "invoice_no_payment_method_types",
        "invoice_no_subscription_line_items",
        "invoice_not_editable",
        "payment_method_not_available",
        "payouts_not_allowed",
        "refund_disputed_payment",
        "resource_immutable",
        "status_transition_invalid",
    }
)
STATE_SUFFIX = "_unexpected_state"
NO_ANSWER = "Stripe gave no usable answer."


def problem(error: stripe.StripeError, *, write: bool) -> Problem:
    """The problem that an `error` of the SDK means to the caller of a read or of a `write`."""
    return refusal(error.http_status, error.json_body, error.headers or {}, error.request_id, write=write)


def refusal(
    status: int | None, body: object, headers: Mapping[str, str], request_id: str | None, *, write: bool
) -> Problem:
    """The problem that an answer other than the one asked for means; `status` is None when none came.

    `body` is what the answer's JSON holds, whatever that is.
    """
    details = _details(body)
    metadata = _metadata(status, request_id, details)
    message = str(details.get("message") or "Stripe refused the request.")
    match status:
        case None:
            return connection_problem(write=write)
        case 401:
            return Broken("STRIPE_KEY_REFUSED", "Stripe does not accept this API key.", metadata=metadata)
        case 402:
            return _declined(details, metadata, message)
        case 403:
            return Refused("STRIPE_PERMISSION_DENIED", message, metadata=metadata)
        case 409:
            return Conflict("STRIPE_BUSY", message, metadata=metadata)
        case 429:
            return _too_many(details, metadata, headers)
        case 400 | 404:
            return _refused(status, details, metadata, message)
        case _:
            return connection_problem(write=write, metadata=metadata)


def connection_problem(*, write: bool, metadata: dict[str, str] | None = None) -> Problem:
    """No answer, an unreadable one or a 5xx: a write may have happened, a read simply failed."""
    if write:
        return Unavailable(
            "STRIPE_OUTCOME_UNKNOWN", f"{NO_ANSWER} The write may or may not have happened.", metadata=metadata
        )
    return Unavailable("STRIPE_UNREACHABLE", NO_ANSWER, metadata=metadata)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """When to come back, as an answer's ``Retry-After`` says it in seconds or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After") or ""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _declined(details: dict[str, Any], metadata: dict[str, str], message: str) -> Problem:
    for name in ("code", "decline_code", "advice_code", "network_decline_code", "charge"):
        if isinstance(details.get(name), str):
            metadata[name] = details[name]
    for name in ("payment_intent", "setup_intent", "payment_method"):
        value = details.get(name)
        if isinstance(value, dict) and isinstance(value.get("id"), str):
            metadata[name] = value["id"]
    needs_customer = "authentication_required" in (details.get("code"), details.get("decline_code"))
    return Declined("AUTHENTICATION_REQUIRED" if needs_customer else "CARD_DECLINED", message, metadata=metadata)


def _too_many(details: dict[str, Any], metadata: dict[str, str], headers: Mapping[str, str]) -> Problem:
    wait = retry_after_seconds(headers)
    if details.get("code") == "lock_timeout":
        what = "Another request holds this object."
        return Conflict("STRIPE_BUSY", what, metadata=metadata, retry_after_seconds=wait)
    return Busy("STRIPE_RATE_LIMITED", "Stripe's rate limit was met.", metadata=metadata, retry_after_seconds=wait)


def _refused(status: int, details: dict[str, Any], metadata: dict[str, str], message: str) -> Problem:
    code = str(details.get("code") or "")
    field = details.get("param")
    if details.get("type") == "idempotency_error":
        return UsageProblem("REQUEST_ID_REUSED", "This request_id was used with other parameters.", metadata=metadata)
    if code == "resource_missing" or status == 404:
        return NotFound("RESOURCE_NOT_FOUND", message, metadata=metadata, field=field)
    if code == "resource_already_exists":
        return Refused("ALREADY_EXISTS", message, metadata=metadata, field=field)
    # What names neither a code nor a parameter is about the object: "This quote cannot be accepted: it is a draft."
    if code in STATE_CODES or code.endswith(STATE_SUFFIX) or (status == 400 and not code and not field):
        return Refused("STRIPE_STATE", message, metadata=metadata, field=field)
    return UsageProblem("STRIPE_REFUSED_PARAMETER", message, metadata=metadata, field=field)


def _details(body: object) -> dict[str, Any]:
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _metadata(status: int | None, request_id: str | None, details: dict[str, Any]) -> dict[str, str]:
    known = {
        "stripe_code": details.get("code") or details.get("type"),
        "stripe_request_id": request_id,
        "http_status": status,
    }
    return {name: str(value) for name, value in known.items() if value}
