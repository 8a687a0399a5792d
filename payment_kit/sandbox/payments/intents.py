"""Payment intents: made, confirmed, authenticated, captured, canceled.

The statuses are those of docs.stripe.com/payments/paymentintents/lifecycle.
The bank's part (what a charge does) stands in `charges`; this file is the machine of the statuses.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.connect import application_fees
from payment_kit.sandbox.endpoint import EXPAND, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, wrong_state
from payment_kit.sandbox.form import string
from payment_kit.sandbox.parts import merged, shipping
from payment_kit.sandbox.payments import cards, charges, debits, mandates, methods, refunds
from payment_kit.sandbox.payments import intent_params as forms
from payment_kit.sandbox.store import Row

# By docs.stripe.com/currencies (minimum charge amounts); any other currency takes 1 and more.
AMOUNT_MIN = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50}
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture")
_APART = {"allowed_payment_method_types", "metadata", "payment_method_data", "payment_method_options", "shipping"}
_DESCRIPTORS = ("statement_descriptor", "statement_descriptor_suffix")
CHANGEABLE_WHEN_DONE = {"metadata", "description", "receipt_email", "shipping"}
_COPIED = ("description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix")

_NO_METHOD = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
    "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with one."
)
_NO_RETURN_URL = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
    "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want "
    "to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Payment Intents."
)


def create_payment_intent(call: Call) -> Row:
    """POST /v1/payment_intents, with ``confirm=true`` also its first attempt."""
    params = call.params
    check_amount(params["amount"], params["currency"])
    application_fees.check(call.store, params.get("application_fee_amount"), params["amount"], params["currency"])
    if params.get("off_session") and not params.get("confirm"):
        raise invalid("off_session", "You can only use `off_session` when `confirm` is set to `true`.")
    if "allowed_payment_method_types" in params and "automatic_payment_methods" in params:
        message = "You may only specify one of automatic_payment_methods and allowed_payment_method_types."
        raise invalid("allowed_payment_method_types", message)
    customer = call.referenced("customer", "customer")
    row = _row(call, params, _id(customer))
    method = methods.given(call, row["customer"], "PaymentIntent")
    if method is not None:
        methods.check_type(method, row["payment_method_types"], "PaymentIntent")
        row |= {"payment_method": method["id"], "status": "requires_confirmation"}
    call.add(row, "payment_intent.created")
    return _confirm(call, row) if params.get("confirm") else row


def new(
    call: Call,
    *,
    amount: int,
    currency: str,
    customer: Row | str | None = None,
    payment_method: Row | str | None = None,
    setup_future_usage: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    capture_method: str = "automatic",
    off_session: bool = False,
    private: Mapping[str, Any] = MappingProxyType({}),
) -> Row:
    """An unconfirmed intent that another part of the sandbox makes: `amount` in minor units, customer and method by row
    or id.

    `private` fields (``_invoice``, ``_session`` ...) stay on the row for those who listen to its events. `off_session`
    is what `confirm` goes by when it is not told.
    """
    params = {
        "amount": amount,
        "automatic_payment_methods": {"enabled": False},
        "capture_method": capture_method,
        "currency": currency,
        "description": description,
        "metadata": metadata or {},
        "setup_future_usage": setup_future_usage,
    }
    row = _row(call, params, _id(customer))
    method = None if payment_method is None else methods.resolve(call, str(_id(payment_method)))
    if method is not None:
        row |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return call.add({**row, **private, "_off_session": off_session}, "payment_intent.created")


def _id(named: Row | str | None) -> str | None:
    return named["id"] if isinstance(named, dict) else named


def check_amount(amount: int, currency: str) -> None:
    """Stripe's bounds of a charge: at least the currency's minimum, whole steps in three-decimal currencies."""
    least = AMOUNT_MIN.get(currency, 1)
    moved = exchange.settled(amount, currency)
    if moved.rate is not None and moved.amount < AMOUNT_MIN[moved.currency]:
        message = f"Amount must convert to at least 50 cents. {amount} {currency} converts to {moved.amount}."
        raise invalid("amount", message, "amount_too_small")
    if amount < least:
        raise invalid("amount", f"Amount must be at least {least} minor units of {currency}.", "amount_too_small")
    if amount % settlement.step_of(currency):
        raise invalid("amount", "Invalid amount: the last digit must be 0 in three-decimal currencies.")


def _row(call: Call, params: dict[str, Any], customer: str | None) -> Row:
    id_ = call.new_id("payment_intent")
    types = _typed(params, params["currency"])
    automatic = None
    if types["allowed_payment_method_types"] is None:
        given = params.get("automatic_payment_methods") or {"enabled": True}
        automatic = {"allow_redirects": given.get("allow_redirects") or "always", "enabled": given["enabled"]}
    return {
        "id": id_,
        "object": "payment_intent",
        **types,
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": call.store.application,
        "application_fee_amount": params.get("application_fee_amount"),
        "automatic_payment_methods": automatic if automatic and automatic["enabled"] else None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method") or "automatic_async",
        "client_secret": f"{id_}_secret_{ids.text(25, 'client_secret', call.store.meta['account_seed'], id_)}",
        "confirmation_method": params.get("confirmation_method") or "automatic",
        "created": call.now,
        "currency": params["currency"],
        "customer": customer,
        "customer_account": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merged({}, params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": _options(params.get("payment_method_options")),
        "processing": None,
        "review": None,
        "shipping": shipping(params.get("shipping")),
        "source": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
        **{name: params.get(name) for name in _COPIED},
    }


def _typed(params: dict[str, Any], currency: str) -> dict[str, Any]:
    """What `allowed_payment_method_types` says about an intent."""
    wanted = params.get("allowed_payment_method_types") or None
    return {
        "allowed_payment_method_types": wanted and methods.types(params, "allowed_payment_method_types", currency),
        "payment_method_types": methods.types(params, "allowed_payment_method_types", currency),
    }


def _retyped(call: Call, row: Row) -> dict[str, Any]:
    """What it, or another currency, changes on an existing intent."""
    currency = str(call.params.get("currency", row["currency"]))
    if call.params.get("allowed_payment_method_types"):
        return {**_typed(call.params, currency), "automatic_payment_methods": None}
    return {} if currency == row["currency"] else _typed(row, currency)


def _options(given: dict[str, Any] | None, before: Row | None = None) -> Row:
    card = {"request_three_d_secure": "automatic", **((before or {}).get("card") or {})}
    return {"card": {**card, **((given or {}).get("card") or {})}}


def update_payment_intent(call: Call) -> Row:
    """POST /v1/payment_intents/{id}; Stripe sends no event for it."""
    row, params = call.find("payment_intent", call.path[0], "intent"), call.params
    given = params.keys() - {"expand"}
    if row["status"] not in CONFIRMABLE and not given <= CHANGEABLE_WHEN_DONE:
        raise _unexpected(row, f"This PaymentIntent could not be updated because it has a status of {row['status']}.")
    plain = given - _APART
    changes: dict[str, Any] = {name: params[name] for name in plain}
    changes |= {**_retyped(call, row), "metadata": merged(row, params)}
    if "payment_method_options" in params:
        changes["payment_method_options"] = _options(params["payment_method_options"], row["payment_method_options"])
    if "shipping" in params:
        changes["shipping"] = shipping(params["shipping"])
    changed = {**row, **changes}
    check_amount(changed["amount"], changed["currency"])
    application_fees.check(call.store, changed["application_fee_amount"], changed["amount"], changed["currency"])
    customer = call.referenced("customer", "customer")
    method = methods.given(call, _id(customer or row["customer"]), "PaymentIntent")
    if method is not None:
        methods.check_type(method, changed["payment_method_types"], "PaymentIntent")
        changes |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
        changes["_authenticated"] = False
    elif "payment_method" in params:
        changes |= {"status": "requires_payment_method", "next_action": None}
    return call.change(row, **changes)


def confirm_payment_intent(call: Call) -> Row:
    """POST /v1/payment_intents/{id}/confirm"""
    row = call.find("payment_intent", call.path[0], "intent")
    _check_confirmable(row)
    params = call.params
    method = methods.given(call, row["customer"], "PaymentIntent")
    changes: dict[str, Any] = {name: params[name] for name in ("receipt_email", "setup_future_usage") if name in params}
    changes |= _retyped(call, row)
    if "payment_method_options" in params:
        changes["payment_method_options"] = _options(params["payment_method_options"], row["payment_method_options"])
    if "shipping" in params:
        changes["shipping"] = shipping(params["shipping"])
    if method is not None:
        methods.check_type(method, {**row, **changes}["payment_method_types"], "PaymentIntent")
        changes |= {"payment_method": method["id"], "_authenticated": False}
    return _confirm(call, call.change(row, **changes))


def _check_confirmable(row: Row) -> None:
    if row["status"] not in CONFIRMABLE:
        raise _unexpected(
            row, f"You cannot confirm this PaymentIntent because it has a status of {row['status']}. "
            "Only a PaymentIntent with one of the following statuses may be confirmed: " + ", ".join(CONFIRMABLE) + "."
        )  # fmt: skip


def _confirm(call: Call, intent: Row) -> Row:
    params = call.params
    return confirm(
        call,
        intent,
        off_session=params.get("off_session", False),
        return_url=params.get("return_url"),
        error_on_requires_action=params.get("error_on_requires_action", False),
        use_stripe_sdk=params.get("use_stripe_sdk", False),
        mandate_data=params.get("mandate_data"),
    )


def confirm(
    call: Call,
    intent: Row,
    *,
    off_session: bool | None = None,
    return_url: str | None = None,
    error_on_requires_action: bool = False,
    use_stripe_sdk: bool = False,
    mandate_data: dict[str, Any] | None = None,
) -> Row:
    """One attempt to pay: succeeds, waits (for the customer, for the bank), or is declined (raises 402).

    What a decline leaves behind is stored before it is raised, so a caller may catch it and go on with the fresh row.
    A bank debit needs a mandate; inside the sandbox (`new`) the customer is taken to have agreed elsewhere.
    """
    if off_session is None:
        off_session = intent.get("_off_session", False)
    _check_confirmable(intent)
    if intent["payment_method"] is None:
        raise _unexpected(intent, _NO_METHOD)
    redirects = (intent["automatic_payment_methods"] or {}).get("allow_redirects") == "always"
    if redirects and not return_url:
        raise ApiError(400, _NO_RETURN_URL, param="return_url")
    method = call.find("payment_method", intent["payment_method"])
    if method["type"] != "card":
        implied = mandates.OFFLINE if "_off_session" in intent and not method.get("_mandate") else None
        mandate = mandates.ensure(call, method, mandate_data or implied, "PaymentIntent")
        return debits.submit(call, intent, call.find("payment_method", method["id"]), mandate)
    asked = intent["payment_method_options"]["card"]["request_three_d_secure"] in ("any", "challenge")
    if intent.get("_authenticated") or not cards.wants_authentication(method, off_session=off_session, asked=asked):
        return charges.attempt(call, intent, method)
    if off_session:
        return charges.attempt(call, intent, method, cards.AUTHENTICATION_REQUIRED)
    if error_on_requires_action:
        raise charges.declined(call, intent, method, cards.AUTHENTICATION_REQUIRED, None)
    action = next_action(intent, None if use_stripe_sdk else return_url)
    return call.change(intent, "payment_intent.requires_action", status="requires_action", next_action=action)


def next_action(intent: Row, return_url: str | None) -> Row:
    """How the customer gets to the bank's page: by a redirect when there is a way back, else by Stripe's script."""
    if return_url:
        page = f"https://hooks.stripe.com/3d_secure_2/hosted?{intent['object']}={intent['id']}"
        return {"redirect_to_url": {"return_url": return_url, "url": page}, "type": "redirect_to_url"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}


def authenticate(call: Call, succeed: bool) -> Row:
    """The customer answers the bank: the payment goes on, or the intent asks for another payment method."""
    intent = call.find("payment_intent", call.path[0], "intent")
    if intent["status"] != "requires_action":
        raise _unexpected(
            intent, f"There is nothing to authenticate: this PaymentIntent has a status of {intent['status']}."
        )
    intent = call.change(intent, next_action=None)
    method = call.find("payment_method", intent["payment_method"])
    if succeed and intent["confirmation_method"] == "manual":
        # the server confirms once more, as Stripe wants of a manual confirmation
        return call.change(intent, status="requires_confirmation", _authenticated=True)
    if succeed:
        return charges.attempt(call, intent, method)
    code = "payment_intent_authentication_failure"
    message = "The provided PaymentMethod has failed authentication. Provide another payment method to try again."
    error = {"code": code, "message": message, "payment_method": public(method), "type": "invalid_request_error"}
    return call.change(
        intent,
        "payment_intent.payment_failed",
        status="requires_payment_method",
        payment_method=None,
        last_payment_error=error,
    )


def capture_payment_intent(call: Call) -> Row:
    """POST /v1/payment_intents/{id}/capture, all of it or once a part."""
    intent = call.find("payment_intent", call.path[0], "intent")
    if intent["status"] != "requires_capture":
        raise _unexpected(
            intent, f"This PaymentIntent could not be captured because it has a status of {intent['status']}."
        )
    amount: int = {"amount_to_capture": intent["amount_capturable"], **call.params}["amount_to_capture"]
    if amount > intent["amount_capturable"]:
        message = "The amount to capture is greater than the amount you can capture."
        raise ApiError(400, message, code="amount_too_large", param="amount_to_capture")
    if call.params.get("final_capture") is False:
        message = "This PaymentIntent does not support multicapture: its payment method can be captured only once."
        raise ApiError(400, message, param="final_capture")
    check_amount(amount, intent["currency"])
    given = {name: call.params[name] for name in (*_DESCRIPTORS, "application_fee_amount") if name in call.params}
    application_fees.check(call.store, given.get("application_fee_amount"), amount, intent["currency"])
    intent = call.change(intent, **given, metadata=merged(intent, call.params))
    call.change(call.find("charge", intent["latest_charge"]), **given)
    charges.capture(call, call.find("charge", intent["latest_charge"]), amount)
    return call.change(
        intent, "payment_intent.succeeded", status="succeeded", amount_capturable=0, amount_received=amount
    )


def cancel_payment_intent(call: Call) -> Row:
    """POST /v1/payment_intents/{id}/cancel; an authorization is given back."""
    intent = call.find("payment_intent", call.path[0], "intent")
    if intent["status"] not in CANCELABLE:
        raise _unexpected(
            intent, f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
        )
    return cancel(call, intent, call.params.get("cancellation_reason"))


def cancel(call: Call, intent: Row, reason: str | None) -> Row:
    """The end of an intent that is not paid."""
    if intent["status"] == "requires_capture":
        charge = call.change(call.find("charge", intent["latest_charge"]), _due=None)
        refunds.release(call, charge, "expired_uncaptured_charge" if reason == "automatic" else None)
    return call.change(
        intent,
        "payment_intent.canceled",
        status="canceled",
        amount_capturable=0,
        canceled_at=call.now,
        cancellation_reason=reason,
        next_action=None,
    )


def move_charge(call: Call, charge: Row) -> None:
    """A charge whose time has come: the bank answers a debit, or nobody captured an authorization in time."""
    if charge["status"] == "pending":
        debits.answer(call, charge)
        return
    call.emit("charge.expired", charge)
    cancel(call, call.find("payment_intent", charge["payment_intent"]), "automatic")


def _unexpected(intent: Row, message: str) -> ApiError:
    return wrong_state(message, "payment_intent_unexpected_state", payment_intent=public(intent))


ENDPOINTS = (
    Endpoint("GET", "payment_intents", listed("payment_intent"), filters("customer")),
    Endpoint("POST", "payment_intents", create_payment_intent, forms.CREATE, ("amount", "currency")),
    Endpoint("GET", "payment_intents/*", get("payment_intent", "intent"), {**EXPAND, "client_secret": string}),
    Endpoint("POST", "payment_intents/*", update_payment_intent, forms.UPDATE),
    Endpoint("POST", "payment_intents/*/confirm", confirm_payment_intent, forms.CONFIRM),
    Endpoint("POST", "payment_intents/*/capture", capture_payment_intent, forms.CAPTURE),
    Endpoint(
        "POST", "payment_intents/*/cancel", cancel_payment_intent, {**EXPAND, "cancellation_reason": forms.CANCELED}
    ),
)
DUE = {"charge": move_charge}
