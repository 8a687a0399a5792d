"""When a call is tried again: a few times, later each time, within its time, and only where that is safe and can help.

UNAVAILABLE and DEADLINE_EXCEEDED are tried again, reads because they change nothing, writes because their request_id
stays the same. RESOURCE_EXHAUSTED is when the service says how long to wait; without that it is a size or a quota.
REQUEST_IN_PROGRESS is when it is our own earlier try that is in progress. Everything else is an answer.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from payment_kit.client.errors import IN_PROGRESS, PaymentKitError

PAUSE_SECONDS_FIRST = 0.2
PAUSE_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take with all its tries, how long one of them, and how many there are."""

    timeout_seconds: float = 90.0
    try_seconds: float = 30.0
    tries: int = 6

    def __post_init__(self) -> None:
        if self.timeout_seconds <= 0 or self.try_seconds <= 0 or self.tries < 1:
            raise ValueError("timeout_seconds and try_seconds must be more than 0, tries at least 1")


class Tries:
    """The tries of one call. `request_id` is empty for a read; `clock` gives seconds, `dice` a number from 0 to 1."""

    def __init__(
        self,
        patience: Patience,
        request_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience
        self.request_id = request_id
        self._clock = clock
        self._dice = dice
        self._ends = clock() + patience.timeout_seconds
        self._made = 0
        self._undecided = False

    def begin(self) -> float:
        """A try begins; the seconds it may take."""
        self._made += 1
        return max(0.0, min(self._patience.try_seconds, self._ends - self._clock()))

    def pause(self, error: PaymentKitError) -> float:
        """The seconds to wait before the next try; raises `error` when there is none."""
        own = error.reason == IN_PROGRESS and self._undecided
        self._undecided = error.undecided or (self._undecided and error.before_anything)
        error.outcome_unknown = bool(self.request_id) and self._undecided
        if self._made >= self._patience.tries or not (own or _helps(error)):
            raise error
        # Full jitter: many clients that failed together do not come back together.
        highest: float = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_FIRST * 2 ** (self._made - 1))
        pause = (error.retry_delay_seconds or 0.0) + highest * self._dice()
        if self._clock() + pause >= self._ends:
            raise error
        return pause


def _helps(error: PaymentKitError) -> bool:
    if error.code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return error.retry_delay_seconds is not None
    return error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
