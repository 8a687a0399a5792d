"""When things happen: a growing business with a weekday and an hour rhythm, in UTC."""

import calendar
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from random import Random

DAY = 86_400
GROWTH = 0.8
"""How much busier the last day is than the first: 0.8 means 1.8 times."""
WEEKDAY_WEIGHTS = (1.0, 0.95, 0.95, 1.05, 1.25, 1.4, 0.8)
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 3, 5, 7, 9, 10, 10, 11, 10, 9, 9, 10, 11, 12, 12, 10, 7, 4, 2)


def midnight(day: date) -> int:
    """Unix seconds of the start of `day` in UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp())


def moments(random: Random, count: int, start: date, end: date) -> list[int]:
    """`count` moments in [start, end), sorted: more of them later, on Saturdays and in the evening."""
    days = (end - start).days
    weights = [
        (1 + GROWTH * number / days) * WEEKDAY_WEIGHTS[(start + timedelta(number)).weekday()] for number in range(days)
    ]
    cumulative = list(accumulate(weights))
    return sorted(
        midnight(start)
        + random.choices(range(days), cum_weights=cumulative)[0] * DAY
        + random.choices(range(24), weights=HOUR_WEIGHTS)[0] * 3600
        + random.randrange(3600)
        for _ in range(count)
    )


def month_later(moment: int, months: int) -> int:
    """The same day and time `months` later; the last day of a shorter month, as Stripe anchors billing."""
    then = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(then.year * 12 + then.month - 1 + months, 12)
    day = min(then.day, calendar.monthrange(year, month + 1)[1])
    return int(then.replace(year=year, month=month + 1, day=day).timestamp())


def days_left_in_month(moment: int) -> int:
    """Whole days between the day of `moment` and the last day of its month."""
    then = datetime.fromtimestamp(moment, UTC)
    return calendar.monthrange(then.year, then.month)[1] - then.day


def shares(random: Random, count: int, parts: Mapping[str, float]) -> list[str]:
    """`count` names in random order, each as often as its share says and at least once if `count` allows it."""
    whole = sum(parts.values())
    names: list[str] = []
    for name, part in sorted(parts.items(), key=lambda item: item[1]):
        names += [name] * max(1, round(count * part / whole))
    names = names[:count] + names[-1:] * (count - len(names))
    random.shuffle(names)
    return names
