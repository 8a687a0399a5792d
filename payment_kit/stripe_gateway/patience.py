"""How often and how long one read is repeated before its failure is the caller's.

What is repeated: 429 and 409 always (docs.stripe.com/rate-limits asks for a growing wait), and 5xx, lost connections,
timeouts and unreadable answers, unless ``Stripe-Should-Retry`` says otherwise; ``Retry-After`` is the least wait. Waits
double and are jittered, so that the windows of a backfill do not come back all at once.
"""

import random
from dataclasses import dataclass

from payment_kit.errors import Busy, Conflict, Problem, Unavailable
from payment_kit.stripe_gateway.failures import retry_after_seconds
from payment_kit.stripe_gateway.reader import Answer

DELAY_SECONDS = 0.5
DELAY_SECONDS_MAX = 8.0
RETRY_AFTER_SECONDS_MAX = 60.0
LIVE_SECONDS = 60.0
BULK_SECONDS = 600.0
BUSY_REPEATS_MAX = 6
REPEATS_MAX = 200
"""Of a read with minutes of patience; its waits end it long before."""


@dataclass(slots=True)
class Patience:
    """Of one read: `lost` and `busy` are its repeats after no usable answer and after 429 or 409, at most.

    `seconds` bound its tries and waits together, as they were asked for: an injected sleep that returns at once uses
    patience up all the same.
    """

    lost: int
    busy: int
    seconds: float
    repeats: int = 0
    spent_seconds: float = 0.0

    @classmethod
    def live(cls, retries: int) -> "Patience":
        """Somebody waits for the answer."""
        return cls(retries, BUSY_REPEATS_MAX, LIVE_SECONDS)

    @classmethod
    def minutes(cls, seconds: float) -> "Patience":
        """Nobody waits, and to begin anew would cost more."""
        return cls(REPEATS_MAX, REPEATS_MAX, seconds)

    def wait_seconds(self, answer: Answer, problem: Problem) -> float | None:
        """How long to wait before the next try, after `answer` meant `problem`; None when it is time to give up."""
        self.spent_seconds += answer.took_seconds
        most = self.busy if isinstance(problem, (Busy, Conflict)) else self.lost
        if self.repeats >= most or not _repeatable(answer, problem):
            return None
        wait = _backoff_seconds(self.repeats, retry_after_seconds(answer.headers))
        if self.spent_seconds + wait > self.seconds:
            return None
        self.repeats += 1
        self.spent_seconds += wait
        return wait


def _repeatable(answer: Answer, problem: Problem) -> bool:
    if answer.status == 501:
        return False
    # The hint on a 429 is about repeating at once, which nobody does here.
    hint = answer.headers.get("Stripe-Should-Retry") if answer.status != 429 else None
    return hint == "true" if hint in ("true", "false") else isinstance(problem, (Busy, Conflict, Unavailable))


def _backoff_seconds(repeats: int, hint: float | None) -> float:
    ceiling = min(DELAY_SECONDS_MAX, DELAY_SECONDS * 2.0 ** min(repeats, 16))
    jittered = ceiling * random.uniform(0.5, 1)  # noqa: S311 - nothing secret
    return max(jittered, min(hint or 0.0, RETRY_AFTER_SECONDS_MAX))
