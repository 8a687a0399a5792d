"""Controls and breaks: what a check says, and how a difference is told so that somebody can act on it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

Unit = Literal["money", "rows", "time"]
_ABOUT_PAYOUTS = {"T2", "T3", "T4"}


class Status(StrEnum):
    """PASS: it ties. FAIL: it does not. PENDING: what is needed to know has not arrived yet."""

    PASS = "PASS"  # noqa: S105 — the word auditors use
    FAIL = "FAIL"
    PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Check:
    """One control for one currency (``""``: the whole account).

    `left`, `right` and `difference` (left − right) are minor units, rows, or Unix seconds, as `unit` says. The status
    follows from the breaks and from what is missing, never from the total alone: errors that cancel out still fail.
    """

    id: str
    title: str
    currency: str
    left: int
    right: int
    status: Status
    detail: str
    breaks: int = 0
    unit: Unit = "money"
    tolerance: int = 0

    @property
    def difference(self) -> int:
        """``left − right``."""
        return self.left - self.right

    def as_json(self) -> dict[str, Any]:
        """The check as plain data, the difference included."""
        return asdict(self) | {"status": self.status.value, "difference": self.difference}


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that does not tie or has not arrived: the objects concerned, why it matters, what to do next.

    `key` stays the same from run to run as long as the break is the same. `amount` is in minor units of `currency`.
    """

    check: str
    currency: str
    amount: int
    status: Status
    why: str
    next_step: str
    balance_transaction: str = ""
    payout: str = ""
    source: str = ""
    rule: str = ""

    @property
    def key(self) -> str:
        """Check, currency and objects, joined: the same break has the same key in every run."""
        objects: tuple[str, ...] = (self.balance_transaction, self.source, self.payout)
        if self.check in _ABOUT_PAYOUTS:
            objects = (self.payout, *objects)
        first = next((name for name in objects if name), "-")
        return ":".join(part for part in (self.check, self.currency, first, self.rule) if part)

    def as_json(self) -> dict[str, Any]:
        """The break as plain data, its key first."""
        return {"key": self.key} | asdict(self) | {"status": self.status.value}


def overall(statuses: Iterable[Status]) -> Status:
    """FAIL if any fails, PASS only if all pass (and there is one), else PENDING."""
    seen = set(statuses)
    if Status.FAIL in seen:
        return Status.FAIL
    return Status.PASS if seen == {Status.PASS} else Status.PENDING


def status_of(breaks: Sequence[Break], *, waiting: bool = False) -> Status:
    """FAIL if a break fails, PENDING if one waits or `waiting`, else PASS."""
    if any(one.status is Status.FAIL for one in breaks):
        return Status.FAIL
    return Status.PENDING if waiting or breaks else Status.PASS


def plural(count: int, noun: str) -> str:
    """``1 payout``, ``2,000 payouts``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
