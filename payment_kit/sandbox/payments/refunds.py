"""Refunds: whole and partial, never more than was captured.

Some fail or succeed only a day of the clock later; one the balance cannot cover waits for midnights, if the account
says so.
"""

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance import exchange, preferences, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.connect import application_fees
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, missing, no_such
from payment_kit.sandbox.form import amount, boolean, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.payments import disputes
from payment_kit.sandbox.store import Row

SETTLES_AFTER_SECONDS = settlement.DAY


def create_refund(call: Call) -> Row:
    """POST /v1/refunds for a charge or a payment intent; without `amount` all that is left."""
    params = call.params
    metadata = merged({}, params)
    fee = bool(params.get("refund_application_fee"))
    charge = _charge(call)
    return make(call, charge, params.get("amount"), reason=params.get("reason"), metadata=metadata, fee=fee)


def make(
    call: Call,
    charge: Row,
    amount: int | None = None,
    *,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
    fee: bool = False,
) -> Row:
    """Give back `amount` minor units of a paid charge, by default all that is left; with `fee` the platform's too.

    Raises `ApiError` 400 for what cannot be given back. When the account does not let its balance be overdrawn
    (`preferences`), a refund the balance cannot cover stays pending until it can.
    """
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    _check(call, charge, amount, left)
    pending = charge["_behaviour"] == "refund_pending"
    row = _row(call, charge, amount)
    row |= {"metadata": metadata or {}, "reason": reason}
    row["_fee"] = application_fees.part(call, charge, amount) if fee else 0
    if not _covered(call, row):
        row |= {"status": "pending", "pending_reason": "insufficient_funds", "_due": _midnight(call)}
    else:
        row["balance_transaction"] = _paid(call, charge, row)
        if pending:
            row |= {"status": "pending", "pending_reason": "processing"}
        if pending or charge["_behaviour"] == "refund_fails":
            row["_due"] = call.now + SETTLES_AFTER_SECONDS
    if reason == "fraudulent":
        charge = call.change(charge, fraud_details={**charge["fraud_details"], "user_report": "fraudulent"})
    call.add(row, "refund.created")
    _count(call, charge, amount, "charge.refunded")
    return row


def _check(call: Call, charge: Row, amount: int, left: int) -> None:
    if charge["source_transfer"] is not None:
        raise ApiError(400, f"Charge {charge['id']} was made by a transfer; reverse the transfer to give it back.")
    if not charge["captured"] or charge["status"] != "succeeded":
        raise ApiError(400, f"Charge {charge['id']} has not been captured and cannot be refunded.")
    if disputes.charged_back(call.store, charge):
        raise ApiError(
            400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if charge["refunded"]:
        raise ApiError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount < 1:
        raise invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if amount > left:
        code = charge["currency"].upper()
        message = f"Refund amount ({amount} {code}) is greater than unrefunded amount on charge ({left} {code})"
        raise ApiError(400, message, param="amount")
    if amount % settlement.step_of(charge["currency"]):
        raise invalid("amount", "Invalid amount: the last digit must be 0 in three-decimal currencies.")


def _covered(call: Call, row: Row) -> bool:
    moved = exchange.settled(row["amount"], row["currency"])
    overdraw: bool = preferences.payments(call.store)["debit_negative_balances"]
    return overdraw or call.store.balance(moved.currency)["available"] >= moved.amount


def _paid(call: Call, charge: Row, row: Row) -> str:
    """The money leaves the balance, and the platform's the platform's; the id of the transaction."""
    money = settlement.record(
        call,
        "payment_refund" if _by_debit(row) else "refund",
        -row["amount"],
        row["currency"],
        row["id"],
        category="refund",
        description="REFUND FOR CHARGE",
        application_fee=-exchange.settled(row.get("_fee", 0), row["currency"]).amount,
    )
    application_fees.give_back(call, charge, row.get("_fee", 0))
    return str(money["id"])


def _by_debit(row: Row) -> bool:
    return bool(row["charge"].startswith("py_"))


def _midnight(call: Call) -> int:
    return (call.now // settlement.DAY + 1) * settlement.DAY


def release(call: Call, charge: Row, reason: str | None) -> Row:
    """The refund Stripe makes of an authorization that is never captured: it moves no money."""
    row = _row(call, charge, charge["amount"])
    row["reason"] = reason
    call.add(row, "refund.created")
    return _count(call, charge, charge["amount"], "charge.refunded")


def _charge(call: Call) -> Row:
    params = call.params
    if "charge" in params:
        charge = call.find("charge", params["charge"], "charge", 400)
        if params.get("payment_intent") not in (None, charge["payment_intent"]):
            raise invalid("payment_intent", "The charge does not belong to this payment intent.")
        return charge
    if "payment_intent" not in params:
        raise missing("charge")
    intent = call.find("payment_intent", params["payment_intent"], "payment_intent", 400)
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise ApiError(
            400,
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    return call.find("charge", intent["latest_charge"], "charge", 400)


def _row(call: Call, charge: Row, amount: int) -> Row:
    id_ = call.new_id("refund")
    if charge["id"].startswith("py_"):
        id_, destination = id_.replace("re_3", "pyr_1", 1), {}
    else:
        card = {"reference": ids.text(11, "reference", id_), "reference_status": "available"}
        card |= {"reference_type": "acquirer_reference_number", "type": "refund"}
        destination = {"destination_details": {"card": card, "type": "card"}}
    return {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        **destination,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        "_due": None,
    }


def _count(call: Call, charge: Row, amount: int, event: str) -> Row:
    refunded = charge["amount_refunded"] + amount
    whole = charge["amount_captured"] or charge["amount"]
    return call.change(charge, event, amount_refunded=refunded, refunded=refunded >= whole)


def update_refund(call: Call) -> Row:
    """POST /v1/refunds/{id}: metadata only."""
    row = call.find("refund", call.path[0])
    return _tell(call, row, metadata=merged(row, call.params))


def cancel_refund(call: Call) -> Row:
    """POST /v1/refunds/{id}/cancel: while it is pending."""
    row = call.find("refund", call.path[0])
    if row["status"] not in ("pending", "requires_action"):
        raise ApiError(400, f"Refund {row['id']} has a status of {row['status']} and cannot be canceled.")
    return _give_back(call, row, "canceled", "refund.updated")


def move_refund(call: Call, row: Row) -> None:
    """A pending refund succeeds when the bank or the balance has caught up, the one of a closed card fails."""
    if row["status"] != "pending":
        _give_back(call, row, "failed", "refund.failed")
        return
    if row["balance_transaction"] is None:
        if not _covered(call, row):
            call.change(row, _due=_midnight(call))
            return
        row = {**row, "balance_transaction": _paid(call, call.find("charge", row["charge"]), row)}
    fresh = {name: value for name, value in row.items() if name != "pending_reason"}
    call.store.put(fresh)
    _tell(call, fresh, status="succeeded", _due=None)


def _tell(call: Call, row: Row, **changes: object) -> Row:
    fresh = call.change(row, "refund.updated", **changes)
    if fresh is not row:
        call.emit("charge.refund.updated", fresh)
    return fresh


def _give_back(call: Call, row: Row, status: str, event: str) -> Row:
    charge = call.store.get("charge", row["charge"])
    if charge is None:
        raise no_such("charge", row["charge"])
    changes: Row = {"status": status, "_due": None}
    if row["balance_transaction"] is not None:
        money = settlement.record(
            call,
            "payment_refund" if _by_debit(row) else "refund_failure",
            row["amount"],
            row["currency"],
            row["id"],
            category="refund_failure",
            description=f"REFUND {'FAILURE' if status == 'failed' else 'CANCELED'}",
        )
        changes["failure_balance_transaction"] = money["id"]
    if status == "failed":
        changes["failure_reason"] = "expired_or_canceled_card"
    fresh = call.change(row, event, **changes)
    if event == "refund.failed":
        call.emit("refund.updated", fresh, {"status": row["status"]})
    call.emit("charge.refund.updated", fresh)
    _count(call, charge, -row["amount"], "charge.updated")
    return fresh


_CREATE = {
    **META,
    "amount": amount,
    "charge": string,
    "payment_intent": string,
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
    "refund_application_fee": boolean,
}

ENDPOINTS = (
    Endpoint("GET", "refunds", listed("refund"), filters("charge", "payment_intent")),
    Endpoint("POST", "refunds", create_refund, _CREATE),
    Endpoint("GET", "refunds/*", get("refund"), EXPAND),
    Endpoint("POST", "refunds/*", update_refund, META),
    Endpoint("POST", "refunds/*/cancel", cancel_refund, EXPAND),
)
DUE = {"refund": move_refund}
