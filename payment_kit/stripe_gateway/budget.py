"""How many requests a second an account and each of its endpoints may be sent, and who goes first.

Stripe limits both (docs.stripe.com/rate-limits: 100 requests a second for a live account, 25 for a sandbox, 25 for each
endpoint; an endpoint is one named operation, so ``GET /v1/charges`` and ``GET /v1/charges/{id}`` are two). Both are
token buckets here, and a request needs a token of each. A bucket holds a tenth of a second's requests and is filled at
the remaining nine tenths, so that no second, wherever it begins, sees more than the limit.

Two classes share a budget. Live traffic (commands, the worker's reads) may use everything. Bulk traffic (backfill,
catch-up, verify) waits while live traffic waits for the same endpoint or account, and leaves `RESERVE` of each bucket
for the command that comes next. Within a class it is first come, first served, except that nobody waits for somebody
else's endpoint.

A 429 halves the bucket it is about, at most once a second; a fiftieth of the full rate comes back every second, so that
no number of refusals leaves less than about that. As each halves what it has and all gain the same, processes that
share an account drift to equal shares without talking to each other, as TCP connections do (Chiu and Jain, 1989).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from payment_kit.errors import Busy

LIVE_ACCOUNT_PER_SECOND = 100.0
TEST_ACCOUNT_PER_SECOND = 25.0
ENDPOINT_PER_SECOND = 25.0

BURST = 0.1
"""Of a limit: what may be sent at once after a pause."""
RESERVE = 0.2
"""Of a bucket: what bulk traffic leaves there."""
LOWERED = 0.5
LOWERED_INTERVAL_SECONDS = 1.0
REGAINED_PER_SECOND = 0.02
WAITERS_MAX = 10_000
ACCOUNTS_MAX = 1_000
ENDPOINTS_MAX = 500
_TIMER_SECONDS_LEAST = 0.001
_NEARLY = 1e-9


class Timer(Protocol):
    """What `asyncio.TimerHandle` promises."""

    def cancel(self) -> None:
        """It will not call any more."""


CallLater = Callable[[float, Callable[[], None]], Timer]


class Budget:
    """Of one API key; for one event loop. `clock` is monotonic seconds, `call_later` a timer on that clock."""

    def __init__(
        self,
        account_per_second: float = TEST_ACCOUNT_PER_SECOND,
        endpoint_per_second: float = ENDPOINT_PER_SECOND,
        *,
        clock: Callable[[], float] = time.monotonic,
        call_later: CallLater | None = None,
    ) -> None:
        if not (0 < account_per_second < float("inf") and 0 < endpoint_per_second < float("inf")):
            raise ValueError("a budget allows something, and not everything")
        self.account_per_second, self.endpoint_per_second = account_per_second, endpoint_per_second
        self.is_unlimited = False
        """True when nobody ever waits."""
        self._clock = clock
        self._call_later = call_later or _call_later
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()

    @classmethod
    def unlimited(cls) -> "Budget":
        """Nobody ever waits, and no 429 changes that: for a Stripe on this machine."""
        budget = cls()
        budget.is_unlimited = True
        return budget

    async def take(self, account: str, endpoint: str, *, bulk: bool = False) -> None:
        """Wait until one request to `endpoint` may be sent for `account` ("" is the key's own).

        A cancelled wait costs nothing. Raises `Busy` STRIPE_RATE_LIMITED when `WAITERS_MAX` wait already.
        """
        if self.is_unlimited:
            return
        lane = self._lane(account)
        if len(lane.live) + len(lane.bulk) >= WAITERS_MAX:
            raise Busy("STRIPE_RATE_LIMITED", f"{WAITERS_MAX} requests wait for their turn with Stripe already.")
        place = asyncio.get_running_loop().create_future()
        queue = lane.bulk if bulk else lane.live
        queue[place] = endpoint
        self._serve(lane)
        try:
            await place
        except asyncio.CancelledError:
            if queue.pop(place, None) is None:
                lane.give_back(endpoint, self._clock())
            self._serve(lane)
            raise

    def refused(self, account: str, endpoint: str, reason: str | None = None) -> None:
        """Stripe answered 429 for its rate; `reason` is the answer's ``Stripe-Rate-Limited-Reason``, if it has one.

        ``global-…`` is about the account, ``endpoint-…`` about the endpoint, no reason about either, and
        ``resource-specific`` about one object, which no rate of ours would help.
        """
        if self.is_unlimited or reason == "resource-specific":
            return
        lane, now = self._lane(account), self._clock()
        if not (reason or "").startswith("endpoint"):
            lane.account.lower(now)
        if not (reason or "").startswith("global"):
            lane.endpoint(endpoint, now).lower(now)

    def per_second(self, account: str, endpoint: str) -> tuple[float, float]:
        """What the account and the endpoint are allowed now, after what Stripe refused."""
        if self.is_unlimited:
            return float("inf"), float("inf")
        lane, now = self._lane(account), self._clock()
        buckets = (lane.account, lane.endpoint(endpoint, now))
        for bucket in buckets:
            bucket.fill(now)
        return buckets[0].rate, buckets[1].rate

    def _lane(self, account: str) -> "_Lane":
        lane = self._lanes.get(account)
        if lane is None:
            if len(self._lanes) >= ACCOUNTS_MAX:
                self._forget_an_idle_one()
            lane = _Lane(_Bucket(self.account_per_second, self._clock()), self.endpoint_per_second)
            self._lanes[account] = lane
        self._lanes.move_to_end(account)
        return lane

    def _forget_an_idle_one(self) -> None:
        idle = (name for name, lane in self._lanes.items() if not lane.live and not lane.bulk)
        self._lanes.pop(next(idle, ""), None)

    def _serve(self, lane: "_Lane") -> None:
        """Give tokens to those whose turn it is, and come back when the next one's is."""
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        delay = lane.serve(self._clock())
        if delay is not None:
            lane.timer = self._call_later(max(delay, _TIMER_SECONDS_LEAST), lambda: self._serve(lane))


def _call_later(delay: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay, call)


Place = asyncio.Future[None]


@dataclass(slots=True)
class _Lane:
    """One account: its bucket, its endpoints' and who waits for which endpoint, in the order they came."""

    account: "_Bucket"
    endpoint_per_second: float
    endpoints: "OrderedDict[str, _Bucket]" = field(default_factory=OrderedDict)
    live: dict[Place, str] = field(default_factory=dict)
    bulk: dict[Place, str] = field(default_factory=dict)
    timer: Timer | None = None

    def endpoint(self, name: str, now: float) -> "_Bucket":
        if name not in self.endpoints:
            self.endpoints[name] = _Bucket(self.endpoint_per_second, now)
            if len(self.endpoints) > ENDPOINTS_MAX:
                self.endpoints.popitem(last=False)
        self.endpoints.move_to_end(name)
        return self.endpoints[name]

    def serve(self, now: float) -> float | None:
        """Serve whoever can be served at `now`; the seconds until the next one can, None when nobody waits."""
        soonest: float | None = None
        passed_over: set[str] = set()
        for queue, reserve in ((self.live, 0.0), (self.bulk, RESERVE)):
            for place, endpoint in list(queue.items()):
                if endpoint in passed_over:
                    continue
                bucket = self.endpoint(endpoint, now)
                whole = self.account.delay(now, reserve)
                delay = max(whole, bucket.delay(now, reserve))
                if delay > 0:
                    passed_over.add(endpoint)
                    soonest = delay if soonest is None else min(soonest, delay)
                    if whole > 0:
                        break
                    continue
                del queue[place]
                self.account.tokens -= 1
                bucket.tokens -= 1
                if not place.done():
                    place.set_result(None)
        return soonest

    def give_back(self, endpoint: str, now: float) -> None:
        """A token of each that was given and is not used."""
        self.account.tokens += 1
        self.endpoint(endpoint, now).tokens += 1


class _Bucket:
    """`limit` requests in any second at most; `rate` is what is allowed now, `limit` unless it was lowered."""

    __slots__ = ("at", "limit", "lowered_at", "rate", "tokens")

    def __init__(self, limit: float, now: float) -> None:
        self.limit = self.rate = limit
        self.tokens = self.size
        self.at, self.lowered_at = now, float("-inf")

    @property
    def size(self) -> float:
        return max(1.0, self.rate * BURST)

    def fill(self, now: float) -> None:
        """What came back since the last time: the rate in a straight line, the tokens as its integral."""
        passed, self.at = max(0.0, now - self.at), now
        slope = self.limit * REGAINED_PER_SECOND
        rising = min(passed, (self.limit - self.rate) / slope)
        gained = self.rate * passed + slope * rising * (passed - rising / 2)
        self.rate = min(self.limit, self.rate + slope * rising)
        self.tokens = min(self.size, self.tokens + gained * (1 - BURST))

    def delay(self, now: float, reserve: float) -> float:
        """Seconds until one token can be taken that leaves `reserve` of a full bucket; 0 is now."""
        self.fill(now)
        missing = min(self.size, 1 + reserve * self.size) - self.tokens
        return missing / (self.rate * (1 - BURST)) if missing > _NEARLY else 0.0

    def lower(self, now: float) -> None:
        """Halve the rate and start from an empty bucket, once for all the answers to one burst."""
        self.fill(now)
        self.tokens = min(self.tokens, 0.0)
        if now - self.lowered_at >= LOWERED_INTERVAL_SECONDS:
            self.lowered_at = now
            self.rate *= LOWERED
