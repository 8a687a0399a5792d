"""Accounting periods: what people write, and the half-open interval in UTC it stands for."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from payment_kit.errors import UsageProblem

FORMS = "2026-08, 2026-Q3, 2026 or 2026-08-01..2026-08-15 (both days included)"
_YEAR = r"(?P<year>20\d\d)"
_MONTHS = re.compile(rf"{_YEAR}(?:-(?:(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4])))?")
_DAYS = re.compile(r"(20\d\d-\d\d-\d\d)\.\.(20\d\d-\d\d-\d\d)")


class Period(NamedTuple):
    """``start <= t < end`` in UTC, under the `label` people gave it."""

    label: str
    start: datetime
    end: datetime


def parse_period(text: str) -> Period:
    """A month, quarter, year or range of days in UTC; raises `UsageProblem` PARAMETER_INVALID for anything else."""
    if match := _MONTHS.fullmatch(text):
        return _months(text, int(match["year"]), match["month"], match["quarter"])
    if match := _DAYS.fullmatch(text):
        return _days(text, match[1], match[2])
    raise _invalid(text)


def _months(text: str, year: int, month: str | None, quarter: str | None) -> Period:
    first, count = (int(month), 1) if month else (3 * int(quarter) - 2, 3) if quarter else (1, 12)
    after = first + count
    end = datetime(year, after, 1, tzinfo=UTC) if after <= 12 else datetime(year + 1, after - 12, 1, tzinfo=UTC)
    return Period(text, datetime(year, first, 1, tzinfo=UTC), end)


def _days(text: str, first: str, last: str) -> Period:
    try:
        start = datetime.strptime(first, "%Y-%m-%d").replace(tzinfo=UTC)
        end = datetime.strptime(last, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        raise _invalid(text) from None
    if end <= start:
        raise _invalid(text)
    return Period(text, start, end)


def _invalid(text: str) -> UsageProblem:
    return UsageProblem("PARAMETER_INVALID", f"period: write it as {FORMS}, not {text[:40]!r}.", field="period")
