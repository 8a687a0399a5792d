"""What the bank does with one attempt to pay: a charge that succeeds, is authorized, or is declined."""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.connect import application_fees
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError, no_such
from payment_kit.sandbox.form import email, fields, one_of, string
from payment_kit.sandbox.params import SHIPPING
from payment_kit.sandbox.parts import merged, shipping
from payment_kit.sandbox.payments import disputes, fraud_warnings, planned, reviews
from payment_kit.sandbox.payments.cards import Decline, decline_of, refusal
from payment_kit.sandbox.store import Row, Store

AUTHORIZATION_DAYS = 7
# what Radar adds to the outcome of a card it looks at twice (docs.stripe.com/declines#blocked-payments)
RADAR: dict[str, Row] = {
    "elevated_risk_level": {
        "reason": "elevated_risk_level",
        "risk_level": "elevated",
        "risk_score": 68,
        "seller_message": "Stripe evaluated this payment as having elevated risk, and placed it in your manual review "
        "queue.",
        "type": "manual_review",
    },
    "blocked_highest_risk_level": {
        "advice_code": None,
        "network_status": "not_sent_to_network",
        "reason": "highest_risk_level",
        "risk_level": "highest",
        "risk_score": 92,
        "seller_message": "Stripe blocked this payment as too risky.",
        "type": "blocked",
    },
}
RADAR["blocked_rule"] = RADAR["fraudulent"] = RADAR["blocked_highest_risk_level"]


def attempt(call: Call, intent: Row, method: Row, decline: Decline | None = None) -> Row:
    """Charge the card `method` for `intent`; returns the intent after it, raises the 402 of a decline."""
    decline = decline or planned.take(call, intent["customer"]) or decline_of(method["_behaviour"])
    manual = intent["capture_method"] == "manual"
    charge = row(call, intent, method, decline, captured=decline is None and not manual)
    if decline is not None:
        call.add(charge, "charge.failed")
        raise declined(call, intent, method, decline, charge)
    kept(call, intent, method)
    changes = {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if method["_behaviour"] == "elevated_risk_level":
        charge["review"] = changes["review"] = call.new_id("review")
    if manual:
        charge["_due"] = call.now + AUTHORIZATION_DAYS * settlement.DAY
        call.add(charge, "charge.succeeded")
        changes |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        intent = call.change(intent, "payment_intent.amount_capturable_updated", **changes)
        reviews.open_review(call, charge)
        return intent
    changes |= {"status": "succeeded", "amount_received": intent["amount"]}
    if intent["capture_method"] == "automatic":
        charge |= _settle(call, charge, charge["amount"])
        call.add(charge, "charge.succeeded")
        intent = call.change(intent, "payment_intent.succeeded", **changes)
    else:
        # automatic_async: the charge is told of before its balance transaction is known
        call.add(charge, "charge.succeeded")
        intent = call.change(intent, "payment_intent.succeeded", **changes)
        charge = call.change(charge, "charge.updated", **_settle(call, charge, charge["amount"]))
    reviews.open_review(call, charge)
    _aftermath(call, charge)
    return intent


def kept(call: Call, intent: Row, method: Row) -> Row:
    """`method` after it served: saved to the customer when the intent says so, never to be used again without one."""
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None:
        method = call.change(method, "payment_method.attached", customer=intent["customer"])
    set_up = method.get("_set_up", False) or intent["setup_future_usage"] == "off_session"
    return call.change(method, _used=True, _set_up=set_up)


def declined(call: Call, intent: Row, method: Row, decline: Decline, charge: Row | None) -> ApiError:
    """The intent after a decline, and the 402 that tells of it."""
    shown = public(method)
    error = refusal(decline, charge=charge and charge["id"], payment_method=shown)
    intent = call.change(
        intent,
        "payment_intent.payment_failed",
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        latest_charge=charge["id"] if charge else intent["latest_charge"],
        last_payment_error=error.error,
    )
    error.error = {**error.error, "payment_intent": public(intent)}
    return error


def capture(call: Call, charge: Row, amount: int) -> None:
    """Take `amount` of an authorized charge; a second balance transaction reverses the rest, as Stripe reports it."""
    moved = _settle(call, charge, charge["amount"], captured=amount)
    rest = charge["amount"] - amount
    if rest:
        settlement.record(
            call,
            "refund",
            -rest,
            charge["currency"],
            charge["id"],
            category="partial_capture_reversal",
            description="Reversal of the uncaptured part",
            pending=charge["_behaviour"] != "bypass_pending",
        )
    charge = call.change(charge, "charge.captured", captured=True, amount_captured=amount, **moved, _due=None)
    _aftermath(call, charge)


def _settle(call: Call, charge: Row, amount: int, captured: int | None = None) -> dict[str, Any]:
    """Move the money, and the platform's fee of it; what changes of the charge."""
    captured = amount if captured is None else captured
    taken = exchange.settled(captured, charge["currency"])
    fee = settlement.charge_fee(taken.amount, taken.currency)
    pending = charge["_behaviour"] != "bypass_pending"
    bt = settlement.record(
        call,
        "charge",
        amount,
        charge["currency"],
        charge["id"],
        description=charge["description"],
        fee=fee,
        application_fee=application_fees.settled(charge, captured),
        pending=pending,
    )
    return {"balance_transaction": bt["id"], **application_fees.collect(call, charge, captured)}


def _aftermath(call: Call, charge: Row) -> None:
    """What the customer's bank thinks of a payment that went through."""
    if charge["_behaviour"] == "issuer_fraud_record":
        fraud_warnings.warn(call, charge)
    kind, _, reason = charge["_behaviour"].partition("_")
    if kind in ("dispute", "inquiry"):
        disputes.open_dispute(call, charge, reason, inquiry=kind == "inquiry")


def row(call: Call, intent: Row, method: Row, decline: Decline | None, *, captured: bool) -> Row:
    """The charge of one attempt, not yet stored."""
    id_ = call.new_id("charge")
    return {
        "id": id_,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if captured else 0,
        "amount_refunded": 0,
        "application": call.store.application,
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": intent["statement_descriptor"] or "SANDBOX",
        "captured": captured,
        "created": call.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline and decline.code,
        "failure_message": decline and decline.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(decline, method["_behaviour"]),
        "paid": decline is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": _card_details(id_, method, intent["amount"]), "type": "card"},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"https://pay.stripe.com/receipts/{ids.text(24, 'receipt', id_)}" if decline is None else None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if decline is None else "failed",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
        "_behaviour": method["_behaviour"],
        "_due": None,
    }


def _outcome(decline: Decline | None, behaviour: str) -> Row:
    approved = decline is None
    outcome: Row = {
        "advice_code": decline and decline.advice_code,
        "network_advice_code": None,
        "network_decline_code": decline and decline.network_decline_code,
        "network_status": "approved_by_network" if approved else "declined_by_network",
        "reason": decline and (decline.decline_code or decline.code),
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete." if approved else "The bank declined the payment.",
        "type": "authorized" if approved else "issuer_declined",
    }
    return outcome | RADAR.get(behaviour, {})


def _card_details(id_: str, method: Row, amount: int) -> Row | None:
    card: Row | None = method.get("card")
    if card is None:
        return None
    copied = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
    )
    return {
        **{name: card[name] for name in copied},
        "amount_authorized": amount,
        "authorization_code": ids.text(6, "authorization", id_).upper(),
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": ids.text(15, "network transaction", id_),
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "three_d_secure": None,
        "wallet": None,
    }


def update_charge(call: Call) -> Row:
    """POST /v1/charges/{id}"""
    row, params = call.find("charge", call.path[0]), call.params
    plain = ("customer", "description", "fraud_details", "receipt_email", "transfer_group")
    changes: dict[str, Any] = {name: params[name] for name in plain if name in params}
    if "customer" in params and row["customer"] is not None:
        raise ApiError(400, f"Charge {row['id']} already has a customer.", param="customer")
    call.referenced("customer", "customer")
    if "fraud_details" in params:
        details = {**row["fraud_details"], **(params["fraud_details"] or {})}
        changes["fraud_details"] = {name: value for name, value in details.items() if value is not None}
    if "shipping" in params:
        changes["shipping"] = shipping(params["shipping"])
    return call.change(row, "charge.updated", **changes, metadata=merged(row, params))


def _refunds(call: Call) -> Row:
    """GET /v1/charges/{id}/refunds"""
    charge = call.find("charge", call.path[0])
    return listing.page(call, "refund", f"/v1/charges/{charge['id']}/refunds", charge=charge["id"])


def _refund(call: Call) -> Row:
    """GET /v1/charges/{id}/refunds/{id}"""
    row = call.find("refund", call.path[1], "refund")
    if row["charge"] != call.path[0]:
        raise no_such("refund", call.path[1], "refund")
    return row


_UPDATE = {
    **META,
    "customer": string,
    "description": string,
    "fraud_details": fields({"user_report": one_of("fraudulent", "safe")}),
    "receipt_email": email,
    "shipping": SHIPPING,
    "transfer_group": string,
}

ENDPOINTS = (
    Endpoint("GET", "charges", listed("charge"), filters("customer", "payment_intent", "transfer_group")),
    Endpoint("GET", "charges/*", get("charge"), EXPAND),
    Endpoint("POST", "charges/*", update_charge, _UPDATE),
    Endpoint("GET", "charges/*/refunds", _refunds, PAGE),
    Endpoint("GET", "charges/*/refunds/*", _refund, EXPAND),
)


def _expanded_refunds(store: Store, charge: Row) -> Row:
    newest = store.tables["refund"].having("charge", charge["id"])[::-1]
    return listing.nested(newest, f"/v1/charges/{charge['id']}/refunds")


INCLUDES = {("charge", "refunds"): _expanded_refunds}
