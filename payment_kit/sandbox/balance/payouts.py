"""Payouts: the automatic ones of the account's schedule, the ones asked for, and what becomes of each.

An automatic payout takes every available transaction no payout took before, and lists them once it is reconciled. A
manual payout takes an amount and lists nothing (`reconciliation_status` is not_applicable); what it moved is one of the
transactions the next automatic payout takes.
"""

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance import exchange, preferences, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, RANGE, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import amount, currency, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

TRANSIT_AFTER_SECONDS = 6 * 3600
ARRIVAL_DAYS = 2
INSTANT_TRANSIT_SECONDS, INSTANT_ARRIVAL_SECONDS = 60, 1800

# docs.stripe.com/api/payouts/failures
FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "bank_account_restricted": "The bank account has restrictions on either the type, or the number, of payouts.",
    "bank_ownership_changed": "The destination bank account is no longer valid because its branch has changed.",
    "could_not_process": "The bank could not process this payout.",
    "debit_not_authorized": "Debit transactions are not approved on the bank account.",
    "declined": "The bank has declined this transfer.",
    "incorrect_account_holder_name": "Your bank notified us that the bank account holder name is incorrect.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The bank account number is invalid.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
    "no_account": "The bank account could not be located.",
}


def pay_out(call: Call) -> None:
    """The automatic payout of every currency whose available sum is positive, on the days of the schedule."""
    if not preferences.pays_out(call.store, call.store.now):
        return
    for code in sorted(call.store.sums):
        taken = [call.find("balance_transaction", id_) for id_ in call.store.unpaid.get(code, ())]
        total = sum(row["net"] for row in taken)
        if total > 0:
            payout = _send(call, total, code, automatic=True)
            for row in taken:
                call.change(row, _payout=payout["id"])


def _send(call: Call, total: int, code: str, *, automatic: bool = False, method: str = "standard") -> Row:
    """A payout of `total` minor units leaves the balance now."""
    row = _row(call, total, code, automatic, method)
    planned = dict(call.store.meta["fail_next"])
    row["_failure"] = planned.pop(code, None)
    if row["_failure"]:
        call.store.set_meta(fail_next=planned)
    leaving = settlement.record(
        call,
        "payout",
        -total,
        code,
        row["id"],
        description="STRIPE PAYOUT",
        fee=settlement.instant_fee(total, code) if method == "instant" else 0,
        fee_description="Instant payout fee",
        payout=row["id"] if automatic else None,
    )
    return call.add({**row, "balance_transaction": leaving["id"]}, "payout.created")


def _row(call: Call, total: int, code: str, automatic: bool, method: str) -> Row:
    now, midnight = call.store.now, call.store.now // settlement.DAY * settlement.DAY
    instant = method == "instant"
    return {
        "id": call.new_id("payout"),
        "object": "payout",
        "amount": total,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": now + INSTANT_ARRIVAL_SECONDS if instant else midnight + ARRIVAL_DAYS * settlement.DAY,
        "automatic": automatic,
        "balance_transaction": None,
        "created": now,
        "currency": code,
        "description": "STRIPE PAYOUT" if automatic else None,
        "destination": "ba_1" + ids.text(23, "bank account", call.store.meta["account_seed"], code),
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": method,
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": preferences.payments(call.store)["payouts"]["statement_descriptor"],
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
        "_due": now + (INSTANT_TRANSIT_SECONDS if instant else TRANSIT_AFTER_SECONDS),
        "_failure": None,
    }


def move_payout(call: Call, row: Row) -> None:
    """The next step of a payout whose time has come."""
    if row["status"] == "pending":
        call.change(row, "payout.updated", status="in_transit", _due=row["arrival_date"])
        return
    if row["_failure"]:
        fail(call, row, row["_failure"])
    else:
        trace = {"status": "supported", "value": ids.text(15, "trace", row["id"]).upper()}
        row = call.change(row, "payout.paid", status="paid", trace_id=trace, _due=None)
        if row["automatic"]:
            call.change(row, "payout.reconciliation_completed", reconciliation_status="completed")


def fail(call: Call, row: Row, code: str) -> Row:
    """The bank returns a payout; one that was paid can still come back (docs.stripe.com/payouts#payout-failures)."""
    if row["status"] not in ("pending", "in_transit", "paid") or row["amount"] < 0 or row["reversed_by"]:
        raise ApiError(400, f"Payout {row['id']} cannot fail: it has a status of {row['status']}.")
    row = _return(
        call,
        row,
        "payout_failure",
        "payout.failed",
        "REFUND FOR FAILED PAYOUT",
        status="failed",
        failure_code=code,
        failure_message=FAILURES[code],
    )
    if row["reconciliation_status"] == "in_progress":
        row = call.change(row, "payout.reconciliation_completed", reconciliation_status="completed")
    return row


def _return(call: Call, row: Row, type_: str, event: str, description: str, **changes: object) -> Row:
    """The money of a payout comes back to the balance, its instant fee too."""
    fee = settlement.instant_fee(row["amount"], row["currency"]) if row["method"] == "instant" else 0
    back = settlement.record(
        call,
        type_,
        row["amount"],
        row["currency"],
        row["id"],
        category="payout_reversal",
        description=description,
        fee=-fee,
        fee_description="Instant payout fee returned",
    )
    return call.change(row, event, failure_balance_transaction=back["id"], _due=None, **changes)


def create_payout(call: Call) -> Row:
    """POST /v1/payouts: at once as much of the available balance as was asked for."""
    params = call.params
    total, code = params["amount"], params["currency"]
    method = params.get("method") or "standard"
    if total < 1:
        raise invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if total % settlement.step_of(code):
        raise invalid("amount", "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    if code in exchange.DOLLARS:
        raise invalid("currency", f"Sorry, you don't have any external accounts in that currency ({code}).")
    fee = settlement.instant_fee(total, code) if method == "instant" else 0
    if total + fee > call.store.balance(code)["available"]:
        raise ApiError(
            400,
            "You have insufficient funds in your Stripe account. One likely reason you have insufficient funds is that "
            "your funds are automatically being paid out; try enabling manual payouts in your balance settings.",
            code="balance_insufficient",
        )
    row = _send(call, total, code, method=method)
    given = {name: params[name] for name in ("description", "statement_descriptor") if params.get(name)}
    return call.change(row, **given, metadata=merged({}, params))


def cancel_payout(call: Call) -> Row:
    """POST /v1/payouts/{id}/cancel: a manual one that is still pending."""
    row = call.find("payout", call.path[0])
    if row["automatic"]:
        raise ApiError(400, f"Payout {row['id']} was created automatically and cannot be canceled.")
    if row["amount"] < 0:
        raise ApiError(400, f"Payout {row['id']} reverses another one and cannot be canceled.")
    if row["status"] != "pending":
        raise ApiError(400, f"Payouts can only be canceled while pending; {row['id']} has a status of {row['status']}.")
    return _return(call, row, "payout_cancel", "payout.canceled", "PAYOUT CANCELED", status="canceled")


def reverse_payout(call: Call) -> Row:
    """POST /v1/payouts/{id}/reverse: a paid one is debited from the bank again, as a payout of its own."""
    row = call.find("payout", call.path[0])
    if row["status"] != "paid" or row["amount"] < 0:
        raise ApiError(400, f"Only paid payouts can be reversed; {row['id']} has a status of {row['status']}.")
    if row["reversed_by"] is not None:
        raise ApiError(400, f"Payout {row['id']} has already been reversed.")
    back = _row(call, -row["amount"], row["currency"], automatic=False, method="standard")
    money = settlement.record(
        call,
        "payout",
        row["amount"],
        row["currency"],
        back["id"],
        category="payout_reversal",
        description="STRIPE PAYOUT REVERSAL",
        available_on=back["arrival_date"],
    )
    back |= {"balance_transaction": money["id"], "metadata": merged({}, call.params), "original_payout": row["id"]}
    call.add(back, "payout.created")
    call.change(row, "payout.updated", reversed_by=back["id"])
    return back


def _update_payout(call: Call) -> Row:
    """POST /v1/payouts/{id}"""
    row = call.find("payout", call.path[0])
    return call.change(row, "payout.updated", metadata=merged(row, call.params))


_FILTERS = {**DATED, "arrival_date": RANGE, "destination": string, "status": string}
_CREATE = {
    **META,
    "amount": amount,
    "currency": currency,
    "description": string,
    "method": one_of("standard", "instant"),
    "statement_descriptor": string,
}

ENDPOINTS = (
    Endpoint("GET", "payouts", listed("payout"), _FILTERS),
    Endpoint("POST", "payouts", create_payout, _CREATE, ("amount", "currency")),
    Endpoint("GET", "payouts/*", get("payout"), EXPAND),
    Endpoint("POST", "payouts/*", _update_payout, META),
    Endpoint("POST", "payouts/*/cancel", cancel_payout, EXPAND),
    Endpoint("POST", "payouts/*/reverse", reverse_payout, META),
)
DUE = {"payout": move_payout}
