"""T2: every automatic payout equals the balance transactions it paid out."""

from typing import Any

from payment_kit.finance.checks import Break, Check, Status, plural, status_of
from payment_kit.finance.periods import Period
from payment_kit.finance.views import Row, ask

TITLE = "Each payout = the net of its items"

_OF_PERIOD = """
select * from payout_sums
where automatic and effective_at >= $start and effective_at < $end order by currency, effective_at, id
"""

_LISTED = """
select
    id as payout, currency, status,
    case
        when not automatic then 'manual: not itemised by Stripe'
        when not itemised then 'PENDING'
        when items_net = amount and coalesce(own_amount = -amount, false)
            and items_missing = 0 and items_foreign = 0 and items = items_listed then 'PASS'
        else 'FAIL'
    end as control,
    created, effective_at, transactions, charges, refunds, disputes, other, fees, items_net, amount,
    case when itemised then items_net - amount end as difference
from payout_sums
where effective_at >= $start and effective_at < $end
order by currency, effective_at, id
"""

_ITEMS = """
select
    item.payout_id as payout, moved.currency, moved.id as balance_transaction, moved.created, moved.available_on,
    moved.reporting_category, moved.source, moved.amount as gross, moved.fee, moved.net, moved.description
from payout_items as item
join dated_payouts as paid on paid.id = item.payout_id and paid.itemised
join balance_transactions as moved on moved.id = item.balance_transaction_id
where paid.effective_at >= $start and paid.effective_at < $end and moved.id is distinct from paid.own_transaction
order by moved.currency, paid.effective_at, item.payout_id, moved.created, moved.id
"""


def listed(connection: Any, period: Period) -> list[Row]:
    """Every payout effective in the period, with its items by kind beside the amount paid; minor units."""
    return ask(connection, _LISTED, start=period.start, end=period.end)


_IN_TRANSIT = """
select id as payout, currency, status, created, effective_at, amount
from payout_sums where created < $end and effective_at >= $end order by currency, effective_at, id
"""


def in_transit(connection: Any, period: Period) -> list[Row]:
    """Every payout made before the period's end that is effective only after it: still part of the closing balance."""
    return ask(connection, _IN_TRANSIT, end=period.end)


def items(connection: Any, period: Period) -> list[Row]:
    """Every balance transaction inside the automatic payouts of the period; minor units."""
    return ask(connection, _ITEMS, start=period.start, end=period.end)


def check_payouts(
    connection: Any, period: Period, currencies: list[str], suspects: dict[str, list[str]]
) -> tuple[list[Check], list[Break]]:
    """T2 per currency. `suspects` names the damaged balance transactions of a payout, as T1 and C3 found them."""
    rows = ask(connection, _OF_PERIOD, start=period.start, end=period.end)
    checks, breaks = [], []
    for currency in currencies:
        mine = [row for row in rows if row["currency"] == currency]
        own = [one for row in mine for one in _judge(row, suspects.get(row["id"], []))]
        ready = [row for row in mine if row["itemised"]]
        left, right = (sum(row[name] for row in ready) for name in ("items_net", "amount"))
        detail = plural(len(mine), "automatic payout")
        if len(ready) < len(mine):
            detail += f", {len(mine) - len(ready)} not itemised yet"
        checks.append(Check("T2", TITLE, currency, left, right, status_of(own), detail, len(own)))
        breaks.extend(own)
    return checks, breaks


def _judge(row: Row, suspects: list[str]) -> list[Break]:
    """The breaks of one payout; several rules may be broken at once."""
    if not row["itemised"]:
        why = "Stripe has not itemised this payout yet, or its items have not been read."
        return [_break(row, row["amount"], why, "pending", status=Status.PENDING)]
    found = []
    if row["items_missing"] or row["items_foreign"] or row["items"] != row["items_listed"]:
        present = row["items"] - row["items_missing"] - row["items_foreign"]
        why = f"Stripe listed {plural(row['items_listed'], 'item')}, {present:,} are in the mirror in its currency."
        found.append(_break(row, 0, why, "items", "Run `payment-kit sync backfill`."))
    if row["items_net"] != row["amount"]:
        why = "The net of its items is not the amount paid."
        if suspects:
            why += f" Damaged: {', '.join(suspects[:5])}."
        blamed = suspects[0] if suspects else ""
        found.append(_break(row, row["items_net"] - row["amount"], why, "net", transaction=blamed))
    if row["own_amount"] is None:
        why = "The balance transaction that paid it out is not in the mirror."
        found.append(_break(row, row["amount"], why, "own", status=Status.PENDING))
    elif row["own_amount"] != -row["amount"]:
        why = "The balance transaction that paid it out carries another amount."
        difference = row["own_amount"] + row["amount"]
        found.append(_break(row, difference, why, "own", transaction=row["own_transaction"]))
    return found


def _break(
    row: Row,
    amount: int,
    why: str,
    rule: str,
    step: str = "",
    *,
    status: Status = Status.FAIL,
    transaction: str = "",
) -> Break:
    usual = {
        Status.PENDING: "Run `payment-kit sync catch-up`, then run this again.",
        Status.FAIL: "Compare the payout with Stripe's dashboard, then run `payment-kit sync backfill`.",
    }
    return Break("T2", row["currency"], amount, status, why, step or usual[status], transaction, row["id"], rule=rule)
