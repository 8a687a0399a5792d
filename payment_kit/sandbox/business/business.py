"""A business as a file: what it sells, how it grows, what goes wrong, in which currencies, from which seed.

    [business]   title, seed, start (a day), months
    [customers]  first_month, growth_percent, churn_percent, [customers.currencies] with shares
    [[plans]]    name, interval, share, trial_days, seats = [least, most], [plans.price] per currency in minor units
    [[goods]]    name, [goods.price] per currency; bought once, `orders_per_month` of [shop] over all currencies
    [troubles]   percentages: declined, recovers, upgrades, refunded, disputed

Shares are weights. Every amount is an integer in minor units. What the file does not say, does not happen.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

MONTHS_MAX = 120
CUSTOMERS_MAX = 100_000
INTERVALS = ("week", "month", "year")


class BusinessError(ValueError):
    """The file does not describe a business; the message names the place and what may stand there."""


@dataclass(frozen=True)
class Plan:
    """A subscription plan; `price` maps currency to minor units per seat and `interval`."""

    name: str
    interval: str
    share: int
    price: Mapping[str, int]
    trial_days: int = 0
    seats: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Good:
    """A thing that is bought once."""

    name: str
    share: int
    price: Mapping[str, int]


@dataclass(frozen=True)
class Troubles:
    """What goes wrong, in percent: of renewals `declined`, of those `recovers`, of payments `refunded`, `disputed`."""

    declined: float = 0
    recovers: float = 100
    upgrades: float = 0
    refunded: float = 0
    disputed: float = 0


@dataclass(frozen=True)
class Business:
    """A checked file; `growth` and `churn` are percent per month, `orders` the one-time orders of the first month."""

    title: str
    seed: int
    start: int
    months: int
    first_month: int
    growth: float
    churn: float
    currencies: Mapping[str, int]
    plans: tuple[Plan, ...]
    goods: tuple[Good, ...] = ()
    orders: int = 0
    troubles: Troubles = field(default_factory=Troubles)


def names() -> list[str]:
    """The businesses that come with the sandbox."""
    folder = resources.files(__package__) / "files"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def read(name: str) -> Business:
    """The business of a file's path or of a ready one's name; raises `BusinessError` for anything else."""
    path = Path(name)
    try:
        if name in names():
            text = (resources.files(__package__) / "files" / f"{name}.toml").read_text()
        elif path.suffix != ".toml":
            raise BusinessError(f"There is no business {name}: name one of {', '.join(names())}, or a .toml file.")
        elif not path.is_file():
            raise BusinessError(f"There is no file {name}.")
        else:
            text = path.read_text()
        return _business(_Part("", tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BusinessError(f"{name} is not TOML: {str(error).rstrip('.')}.") from None


class _Part:
    """One table of the file, read with names in its errors; what nobody asked for is an error."""

    def __init__(self, at: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise BusinessError(f"{at} must be a table.")
        self.at, self.values, self.left = at, values, set(values)

    def take(self, name: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        self.left.discard(name)
        value = self.values.get(name, default)
        if value is None:
            raise BusinessError(f"{self._path(name)} is missing.")
        if isinstance(value, bool) or not isinstance(value, kind):
            raise BusinessError(f"{self._path(name)} must not be {value!r}.")
        return value

    def number(self, name: str, least: float, most: float, default: float | None = None) -> Any:
        value = self.take(name, (int, float), default)
        if not least <= value <= most:
            raise BusinessError(f"{self._path(name)} must be from {least} to {most}, not {value}.")
        return value

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        value = self.number(name, least, most, default)
        if not isinstance(value, int):
            raise BusinessError(f"{self._path(name)} must be a whole number, not {value}.")
        return value

    def part(self, name: str) -> "_Part":
        self.left.discard(name)
        return _Part(self._path(name), self.values.get(name, {}))

    def parts(self, name: str) -> list["_Part"]:
        return [
            _Part(f"{self._path(name)}[{number}]", values) for number, values in enumerate(self.take(name, list, []), 1)
        ]

    def amounts(self, name: str) -> dict[str, int]:
        part = self.part(name)
        found = {code: part.whole(code, 1, 99_999_999) for code in part.values}
        if not found or not all(len(code) == 3 and code.islower() for code in found):
            raise BusinessError(f"{self._path(name)} needs three-letter currencies in lower case.")
        return found

    def done(self) -> None:
        if self.left:
            raise BusinessError(f"{self._path(min(self.left))} is not known.")

    def _path(self, name: str) -> str:
        return f"{self.at}.{name}" if self.at else name


def _business(file: _Part) -> Business:
    head, people, shop = file.part("business"), file.part("customers"), file.part("shop")
    troubles = file.part("troubles")
    start: date = head.take("start", date)
    made = Business(
        title=head.take("title", str),
        seed=head.whole("seed", 0, 2**62, 1),
        start=int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp()),
        months=head.whole("months", 1, MONTHS_MAX),
        first_month=people.whole("first_month", 0, CUSTOMERS_MAX, 0),
        growth=people.number("growth_percent", -100, 1000, 0),
        churn=people.number("churn_percent", 0, 100, 0),
        currencies=people.amounts("currencies"),
        plans=tuple(_plan(part) for part in file.parts("plans")),
        goods=tuple(_good(part) for part in file.parts("goods")),
        orders=shop.whole("orders_per_month", 0, CUSTOMERS_MAX, 0),
        troubles=Troubles(**{name: troubles.number(name, 0, 100) for name in list(troubles.values)}
                          if troubles.values.keys() <= Troubles.__dataclass_fields__.keys() else _unknown(troubles)),
    )  # fmt: skip
    for part in (file, head, people, shop):
        part.done()
    sold: tuple[Plan | Good, ...] = (*made.plans, *made.goods)
    for one in sold:
        if missing := made.currencies.keys() - one.price.keys():
            raise BusinessError(f"{one.name} has no price in {min(missing)}.")
    if not made.plans and not made.goods:
        raise BusinessError("The business sells nothing: give it [[plans]] or [[goods]].")
    return made


def _unknown(part: _Part) -> dict[str, float]:
    known = ", ".join(Troubles.__dataclass_fields__)
    raise BusinessError(f"{part.at}: known are {known}.")


def _plan(part: _Part) -> Plan:
    interval = part.take("interval", str)
    if interval not in INTERVALS:
        raise BusinessError(f"{part.at}.interval must be one of {', '.join(INTERVALS)}.")
    seats = part.take("seats", list, [1, 1])
    if len(seats) != 2 or not all(isinstance(seat, int) for seat in seats) or not 1 <= seats[0] <= seats[1]:
        raise BusinessError(f"{part.at}.seats must be [least, most].")
    plan = Plan(
        part.take("name", str), interval, part.whole("share", 1, 1000, 1), part.amounts("price"),
        part.whole("trial_days", 0, 365, 0), (seats[0], seats[1]),
    )  # fmt: skip
    part.done()
    return plan


def _good(part: _Part) -> Good:
    good = Good(part.take("name", str), part.whole("share", 1, 1000, 1), part.amounts("price"))
    part.done()
    return good
