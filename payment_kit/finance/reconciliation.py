"""One period's payout reconciliation: every control, every break, the bridges and the payouts behind them."""

from dataclasses import dataclass
from typing import Any

from payment_kit.errors import UsageProblem
from payment_kit.finance import payouts
from payment_kit.finance.balances import Bridge, bridges, check_balances
from payment_kit.finance.checks import Break, Check, Status, overall
from payment_kit.finance.completeness import check_sources, check_streams
from payment_kit.finance.periods import Period
from payment_kit.finance.transactions import check_transactions, check_unchanged
from payment_kit.finance.views import Row, ask, create_views

_ORDER = {Status.FAIL: 0, Status.PENDING: 1, Status.PASS: 2}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What the notebook shows and `checks.json` keeps; amounts in minor units throughout."""

    period: Period
    currencies: tuple[str, ...]
    checks: tuple[Check, ...]
    breaks: tuple[Break, ...]
    bridges: tuple[Bridge, ...]
    payouts: tuple[Row, ...]
    in_transit: tuple[Row, ...]
    items: tuple[Row, ...]

    @property
    def status(self) -> Status:
        """PASS only if every control passes."""
        return overall(check.status for check in self.checks)


def reconcile(connection: Any, period: Period, currency: str = "") -> Reconciliation:
    """All controls of `period` for one currency (``""``: every one) on a DuckDB connection holding the books.

    Raises `UsageProblem` NO_DATA when the books hold no balance transaction (in that currency), or begin only after
    the period: there is nothing that could tie out.
    """
    create_views(connection)
    currencies = _currencies(connection, currency)
    _refuse_before_the_books(connection, period)
    tied, untied = check_transactions(connection, currencies)
    unchanged, changed = check_unchanged(connection, currencies)
    paid, unpaid = payouts.check_payouts(connection, period, currencies, _suspects(untied + changed))
    found = [bridge for bridge in bridges(connection, period) if bridge.currency in currencies]
    rolled, unrolled = check_balances(connection, period, found)
    arrived, absent = check_sources(connection, period, currencies)
    read, unread = check_streams(connection, period)
    breaks = [
        one for one in untied + unpaid + unrolled + absent + unread + changed if one.currency in (*currencies, "")
    ]
    return Reconciliation(
        period,
        tuple(currencies),
        tuple(sorted(tied + paid + rolled + arrived + read + unchanged, key=_place)),
        tuple(sorted(breaks, key=lambda one: (_ORDER[one.status], one.check[0] == "C", one.check, one.key))),
        tuple(found),
        tuple(row for row in payouts.listed(connection, period) if row["currency"] in currencies),
        tuple(row for row in payouts.in_transit(connection, period) if row["currency"] in currencies),
        tuple(row for row in payouts.items(connection, period) if row["currency"] in currencies),
    )


def _place(check: Check) -> tuple[bool, str, str]:
    return (check.id[0] == "C", check.id, check.currency)


def _currencies(connection: Any, chosen: str) -> list[str]:
    sql = """
    select distinct currency from (
        select currency from balance_transactions
        union all select currency from payouts
        union all select currency from sources where agrees is not true
    ) where currency is not null order by 1
    """
    known = [row["currency"] for row in ask(connection, sql)]
    if not known:
        raise UsageProblem("NO_DATA", "The mirror holds no balance transaction.")
    if chosen and chosen not in known:
        raise UsageProblem("NO_DATA", f"The mirror holds nothing in {chosen}, only {', '.join(known)}.")
    return [chosen] if chosen else known


def _refuse_before_the_books(connection: Any, period: Period) -> None:
    [row] = ask(connection, "select min(created) as first from balance_transactions")
    if row["first"] is not None and row["first"] >= period.end.replace(tzinfo=None):
        raise UsageProblem(
            "NO_DATA", f"The books begin only after that period: their first transaction is of {row['first']:%Y-%m-%d}."
        )


def _suspects(damaged: list[Break]) -> dict[str, list[str]]:
    """payout -> the balance transactions in it that another control found damaged."""
    found: dict[str, list[str]] = {}
    for one in damaged:
        names = found.setdefault(one.payout, [])
        if one.balance_transaction and one.balance_transaction not in names:
            names.append(one.balance_transaction)
    return found
