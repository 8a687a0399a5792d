"""``python -m tests.convergence``: plays seeds against real PostgreSQL, prints what fails and how to see it again."""

import argparse
import asyncio
import sys
import time
from collections import Counter
from contextlib import ExitStack

from payment_kit.database.embedded import throwaway
from payment_kit.database.migrations import migrate
from tests.convergence import counters, history, run, shrink
from tests.convergence.actors import watched_pool
from tests.convergence.judge import SHOWN_MAX
from tests.fix_database import database_named, with_database

COUNTED_SEEDS_MIN = 300
"""So many histories have to meet every kind of disorder."""


def main() -> int:
    """0 when everything converged and every kind of disorder was met."""
    asked = _arguments()
    run.quiet()
    with ExitStack() as stack:
        cluster = asked.database or stack.enter_context(throwaway())
        databases = []
        for number in range(1 if asked.seed is not None else asked.jobs):
            name = f"payment_kit_convergence_{number}"
            databases.append(stack.enter_context(database_named(cluster, name, "template0")))
            migrate(with_database(cluster, name))
        if asked.seed is not None:
            return asyncio.run(_one(databases[0], asked.seed, shrinks=asked.shrink))
        return _many(databases, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.convergence", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each with a database of its own")
    parser.add_argument("--seed", type=int, help="play this one and print what happens")
    parser.add_argument("--shrink", action="store_true", help="with --seed: the shortest history that still fails")
    parser.add_argument("--database", help="a server on which databases may be created, instead of a private one")
    return parser.parse_args()


def _many(databases: list[str], asked: argparse.Namespace) -> int:
    began = time.perf_counter()
    report = run.run(databases, asked.start, asked.seeds)
    for failed in report.failures:
        print(f"\nseed {failed.seed} does not converge; see it again: python -m tests.convergence --seed {failed.seed}")
        print("\n".join(f"  {line}" for line in failed.differences[:SHOWN_MAX]))
    print(f"{report.seeds} seeds in {time.perf_counter() - began:.0f} s, {len(report.failures)} failed")
    _print(report.met)
    unmet = counters.unmet(report.met) if report.seeds >= COUNTED_SEEDS_MIN else []
    if unmet:
        print(f"a simulation that never met these proves nothing about them: {', '.join(unmet)}")
    return 1 if report.failures or unmet else 0


async def _one(dsn: str, seed: int, *, shrinks: bool) -> int:
    met: Counter[str] = Counter()
    async with watched_pool(dsn) as pool:
        played = await run.play(pool, seed, met)
        moves = await shrink.shortest(pool, played) if shrinks and played.differences else history.history(seed)
        for move in moves:
            print(f"  {move.id:>10}  {move.name}")
    print("\n".join(played.differences) or "converged", f"({played.seconds:.2f} s)")
    _print(met)
    return 1 if played.differences else 0


def _print(met: Counter[str]) -> None:
    for name, times in sorted(met.items()):
        print(f"{times:>9}  {name}")


if __name__ == "__main__":
    sys.exit(main())
