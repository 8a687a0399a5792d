"""The budget: never more than the limit in any second, live traffic first, and a share found by being refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.errors import Busy
from payment_kit.stripe_gateway import budget as budgets
from payment_kit.stripe_gateway.budget import Budget

from .passing import Passing

OWN = ""
CHARGES, EVENTS = "GET charges", "GET events"


class Traffic:
    """Requests that wait for a budget, and when each was let through: ``(second, name)``."""

    def __init__(self, account: float, endpoint: float) -> None:
        self.time = Passing()
        self.budget = Budget(account, endpoint, clock=self.time.clock, call_later=self.time.call_later)
        self.sent: list[tuple[float, str]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, name: str = "", endpoint: str = CHARGES, *, bulk: bool = False, times: int = 1) -> asyncio.Task[None]:
        for _ in range(times):
            self.tasks.append(asyncio.create_task(self._ask(name, endpoint, bulk)))
        return self.tasks[-1]

    async def _ask(self, name: str, endpoint: str, bulk: bool) -> None:
        await self.budget.take(OWN, endpoint, bulk=bulk)
        self.sent.append((self.time.now, name))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.sent]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def narrow() -> AsyncIterator[Traffic]:
    """Ten requests a second, of each endpoint as of all."""
    traffic = Traffic(10, 10)
    yield traffic
    await traffic.end()


@pytest.fixture
async def wide() -> AsyncIterator[Traffic]:
    """A hundred requests a second, of each endpoint 25."""
    traffic = Traffic(100, 25)
    yield traffic
    await traffic.end()


Asked = st.tuples(st.floats(0, 0.5), st.sampled_from([CHARGES, EVENTS]), st.booleans(), st.integers(1, 20))


@given(st.lists(Asked, max_size=20), st.sampled_from([(1, 1), (9, 4), (30, 25), (100, 25)]))
def test_no_second_sees_more_than_the_limit(asked: list[tuple[float, str, bool, int]], limits: tuple[int, int]) -> None:
    async def run() -> list[tuple[float, str]]:
        traffic = Traffic(*limits)
        for wait, endpoint, bulk, times in asked:
            traffic.ask(endpoint, endpoint, bulk=bulk, times=times)
            await traffic.time.advance(wait)
        await traffic.time.advance(5)
        await traffic.end()
        return traffic.sent

    sent = asyncio.run(run())
    for most, of in ((limits[0], (CHARGES, EVENTS)), (limits[1], (CHARGES,)), (limits[1], (EVENTS,))):
        times = [at for at, name in sent if name in of]
        assert all(later - first > 1 - 1e-6 for first, later in zip(times, times[most:], strict=False))


async def test_a_long_queue_is_served_at_nine_tenths_of_the_limit(wide: Traffic) -> None:
    wide.ask(bulk=True, times=200)
    await wide.time.advance(8)
    assert 175 <= len(wide.sent) <= 182


async def test_who_came_first_goes_first(narrow: Traffic) -> None:
    for number in range(5):
        narrow.ask(str(number))
    await narrow.time.advance(2)
    assert narrow.names == ["0", "1", "2", "3", "4"]


async def test_live_traffic_passes_bulk_traffic_that_waited_longer(narrow: Traffic) -> None:
    narrow.ask("first")
    narrow.ask("bulk", bulk=True, times=3)
    await narrow.time.settle()
    narrow.ask("live", times=3)
    await narrow.time.advance(2)
    assert narrow.names == ["first", *["live"] * 3, *["bulk"] * 3]


async def test_bulk_traffic_leaves_a_reserve(wide: Traffic) -> None:
    for endpoint in "abcdefghij":
        wide.ask("bulk", endpoint, bulk=True, times=2)
    await wide.time.settle()
    left = wide.names.count("bulk")
    wide.ask("live", "k", times=2)
    await wide.time.settle()
    assert (left, wide.names.count("live")) == (8, 2)


async def test_nobody_waits_for_another_endpoint(wide: Traffic) -> None:
    wide.ask("charges", CHARGES, times=10)
    wide.ask("events", EVENTS, times=2)
    await wide.time.settle()
    assert wide.names == ["charges"] * 2 + ["events"] * 2


async def test_a_cancelled_wait_costs_nothing(narrow: Traffic) -> None:
    narrow.ask("first")
    cancelled = narrow.ask("cancelled")
    narrow.ask("next")
    await narrow.time.settle()
    cancelled.cancel()
    await narrow.time.advance(0.112)
    assert narrow.names == ["first", "next"]


async def test_a_turn_that_comes_as_its_request_is_cancelled_goes_to_the_next(narrow: Traffic) -> None:
    narrow.ask("first")
    await narrow.time.settle()
    cancelled = narrow.ask("cancelled")
    narrow.ask("next")
    await narrow.time.settle()
    (lane,) = narrow.budget._lanes.values()
    narrow.time.now += 0.112
    narrow.budget._serve(lane)
    cancelled.cancel()
    await narrow.time.settle()
    assert (cancelled.cancelled(), narrow.names) == (True, ["first", "next"])


async def test_nothing_runs_while_nobody_waits(narrow: Traffic) -> None:
    waiting = [narrow.ask(times=3), narrow.ask(times=3)]
    await narrow.time.settle()
    assert narrow.time.pending == 1
    await narrow.end()
    assert (narrow.time.pending, len(waiting)) == (0, 2)


async def test_a_wait_costs_one_timer_a_turn(narrow: Traffic) -> None:
    narrow.ask(bulk=True, times=30)
    await narrow.time.advance(10)
    assert (len(narrow.sent), narrow.time.calls <= 31) == (30, True)


async def test_waiters_are_bounded(narrow: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "WAITERS_MAX", 3)
    narrow.ask(times=4)
    await narrow.time.settle()
    with pytest.raises(Busy):
        await narrow.budget.take(OWN, CHARGES)


async def test_accounts_do_not_share_a_budget(narrow: Traffic) -> None:
    await narrow.budget.take(OWN, CHARGES)
    async with asyncio.timeout(30):
        await narrow.budget.take("acct_2", CHARGES)


async def test_accounts_that_are_remembered_are_bounded(narrow: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "ACCOUNTS_MAX", 3)
    narrow.ask(times=3)
    await narrow.time.settle()
    for number in range(10):
        await narrow.budget.take(f"acct_{number}", CHARGES)
    assert (len(narrow.budget._lanes), OWN in narrow.budget._lanes) == (3, True)


async def test_an_account_more_than_is_remembered_still_gets_its_turn(
    narrow: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "ACCOUNTS_MAX", 1)
    narrow.ask(times=3)
    await narrow.time.settle()
    async with asyncio.timeout(30):
        await narrow.budget.take("acct_2", CHARGES)


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("global-rate", (50, 25)),
        ("endpoint-rate", (100, 12.5)),
        (None, (50, 12.5)),
        ("resource-specific", (100, 25)),
    ],
)
async def test_a_refusal_halves_what_it_is_about(wide: Traffic, reason: str | None, left: tuple[float, float]) -> None:
    wide.budget.refused(OWN, CHARGES, reason)
    assert wide.budget.per_second(OWN, CHARGES) == left


async def test_the_refusals_of_one_burst_count_once(wide: Traffic) -> None:
    for _ in range(20):
        wide.budget.refused(OWN, CHARGES, "global-rate")
    assert wide.budget.per_second(OWN, CHARGES)[0] == 50


async def test_what_was_lowered_comes_back_in_a_straight_line(wide: Traffic) -> None:
    wide.budget.refused(OWN, CHARGES, "global-rate")
    found = []
    for _ in range(4):
        await wide.time.advance(10)
        found.append(round(wide.budget.per_second(OWN, CHARGES)[0]))
    assert found == [70, 90, 100, 100]


async def test_after_a_refusal_nobody_goes_at_once(wide: Traffic) -> None:
    wide.budget.refused(OWN, CHARGES, "global-rate")
    wide.ask()
    await wide.time.settle()
    assert wide.sent == []


async def test_refusals_without_end_leave_a_little(wide: Traffic) -> None:
    for _ in range(100):
        await wide.time.advance(1)
        wide.budget.refused(OWN, CHARGES)
    assert wide.budget.per_second(OWN, CHARGES) == pytest.approx((2, 0.5))


def test_two_that_share_an_account_find_equal_shares() -> None:
    time = Passing()
    greedy, late = (Budget(100, 100, clock=time.clock) for _ in range(2))
    for _ in range(3):
        time.now += 1
        late.refused(OWN, CHARGES)
    rates = (0.0, 0.0)
    for _ in range(300):
        time.now += 1
        rates = greedy.per_second(OWN, CHARGES)[0], late.per_second(OWN, CHARGES)[0]
        if sum(rates) > 100:
            greedy.refused(OWN, CHARGES)
            late.refused(OWN, CHARGES)
    assert rates[0] == pytest.approx(rates[1], rel=0.05)


async def test_an_unlimited_budget_lets_everything_through_at_once() -> None:
    budget = Budget.unlimited()
    budget.refused(OWN, CHARGES)
    async with asyncio.timeout(30):
        for _ in range(1000):
            await budget.take(OWN, CHARGES, bulk=True)


async def test_real_time_passes_by_itself() -> None:
    budget, loop = Budget(200, 200), asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(30):
        await asyncio.gather(*(budget.take(OWN, CHARGES) for _ in range(40)))
    assert loop.time() - began > 0.09


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_budget_that_is_no_number_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="something"):
        Budget(limit)
