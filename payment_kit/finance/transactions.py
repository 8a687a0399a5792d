"""T1: every balance transaction adds up by itself. C3: no typed amount differs from the object Stripe sent."""

from typing import Any

from payment_kit.finance.checks import Break, Check, plural, status_of
from payment_kit.finance.checks import Status as _Status
from payment_kit.finance.views import Row, ask

_SUMS = """
select
    currency, count(*) as rows, sum(amount - fee)::bigint as without_fee, sum(net)::bigint as net,
    count(*) filter (where raw_amount is not distinct from amount and raw_fee is not distinct from fee
        and raw_net is not distinct from net) as agreeing
from balance_transactions group by currency
"""

# An amount that is absent is a broken row, not an unknown one: Stripe always sends all three.
_UNTIED = """
select id, currency, payout_id, coalesce(amount, 0) - coalesce(fee, 0) - coalesce(net, 0) as net_off,
    coalesce(fee, 0) - fee_details as fee_off
from postings
where (amount - fee = net and fee = fee_details) is not true
order by created, id
"""

_CHANGED = """
select id, currency, payout_id, source, coalesce(amount, 0) - coalesce(raw_amount, 0) as amount_off,
    coalesce(fee, 0) - coalesce(raw_fee, 0) as fee_off, coalesce(net, 0) - coalesce(raw_net, 0) as net_off
from postings
where amount is distinct from raw_amount or fee is distinct from raw_fee or net is distinct from raw_net
order by created, id
"""

_CHANGED_SOURCES = """
select sources.kind, sources.id, coalesce(moved.currency, sources.currency) as currency, moved.id as transaction,
    coalesce(moved.payout_id, case when sources.kind = 'payout' then sources.id end) as payout_id,
    coalesce(sources.difference, 0) as difference
from sources
left join postings as moved
    on moved.id = coalesce(sources.balance_transaction,
        (select min(id) from balance_transactions where source = sources.id))
where sources.agrees is not true
order by sources.created, sources.id
"""

_SOURCES = """
select coalesce(moved.currency, sources.currency) as currency, count(*) as rows,
    count(*) filter (where sources.agrees) as agreeing
from sources left join balance_transactions as moved on moved.id = sources.balance_transaction
group by 1
"""

REREAD = "Run `payment-kit sync backfill` to read it from Stripe again, and find out who changed the row."


def check_transactions(connection: Any, currencies: list[str]) -> tuple[list[Check], list[Break]]:
    """T1 per currency, over every balance transaction of the mirror: the balances rest on all of them."""
    sums = {row["currency"]: row for row in ask(connection, _SUMS)}
    breaks = [one for row in ask(connection, _UNTIED) for one in _untied(row)]
    checks = []
    for currency in currencies:
        own = [one for one in breaks if one.currency == currency]
        row = sums.get(currency, {"rows": 0, "without_fee": 0, "net": 0})
        detail = f"{plural(row['rows'], 'balance transaction')}; fee = its fee details"
        title = "Amount − fee = net, on every transaction"
        left, right = row["without_fee"] or 0, row["net"] or 0
        checks.append(Check("T1", title, currency, left, right, status_of(own), detail, len(own)))
    return checks, breaks


def _untied(row: Row) -> list[Break]:
    paid = _paid(row["payout_id"])
    found = []
    if row["net_off"] or not row["fee_off"]:
        why = f"Its amount less its fee is not its net{paid}."
        found.append(_transaction_break("T1", row, row["net_off"], why, "net"))
    if row["fee_off"]:
        why = f"Its fee is not the sum of its fee details{paid}."
        found.append(_transaction_break("T1", row, row["fee_off"], why, "fee"))
    return found


def check_unchanged(connection: Any, currencies: list[str]) -> tuple[list[Check], list[Break]]:
    """C3 per currency: every typed amount equals the stored object's, so a row changed by hand cannot hide."""
    changed = [_changed(row) for row in ask(connection, _CHANGED)]
    breaks = changed + [_changed_source(row) for row in ask(connection, _CHANGED_SOURCES)]
    rows, agreeing = dict.fromkeys(currencies, 0), dict.fromkeys(currencies, 0)
    for row in ask(connection, _SUMS) + ask(connection, _SOURCES):
        rows[row["currency"]] = rows.get(row["currency"], 0) + row["rows"]
        agreeing[row["currency"]] = agreeing.get(row["currency"], 0) + row["agreeing"]
    checks = []
    for currency in currencies:
        own = [one for one in breaks if one.currency == currency]
        detail = f"{plural(rows[currency], 'object')} compared"
        title = "Amounts = the object Stripe sent"
        left, right = agreeing[currency], rows[currency]
        checks.append(Check("C3", title, currency, left, right, status_of(own), detail, len(own), unit="rows"))
    return checks, breaks


def _changed(row: Row) -> Break:
    columns = [name for name in ("amount", "fee", "net") if row[f"{name}_off"]]
    off = next((row[f"{name}_off"] for name in columns), 0)
    verb = "differs" if len(columns) == 1 else "differ"
    why = f"Its {' and '.join(columns) or 'amounts'} {verb} from the object Stripe sent{_paid(row['payout_id'])}."
    return _transaction_break("C3", row, off, why, "")


def _changed_source(row: Row) -> Break:
    why = f"This {row['kind']}'s amount differs from the object Stripe sent{_paid(row['payout_id'])}."
    transaction, payout = row["transaction"] or "", row["payout_id"] or ""
    amount = row["difference"]
    return Break(
        "C3", row["currency"], amount, _Status.FAIL, why, REREAD, transaction, payout, row["id"], rule=row["id"]
    )


def _transaction_break(check: str, row: Row, amount: int, why: str, rule: str) -> Break:
    source = row.get("source") or ""
    return Break(
        check, row["currency"], amount, _Status.FAIL, why, REREAD, row["id"], row["payout_id"] or "", source, rule
    )


def _paid(payout: str | None) -> str:
    return f"; it is part of payout {payout}" if payout else "; no payout has paid it out yet"
