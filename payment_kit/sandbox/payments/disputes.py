"""Disputes: money leaves when one opens, comes back when it is won (docs.stripe.com/disputes/how-disputes-work).

As in Stripe's test mode the evidence decides: ``uncategorized_text`` of ``winning_evidence`` wins at once,
``losing_evidence`` loses; anything else stays under review. What is undecided when the evidence is due, is lost.
"""

from typing import Any

from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.form import boolean, fields, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

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
    """A new dispute of the whole charge; an inquiry moves no money."""
    row: Row = {
        "id": call.new_id("dispute"),
        "object": "dispute",
        "amount": charge["amount_captured"],
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
        "payment_method_details": {
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network_reason_code": NETWORK_REASON.get(reason),
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    row["_due"] = row["evidence_details"]["due_by"]
    if not inquiry:
        money = _move(call, row, -row["amount"], "dispute", f"Chargeback withdrawal for {charge['id']}")
        row["balance_transactions"] = [public(money)]
    call.add(row, "charge.dispute.created")
    if not inquiry:
        call.emit("charge.dispute.funds_withdrawn", row)
    call.change(charge, "charge.updated", disputed=True, _inquiry=inquiry)
    return row


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
    """POST /v1/disputes/{id}: evidence is submitted unless ``submit=false``; metadata may change at any time."""
    row, params = call.find("dispute", call.path[0]), call.params
    changes: dict[str, Any] = {"metadata": merged(row, params)}
    evidence = params.get("evidence")
    submitted = params.get("submit", True) and evidence is not None
    if evidence is not None:
        if row["status"] not in ("needs_response", "warning_needs_response"):
            raise ApiError(400, "This dispute is already under review or closed; evidence can no longer be changed.")
        changes["evidence"] = {**row["evidence"], **evidence}
        details = {**row["evidence_details"], "has_evidence": any(v for v in changes["evidence"].values())}
        if submitted:
            details["submission_count"] += 1
            changes["status"] = row["status"].replace("needs_response", "under_review")
        changes["evidence_details"] = details
    row = call.change(row, "charge.dispute.updated", **changes)
    decision = row["evidence"]["uncategorized_text"]
    if submitted and decision in ("winning_evidence", "losing_evidence"):
        row = decide(call, row, won=decision == "winning_evidence")
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


_UPDATE = {**META, "evidence": fields(dict.fromkeys(EVIDENCE, string)), "submit": boolean}

ENDPOINTS = (
    Endpoint("GET", "disputes", listed("dispute"), filters("charge", "payment_intent")),
    Endpoint("GET", "disputes/*", get("dispute"), EXPAND),
    Endpoint("POST", "disputes/*", update_dispute, _UPDATE),
    Endpoint("POST", "disputes/*/close", close_dispute, EXPAND),
)
DUE = {"dispute": expire_dispute}
