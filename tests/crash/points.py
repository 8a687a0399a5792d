"""The moments at which a process can be made to die, by name: before or after a named query, a commit, a function.

Production code knows nothing of them: a process that runs for these tests (`forks`) wraps what the table names. It dies
by SIGKILL, its own, at the passage that the file `armed` asks for as ``point passage``.
"""

import importlib
import inspect
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg_pool import AsyncConnectionPool

from payment_kit.database.queries import sql

Door = Literal["receiver", "worker", "owed", "backfill", "catch_up", "service"]
When = Literal["before", "after", "uncommitted", "committed"]
SIGN = "dies at "


@dataclass(frozen=True, slots=True)
class Point:
    """`place` is a named query, or a function with its module.

    Of a query that commits by itself ``uncommitted`` is the moment after it, had it not; ``committed`` is after the
    commit of the transaction it belongs to. A query that changed or found nothing is no passage.
    """

    door: Door
    when: When
    place: str


POINTS: Mapping[str, Point] = {
    "after_verify": Point("receiver", "after", "payment_kit.mirror.intake:verify"),
    "before_insert": Point("receiver", "before", "inbox.store"),
    "after_insert_before_commit": Point("receiver", "uncommitted", "inbox.store"),
    "after_commit": Point("receiver", "committed", "inbox.store"),
    "after_commit_before_200": Point("receiver", "after", "payment_kit.mirror.intake:Intake.accept"),
    "after_claim": Point("worker", "after", "inbox.claim"),
    "after_apply_before_mark": Point("worker", "before", "inbox.finish"),
    "after_mark_before_commit": Point("worker", "after", "inbox.finish"),
    "after_mark_and_commit": Point("worker", "committed", "inbox.finish"),
    "owed_after_claim": Point("owed", "after", "owed.claim"),
    "owed_after_read_before_write": Point("owed", "before", "payment_kit.mirror.payer:write"),
    "owed_after_write_before_settle": Point("owed", "before", "owed.settle"),
    "owed_after_settle_before_commit": Point("owed", "after", "owed.settle"),
    "owed_after_commit": Point("owed", "committed", "owed.settle"),
    "backfill_after_page_before_write": Point("backfill", "before", "payment_kit.mirror.pages:write"),
    "backfill_after_write_before_position": Point("backfill", "before", "backfill.advance"),
    "backfill_after_position_before_commit": Point("backfill", "after", "backfill.advance"),
    "backfill_after_commit": Point("backfill", "committed", "backfill.advance"),
    "backfill_before_complete": Point("backfill", "before", "sync.complete"),
    "catch_up_before_store": Point("catch_up", "before", "inbox.store_missing"),
    "catch_up_after_store": Point("catch_up", "committed", "inbox.store_missing"),
    "catch_up_after_apply_before_claim": Point("catch_up", "before", "sync.complete"),
    "catch_up_after_claim_before_commit": Point("catch_up", "after", "sync.complete"),
    "catch_up_after_commit": Point("catch_up", "committed", "sync.complete"),
    "write_before_claim": Point("service", "before", "requests.claim"),
    "write_after_claim": Point("service", "committed", "requests.claim"),
    "write_before_stripe": Point("service", "before", "payment_kit.stripe_gateway.gateway:StripeGateway.request"),
    "write_after_stripe": Point("service", "after", "payment_kit.stripe_gateway.gateway:StripeGateway.request"),
    "write_before_outcome": Point("service", "before", "requests.finish"),
    "write_after_outcome_before_commit": Point("service", "after", "requests.finish"),
    "write_after_commit": Point("service", "committed", "requests.finish"),
    "write_before_answer": Point("service", "after", "payment_kit.payments.idempotency:Writes.once"),
}


def of(door: Door) -> list[str]:
    """The names of a door's points."""
    return [name for name, point in POINTS.items() if point.door == door]


def install(armed: Path, bounds: Mapping[str, float]) -> None:
    """Wrap every place of the table in this process; `bounds` are module constants to set, as ``module:NAME``."""
    for place, value in bounds.items():
        owner, name = _found(place)
        assert hasattr(owner, name), place
        setattr(owner, name, value)
    passing = _Passing(armed)
    for place in {point.place for point in POINTS.values() if ":" in point.place}:
        owner, name = _found(place)
        setattr(owner, name, _watched(getattr(owner, name), place, passing))
    _watch_queries(passing)


class _Passing:
    """Counts passages of the point that is armed, and dies at the right one."""

    def __init__(self, armed: Path) -> None:
        self._armed = armed
        self._passages = Counter[str]()
        self._asked = ""

    def at(self, when: When, place: str) -> bool:
        """Die if it is time; true when ``uncommitted`` asks for a transaction first."""
        try:
            asked = self._armed.read_text()
        except FileNotFoundError:
            return False
        if asked != self._asked:
            self._asked = asked
            self._passages.clear()
        name, _, passage = asked.partition(" ")
        point = POINTS[name]
        if (point.when, point.place) != (when, place):
            return False
        self._passages[name] += 1
        if self._passages[name] < int(passage):
            return False
        if when != "uncommitted":
            self.die(name)
        return True

    def die(self, name: str) -> None:
        """Leave a word in the log and go, as if by another's hand."""
        os.write(2, f"{SIGN}{name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def _found(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name


def _watched(function: Callable[..., Any], place: str, passing: _Passing) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        async def later(*args: Any, **kwargs: Any) -> Any:
            passing.at("before", place)
            result = await function(*args, **kwargs)
            passing.at("after", place)
            return result

        return later

    def at_once(*args: Any, **kwargs: Any) -> Any:
        passing.at("before", place)
        result = function(*args, **kwargs)
        passing.at("after", place)
        return result

    return at_once


def _watch_queries(passing: _Passing) -> None:
    names = {sql(point.place): point.place for point in POINTS.values() if ":" not in point.place}
    execute, putconn = psycopg.AsyncConnection.execute, AsyncConnectionPool.putconn
    last: dict[int, str] = {}

    async def watched_execute(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        name = names.get(query) if isinstance(query, str) else None
        if name is None:
            return await execute(self, query, *args, **kwargs)
        passing.at("before", name)
        dying = passing.at("uncommitted", name)
        if dying:
            await execute(self, "begin")
        cursor = await execute(self, query, *args, **kwargs)
        if dying:
            passing.die("after_insert_before_commit")
        if cursor.rowcount > 0:
            passing.at("after", name)
            last[id(self)] = name
        return cursor

    async def watched_putconn(self: Any, connection: Any) -> None:
        if name := last.pop(id(connection), None):
            passing.at("committed", name)
        await putconn(self, connection)

    psycopg.AsyncConnection.execute = watched_execute  # type: ignore[method-assign]
    AsyncConnectionPool.putconn = watched_putconn  # type: ignore[method-assign, assignment]
