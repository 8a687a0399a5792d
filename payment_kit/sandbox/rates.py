"""Rate limits as Stripe's: so many requests a second for an account in all, and for each of its operations.

docs.stripe.com/rate-limits: 25 a second in a sandbox account and 100 in live mode, and 25 for one operation.
"""

from collections.abc import Callable

BUCKETS_MAX = 10_000


class Rates:
    """Token buckets, each filled up to what it gives in a second; `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, account: str, operation: str, per_second: int) -> bool:
        """Whether one more request may pass; `operation` "" is all of the account's."""
        now, name = self._clock(), (account, operation)
        left, at = self._left.get(name, (float(per_second), now))
        left = min(left + (now - at) * per_second, float(per_second))
        if name not in self._left and len(self._left) >= BUCKETS_MAX:
            self._left.clear()
        self._left[name] = (left - 1 if left >= 1 else left), now
        return left >= 1
