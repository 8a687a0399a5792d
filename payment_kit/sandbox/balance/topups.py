"""Top-ups: money moved from the account's bank into its balance; it arrives at midnight UTC two days on."""

from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, RANGE, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import amount, currency, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

ARRIVAL_DAYS = 2


def create_topup(call: Call) -> Row:
    """POST /v1/topups"""
    params, now = call.params, call.store.now
    total, code = params["amount"], params["currency"]
    if total < 1:
        raise invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if total % settlement.step_of(code):
        raise invalid("amount", "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    if code in exchange.DOLLARS:
        raise invalid("currency", f"Your account has no bank account in that currency ({code}) to top up from.")
    arrives = (now // settlement.DAY + ARRIVAL_DAYS) * settlement.DAY
    row: Row = {
        "id": call.new_id("topup"),
        "object": "topup",
        "amount": total,
        "balance_transaction": None,
        "created": now,
        "currency": code,
        "description": params.get("description"),
        "expected_availability_date": arrives,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": merged({}, params),
        "source": None,
        "statement_descriptor": params.get("statement_descriptor"),
        "status": "pending",
        "transfer_group": params.get("transfer_group"),
        "_due": arrives,
    }
    return call.add(row, "topup.created")


def arrive(call: Call, row: Row) -> None:
    """The bank's money is there: it is available at once."""
    money = settlement.record(call, "topup", row["amount"], row["currency"], row["id"], description=row["description"])
    call.change(row, "topup.succeeded", status="succeeded", balance_transaction=money["id"], _due=None)


def cancel_topup(call: Call) -> Row:
    """POST /v1/topups/{id}/cancel: while it is pending; no money has moved."""
    row = call.find("topup", call.path[0])
    if row["status"] != "pending":
        raise ApiError(400, f"Only pending top-ups can be canceled; {row['id']} has a status of {row['status']}.")
    return call.change(row, "topup.canceled", status="canceled", _due=None)


def _update_topup(call: Call) -> Row:
    """POST /v1/topups/{id}; Stripe sends no event for it."""
    row, params = call.find("topup", call.path[0]), call.params
    given = {"description": params["description"]} if "description" in params else {}
    return call.change(row, **given, metadata=merged(row, params))


_CREATE = {
    **META,
    "amount": amount,
    "currency": currency,
    "description": string,
    "statement_descriptor": string,
    "transfer_group": string,
}
_STATUS = one_of("canceled", "failed", "pending", "succeeded")

ENDPOINTS = (
    Endpoint("GET", "topups", listed("topup"), {**DATED, "amount": RANGE, "status": _STATUS}),
    Endpoint("POST", "topups", create_topup, _CREATE, ("amount", "currency")),
    Endpoint("GET", "topups/*", get("topup"), EXPAND),
    Endpoint("POST", "topups/*", _update_topup, {**META, "description": string}),
    Endpoint("POST", "topups/*/cancel", cancel_topup, EXPAND),
)
DUE = {"topup": arrive}
