"""Time that passes only when it is told to, with the timers that wait for it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

TURNS = 5
"""Of the event loop until every task that could go on has done so."""


class Timer:
    """What a call to `Passing.call_later` gives back."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Passing:
    """A clock that stands still between calls of `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0
        self._due: list[tuple[float, int, Timer, Callable[[], None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        timer = Timer()
        heapq.heappush(self._due, (self.now + delay, next(self._order), timer, call))
        return timer

    @property
    def pending(self) -> int:
        """Timers that are not cancelled."""
        return sum(not timer.cancelled for _, _, timer, _ in self._due)

    async def settle(self) -> None:
        """Let every task go on as far as it can without time passing."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and whatever waits for it happen at its moment."""
        end = self.now + seconds
        await self.settle()
        while self._due and self._due[0][0] <= end:
            at, _, timer, call = heapq.heappop(self._due)
            self.now = max(self.now, at)
            if not timer.cancelled:
                self.calls += 1
                call()
                await self.settle()
        self.now = end
