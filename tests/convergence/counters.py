"""Which kinds of disorder a run held: a simulation that never meets a danger proves nothing about it."""

from collections import Counter
from itertools import pairwise

from payment_kit.sandbox.store import Row
from tests.convergence.account import Account

KINDS = frozenset(
    {
        # what Stripe did
        "two states in one second",
        "made and deleted in one second",
        "child removed",
        "more lines than an event carries",
        "event of a connected account",
        "object on a test clock",
        # how it was delivered
        "event lost",
        "event duplicated",
        "repeated delivery",
        "older API version",
        "thin notification",
        "older event after a newer one",
        "newer event first within one second",
        "event after its object's deletion",
        "older event after newer children",
        # what happened to those who work on it
        "a delivery overtook a worker",
        "a delivery waited for a worker",
        "a worker overtook a worker",
        "a worker waited for a worker",
        "crash of the receiver",
        "crash of the worker",
        "crash of the backfill",
        "crash of the catch-up",
        "answer older than its arrival",
        "stale page between two events",
        "Stripe gave no answer",
        "command",
        # what the mirror did about it
        "loss healed by catch-up",
        "owed read paid",
        "older state refused",
        "round of settling",
        "change told to nobody",
    }
)
CHILDREN = ("items", "lines", "reversals", "refunds")


class Arrivals:
    """Compares the order in which events arrive with the order in which they were told."""

    def __init__(self, met: Counter[str]) -> None:
        self._met = met
        self._newest: dict[tuple[str, str], tuple[int, Row]] = {}

    def arrived(self, at: int, event: Row) -> None:
        """Event number `at` of all that were told has reached the mirror."""
        row = event["data"]["object"]
        key = (row["object"], row.get("id", ""))
        number, newest = self._newest.get(key, (-1, event))
        if at > number:
            self._newest[key] = (at, event)
            return
        if at == number:
            return
        self._met["older event after a newer one"] += 1
        self._met["newer event first within one second"] += newest["created"] == event["created"]
        self._met["event after its object's deletion"] += newest["type"].endswith(".deleted")
        self._met["older event after newer children"] += any(row.get(name) for name in CHILDREN)


def count(account: Account, met: Counter[str]) -> None:
    """Add what the events of this account show."""
    lives: dict[tuple[str, str], list[Row]] = {}
    for event in account.truth.told:
        row = event["data"]["object"]
        lives.setdefault((row["object"], row.get("id", "")), []).append(event)
        lines = row.get("lines")
        met["more lines than an event carries"] += bool(isinstance(lines, dict) and lines.get("has_more"))
        met["event of a connected account"] += "account" in event
        met["object on a test clock"] += bool(row.get("test_clock"))
    for told in lives.values():
        same = [two for one, two in pairwise(told) if one["created"] == two["created"]]
        met["two states in one second"] += len(same)
        met["made and deleted in one second"] += sum(two["type"].endswith(".deleted") for two in same)
    for (_, kind, _), life in account.truth.lives.items():
        if kind == "subscription":
            sizes = [len(moment.row.get("items", {}).get("data", ())) for moment in life.moments]
            met["child removed"] += sum(after < before for before, after in pairwise(sizes))


def unmet(met: Counter[str]) -> list[str]:
    """The kinds a run has not met, and what was counted under a name nobody knows."""
    return sorted({kind for kind in KINDS if not met[kind]} | (met.keys() - KINDS))
