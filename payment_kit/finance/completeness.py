"""What must have arrived before anything may PASS: C1 the objects behind the transactions, C2 the streams."""

from datetime import datetime
from typing import Any

from payment_kit.finance.checks import Break, Check, Status, plural, status_of
from payment_kit.finance.periods import Period
from payment_kit.finance.views import Row, ask

CATCH_UP = "Run `payment-kit sync catch-up`, then run this again."

_COUNTED = """
select
    moved.currency,
    count(*) as wanted,
    count(sources.id) as found
from postings as moved
left join sources on sources.kind = kind_of(moved.source) and sources.id = moved.source
where kind_of(moved.source) is not null and greatest(moved.created, moved.booked_at) >= $start and moved.created < $end
group by moved.currency
"""

_MISSING_SOURCES = """
select moved.currency, moved.id, moved.source, moved.payout_id, moved.net, kind_of(moved.source) as kind
from postings as moved
left join sources on sources.kind = kind_of(moved.source) and sources.id = moved.source
where kind_of(moved.source) is not null and sources.id is null
and greatest(moved.created, moved.booked_at) >= $start and moved.created < $end
order by moved.created, moved.id
"""

_MISSING_TRANSACTIONS = """
select sources.currency, sources.balance_transaction as id, sources.id as source, sources.kind
from sources
left join balance_transactions as moved on moved.id = sources.balance_transaction
where sources.balance_transaction is not null and moved.id is null
and sources.created >= $start and sources.created < $end
order by sources.created, sources.id
"""


def check_sources(connection: Any, period: Period, currencies: list[str]) -> tuple[list[Check], list[Break]]:
    """C1 per currency: every charge, refund, dispute and payout behind the period's transactions is in the mirror,
    and every transaction those objects name. What is missing has not arrived: PENDING, never FAIL."""
    bounds = {"start": period.start, "end": period.end}
    counted = {row["currency"]: row for row in ask(connection, _COUNTED, **bounds)}
    breaks = [_missing_source(row) for row in ask(connection, _MISSING_SOURCES, **bounds)]
    breaks += [_missing_transaction(row) for row in ask(connection, _MISSING_TRANSACTIONS, **bounds)]
    checks = []
    for currency in currencies:
        own = [one for one in breaks if one.currency == currency]
        row = counted.get(currency, {"wanted": 0, "found": 0})
        backwards = len(own) - (row["wanted"] - row["found"])
        detail = f"{plural(row['wanted'], 'source object')} wanted"
        if backwards:
            detail += f"; {plural(backwards, 'balance transaction')} not read yet"
        title = "Every transaction's source has arrived"
        left, right = row["found"], row["wanted"] + backwards
        checks.append(Check("C1", title, currency, left, right, status_of(own), detail, len(own), unit="rows"))
    return checks, breaks


def _missing_source(row: Row) -> Break:
    why = f"The {row['kind']} behind this balance transaction has not arrived."
    payout, source = row["payout_id"] or "", row["source"]
    return Break("C1", row["currency"], row["net"], Status.PENDING, why, CATCH_UP, row["id"], payout, source)


def _missing_transaction(row: Row) -> Break:
    why = f"The balance transaction of this {row['kind']} has not been read."
    return Break("C1", row["currency"], 0, Status.PENDING, why, CATCH_UP, row["id"], "", row["source"], "unread")


_OPEN = """
select count(*) filter (where outcome is null) as waiting, count(*) filter (where outcome = 'dead') as dead
from inbox_open where created < $end
"""

STREAMS = {"events": "Events", "balance_transactions": "Balance transactions"}


def check_streams(connection: Any, period: Period) -> tuple[list[Check], list[Break]]:
    """C2 for the whole account: both streams were read past the period's end, no event of it waits or was given up."""
    through = {row["stream"]: row["complete_through"] for row in ask(connection, "select * from sync_state")}
    breaks = [
        _behind(stream, name, through.get(stream), period)
        for stream, name in STREAMS.items()
        if through.get(stream) is None or through[stream] < period.end.replace(tzinfo=None)
    ]
    [row] = ask(connection, _OPEN, end=period.end)
    for count, what, rule in (
        (row["waiting"], "not applied yet", "waiting"),
        (row["dead"], "given up; see `payment-kit sync status`", "dead"),
    ):
        if count:
            why = f"{plural(count, 'event')} of the time before the period's end {what}."
            breaks.append(Break("C2", "", 0, Status.PENDING, why, CATCH_UP, rule=rule))
    known = [_unix(through.get(stream)) for stream in STREAMS]
    title = "Everything until the period's end was read"
    detail = "events and balance transactions, in Stripe's time"
    end = int(period.end.timestamp())
    check = Check("C2", title, "", min(known), end, status_of(breaks), detail, len(breaks), unit="time")
    return [check], breaks


def _behind(stream: str, name: str, through: datetime | None, period: Period) -> Break:
    known = f"are complete until {through:%Y-%m-%d %H:%M} UTC only" if through else "were never read completely"
    why = f"{name} {known}; the period ends {period.end:%Y-%m-%d %H:%M} UTC."
    return Break("C2", "", 0, Status.PENDING, why, CATCH_UP, rule=stream)


def _unix(time: datetime | None) -> int:
    return int((time - datetime(1970, 1, 1)).total_seconds()) if time else 0  # noqa: DTZ001 — both naive UTC
