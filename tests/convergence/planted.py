"""Plants a bug in the mirror before it is imported, and looks whether the simulation sees it.

Each bug lives in a process of its own: the source is changed on its way to the compiler, nothing on disk is touched.
"""

import asyncio
import importlib.abc
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

SEED_SECONDS_MAX = 30.0
TOO_SLOW = repr(TimeoutError())
"""A history that is not over in time tells of the machine, not of the bug."""


@dataclass(frozen=True, slots=True)
class Bug:
    """`old` becomes `new` in a Python module, or in the SQL of a named query; `seeds` are known to catch it."""

    name: str
    sentence: str
    place: str
    old: str
    new: str
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Caught:
    """The first seed that saw the bug, after how many tries, and the first difference it saw."""

    bug: str
    seed: int
    tries: int
    difference: str


class Stale(Exception):
    """The code a bug is planted in is no longer what it was when the bug was written."""


def source(bug: Bug) -> str:
    """The code or the query the bug is planted in."""
    if not bug.place.startswith("payment_kit."):
        from payment_kit.database import queries

        return queries.query(bug.place).sql
    spec = importlib.util.find_spec(bug.place)
    return Path(str(spec.origin if spec else "")).read_text()


def plant(bug: Bug) -> None:
    """Change what is imported from now on; raises `Stale` when `bug.old` is not there exactly once."""
    if bug.place.startswith("payment_kit."):
        if bug.place in sys.modules:
            raise RuntimeError(f"{bug.place} is imported already")
        sys.meta_path.insert(0, _Finder(bug))
        return
    from payment_kit.database import queries

    known = dict(queries.queries())
    query = known[bug.place]
    known[bug.place] = query._replace(sql=_changed(query.sql, bug))
    queries.queries = lambda: known  # type: ignore[assignment]


def hunt(dsn: str, bug: Bug, seeds: Iterable[int]) -> Caught | None:
    """Play `seeds` until one sees the bug. For a process of its own."""
    plant(bug)
    return asyncio.run(_hunt(dsn, bug, seeds))


def hunt_all(
    dsns: Sequence[str],
    bugs: Sequence[Bug],
    seeds: Iterable[int] | None,
    report: Callable[[Bug, Caught | None], None],
) -> list[Caught | None]:
    """Every bug against `seeds` (None: its own known ones), as many at a time as there are databases."""
    chosen = None if seeds is None else list(seeds)
    free = list(dsns)
    found: dict[str, Caught | None] = {}
    pools = {dsn: _process() for dsn in free}
    waiting = list(bugs)
    running: dict[Future[Caught | None], tuple[str, Bug]] = {}
    while waiting or running:
        while free and waiting:
            dsn, bug = free.pop(), waiting.pop(0)
            task = pools[dsn].submit(hunt, dsn, bug, bug.seeds if chosen is None else chosen)
            running[task] = (dsn, bug)
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for task in done:
            dsn, bug = running.pop(task)
            found[bug.name] = task.result()
            report(bug, found[bug.name])
            free.append(dsn)
    for pool in pools.values():
        pool.shutdown()
    return [found[bug.name] for bug in bugs]


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)


async def _hunt(dsn: str, bug: Bug, seeds: Iterable[int]) -> Caught | None:
    from tests.convergence import run, shrink
    from tests.convergence.actors import watched_pool

    run.quiet()
    async with watched_pool(dsn) as pool:
        await shrink.forget(pool)
        for tries, seed in enumerate(seeds, 1):
            played = await run.play(pool, seed, Counter(), seconds_max=SEED_SECONDS_MAX)
            if played.differences and TOO_SLOW not in played.differences[0]:
                return Caught(bug.name, seed, tries, played.differences[0])
    return None


def _changed(text: str, bug: Bug) -> str:
    if text.count(bug.old) != 1:
        raise Stale(f"{bug.name}: {bug.place} holds its text {text.count(bug.old)} times, not once")
    return text.replace(bug.old, bug.new)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one module a bug is planted in."""

    def __init__(self, bug: Bug) -> None:
        self._bug = bug

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Of that module only."""
        if name != self._bug.place:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None:
            return None
        return importlib.util.spec_from_file_location(name, spec.origin, loader=_Loader(name, spec.origin, self._bug))


class _Loader(SourceFileLoader):
    """Compiles the changed source, never the cached one."""

    def __init__(self, name: str, path: str, bug: Bug) -> None:
        super().__init__(name, path)
        self._bug = bug

    def get_code(self, fullname: str) -> Any:
        """The code with the bug in it."""
        source = self.get_data(self.path).decode()
        return compile(_changed(source, self._bug), self.path, "exec", dont_inherit=True)
