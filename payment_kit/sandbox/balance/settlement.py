"""The balance: what moves it, what it costs, and when it is there to be paid out.

Every currency of `exchange.SETTLED` has a balance and payouts of its own; others are converted. All in integers:

* A charge costs 2.9 % (rounded half up) plus a fixed amount per currency; a bank debit 0.8 %, at most 5 major units.
  The fee is not returned on a refund; it is when a bank debit fails.
* A charge is pending until midnight UTC two days after its day; everything else moves the available balance at once.
* A dispute costs a fixed fee per currency, not returned when the dispute is won.
* Three-decimal currencies move in steps of 10 minor units (docs.stripe.com/currencies), so their fees do too.
* At every midnight UTC each currency with a positive available sum is paid out whole; the payout leaves the balance at
  once, is in transit after six hours and arrives two days later at midnight. Then its transactions are itemised
  (`payout.reconciliation_completed`). A payout told to fail does so at its arrival; the money comes back that second.
* The balance lives by the account's clock, whatever test clock a customer follows.
"""

from payment_kit.money import exponent
from payment_kit.sandbox.balance import exchange, preferences
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Row, Store

DAY = 86_400
FEE_PER_MILLE, DEBIT_FEE_PER_MILLE, DEBIT_FEE_MAX_MAJOR = 29, 8, 5
FEE_FIXED = {"usd": 30, "eur": 25, "gbp": 20, "jpy": 30, "kwd": 100}
DISPUTE_FEE = {"usd": 1500, "eur": 1500, "gbp": 1500, "jpy": 1500, "kwd": 4500}
INSTANT_FEE_PER_MILLE, INSTANT_FEE_LEAST = 10, 50


def charge_fee(amount: int, currency: str) -> int:
    """The fee of a card charge in minor units of the currency it settles in, e.g. ``charge_fee(1000, "usd") == 59``."""
    fixed = FEE_FIXED.get(currency, 100 if exponent(currency) == 3 else 30)
    return min(_share(amount, currency, FEE_PER_MILLE) + fixed, amount)


def debit_fee(amount: int, currency: str) -> int:
    """The fee of a bank debit in minor units."""
    most: int = DEBIT_FEE_MAX_MAJOR * 10 ** exponent(currency)
    return min(_share(amount, currency, DEBIT_FEE_PER_MILLE), most)


def dispute_fee(currency: str) -> int:
    """The fee of a dispute in minor units."""
    return DISPUTE_FEE.get(currency, 4500 if exponent(currency) == 3 else 1500)


def instant_fee(amount: int, currency: str) -> int:
    """The fee of an instant payout in minor units: 1 %, at least 50 (docs.stripe.com/payouts/instant-payouts)."""
    return max(_share(amount, currency, INSTANT_FEE_PER_MILLE), INSTANT_FEE_LEAST)


def step_of(currency: str) -> int:
    """The smallest movement of a currency in minor units."""
    return 10 if exponent(currency) == 3 else 1


def _share(amount: int, currency: str, per_mille: int) -> int:
    step = step_of(currency)
    return (amount * per_mille + 500 * step) // (1000 * step) * step


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
    application_fee: int = 0,
    pending: bool = False,
    available_on: int | None = None,
    payout: str | None = None,
) -> Row:
    """A new balance transaction, which moves the balance by `amount` less `fee` and `application_fee`.

    `amount` is in minor units of `currency` and converted here when that has no balance; both fees are in minor units
    of the currency it settles in. `pending` waits as long as the account's payments do, `available_on` (unix s) until
    then.
    """
    now = call.store.now
    if pending and available_on is None:
        available_on = (now // DAY + preferences.payments(call.store)["settlement_timing"]["delay_days"]) * DAY
    waits = available_on is not None and available_on > now
    moved = exchange.settled(amount, currency)
    fees = (
        ("stripe_fee", fee, None, fee_description),
        ("application_fee", application_fee, call.store.application, "Application fee"),
    )
    fee += application_fee
    return call.add(
        {
            "id": call.new_id("balance_transaction"),
            "object": "balance_transaction",
            "amount": moved.amount,
            "available_on": available_on if waits else now,
            "balance_type": "payments",
            "created": now,
            "currency": moved.currency,
            "description": description,
            "exchange_rate": None if moved.rate is None else float(moved.rate),
            "fee": fee,
            "fee_details": [
                {"amount": one, "application": by, "currency": moved.currency, "description": what, "type": kind}
                for kind, one, by, what in fees
                if one
            ],
            "net": moved.amount - fee,
            "reporting_category": category or type_,
            "source": source,
            "status": "pending" if waits else "available",
            "type": type_,
            "_due": available_on if waits else None,
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

    def part(code: str, amount: int) -> Row:
        return {"amount": amount, "currency": code, "source_types": {"card": amount}}

    available = {code: store.balance(code)["available"] for code in currencies}
    return {
        "object": "balance",
        "available": [part(code, available[code]) for code in currencies],
        "instant_available": [part(code, max(available[code], 0)) for code in currencies],
        "livemode": False,
        "pending": [part(code, store.balance(code)["pending"]) for code in currencies],
    }
