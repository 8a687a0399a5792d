"""Signed webhook delivery: bounded concurrency, retries that outlive the receiver, and faults on demand.

Which deliveries are owed is state of the store (and of its journal): a sandbox that was killed goes on where it stood.
What happens to a delivery follows from the plan's seed and the event's id, whatever the order of arrival.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from heapq import heapify, heappop, heappush

import aiohttp

from payment_kit.sandbox import ids, signing
from payment_kit.sandbox.balance.settlement import DAY
from payment_kit.sandbox.deliveries import EXCERPT_BYTES_MAX, Attempt, Entry, Log
from payment_kit.sandbox.plan import Plan
from payment_kit.sandbox.store import Row, Store

COUNTERS = (
    "events",
    "sent",
    "acknowledged",
    "duplicated",
    "delayed",
    "reordered",
    "dropped",
    "missigned",
    "forged_accepted",
    "collected",
    "failed_attempts",
    "given_up",
    "endpoints_disabled",
)
WAITING_MAX = 100_000
REORDER_HOLD_SECONDS = 0.5
# Stripe promises "up to three days with an exponential back off" (docs.stripe.com/webhooks#retries) and publishes no
# intervals; these are what receivers see: seconds after the attempt before.
STRIPE_RETRIES = (300, 1800, 7200, 18_000, 36_000, *[43_200] * 4)


@dataclass
class Sending:
    """One copy of one delivery on its way; `due` is when, by the account's clock, this attempt was to be made."""

    key: str
    copy: bool = False
    attempts: int = 0
    due: int = 0
    first_at: float = 0.0
    swapped: bool = False


class Delivery:
    """Sends what the store owes. `start` and `stop` belong to one event loop; `add` may be called before `start`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.log = Log()
        self._generation = 0
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._load()

    def _load(self) -> None:
        meta = self.store.meta
        self.plan = Plan.read(meta["plan"])
        self.counts: dict[str, int] = {name: meta["counts"].get(name, 0) for name in COUNTERS}
        self._queue: list[tuple[float, int, Sending]] = []
        self._held: list[tuple[int, float, Sending]] = []
        self._parked: list[tuple[int, int, Sending]] = []
        self._sequence = 0
        self._flying = 0
        self._dispatched = 0
        self._paused: dict[str, tuple[float, int]] = {}

    @property
    def waiting(self) -> int:
        """Deliveries and copies that are not settled and need no clock to be advanced."""
        return len(self._queue) + len(self._held) + self._flying

    @property
    def parked(self) -> int:
        """Deliveries whose next attempt falls due when the account's clock is advanced."""
        return len(self._parked)

    def set_plan(self, plan: Plan) -> None:
        """Meet deliveries made from now on with `plan`."""
        self.plan = plan
        self.store.set_meta(plan=asdict(plan))
        self.store.commit()

    def add(self, keys: Iterable[str] = ()) -> None:
        """Take over deliveries the store owes, each as the fault plan has it, and what the clock has made due."""
        for key in keys:
            self.counts["events"] += 1
            self._take_over(key)
        self._release_parked()
        self._wake.set()

    def _take_over(self, key: str) -> None:
        now, plan = time.monotonic(), self.plan
        event, endpoint = self._ends(key)
        if event is None or endpoint is None:
            self.store.delivered(key, self.counts)
            return
        self.log.open(key, event, endpoint)
        if plan.collect:
            self.counts["collected"] += 1
            self.store.delivered(key, self.counts)
            self.log.settle(key, "collected")
            return
        if self._hit("drop", key, plan.drop):
            self.counts["dropped"] += 1
            self.store.give_up(key, self.counts)
            self.log.settle(key, "lost")
            return
        due = min(event["created"], self.store.now)
        if self._hit("delay", key, plan.delay):
            self.counts["delayed"] += 1
            now += plan.delay_seconds * ids.share(plan.seed, "delay for", key)
        self._put(Sending(key, due=due), now)
        if self._hit("duplicate", key, plan.duplicate):
            self.counts["duplicated"] += 1
            later = plan.delay_seconds * ids.share(plan.seed, "copy after", key)
            self._put(Sending(key, copy=True, due=due), now + later)

    def _ends(self, key: str) -> tuple[Row | None, Row | None]:
        event_id, endpoint_id = key.split("|")
        return self.store.anywhere("event", event_id), self.store.anywhere("webhook_endpoint", endpoint_id)

    def _note(self, endpoint: Row) -> None:
        """Keep what was found out about an endpoint, in the account that has it."""
        for store in self.store.everywhere():
            if store.get("webhook_endpoint", endpoint["id"]) is not None:
                store.put(endpoint)
        self.store.commit()

    def _hit(self, fault: str, key: str, share: float) -> bool:
        return share > 0 and ids.share(self.plan.seed, fault, key) < share

    def _put(self, sending: Sending, at: float) -> None:
        self._sequence += 1
        heappush(self._queue, (at, self._sequence, sending))

    def _park(self, sending: Sending) -> None:
        self._sequence += 1
        heappush(self._parked, (sending.due, self._sequence, sending))

    def _release_parked(self) -> None:
        while self._parked and self._parked[0][0] <= self.store.now:
            self._put(heappop(self._parked)[2], 0.0)

    async def start(self) -> None:
        """Begin to send, first what a former process left owed."""
        self._wake = asyncio.Event()
        self._requeue()
        self._task = asyncio.create_task(self._run())

    def _requeue(self) -> None:
        queued = {sending.key for _, _, sending in (*self._queue, *self._parked)}
        for key, later in list(self.store.waiting.items()):
            event, endpoint = self._ends(key)
            if key in queued or event is None or endpoint is None:
                continue
            entry = self.log.open(key, event, endpoint)
            if later is None:
                self._put(Sending(key, due=min(event["created"], self.store.now)), 0.0)
            elif later[1] is None:
                entry.status = "failed"
            else:
                entry.next_attempt = later[1]
                self._park(Sending(key, attempts=later[0], due=later[1]))
        self._release_parked()

    async def stop(self) -> None:
        """Stop sending; what is not acknowledged stays owed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def reset(self) -> None:
        """Go on from the store as it is now (empty, or restored): what is on its way no longer counts."""
        self._generation += 1
        self.log.clear()
        self._load()
        self._requeue()
        self._wake.set()
        self._settled.set()

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing is waiting; False when that took too long."""
        end = time.monotonic() + timeout_seconds
        while self.waiting and (left := end - time.monotonic()) > 0:
            self._settled.clear()
            await _within(self._settled, left)
        return not self.waiting

    async def replay(self, event: Row, endpoint: Row) -> Entry:
        """Send an event to an endpoint once, now, without faults; the delivery with this attempt."""
        key, generation = f"{event['id']}|{endpoint['id']}", self._generation
        entry = self.log.open(key, event, endpoint)
        async with aiohttp.ClientSession() as session:
            attempt = await self._attempt(session, event, endpoint, number=len(entry.attempts) + 1, at=self.store.now)
        entry.attempts.append(attempt)
        # whoever answers may have changed or deleted the endpoint meanwhile
        now = self._ends(key)[1]
        if attempt.outcome == "acknowledged" and generation == self._generation and now and "deleted" not in now:
            self._parked = [parked for parked in self._parked if parked[2].key != key]
            heapify(self._parked)
            self._acknowledged(key, now)
        return entry

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
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
        event, endpoint = self._ends(sending.key)
        attempt = None
        if event is not None and endpoint is not None and endpoint.get("status") == "enabled":
            self.counts["sent"] += 1
            sending.first_at = sending.first_at or time.monotonic()
            sending.attempts += 1
            fault = self._fault(sending)
            attempt = await self._attempt(
                session, event, endpoint, number=sending.attempts, at=sending.due, fault=fault
            )
        if generation != self._generation:
            return
        self._flying -= 1
        self._settle(sending, attempt)
        self._wake.set()
        self._settled.set()

    def _fault(self, sending: Sending) -> str | None:
        name = f"{sending.key}{sending.copy}{sending.attempts}"
        for fault, share in (("wrong_secret", self.plan.wrong_secret), ("old_timestamp", self.plan.old_timestamp)):
            if self._hit(fault, name, share):
                self.counts["missigned"] += 1
                return fault
        return None

    async def _attempt(
        self,
        session: aiohttp.ClientSession,
        event: Row,
        endpoint: Row,
        *,
        number: int,
        at: int,
        fault: str | None = None,
    ) -> Attempt:
        body = signing.sent_to(endpoint, event, self.store)
        secrets = signing.secrets_of(endpoint, self.store.now)
        attempt = Attempt(number, at, signing.signature(body, secrets, int(time.time()), fault), fault)
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self.plan.timeout_seconds)
        try:
            async with session.post(
                endpoint["url"],
                data=body,
                headers=signing.headers_of(attempt.signature),
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                attempt.status_code = response.status
                attempt.response = (await response.content.read(EXCERPT_BYTES_MAX)).decode(errors="replace")
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            attempt.error = f"{type(error).__name__}: {error}"[:EXCERPT_BYTES_MAX]
        attempt.seconds = round(time.monotonic() - started, 3)
        return attempt

    def _settle(self, sending: Sending, attempt: Attempt | None) -> None:
        key = sending.key
        endpoint = self._ends(key)[1]
        if attempt is None or endpoint is None or "deleted" in endpoint:
            self.store.delivered(key, self.counts)
            self.log.settle(key, "canceled")
            return
        entry = self.log.get(key)
        if entry is not None:
            entry.attempts.append(attempt)
        if attempt.outcome == "acknowledged":
            self._paused.pop(endpoint["id"], None)
            self.counts["acknowledged"] += 1
            self.counts["forged_accepted"] += attempt.fault is not None
            self._acknowledged(key, endpoint)
            return
        self.counts["failed_attempts"] += 1
        if self.plan.retry == "stripe":
            self._retry_as_stripe(sending, endpoint)
        else:
            self._retry(sending, endpoint["id"], attempt.outcome)

    def _acknowledged(self, key: str, endpoint: Row) -> None:
        self.store.delivered(key, self.counts)
        self.log.settle(key, "delivered")
        if endpoint.get("_failing_since") is not None:
            self._note({**endpoint, "_failing_since": None})

    def _retry_as_stripe(self, sending: Sending, endpoint: Row) -> None:
        """The next attempt on the account's clock; the endpoint is disabled when it only failed for days."""
        if sending.copy:
            return
        since = min(endpoint.get("_failing_since") or sending.due, sending.due)
        changed = {**endpoint, "_failing_since": since}
        if sending.due - since >= self.plan.disable_after_days * DAY:
            self.counts["endpoints_disabled"] += 1
            changed["status"] = "disabled"
        if changed != endpoint:
            self._note(changed)
        if sending.attempts > len(STRIPE_RETRIES):
            self._give_up(sending.key)
            return
        sending.due += STRIPE_RETRIES[sending.attempts - 1]
        self.store.postpone(sending.key, sending.attempts, sending.due, self.counts)
        self.log.settle(sending.key, "pending", sending.due)
        self._park(sending)
        self._release_parked()

    def _retry(self, sending: Sending, endpoint_id: str, outcome: str) -> None:
        """The next attempt in a moment of the machine's clock."""
        now, plan = time.monotonic(), self.plan
        if now - sending.first_at > plan.give_up_after_seconds:
            self._give_up(sending.key)
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

    def _give_up(self, key: str) -> None:
        self.counts["given_up"] += 1
        self.store.give_up(key, self.counts)
        self.log.settle(key, "failed")


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
