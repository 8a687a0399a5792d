"""Disputes: money leaves when one opens, comes back when it is won (docs.stripe.com/disputes/how-disputes-work).

As in Stripe's test mode the evidence decides: ``uncategorized_text`` of ``winning_evidence`` wins at once,
``losing_evidence`` loses, ``escalate_inquiry_evidence`` makes a chargeback of an inquiry; anything else stays under
review. What is undecided when the evidence is due, is lost. A bank debit's dispute cannot be contested.
"""

from typing import Any

from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.form import boolean, fields, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row, Store

DUE_AFTER_DAYS = 14
EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal "
    "customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt "
    "refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number "
    "uncategorized_file uncategorized_text"
).split()
NETWORK_REASON = {"fraudulent": "10.4", "product_not_received": "13.1"}
_OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")


def open_dispute(call: Call, charge: Row, reason: str, *, inquiry: bool = False) -> Row:
    """A new dispute of what is left of the charge; an inquiry moves no money."""
    row: Row = {
        "id": call.new_id("dispute"),
        "object": "dispute",
        "amount": charge["amount_captured"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": (call.now // settlement.DAY + DUE_AFTER_DAYS) * settlement.DAY + settlement.DAY - 1,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        **_by_card(charge, reason, inquiry=inquiry),
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    row["_due"] = row["evidence_details"]["due_by"]
    if not inquiry:
        row["balance_transactions"] = [_withdrawn(call, row)]
    call.add(row, "charge.dispute.created")
    if not inquiry:
        call.emit("charge.dispute.funds_withdrawn", row)
    call.change(charge, "charge.updated", disputed=True)
    return row if "payment_method_details" in row else decide(call, row, won=False)


def charged_back(store: Store, charge: Row) -> bool:
    """Whether a dispute holds or took the money of `charge`, so that it cannot be refunded."""
    found = store.tables["dispute"].having("charge", charge["id"])
    return any(row["status"] in ("needs_response", "under_review", "lost") for row in found)


def _by_card(charge: Row, reason: str, *, inquiry: bool) -> Row:
    paid = charge["payment_method_details"]
    if paid["type"] != "card":
        return {}
    card = {"brand": paid["card"]["brand"], "case_type": "inquiry" if inquiry else "chargeback"}
    return {
        "payment_method_details": {"card": {**card, "network_reason_code": NETWORK_REASON.get(reason)}, "type": "card"}
    }


def _withdrawn(call: Call, row: Row) -> Row:
    return public(_move(call, row, -row["amount"], "dispute", f"Chargeback withdrawal for {row['charge']}"))


def _move(call: Call, row: Row, amount: int, category: str, description: str) -> Row:
    fee = settlement.dispute_fee(exchange.settled(0, row["currency"]).currency) if amount < 0 else 0
    return settlement.record(
        call,
        "adjustment",
        amount,
        row["currency"],
        row["id"],
        category=category,
        description=description,
        fee=fee,
        fee_description="Dispute fee",
    )


def update_dispute(call: Call) -> Row:
    """POST /v1/disputes/{id}: evidence is submitted, or staged with ``submit=false``; metadata may change at any time.

    ``submit=true`` alone submits what was staged.
    """
    row, params = call.find("dispute", call.path[0]), call.params
    changes: dict[str, Any] = {"metadata": merged(row, params)}
    evidence = params.get("evidence")
    submitted = params.get("submit", True) and (
        evidence is not None or ("submit" in params and row["evidence_details"]["has_evidence"])
    )
    if evidence is not None or submitted:
        if row["status"] not in ("needs_response", "warning_needs_response"):
            raise ApiError(400, "This dispute is already under review or closed; evidence can no longer be changed.")
        changes["evidence"] = {**row["evidence"], **(evidence or {})}
        details = {**row["evidence_details"], "has_evidence": any(v for v in changes["evidence"].values())}
        if submitted:
            details["submission_count"] += 1
            changes["status"] = row["status"].replace("needs_response", "under_review")
        changes["evidence_details"] = details
    row = call.change(row, "charge.dispute.updated", **changes)
    decision = row["evidence"]["uncategorized_text"]
    if submitted and decision == "escalate_inquiry_evidence" and row["status"].startswith("warning_"):
        return escalate(call, row)
    if submitted and decision in ("winning_evidence", "losing_evidence"):
        return decide(call, row, won=decision == "winning_evidence")
    return row


def escalate(call: Call, row: Row) -> Row:
    """The bank makes a chargeback of an inquiry: the money leaves now, and there is a new time to answer."""
    due = (call.now // settlement.DAY + DUE_AFTER_DAYS) * settlement.DAY + settlement.DAY - 1
    card = {**row["payment_method_details"]["card"], "case_type": "chargeback"}
    charge = call.find("charge", row["charge"])
    # an inquiry lets the charge be refunded meanwhile: what went back is no longer there to be withdrawn
    left = min(row["amount"], charge["amount_captured"] - charge["amount_refunded"])
    row = call.change(
        row,
        "charge.dispute.updated",
        amount=left,
        balance_transactions=[_withdrawn(call, {**row, "amount": left})],
        evidence_details={**row["evidence_details"], "due_by": due},
        is_charge_refundable=False,
        payment_method_details={"card": card, "type": "card"},
        status="needs_response",
        _due=due,
    )
    call.emit("charge.dispute.funds_withdrawn", row)
    return row


def close_dispute(call: Call) -> Row:
    """POST /v1/disputes/{id}/close: the charge is given up."""
    row = call.find("dispute", call.path[0])
    if row["status"] not in _OPEN:
        raise ApiError(400, "This dispute is already closed.")
    return decide(call, row, won=False)


def decide(call: Call, row: Row, *, won: bool) -> Row:
    """The bank's last word; when won, the money comes back."""
    if row["status"].startswith("warning_"):
        return call.change(row, "charge.dispute.closed", status="warning_closed", _due=None)
    if not won:
        return call.change(row, "charge.dispute.closed", status="lost", _due=None)
    money = _move(call, row, row["amount"], "dispute_reversal", f"Chargeback reversal for {row['charge']}")
    both = [*row["balance_transactions"], public(money)]
    row = call.change(row, "charge.dispute.closed", status="won", balance_transactions=both, _due=None)
    call.emit("charge.dispute.funds_reinstated", row)
    return row


def expire_dispute(call: Call, row: Row) -> None:
    """The evidence was due: no winning evidence, no money."""
    details = {**row["evidence_details"], "past_due": not row["evidence_details"]["submission_count"]}
    decide(call, call.change(row, evidence_details=details), won=False)


def _refunded(call: Call, charge: Row) -> None:
    """Giving all of it back settles an inquiry."""
    if charge["refunded"]:
        for row in call.store.tables["dispute"].having("charge", charge["id"]):
            if row["status"] in ("warning_needs_response", "warning_under_review"):
                decide(call, row, won=True)


_UPDATE = {**META, "evidence": fields(dict.fromkeys(EVIDENCE, string)), "submit": boolean}

ENDPOINTS = (
    Endpoint("GET", "disputes", listed("dispute"), filters("charge", "payment_intent")),
    Endpoint("GET", "disputes/*", get("dispute"), EXPAND),
    Endpoint("POST", "disputes/*", update_dispute, _UPDATE),
    Endpoint("POST", "disputes/*/close", close_dispute, EXPAND),
)
DUE = {"dispute": expire_dispute}
LISTENERS = {"charge.refunded": _refunded}
