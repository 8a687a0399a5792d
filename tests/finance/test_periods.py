"""Periods: what people may write, and the interval it stands for."""

from datetime import UTC, datetime

import pytest

from payment_kit.errors import UsageProblem
from payment_kit.finance import parse_period


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-08", "2026-08-01", "2026-09-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-08-01..2026-08-15", "2026-08-01", "2026-08-16"),
        ("2026-08-31..2026-08-31", "2026-08-31", "2026-09-01"),
    ],
)
def test_a_period_is_the_half_open_interval_it_names(text: str, start: str, end: str) -> None:
    period = parse_period(text)
    assert (period.label, period.start, period.end) == (text, _day(start), _day(end))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-13",
        "2026-Q5",
        "26-08",
        "2026-8",
        "August",
        "2026-08-15..2026-08-01",
        "2026-02-30..2026-03-01",
        "2026-08\n",
    ],
)
def test_anything_else_is_refused_with_the_forms_that_work(text: str) -> None:
    with pytest.raises(UsageProblem, match=r"2026-08, 2026-Q3") as caught:
        parse_period(text)
    assert (caught.value.reason, caught.value.field) == ("PARAMETER_INVALID", "period")
