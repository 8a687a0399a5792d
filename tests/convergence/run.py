"""Runs seeds, each on an account of its own, on one database after the other or in several processes at once."""

import asyncio
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from multiprocessing import get_context
from typing import Any

import structlog

from payment_kit.database.connection import Pool
from payment_kit.mirror import catch_up, inbox, stream
from tests.convergence.actors import watched_pool
from tests.convergence.history import Move, history
from tests.convergence.play import Play

SEED_SECONDS_MAX = 60.0
"""A history that takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one seed."""

    seed: int
    differences: Sequence[str]
    seconds: float


@dataclass(slots=True)
class Report:
    """What became of a run: failures, and which disorder was met how often."""

    seeds: int = 0
    failures: list[Played] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Report") -> None:
        """Take in another part of the run."""
        self.seeds += other.seeds
        self.failures += other.failures
        self.met.update(other.met)


async def play(
    pool: Pool,
    seed: int,
    met: Counter[str],
    moves: Sequence[Move] | None = None,
    *,
    seconds_max: float = SEED_SECONDS_MAX,
) -> Played:
    """Play one seed, or only some moves of its history; an exception is a difference too."""
    began = time.perf_counter()
    with one_thing_at_a_time():
        try:
            playing = Play(seed, pool, met).run(history(seed) if moves is None else moves)
            found = await asyncio.wait_for(playing, seconds_max)
        except Exception as error:  # noqa: BLE001  # whatever it is, the seed is told with it
            found = [f"raised {error!r}", *traceback.format_exception(error)[-6:]]
    return Played(seed, found, time.perf_counter() - began)


async def play_all(dsn: str, seeds: Iterable[int], *, failures_max: int = 3) -> Report:
    """Play seeds one after the other on one migrated database."""
    report = Report()
    async with watched_pool(dsn) as pool:
        for seed in seeds:
            played = await play(pool, seed, report.met)
            report.seeds += 1
            if played.differences:
                report.failures.append(played)
                if len(report.failures) >= failures_max:
                    break
    return report


def run(databases: Sequence[str], first: int, count: int, *, failures_max: int = 3) -> Report:
    """Play `count` seeds in as many processes as there are databases; raises what a process raised."""
    parts = [range(first + at, first + count, len(databases)) for at in range(len(databases))]
    report = Report()
    with ProcessPoolExecutor(len(databases), mp_context=get_context("spawn")) as processes:
        running = [processes.submit(_part, dsn, part, failures_max) for dsn, part in zip(databases, parts, strict=True)]
        for done in running:
            report.add(done.result())
    return report


def _part(dsn: str, seeds: range, failures_max: int) -> Report:
    quiet()
    return asyncio.run(play_all(dsn, seeds, failures_max=failures_max))


def quiet() -> None:
    """What the mirror warns of is what we do to it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextmanager
def one_thing_at_a_time() -> Iterator[None]:
    """What the mirror does side by side is done in a fixed order, so that a seed is the same every time."""
    names = [name for name in sys.modules if name.startswith("payment_kit.mirror.")]
    before = [(sys.modules[name], sys.modules[name].each) for name in names if hasattr(sys.modules[name], "each")]
    interval, inbox.NOTIFY_INTERVAL_SECONDS = inbox.NOTIFY_INTERVAL_SECONDS, inf
    patience, catch_up.OTHERS_SECONDS_MAX = catch_up.OTHERS_SECONDS_MAX, 0.0
    saving, stream.SAVE_SECONDS = stream.SAVE_SECONDS, inf
    for module, _ in before:
        module.each = _in_order  # type: ignore[attr-defined]
    try:
        yield
    finally:
        inbox.NOTIFY_INTERVAL_SECONDS, catch_up.OTHERS_SECONDS_MAX = interval, patience
        stream.SAVE_SECONDS = saving
        for module, each in before:
            module.each = each  # type: ignore[attr-defined]


async def _in_order(function: Callable[[Any], Awaitable[Any]], items: Iterable[Any], _at_once: int) -> list[Any]:
    return [await function(item) for item in items]
