"""What the bank does with one attempt to pay: a charge that succeeds, is authorized, or is declined."""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.form import email, string
from payment_kit.sandbox.params import SHIPPING
from payment_kit.sandbox.parts import merged, shipping
from payment_kit.sandbox.payments import disputes, planned
from payment_kit.sandbox.payments.cards import Decline, decline_of, refusal
from payment_kit.sandbox.store import Row, Store

AUTHORIZATION_DAYS = 7


def attempt(call: Call, intent: Row, method: Row, decline: Decline | None = None) -> Row:
    """Charge `method` for `intent`; returns the intent after it, raises the 402 of a decline."""
    decline = decline or planned.take(call, intent["customer"]) or decline_of(method["_behaviour"])
    manual = intent["capture_method"] == "manual"
    row = _row(call, intent, method, decline, captured=decline is None and not manual)
    if decline is not None:
        call.add(row, "charge.failed")
        raise declined(call, intent, method, decline, row)
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None:
        method = call.change(method, "payment_method.attached", customer=intent["customer"])
    call.change(method, _used=True)
    changes = {"latest_charge": row["id"], "last_payment_error": None, "next_action": None}
    if manual:
        row["_due"] = call.now + AUTHORIZATION_DAYS * settlement.DAY
        call.add(row, "charge.succeeded")
        changes |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        return call.change(intent, "payment_intent.amount_capturable_updated", **changes)
    changes |= {"status": "succeeded", "amount_received": intent["amount"]}
    if intent["capture_method"] == "automatic":
        row["balance_transaction"] = _settle(call, row, row["amount"])
        call.add(row, "charge.succeeded")
        intent = call.change(intent, "payment_intent.succeeded", **changes)
    else:
        # automatic_async: the charge is told of before its balance transaction is known
        call.add(row, "charge.succeeded")
        intent = call.change(intent, "payment_intent.succeeded", **changes)
        row = call.change(row, "charge.updated", balance_transaction=_settle(call, row, row["amount"]))
    _dispute(call, row)
    return intent


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
    bt = _settle(call, charge, charge["amount"], captured=amount)
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
    charge = call.change(
        charge, "charge.captured", captured=True, amount_captured=amount, balance_transaction=bt, _due=None
    )
    _dispute(call, charge)


def _settle(call: Call, charge: Row, amount: int, captured: int | None = None) -> str:
    taken = exchange.settled(amount if captured is None else captured, charge["currency"])
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
        pending=pending,
    )
    return str(bt["id"])


def _dispute(call: Call, charge: Row) -> None:
    kind, _, reason = charge["_behaviour"].partition("_")
    if kind in ("dispute", "inquiry"):
        disputes.open_dispute(call, charge, reason, inquiry=kind == "inquiry")


def _row(call: Call, intent: Row, method: Row, decline: Decline | None, *, captured: bool) -> Row:
    id_ = call.new_id("charge")
    return {
        "id": id_,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if captured else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
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
        "outcome": _outcome(decline),
        "paid": decline is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": _card_details(call, id_, method["card"], intent["amount"]), "type": "card"},
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
        "_inquiry": False,
        "_due": None,
    }


def _outcome(decline: Decline | None) -> Row:
    approved = decline is None
    return {
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


def _card_details(call: Call, id_: str, card: Row, amount: int) -> Row:
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
    changes: dict[str, Any] = {
        name: params[name] for name in ("description", "receipt_email", "transfer_group") if name in params
    }
    if "shipping" in params:
        changes["shipping"] = shipping(params["shipping"])
    return call.change(row, "charge.updated", **changes, metadata=merged(row, params))


def _refunds(call: Call) -> Row:
    """GET /v1/charges/{id}/refunds"""
    charge = call.find("charge", call.path[0])
    return listing.page(call, "refund", f"/v1/charges/{charge['id']}/refunds", charge=charge["id"])


_UPDATE = {**META, "description": string, "receipt_email": email, "shipping": SHIPPING, "transfer_group": string}

ENDPOINTS = (
    Endpoint("GET", "charges", listed("charge"), filters("customer", "payment_intent", "transfer_group")),
    Endpoint("GET", "charges/*", get("charge"), EXPAND),
    Endpoint("POST", "charges/*", update_charge, _UPDATE),
    Endpoint("GET", "charges/*/refunds", _refunds, PAGE),
)


def _expanded_refunds(store: Store, charge: Row) -> Row:
    newest = store.tables["refund"].having("charge", charge["id"])[::-1]
    return listing.nested(newest, f"/v1/charges/{charge['id']}/refunds")


INCLUDES = {("charge", "refunds"): _expanded_refunds}
