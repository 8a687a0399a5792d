"""Cycles without damage: random business, disorder and crashes, catch-up, verify. No cycle may give an alarm.

python -m tests.mirror.clean_cycles --cycles 100
"""

import argparse
import asyncio
import sys
from collections import Counter

from payment_kit.database.connection import Pool
from payment_kit.database.embedded import throwaway
from payment_kit.database.migrations import migrate
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.connect import for_each_account
from payment_kit.mirror.settlement import pull_settlement
from payment_kit.mirror.verification import Report
from payment_kit.mirror.verify import verify
from tests.convergence.actors import watched_pool
from tests.convergence.history import history
from tests.convergence.play import Play
from tests.convergence.run import one_thing_at_a_time, quiet
from tests.convergence.subject import Subject

QUIET_SECONDS = 60


async def cycle(pool: Pool, seed: int) -> Report:
    """One history to its end, then what nobody was told of is read, and everything is verified."""
    playing = Play(seed, pool, Counter())
    subject = playing.subject
    with one_thing_at_a_time():
        try:
            await subject.open()
            for move in history(seed):
                await playing._move(move)
            await playing._settle()
            playing.account.pass_time(QUIET_SECONDS)
            playing.post.collect()
            await for_each_account(pool, subject.known, lambda one: _read_all(subject, one))
            return await verify(subject.gateway, pool, subject.known, worker=subject.workers[0], patience_seconds=0)
        finally:
            await subject.close()


async def _read_all(subject: Subject, account: Account) -> None:
    """What changed without an event is only seen by reading it."""
    await backfill(subject.gateway, subject.pool, account)
    await catch_up(subject.gateway, subject.pool, account, worker=subject.workers[0])
    await subject.let_time_pass()
    await subject.work()
    await pull_settlement(subject.gateway, subject.pool, account)


def alarms(report: Report) -> list[str]:
    """What a report claims to be wrong or undecided, in words."""
    found = [f"{one.account} {this}" for one in report.accounts for this in one.differences]
    return found + [f"{one.account} {words}" for one in report.accounts for words in one.pending]


async def _main(cycles: int, first: int) -> int:
    quiet()
    wrong = 0
    with throwaway() as dsn:
        migrate(dsn)
        async with watched_pool(dsn) as pool:
            for seed in range(first, first + cycles):
                report = await cycle(pool, seed)
                if report.verdict != "COMPLETE":
                    wrong += 1
                    print(f"seed {seed}: {report.verdict} {alarms(report)}")
    print(f"{cycles} clean cycles, {wrong} with an alarm")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Verify after undamaged histories; there must be no alarm.")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    sys.exit(asyncio.run(_main(given.cycles, given.first)))
