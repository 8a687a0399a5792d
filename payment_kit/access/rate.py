"""How often a caller may call: a token bucket for each, in this process."""

import time
from collections.abc import Callable

from payment_kit.access.callers import Caller
from payment_kit.errors import Busy


class Rate:
    """Takes `Caller.calls_per_second` calls, up to those of one second at once. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: Caller) -> None:
        """Count a call; raises `Busy` CALLER_RATE_LIMITED with how long to wait."""
        rate = caller.calls_per_second
        if rate is None:
            return
        now, most = self._clock(), max(1.0, rate)
        left, at = self._buckets.get(caller.name, (most, now))
        left = min(most, left + (now - at) * rate)
        if left < 1:
            self._buckets[caller.name] = (left, now)
            what = f"{caller.name} may call {rate:g} times a second."
            raise Busy("CALLER_RATE_LIMITED", what, retry_after_seconds=(1 - left) / rate)
        self._buckets[caller.name] = (left - 1, now)
