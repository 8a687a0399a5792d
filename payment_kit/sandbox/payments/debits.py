"""Bank debits, the payment methods that answer late: processing for days, then paid or returned.

Test accounts are those of docs.stripe.com/payments/ach-direct-debit and /sepa-debit ("Test your integration"). At
Stripe a test debit moves within minutes; here it takes `DAYS` of the clock as a real one does, because that is what
programs get wrong. The money is pending from the start (type ``payment``) and a returned debit takes it back
(``payment_failure_refund``, docs.stripe.com/reports/balance-transaction-types) before it was ever available.
"""

from typing import Any, NamedTuple

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance import exchange, settlement
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.connect import application_fees
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.payments import charges, disputes
from payment_kit.sandbox.store import Row

DAYS = 4
CURRENCIES = {"us_bank_account": "usd", "sepa_debit": "eur"}
_ROUTING = "110000000"


class Failure(NamedTuple):
    """How a bank returns a debit."""

    code: str
    message: str


FAILURES = {
    "account_closed": Failure("account_closed", "The customer's bank account has been closed."),
    "no_account": Failure("no_account", "The customer's bank account could not be located."),
    "insufficient_funds": Failure("insufficient_funds", "The customer's account has insufficient funds."),
    "debit_not_authorized": Failure("debit_not_authorized", "The customer has notified their bank of the debit."),
    "invalid_currency": Failure("invalid_currency", "The customer's bank account does not take this currency."),
    "generic_decline": Failure("generic_decline", "The customer's bank returned the debit."),
}
# number or name behind pm_usBankAccount_ -> behaviour
_US = {
    "000123456789": "succeed",
    "000111111113": "account_closed",
    "000111111116": "no_account",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
}
_NAMES = {
    "success": "000123456789",
    "accountClosed": "000111111113",
    "noAccount": "000111111116",
    "insufficientFunds": "000222222227",
    "debitNotAuthorized": "000333333335",
    "invalidCurrency": "000444444440",
}
_IBANS = {
    "AT611904300234573201": "succeed",
    "DE89370400440532013000": "succeed",
    "AT861904300235473202": "generic_decline",
    "DE62370400440532013001": "generic_decline",
    "AT591904300235473203": "dispute_debit_not_authorized",
    "DE35370400440532013002": "dispute_debit_not_authorized",
    "AT601904300000121212": "insufficient_funds",
}


def named(name: str) -> dict[str, Any] | None:
    """The parameters of a test method such as ``pm_usBankAccount_success``; None for any other text."""
    number = _NAMES.get(name.removeprefix("pm_usBankAccount_")) if name.startswith("pm_usBankAccount_") else None
    if number is None:
        return None
    bank = {"account_number": number, "routing_number": _ROUTING}
    return {"type": "us_bank_account", "us_bank_account": bank, "billing_details": {"name": "Jane Doe"}}


def details(type_: str, given: dict[str, Any], param: str) -> tuple[Row, str]:
    """What a payment method shows of a bank account, and how that account behaves; raises 400 for a real account."""
    if type_ == "us_bank_account":
        number, routing = given.get("account_number") or "", given.get("routing_number") or ""
        if number not in _US or routing != _ROUTING:
            raise ApiError(
                400, "You must use a test bank account number in test mode.", param=f"{param}[account_number]"
            )
        shown: Row = {
            "account_holder_type": given.get("account_holder_type") or "individual",
            "account_type": given.get("account_type") or "checking",
            "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": None,
            "fingerprint": ids.text(16, "fingerprint", number),
            "last4": number[-4:],
            "networks": {"preferred": "ach", "supported": ["ach"]},
            "routing_number": routing,
            "status_details": {},
        }
        return shown, _US[number]
    iban = (given.get("iban") or "").replace(" ", "").upper()
    if iban not in _IBANS:
        raise ApiError(400, "You must use a test IBAN in test mode.", code="invalid_bank_account_iban", param=param)
    shown = {
        "bank_code": iban[4:9] if iban.startswith("AT") else iban[4:12],
        "branch_code": "",
        "country": iban[:2],
        "fingerprint": ids.text(16, "fingerprint", iban),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": iban[-4:],
    }
    return shown, _IBANS[iban]


def submit(call: Call, intent: Row, method: Row, mandate: str) -> Row:
    """Send the debit to the bank: the intent is processing until the bank answers."""
    method = charges.kept(call, intent, method)
    debited = call.now + DAYS * settlement.DAY
    row = charges.row(call, intent, method, None, captured=True)
    shown = {name: method[method["type"]].get(name) for name in _SHOWN[method["type"]]}
    row |= {
        "id": row["id"].replace("ch_3", "py_3", 1),
        "amount_captured": 0,
        "captured": True,
        "outcome": {**row["outcome"], "risk_level": "not_assessed"},
        "paid": False,
        "payment_method_details": {method["type"]: {**shown, "mandate": mandate}, "type": method["type"]},
        "receipt_url": None,
        "status": "pending",
        "_due": debited,
    }
    del row["outcome"]["risk_score"]
    moved = exchange.settled(row["amount"], row["currency"])
    available_on = _available(call)
    money = settlement.record(
        call,
        "payment",
        row["amount"],
        row["currency"],
        row["id"],
        category="charge",
        description=row["description"],
        fee=settlement.debit_fee(moved.amount, moved.currency),
        application_fee=application_fees.settled(row, row["amount"]),
        available_on=available_on,
    )
    row |= {"balance_transaction": money["id"], **application_fees.collect(call, row, row["amount"], available_on)}
    call.add(row, "charge.pending")
    changes = {"latest_charge": row["id"], "last_payment_error": None, "next_action": None}
    return call.change(intent, "payment_intent.processing", status="processing", **changes)


def _available(call: Call) -> int:
    """A day after the bank's answer, so that what it returns was never paid out."""
    return (call.store.now // settlement.DAY + DAYS + 1) * settlement.DAY


def answer(call: Call, charge: Row) -> None:
    """The bank has answered a pending debit."""
    intent = call.find("payment_intent", charge["payment_intent"])
    failure = FAILURES.get(charge["_behaviour"])
    if failure is not None:
        _fail(call, charge, intent, failure)
        return
    charge = call.change(charge, status="succeeded", paid=True, amount_captured=charge["amount"], _due=None)
    call.emit("charge.succeeded", charge)
    call.change(intent, "payment_intent.succeeded", status="succeeded", amount_received=charge["amount"])
    if charge["_behaviour"].startswith("dispute_"):
        disputes.open_dispute(call, charge, charge["_behaviour"].removeprefix("dispute_"))


def _fail(call: Call, charge: Row, intent: Row, failure: Failure) -> None:
    money = call.find("balance_transaction", charge["balance_transaction"])
    fees = {one["type"]: one["amount"] for one in money["fee_details"]}
    left = application_fees.left(call, charge)
    back = settlement.record(
        call,
        "payment_failure_refund",
        -charge["amount"],
        charge["currency"],
        charge["id"],
        category="charge_failure",
        description=f"Payment failure refund for {charge['id']}",
        fee=-fees.get("stripe_fee", 0),
        application_fee=-exchange.settled(left, charge["currency"]).amount,
        available_on=money["available_on"],
    )
    application_fees.give_back(call, charge, left)
    charge = call.change(
        charge,
        status="failed",
        failure_balance_transaction=back["id"],
        failure_code=failure.code,
        failure_message=failure.message,
        _due=None,
    )
    call.emit("charge.failed", charge)
    method = call.find("payment_method", charge["payment_method"])
    error = {
        "charge": charge["id"],
        "code": "payment_intent_payment_attempt_failed",
        "decline_code": failure.code,
        "message": f"The payment failed. {failure.message}",
        "payment_method": public(method),
        "type": "card_error",
    }
    call.change(
        intent,
        "payment_intent.payment_failed",
        status="requires_payment_method",
        payment_method=None,
        last_payment_error=error,
    )


_SHOWN = {
    "us_bank_account": ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number"),
    "sepa_debit": ("bank_code", "branch_code", "country", "fingerprint", "last4"),
}
