"""The balance: fees, balance transactions, and the automatic daily payouts that empty it.

Every currency settles in itself: its own balance, its own payouts, no exchange. The rules, all in integers:

* A charge costs 2.9 % (rounded half up) plus a fixed amount per currency. The fee is not returned on a refund.
* A charge is pending until midnight UTC two days after its day; everything else moves the available balance at once.
* A dispute costs a fixed fee per currency, not returned when the dispute is won.
* Three-decimal currencies move in steps of 10 minor units (docs.stripe.com/currencies), so their fees do too.
* At every midnight UTC each currency with a positive available sum is paid out whole; the payout leaves the balance at
  once, is in transit after six hours and arrives two days later at midnight. Then its transactions are itemised
  (`payout.reconciliation_completed`). A payout told to fail does so at its arrival; the money comes back that second.
"""

from payment_kit.money import exponent
from payment_kit.sandbox import ids
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.store import Row, Store

DAY = 86_400
PENDING_DAYS = 2
TRANSIT_AFTER_SECONDS = 6 * 3600
ARRIVAL_DAYS = 2
FEE_PER_MILLE = 29
FEE_FIXED = {"usd": 30, "eur": 25, "gbp": 20, "jpy": 30, "kwd": 100}
DISPUTE_FEE = {"usd": 1500, "eur": 1500, "gbp": 1500, "jpy": 1500, "kwd": 4500}

FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "could_not_process": "The bank could not process this payout.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The bank account number is invalid.",
    "no_account": "The bank account could not be located.",
}


def charge_fee(amount: int, currency: str) -> int:
    """The fee of a charge in minor units, e.g. ``charge_fee(1000, "usd") == 59``."""
    fixed = FEE_FIXED.get(currency, 100 if exponent(currency) == 3 else 30)
    step = step_of(currency)
    percentage = (amount * FEE_PER_MILLE + 500 * step) // (1000 * step) * step
    return min(percentage + fixed, amount)


def dispute_fee(currency: str) -> int:
    """The fee of a dispute in minor units."""
    return DISPUTE_FEE.get(currency, 4500 if exponent(currency) == 3 else 1500)


def step_of(currency: str) -> int:
    """The smallest movement of a currency in minor units."""
    return 10 if exponent(currency) == 3 else 1


def record(
    call: Call,
    type_: str,
    amount: int,
    currency: str,
    source: str,
    *,
    description: str | None = None,
    category: str | None = None,
    fee: int = 0,
    fee_description: str = "Stripe processing fees",
    pending: bool = False,
    payout: str | None = None,
) -> Row:
    """A new balance transaction: `amount` and `fee` in minor units, net of the two moves the balance."""
    available_on = (call.now // DAY + PENDING_DAYS) * DAY if pending else call.now
    fee_details = [
        {"amount": fee, "application": None, "currency": currency, "description": fee_description, "type": "stripe_fee"}
    ]
    return call.add(
        {
            "id": call.new_id("balance_transaction"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": available_on,
            "balance_type": "payments",
            "created": call.now,
            "currency": currency,
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fee_details if fee else [],
            "net": amount - fee,
            "reporting_category": category or type_,
            "source": source,
            "status": "pending" if pending else "available",
            "type": type_,
            "_due": available_on if pending else None,
            "_payout": payout,
        }
    )


def become_available(call: Call, rows: list[Row]) -> None:
    """Pending transactions whose day has come; one `balance.available` tells of all of them."""
    for row in rows:
        call.change(row, status="available", _due=None)
    if rows:
        call.emit("balance.available", balance(call.store))


def balance(store: Store) -> Row:
    """GET /v1/balance"""
    currencies = sorted(store.sums) or ["usd"]

    def amounts(part: str) -> list[Row]:
        return [
            {"amount": store.balance(code)[part], "currency": code, "source_types": {"card": store.balance(code)[part]}}
            for code in currencies
        ]

    return {"object": "balance", "available": amounts("available"), "livemode": False, "pending": amounts("pending")}


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
    leaving = record(call, "payout", -amount, currency, id_, description="STRIPE PAYOUT", payout=id_)
    for row in taken:
        call.change(row, _payout=id_)
    payout: Row = {
        "id": id_,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": call.now + ARRIVAL_DAYS * DAY,
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
        back = record(
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
    table = store.tables["balance_transaction"]
    rows = [table.rows[table.order[at]] for at in table.matching("_payout", payout["id"])]
    if payout["reconciliation_status"] != "completed":
        rows = [row for row in rows if row["source"] == payout["id"]]
    return [public(row) for row in rows]
