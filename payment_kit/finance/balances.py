"""The balance bridge of a period, and the two identities that hold it together (T3 roll-forward, T4 closing balance).

Opening and closing are what Stripe's ending-balance reconciliation says: everything booked and not yet paid out. The
ledger is what the balance report says: everything booked. They agree only if every payout paid exactly its items.
"""

from dataclasses import asdict, dataclass
from typing import Any

from payment_kit.finance.checks import Break, Check, Status, plural, status_of
from payment_kit.finance.periods import Period
from payment_kit.finance.views import Row, ask


@dataclass(frozen=True, slots=True)
class Movement:
    """All balance transactions of one reporting category: how many, and their gross, fee and net in minor units."""

    category: str
    count: int
    gross: int
    fee: int
    net: int


@dataclass(frozen=True, slots=True)
class Bridge:
    """Opening balance, activity and payouts by reporting category, closing balance: one currency, minor units."""

    currency: str
    opening: int
    activity: tuple[Movement, ...]
    payouts: tuple[Movement, ...]
    closing: int
    ledger: int
    """The closing balance as the sum of everything booked; T4 compares it with `closing`."""

    @property
    def rolled_forward(self) -> int:
        """Opening balance plus everything that moved it in the period; T3 compares it with `closing`."""
        return self.opening + sum(one.net for one in self.activity + self.payouts)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


_BALANCES = """
select
    currency,
    coalesce(sum(net) filter (where booked_at < $start and (paid_out_at < $start) is not true), 0)::bigint as opening,
    coalesce(sum(net) filter (where booked_at < $end and (paid_out_at < $end) is not true), 0)::bigint as closing,
    coalesce(sum(net) filter (where booked_at < $end), 0)::bigint as ledger
from postings group by currency order by currency
"""

_MOVEMENTS = """
select
    currency,
    is_payout,
    coalesce(reporting_category, type) as category,
    count(*) as count,
    sum(amount)::bigint as gross,
    sum(fee)::bigint as fee,
    sum(net)::bigint as net
from postings
where booked_at >= $start and booked_at < $end
group by all order by abs(gross) desc, category
"""


def bridges(connection: Any, period: Period) -> list[Bridge]:
    """One bridge per currency that ever moved, alphabetically."""
    moved = ask(connection, _MOVEMENTS, start=period.start, end=period.end)
    return [
        Bridge(
            row["currency"],
            row["opening"],
            _movements(moved, row["currency"], is_payout=False),
            _movements(moved, row["currency"], is_payout=True),
            row["closing"],
            row["ledger"],
        )
        for row in ask(connection, _BALANCES, start=period.start, end=period.end)
    ]


def _movements(rows: list[Row], currency: str, *, is_payout: bool) -> tuple[Movement, ...]:
    names = ("category", "count", "gross", "fee", "net")
    chosen = (row for row in rows if row["currency"] == currency and bool(row["is_payout"]) is is_payout)
    return tuple(Movement(*(row[name] for name in names)) for row in chosen)


_DIFFERING = """
select
    currency, id as payout, own_transaction as balance_transaction, effective_at,
    (items_net + own_net)::bigint as difference
from payout_sums
where itemised and effective_at < $end and items_net + own_net <> 0
order by effective_at, id
"""

_WAITING = """
select currency, count(*) filter (where effective_at >= $start) as inside, count(*) as total from (
    select currency, effective_at from payout_sums
    where automatic and (not itemised or own_net is null) and effective_at < $end
    union all
    select currency, booked_at from postings where payout_unknown and booked_at < $end
) group by currency
"""


def check_balances(connection: Any, period: Period, found: list[Bridge]) -> tuple[list[Check], list[Break]]:
    """T3 and T4 for every bridge; PENDING while a payout they depend on is unknown or not itemised."""
    differing = ask(connection, _DIFFERING, end=period.end)
    waiting = {row["currency"]: row for row in ask(connection, _WAITING, start=period.start, end=period.end)}
    checks, breaks = [], []
    for bridge in found:
        mine = [row for row in differing if row["currency"] == bridge.currency]
        pending = waiting.get(bridge.currency, {"inside": 0, "total": 0})
        inside = [row for row in mine if row["effective_at"] >= period.start.replace(tzinfo=None)]
        for check, rows, away in (
            (_roll_forward(bridge), inside, pending["inside"]),
            (_closing(bridge), mine, pending["total"]),
        ):
            own = _breaks(check, rows, tolerated=bool(away))
            detail = f"{check.detail}; {plural(away, 'payout')} not itemised yet" if away else check.detail
            status = status_of(own, waiting=bool(away))
            checks.append(_with(check, status, detail, len(own)))
            breaks.extend(own)
    return checks, breaks


def _roll_forward(bridge: Bridge) -> Check:
    detail = f"{plural(sum(one.count for one in bridge.activity), 'balance transaction')}, "
    detail += plural(sum(one.count for one in bridge.payouts), "payout movement")
    title = "Opening + activity + payouts = closing"
    return Check("T3", title, bridge.currency, bridge.rolled_forward, bridge.closing, Status.PENDING, detail)


def _closing(bridge: Bridge) -> Check:
    title = "Everything booked = everything not yet paid out"
    return Check("T4", title, bridge.currency, bridge.ledger, bridge.closing, Status.PENDING, "at the period's end")


def _with(check: Check, status: Status, detail: str, breaks: int) -> Check:
    return Check(check.id, check.title, check.currency, check.left, check.right, status, detail, breaks)


def _breaks(check: Check, rows: list[Row], *, tolerated: bool) -> list[Break]:
    """One break per payout that does not sum to zero; a difference no payout explains is a break of its own."""
    found = [
        Break(
            check.id,
            check.currency,
            row["difference"],
            Status.FAIL,
            "This payout and its items do not cancel out, so the balance does not roll forward.",
            "See the break of T2 for the same payout.",
            row["balance_transaction"] or "",
            row["payout"],
        )
        for row in rows
    ]
    explained = sum(row["difference"] for row in rows)
    if check.difference != explained and not tolerated:
        why = "The two ways to the balance differ by an amount that no payout explains."
        step = "Run `payment-kit sync backfill`, then run this again."
        rest = check.difference - explained
        found.append(Break(check.id, check.currency, rest, Status.FAIL, why, step, rule="unexplained"))
    return found
