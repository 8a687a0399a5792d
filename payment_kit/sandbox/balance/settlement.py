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
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Row, Store

DAY = 86_400
PENDING_DAYS = 2
FEE_PER_MILLE = 29
FEE_FIXED = {"usd": 30, "eur": 25, "gbp": 20, "jpy": 30, "kwd": 100}
DISPUTE_FEE = {"usd": 1500, "eur": 1500, "gbp": 1500, "jpy": 1500, "kwd": 4500}


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
