"""Periods are counted from their anchor, in UTC, and month ends never drift."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.sandbox.billing.periods import Cycle, configured

INTERVALS = ("day", "week", "month", "year")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def ends(cycle: Cycle, many: int) -> list[str]:
    return [day(cycle.end(number)) for number in range(1, many + 1)]


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "expected"),
    [
        ("2026-01-31", "month", 1, ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2028-01-30", "month", 1, ["2028-02-29", "2028-03-30"]),
        ("2026-11-30", "month", 3, ["2027-02-28", "2027-05-30"]),
        ("2028-02-29", "year", 1, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2026-12-28", "week", 2, ["2027-01-11", "2027-01-25"]),
        ("2026-02-27", "day", 1, ["2026-02-28", "2026-03-01"]),
    ],
)
def test_ends_are_counted_from_the_anchor(anchor: str, interval: str, count: int, expected: list[str]) -> None:
    assert ends(Cycle(at(anchor), interval, count), len(expected)) == expected


def test_an_end_keeps_the_time_of_day_of_its_anchor() -> None:
    assert Cycle(at("2026-01-31T13:14:15"), "month").end(1) == at("2026-02-28T13:14:15")


@pytest.mark.parametrize(
    ("config", "now", "expected"),
    [
        ({"day_of_month": 15}, "2026-03-10T08:00:00", "2026-03-15T08:00:00"),
        ({"day_of_month": 10}, "2026-03-10T08:00:00", "2026-04-10T08:00:00"),
        ({"day_of_month": 31}, "2026-02-01T08:00:00", "2026-02-28T08:00:00"),
        ({"day_of_month": 10, "hour": 9, "minute": 30, "second": 0}, "2026-03-10T08:00:00", "2026-03-10T09:30:00"),
        ({"day_of_month": 1, "month": 1}, "2026-03-10T08:00:00", "2027-01-01T08:00:00"),
    ],
)
def test_a_configured_anchor_is_the_next_time_it_names(config: dict[str, int], now: str, expected: str) -> None:
    assert configured(config, at(now)) == at(expected)


def test_a_configured_day_outlives_a_shorter_month() -> None:
    assert ends(Cycle(at("2026-02-28"), "month", 1, 31), 3) == ["2026-03-31", "2026-04-30", "2026-05-31"]


CYCLES = st.builds(Cycle, st.integers(0, 4_000_000_000), st.sampled_from(INTERVALS), st.integers(1, 12), st.none())


@given(CYCLES, st.integers(-20, 40))
def test_ends_are_monotone(cycle: Cycle, number: int) -> None:
    if cycle.anchor > 1_000_000_000:
        assert cycle.end(number) < cycle.end(number + 1)


@given(CYCLES, st.integers(1_000_000_000, 4_000_000_000))
def test_every_second_lies_in_one_period_and_periods_meet(cycle: Cycle, moment: int) -> None:
    start, end = cycle.around(moment)
    assert start <= moment < end
    assert cycle.around(end)[0] == end
    assert cycle.around(start) == (start, end)


@given(CYCLES, st.integers(1, 40))
def test_a_month_end_is_the_anchors_day_or_the_last_of_its_month(cycle: Cycle, number: int) -> None:
    if cycle.interval not in ("month", "year"):
        return
    anchor, end = (datetime.fromtimestamp(moment, UTC) for moment in (cycle.anchor, cycle.end(number)))
    tomorrow = datetime.fromtimestamp(cycle.end(number) + 86_400, UTC)
    assert end.day == anchor.day or (end.day < anchor.day and tomorrow.day == 1)
    assert end.time() == anchor.time()
