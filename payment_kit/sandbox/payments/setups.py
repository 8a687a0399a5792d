"""Setup intents: a payment method is checked and saved for later, without a payment.

The statuses are those of docs.stripe.com/payments/paymentintents/lifecycle; each confirmation leaves a setup attempt.
"""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, wrong_state
from payment_kit.sandbox.form import array, boolean, fields, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.payments import cards, intents, mandates, methods
from payment_kit.sandbox.store import Row

_TYPES = "allowed_payment_method_types"
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_NO_METHOD = (
    "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment "
    "method and then confirm it again."
)
_NO_RETURN_URL = (
    "This SetupIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment "
    "methods might redirect your customer off of your page, you must provide a `return_url`."
)


def create_setup_intent(call: Call) -> Row:
    """POST /v1/setup_intents, with ``confirm=true`` also its first attempt."""
    params = call.params
    if not params.get("confirm"):
        for name in ("mandate_data", "return_url"):
            if name in params:
                raise invalid(name, f"You can only use `{name}` when `confirm` is set to `true`.")
    customer = call.referenced("customer", "customer")
    row = new(call, params, str(customer["id"]) if customer else None)
    method = methods.given(call, row["customer"], "SetupIntent")
    if method is not None:
        methods.check_type(method, row["payment_method_types"], "SetupIntent")
        row |= {"payment_method": method["id"], "status": "requires_confirmation"}
    row = call.add(row, "setup_intent.created")
    return _confirm(call, row) if params.get("confirm") else row


def new(call: Call, params: dict[str, Any], customer: str | None, **private: Any) -> Row:
    """The row of a setup intent without a method, not yet stored; `private` fields stay on it for listeners."""
    id_ = call.new_id("setup_intent")
    given = params.get("automatic_payment_methods") or {"enabled": True}
    named = params.get(_TYPES)
    automatic = {"allow_redirects": given.get("allow_redirects") or "always", "enabled": given["enabled"]}
    return {
        "id": id_,
        "object": "setup_intent",
        "allowed_payment_method_types": named or None,
        "application": call.store.application,
        "automatic_payment_methods": automatic if automatic["enabled"] and not named else None,
        "cancellation_reason": None,
        "client_secret": f"{id_}_secret_{ids.text(25, 'client_secret', call.store.meta['account_seed'], id_)}",
        "created": call.now,
        "customer": customer,
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merged({}, params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": _options(params.get("payment_method_options")),
        "payment_method_types": methods.types(params, _TYPES, None),
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage") or "off_session",
        **private,
    }


def _options(given: dict[str, Any] | None) -> Row:
    card = {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    return {"card": card | ((given or {}).get("card") or {})}


def update_setup_intent(call: Call) -> Row:
    """POST /v1/setup_intents/{id}; Stripe sends no event for it."""
    row, params = call.find("setup_intent", call.path[0], "intent"), call.params
    if row["status"] not in CONFIRMABLE and params.keys() - {"expand", "metadata", "description"}:
        raise _unexpected(row, f"This SetupIntent could not be updated because it has a status of {row['status']}.")
    changes: dict[str, Any] = {name: params[name] for name in ("customer", "description") if name in params}
    changes["metadata"] = merged(row, params)
    if "payment_method_options" in params:
        changes["payment_method_options"] = _options(params["payment_method_options"])
    if params.get(_TYPES):
        changes |= {_TYPES: params[_TYPES], "automatic_payment_methods": None}
        changes["payment_method_types"] = methods.types(params, _TYPES, None)
    customer = call.referenced("customer", "customer")
    method = methods.given(call, customer["id"] if customer else row["customer"], "SetupIntent")
    if method is not None:
        methods.check_type(method, {**row, **changes}["payment_method_types"], "SetupIntent")
        changes |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
    elif "payment_method" in params:
        changes |= {"payment_method": None, "status": "requires_payment_method", "next_action": None}
    return call.change(row, **changes)


def confirm_setup_intent(call: Call) -> Row:
    """POST /v1/setup_intents/{id}/confirm"""
    row = call.find("setup_intent", call.path[0], "intent")
    if row["status"] not in CONFIRMABLE:
        raise _unexpected(row, f"You cannot confirm this SetupIntent because it has a status of {row['status']}.")
    method = methods.given(call, row["customer"], "SetupIntent")
    if method is not None:
        methods.check_type(method, row["payment_method_types"], "SetupIntent")
        row = call.change(row, payment_method=method["id"])
    return _confirm(call, row)


def _confirm(call: Call, row: Row) -> Row:
    params = call.params
    return confirm(
        call,
        row,
        return_url=params.get("return_url"),
        use_stripe_sdk=params.get("use_stripe_sdk", False),
        mandate_data=params.get("mandate_data"),
    )


def confirm(
    call: Call,
    row: Row,
    *,
    return_url: str | None = None,
    use_stripe_sdk: bool = False,
    mandate_data: dict[str, Any] | None = None,
) -> Row:
    """One attempt to set up: succeeds, waits for the customer, or is declined (raises 402, what it left stays)."""
    if row["payment_method"] is None:
        raise _unexpected(row, _NO_METHOD)
    if (row["automatic_payment_methods"] or {}).get("allow_redirects") == "always" and not return_url:
        raise ApiError(400, _NO_RETURN_URL, param="return_url")
    method = call.find("payment_method", row["payment_method"])
    if method["type"] != "card":
        mandate = mandates.ensure(call, method, mandate_data, "SetupIntent")
        return _succeed(call, row, call.find("payment_method", method["id"]), mandate)
    decline = cards.DECLINES.get(method["_behaviour"])
    if decline is not None:
        raise _declined(call, row, method, decline)
    asked = row["payment_method_options"]["card"]["request_three_d_secure"] in ("any", "challenge")
    if not cards.wants_authentication(method, off_session=False, asked=asked):
        return _succeed(call, row, method, None)
    attempt = _attempt(call, row, method, "requires_action")
    action = intents.next_action(row, None if use_stripe_sdk else return_url)
    return call.change(
        row, "setup_intent.requires_action", status="requires_action", next_action=action, latest_attempt=attempt["id"]
    )


def authenticate(call: Call, succeed: bool) -> Row:
    """The customer answers the bank: the method is saved, or the intent asks for another one."""
    row = call.find("setup_intent", call.path[0], "intent")
    if row["status"] != "requires_action":
        raise _unexpected(row, f"There is nothing to authenticate: this SetupIntent has a status of {row['status']}.")
    row = call.change(row, next_action=None)
    method = call.find("payment_method", row["payment_method"])
    if succeed:
        return _succeed(call, row, method, None)
    error = {
        "code": "setup_intent_authentication_failure",
        "message": "The latest attempt to set up the payment method has failed because authentication failed.",
        "payment_method": public(method),
        "type": "invalid_request_error",
    }
    attempt = call.find("setup_attempt", row["latest_attempt"])
    call.change(attempt, status="failed", setup_error=error)
    return call.change(
        row,
        "setup_intent.setup_failed",
        status="requires_payment_method",
        payment_method=None,
        last_setup_error=error,
    )


def _succeed(call: Call, row: Row, method: Row, mandate: str | None) -> Row:
    latest = call.store.get("setup_attempt", row["latest_attempt"]) if row["latest_attempt"] else None
    if latest is not None and latest["status"] == "requires_action":
        attempt = call.change(latest, status="succeeded")
    else:
        attempt = _attempt(call, row, method, "succeeded")
    if row["customer"] is not None and method["customer"] is None:
        method = call.change(method, "payment_method.attached", customer=row["customer"])
    call.change(method, _used=True, _set_up=True)
    changes = {"last_setup_error": None, "latest_attempt": attempt["id"], "mandate": mandate, "next_action": None}
    return call.change(row, "setup_intent.succeeded", status="succeeded", **changes)


def _declined(call: Call, row: Row, method: Row, decline: cards.Decline) -> ApiError:
    error = cards.refusal(decline, payment_method=public(method))
    attempt = _attempt(call, row, method, "failed", error.error)
    changes = {"last_setup_error": error.error, "latest_attempt": attempt["id"], "next_action": None}
    row = call.change(
        row, "setup_intent.setup_failed", status="requires_payment_method", payment_method=None, **changes
    )
    error.error = {**error.error, "setup_intent": public(row)}
    return error


def _attempt(call: Call, row: Row, method: Row, status: str, error: Row | None = None) -> Row:
    kind = method["type"]
    shown = {name: method[kind].get(name) for name in _CARD} if kind == "card" else {}
    if kind == "card":
        shown |= {"network": method["card"]["brand"], "three_d_secure": None, "wallet": None}
    return call.add(
        {
            "id": call.new_id("setup_attempt"),
            "object": "setup_attempt",
            "application": call.store.application,
            "created": call.now,
            "customer": row["customer"],
            "customer_account": None,
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {kind: shown, "type": kind},
            "setup_error": error,
            "setup_intent": row["id"],
            "status": status,
            "usage": row["usage"],
        }
    )


def cancel_setup_intent(call: Call) -> Row:
    """POST /v1/setup_intents/{id}/cancel"""
    row = call.find("setup_intent", call.path[0], "intent")
    if row["status"] not in CONFIRMABLE:
        raise _unexpected(row, f"You cannot cancel this SetupIntent because it has a status of {row['status']}.")
    latest = call.store.get("setup_attempt", row["latest_attempt"]) if row["latest_attempt"] else None
    if latest is not None and latest["status"] == "requires_action":
        call.change(latest, status="abandoned")
    reason = call.params.get("cancellation_reason")
    return call.change(row, "setup_intent.canceled", status="canceled", cancellation_reason=reason, next_action=None)


def _attempts(call: Call) -> Row:
    """GET /v1/setup_attempts of one setup intent"""
    call.referenced("setup_intent", "setup_intent")
    return listing.page(call, "setup_attempt", "/v1/setup_attempts")


def _unexpected(row: Row, message: str) -> ApiError:
    return wrong_state(message, "setup_intent_unexpected_state", setup_intent=public(row))


_CARD = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
_OPTIONS = fields({"card": fields({"request_three_d_secure": one_of("automatic", "any", "challenge")})})
_SHARED = {**EXPAND, "payment_method": string, "payment_method_data": methods.DATA, "payment_method_options": _OPTIONS}
_CONFIRM = {**EXPAND, "payment_method": string, "payment_method_data": methods.DATA}
_CONFIRM |= {"mandate_data": mandates.MANDATE_DATA, "return_url": string, "use_stripe_sdk": boolean}
_UPDATE = {**_SHARED, **META, _TYPES: array(string), "customer": string, "description": string}
_CREATE = {
    **_UPDATE,
    **_CONFIRM,
    "automatic_payment_methods": fields(
        {"allow_redirects": one_of("always", "never"), "enabled": boolean}, ("enabled",)
    ),
    "confirm": boolean,
    "usage": one_of("on_session", "off_session"),
}
_CANCEL = {**EXPAND, "cancellation_reason": one_of("abandoned", "duplicate", "requested_by_customer")}

ENDPOINTS = (
    Endpoint("GET", "setup_intents", listed("setup_intent"), filters("customer", "payment_method")),
    Endpoint("POST", "setup_intents", create_setup_intent, _CREATE),
    Endpoint("GET", "setup_intents/*", get("setup_intent", "intent"), {**EXPAND, "client_secret": string}),
    Endpoint("POST", "setup_intents/*", update_setup_intent, _UPDATE),
    Endpoint("POST", "setup_intents/*/confirm", confirm_setup_intent, _CONFIRM),
    Endpoint("POST", "setup_intents/*/cancel", cancel_setup_intent, _CANCEL),
    Endpoint("GET", "setup_attempts", _attempts, {**DATED, "setup_intent": string}, ("setup_intent",)),
)
