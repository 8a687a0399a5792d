"""Billing periods: which stretch of time an item is billed for, counted from an anchor, in UTC.

Month ends are those of docs.stripe.com/billing/subscriptions/billing-cycle: every end is counted from the anchor, not
from the end before, so January 31 is followed by February 28 and March 31.
"""

from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

SECONDS = {"day": 86_400, "week": 7 * 86_400}
REMEMBERED_MAX = 8192
_MONTHS = {"month": 1, "year": 12}


class Cycle(NamedTuple):
    """Every how many days, weeks, months or years from `anchor` (unix seconds) a period ends.

    `day` is the day of the month the ends want when it is not the anchor's own (``billing_cycle_anchor_config``).
    """

    anchor: int
    interval: str
    every: int = 1
    day: int | None = None

    def end(self, number: int) -> int:
        """The end of period `number` in unix seconds; period 0 ends at the anchor, earlier ones are negative."""
        size = SECONDS.get(self.interval)
        if size is not None:
            return self.anchor + number * self.every * size
        return months_after(self.anchor, number * self.every * _MONTHS[self.interval], self.day)

    def around(self, at: int) -> tuple[int, int]:
        """The period ``(start, end)`` with ``start <= at < end``."""
        number = self._guess(at)
        while self.end(number) > at:
            number -= 1
        while self.end(number + 1) <= at:
            number += 1
        return self.end(number), self.end(number + 1)

    def length(self) -> int:
        """The seconds of its shortest period, or one less than that: enough to compare cycles by."""
        if self.interval in SECONDS:
            return SECONDS[self.interval] * self.every
        return _MONTHS[self.interval] * self.every * 28 * SECONDS["day"]

    def _guess(self, at: int) -> int:
        size = SECONDS.get(self.interval)
        if size is not None:
            return (at - self.anchor) // (size * self.every)
        first, last = datetime.fromtimestamp(self.anchor, UTC), datetime.fromtimestamp(at, UTC)
        months = (last.year - first.year) * 12 + last.month - first.month
        return months // (_MONTHS[self.interval] * self.every)


@lru_cache(maxsize=REMEMBERED_MAX)
def months_after(at: int, months: int, day: int | None = None) -> int:
    """The same time of day `months` later, on `day` (its own by default) or the last day of a shorter month."""
    moment = datetime.fromtimestamp(at, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return int(moment.replace(year=year, month=month + 1, day=min(day or moment.day, last)).timestamp())


def configured(config: dict[str, Any], now: int) -> int:
    """The next time after `now` that a ``billing_cycle_anchor_config`` names; what it leaves out is as it is now."""
    moment = datetime.fromtimestamp(now, UTC)
    clock = {name: config[name] for name in ("hour", "minute", "second") if config.get(name) is not None}
    start = moment.replace(day=1, **clock)
    if config.get("month") is not None:
        start = start.replace(month=config["month"])
    step = 12 if config.get("month") is not None else 1
    first = int(start.timestamp())
    found = months_after(first, 0, config["day_of_month"])
    return found if found > now else months_after(first, step, config["day_of_month"])
