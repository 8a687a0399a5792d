"""A clock that runs by itself: so many sandbox seconds in each second of the machine's clock."""

import asyncio
import time

from payment_kit.sandbox import clock
from payment_kit.sandbox.delivery import Delivery
from payment_kit.sandbox.store import Store

TICK_SECONDS = 0.25
SPEED_MAX = 604_800.0


class Pace:
    """The speed of one world's clock; it stands still until told."""

    def __init__(self, store: Store, delivery: Delivery) -> None:
        self.speed = 0.0
        self._store, self._delivery = store, delivery
        self._task: asyncio.Task[None] | None = None

    def run_at(self, speed: float) -> None:
        """Run at `speed`, or stand still at 0; needs a running loop unless it already stands still."""
        self.speed = speed
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if speed:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        before, passed = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            before, since = (now := time.monotonic()), now - before
            passed += since * self.speed
            # from where the clock stands: somebody may have moved it meanwhile
            step = min(int(passed), clock.STEP_SECONDS_MAX)
            passed -= step
            self._delivery.add(clock.advance(self._store, self._store.now + step))
