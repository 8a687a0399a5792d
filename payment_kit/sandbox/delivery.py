"""Signed webhook delivery: bounded concurrency, retries that outlive the receiver, and faults on demand.

Which deliveries are owed is state of the store (and of its journal): a sandbox that was killed goes on where it stood.
What happens to a delivery follows from the plan's seed and the event's id, whatever the order of arrival.
"""

import asyncio
import hmac
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from typing import Any

import aiohttp
import orjson

from payment_kit.sandbox import ids
from payment_kit.sandbox.call import public
from payment_kit.sandbox.store import Row, Store

COUNTERS = (
    "events",
    "sent",
    "acknowledged",
    "duplicated",
    "delayed",
    "reordered",
    "dropped",
    "failed_attempts",
    "given_up",
)
WAITING_MAX = 100_000
DELAY_SECONDS_MAX = 60.0
REORDER_WINDOW_MAX = 100
REORDER_HOLD_SECONDS = 0.5


@dataclass(frozen=True)
class Plan:
    """Shares in 0..1 of the deliveries that meet a fault, and how failures are retried (wall-clock seconds)."""

    duplicate: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 2.0
    reorder: float = 0.0
    reorder_window: int = 5
    drop: float = 0.0
    seed: int = 1
    concurrency: int = 8
    timeout_seconds: float = 10.0
    retry_first_seconds: float = 0.1
    retry_max_seconds: float = 2.0
    give_up_after_seconds: float = 300.0

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Plan":
        """A checked plan; raises ValueError naming the field."""
        known = asdict(cls())
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown field {name}; known are {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, int if isinstance(known[name], int) else (int, float)):
                raise ValueError(f"{name} must be a number")
        plan = cls(**values)
        shares = (plan.duplicate, plan.delay, plan.reorder, plan.drop)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("duplicate, delay, reorder and drop are shares between 0 and 1")
        if not (0 <= plan.delay_seconds <= DELAY_SECONDS_MAX and 1 <= plan.reorder_window <= REORDER_WINDOW_MAX):
            raise ValueError(f"delay_seconds is at most {DELAY_SECONDS_MAX}, reorder_window 1 to {REORDER_WINDOW_MAX}")
        if not (1 <= plan.concurrency <= 64 and plan.timeout_seconds > 0 and plan.retry_first_seconds > 0):
            raise ValueError("concurrency is 1 to 64; timeout_seconds and retry_first_seconds are positive")
        return plan


@dataclass
class Sending:
    """One copy of one delivery on its way."""

    key: str
    copy: bool = False
    attempts: int = 0
    first_at: float = 0.0
    swapped: bool = False


class Delivery:
    """Sends what the store owes. `start` and `stop` belong to one event loop; `add` may be called before `start`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.plan = Plan.read(store.meta["plan"])
        self.counts: dict[str, int] = {name: store.meta["counts"].get(name, 0) for name in COUNTERS}
        self._generation = 0
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._clear()

    def _clear(self) -> None:
        self._queue: list[tuple[float, int, Sending]] = []
        self._held: list[tuple[int, float, Sending]] = []
        self._sequence = 0
        self._flying = 0
        self._dispatched = 0
        self._paused: dict[str, tuple[float, int]] = {}

    @property
    def waiting(self) -> int:
        """Deliveries and copies that are not settled."""
        return len(self._queue) + len(self._held) + self._flying

    def set_plan(self, plan: Plan) -> None:
        """Meet deliveries made from now on with `plan`."""
        self.plan = plan
        self.store.set_meta(plan=asdict(plan))
        self.store.commit()

    def add(self, keys: Iterable[str]) -> None:
        """Take over deliveries the store owes, each as the fault plan has it."""
        now, plan = time.monotonic(), self.plan
        for key in keys:
            self.counts["events"] += 1
            if self._hit("drop", key, plan.drop):
                self.counts["dropped"] += 1
                self.store.delivered(key, self.counts)
                continue
            at = now
            if self._hit("delay", key, plan.delay):
                self.counts["delayed"] += 1
                at += plan.delay_seconds * ids.share(plan.seed, "delay for", key)
            self._put(Sending(key), at)
            if self._hit("duplicate", key, plan.duplicate):
                self.counts["duplicated"] += 1
                self._put(Sending(key, copy=True), at + plan.delay_seconds * ids.share(plan.seed, "copy after", key))
        self._wake.set()

    def _hit(self, fault: str, key: str, share: float) -> bool:
        return share > 0 and ids.share(self.plan.seed, fault, key) < share

    def _put(self, sending: Sending, at: float) -> None:
        self._sequence += 1
        heappush(self._queue, (at, self._sequence, sending))

    async def start(self) -> None:
        """Begin to send, first what a former process left owed."""
        self._wake = asyncio.Event()
        queued = {sending.key for _, _, sending in self._queue}
        for key in self.store.waiting:
            if key not in queued:
                self._put(Sending(key), 0.0)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop sending; what is not acknowledged stays owed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def reset(self) -> None:
        """Forget everything that was owed, and the counters; what is on its way no longer counts."""
        self.plan = Plan.read(self.store.meta["plan"])
        self.counts = dict.fromkeys(COUNTERS, 0)
        self._generation += 1
        self._clear()

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is waiting; False when that took too long."""
        end = time.monotonic() + timeout_seconds
        while self.waiting and (left := end - time.monotonic()) > 0:
            self._settled.clear()
            await _within(self._settled, left)
        return not self.waiting

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self.plan.timeout_seconds)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            while True:
                self._release_held()
                sending = self._next()
                if sending is None:
                    self._wake.clear()
                    await _within(self._wake, self._idle_seconds())
                else:
                    self._flying += 1
                    group.create_task(self._send(session, sending))

    def _idle_seconds(self) -> float:
        if self._flying >= self.plan.concurrency or not (self._queue or self._held):
            return 3600.0
        times = [self._queue[0][0]] if self._queue else []
        times += [until for _, until, _ in self._held]
        return max(min(times) - time.monotonic(), 0.005)

    def _release_held(self) -> None:
        now = time.monotonic()
        for entry in list(self._held):
            after, until, sending = entry
            if self._dispatched >= after or now >= until:
                self._held.remove(entry)
                self._put(sending, 0.0)

    def _next(self) -> Sending | None:
        """The next copy to send, or None when nothing may be sent now."""
        now = time.monotonic()
        while self._flying < self.plan.concurrency and self._queue and self._queue[0][0] <= now:
            _, _, sending = heappop(self._queue)
            paused_until = self._paused.get(sending.key.split("|")[1], (0.0, 0))[0]
            if paused_until > now:
                self._put(sending, paused_until)
            elif not sending.swapped and self._hit("reorder", sending.key + str(sending.copy), self.plan.reorder):
                sending.swapped = True
                self.counts["reordered"] += 1
                window = 1 + int(ids.share(self.plan.seed, "window", sending.key) * self.plan.reorder_window)
                self._held.append((self._dispatched + window, now + REORDER_HOLD_SECONDS, sending))
            else:
                self._dispatched += 1
                return sending
        return None

    async def _send(self, session: aiohttp.ClientSession, sending: Sending) -> None:
        generation = self._generation
        event_id, endpoint_id = sending.key.split("|")
        event, endpoint = self.store.get("event", event_id), self.store.get("webhook_endpoint", endpoint_id)
        outcome = "gone"
        if event is not None and endpoint is not None and "deleted" not in endpoint:
            self.counts["sent"] += 1
            sending.first_at = sending.first_at or time.monotonic()
            outcome = await self._post(session, event, endpoint)
        if generation != self._generation:
            return
        self._flying -= 1
        self._settle(sending, endpoint_id, outcome)
        self._wake.set()
        self._settled.set()

    async def _post(self, session: aiohttp.ClientSession, event: Row, endpoint: Row) -> str:
        body = orjson.dumps(public(event))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, endpoint["_secret"], int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            async with session.post(endpoint["url"], data=body, headers=headers, allow_redirects=False) as response:
                return "acknowledged" if 200 <= response.status < 300 else "refused"
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
            return "unreachable"

    def _settle(self, sending: Sending, endpoint_id: str, outcome: str) -> None:
        if outcome in ("acknowledged", "gone"):
            self._paused.pop(endpoint_id, None)
            self.counts["acknowledged"] += outcome == "acknowledged"
            self.store.delivered(sending.key, self.counts)
            return
        self.counts["failed_attempts"] += 1
        now, plan = time.monotonic(), self.plan
        sending.attempts += 1
        if now - sending.first_at > plan.give_up_after_seconds:
            self.counts["given_up"] += 1
            self.store.delivered(sending.key, self.counts)
            return
        wait = min(plan.retry_first_seconds * 2 ** min(sending.attempts - 1, 20), plan.retry_max_seconds)
        if outcome == "unreachable":
            # nobody listens: one probe at a time per endpoint instead of every delivery on its own
            until, failures = self._paused.get(endpoint_id, (0.0, 0))
            if until <= now:
                pause = min(plan.retry_first_seconds * 2 ** min(failures, 20), plan.retry_max_seconds)
                self._paused[endpoint_id] = (now + pause, failures + 1)
            wait = 0.0
        self._put(sending, now + wait)


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """The ``Stripe-Signature`` header of a body (docs.stripe.com/webhooks#verify-manually)."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()
    return f"t={timestamp},v1={digest}"


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
