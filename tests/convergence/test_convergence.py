"""The simulation itself: seeds converge, the same seed is the same history, and what it cannot see is not claimed.

The long runs are commands: ``python -m tests.convergence --seeds 1000`` and ``python -m tests.convergence.bugs``.
"""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from payment_kit.database.connection import Pool
from tests.convergence import counters, run, shrink
from tests.convergence.account import Account
from tests.convergence.actors import watched_pool
from tests.convergence.acts import ACTS, act
from tests.convergence.bugs import BUGS
from tests.convergence.history import THEMES, TO_THE_MIRROR, Move, history
from tests.convergence.planted import source

SEEDS = range(1, 13)
BUGS_LEAST = 20


@pytest.fixture
async def watched(database: str) -> AsyncIterator[Pool]:
    """A pool whose every statement is a point at which a process may die."""
    async with watched_pool(database) as pool:
        yield pool


async def test_seeds_converge(watched: Pool) -> None:
    met: Counter[str] = Counter()
    for seed in SEEDS:
        played = await run.play(watched, seed, met)
        assert played.differences == [], f"python -m tests.convergence --seed {seed} --shrink"
    assert met.keys() <= counters.KINDS


async def test_a_seed_is_the_same_every_time() -> None:
    told = []
    for _ in range(2):
        account = Account(7)
        for move in history(7):
            if move.name in ACTS:
                await act(account, move.name, move.id)
        told.append(account.truth.told)
    assert told[0]
    assert told[0] == told[1]


async def test_what_an_act_makes_has_the_same_ids_without_the_others() -> None:
    moves = [move for move in history(7) if move.name == "new_customer"]
    whole, alone = Account(7), Account(7)
    for move in moves:
        await act(whole, move.name, move.id)
    await act(alone, moves[-1].name, moves[-1].id)
    assert {row["id"] for row in alone.rows("customer")} <= {row["id"] for row in whole.rows("customer")}


async def test_a_failing_history_shrinks_to_what_makes_it_fail(watched: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(_pool: Pool, seed: int, _met: Counter[str], moves: list[Move], **_options: float) -> run.Played:
        names = [move.name for move in moves]
        return run.Played(seed, ["wrong"] if "second" in names else [], 0.0)

    monkeypatch.setattr(run, "play", play)
    seed = next(seed for seed in range(1, 100) if any(move.name == "second" for move in history(seed)))
    left = await shrink.shortest(watched, run.Played(seed, ["wrong"], 0.0))
    assert [move.name for move in left] == ["second"]


def test_a_kind_of_disorder_that_was_never_met_is_told() -> None:
    met = Counter(dict.fromkeys(counters.KINDS, 1))
    assert counters.unmet(met) == []
    assert counters.unmet(met - Counter(["event lost"])) == ["event lost"]


def test_every_theme_names_acts_there_are() -> None:
    assert {name for names in THEMES.values() for name in names} <= ACTS.keys()
    assert not TO_THE_MIRROR.keys() & ACTS.keys()


def test_every_bug_has_a_name_of_its_own_and_a_seed_that_catches_it() -> None:
    assert len(BUGS) >= BUGS_LEAST
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert [bug.name for bug in BUGS if not bug.seeds] == []


def test_every_bug_is_planted_in_code_that_is_still_there() -> None:
    assert [bug.name for bug in BUGS if source(bug).count(bug.old) != 1] == []
