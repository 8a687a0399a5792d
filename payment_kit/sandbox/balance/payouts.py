"""Payouts: the automatic daily ones, and what becomes of each."""

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance import settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, RANGE, Endpoint, get, listed
from payment_kit.sandbox.form import string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row, Store

TRANSIT_AFTER_SECONDS = 6 * 3600
ARRIVAL_DAYS = 2

FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "could_not_process": "The bank could not process this payout.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The bank account number is invalid.",
    "no_account": "The bank account could not be located.",
}


def pay_out(call: Call) -> None:
    """The daily payout of every currency whose available sum is positive."""
    for currency in sorted(call.store.sums):
        taken = [call.find("balance_transaction", id_) for id_ in call.store.unpaid.get(currency, ())]
        amount = sum(row["net"] for row in taken)
        if amount > 0:
            _pay_out(call, currency, amount, taken)


def _pay_out(call: Call, currency: str, amount: int, taken: list[Row]) -> None:
    id_ = call.new_id("payout")
    planned = dict(call.store.meta["fail_next"])
    failure = planned.pop(currency, None)
    if failure:
        call.store.set_meta(fail_next=planned)
    leaving = settlement.record(call, "payout", -amount, currency, id_, description="STRIPE PAYOUT", payout=id_)
    for row in taken:
        call.change(row, _payout=id_)
    payout: Row = {
        "id": id_,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": call.now + ARRIVAL_DAYS * settlement.DAY,
        "automatic": True,
        "balance_transaction": leaving["id"],
        "created": call.now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_1" + ids.text(23, "bank account", call.store.meta["account_seed"], currency),
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
        "_due": call.now + TRANSIT_AFTER_SECONDS,
        "_failure": failure,
    }
    call.add(payout, "payout.created")


def move_payout(call: Call, row: Row) -> None:
    """The next step of a payout whose time has come."""
    if row["status"] == "pending":
        call.change(row, "payout.updated", status="in_transit", _due=row["arrival_date"])
        return
    if row["_failure"]:
        back = settlement.record(
            call,
            "payout_failure",
            row["amount"],
            row["currency"],
            row["id"],
            category="payout_reversal",
            description="REFUND FOR FAILED PAYOUT",
        )
        row = call.change(
            row,
            "payout.failed",
            status="failed",
            failure_code=row["_failure"],
            failure_message=FAILURES[row["_failure"]],
            failure_balance_transaction=back["id"],
            _due=None,
        )
    else:
        trace = {"status": "supported", "value": ids.text(15, "trace", row["id"]).upper()}
        row = call.change(row, "payout.paid", status="paid", trace_id=trace, _due=None)
    call.change(row, "payout.reconciliation_completed", reconciliation_status="completed")


def items(store: Store, payout: Row) -> list[Row]:
    """What a payout paid: the transactions it took and its own, once it is reconciled; before that only its own."""
    rows = store.tables["balance_transaction"].having("_payout", payout["id"])
    if payout["reconciliation_status"] != "completed":
        rows = [row for row in rows if row["source"] == payout["id"]]
    return [public(row) for row in rows]


def _update_payout(call: Call) -> Row:
    """POST /v1/payouts/{id}"""
    row = call.find("payout", call.path[0])
    return call.change(row, "payout.updated", metadata=merged(row, call.params))


_FILTERS = {**DATED, "arrival_date": RANGE, "destination": string, "status": string}

ENDPOINTS = (
    Endpoint("GET", "payouts", listed("payout"), _FILTERS),
    Endpoint("GET", "payouts/*", get("payout"), EXPAND),
    Endpoint("POST", "payouts/*", _update_payout, META),
)
DUE = {"payout": move_payout}
