"""Writes that happen once, however often they are asked for.

A write is known by its request_id. Before Stripe is asked, a row in payment_kit.requests says that it runs; afterwards,
in the transaction that mirrors Stripe's answer, the row takes the outcome. Whoever asks again

* gets the stored outcome, an answer or a definite error, when the write is done;
* is refused when it is another request under the same id (REQUEST_ID_REUSED);
* is told to come back while someone else is at it (REQUEST_IN_PROGRESS);
* takes over when that someone's lease is over, and repeats with the same idempotency key: Stripe answers as before.

An outcome that is not known leaves the row free to be taken over at once. Once Stripe was asked, a write is brought to
its end even if its caller has gone. Who was overtaken, because it stood still for longer than its lease, does not ask
Stripe any more; if it has, only an answer can still become the outcome, and its caller is told what is stored.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import structlog

from payment_kit.access import audit
from payment_kit.access.callers import ANYONE, Caller
from payment_kit.database.queries import sql
from payment_kit.errors import Conflict, Declined, NotFound, Problem, Refused, Unavailable, UsageProblem
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.order import Key
from payment_kit.payments import outcomes
from payment_kit.payments.mirroring import Mirror, Seen
from payment_kit.payments.reading import Reader, reason_of
from payment_kit.stripe_gateway import StripeGateway

Payload = dict[str, Any]
Work = Callable[["Attempt"], Awaitable[Payload]]

STRIPE_SECONDS_MAX = 40.0
"""One try at a write asks Stripe for this long at most, its SDK's retries included."""
LEASE_SECONDS = 4.0
"""A write whose process died can be taken over after this; a living process renews the lease while the try lasts."""
RENEWALS_PER_LEASE = 3
LOOK_SECONDS_MAX = 10.0
"""How long a declined payment is read back for, at most; its events bring it otherwise."""
LEFT_BY_DECLINES = {"payment_intent": "latest_charge", "setup_intent": "latest_attempt"}
"""What a declined write names in its error, and what stands behind it."""
DEADLINE_GRACE_SECONDS = 5.0
"""How long past its caller's deadline a write may wait for Stripe: an outcome that is known is worth it."""
KEY_LIFE_SECONDS = 23 * 3600
"""Stripe keeps idempotency keys for at least 24 hours (docs.stripe.com/api/idempotent_requests)."""

_CLAIM = sql("requests.claim")
_READ = sql("requests.read")
_RENEW = sql("requests.renew")
_PLAN = sql("requests.plan")
_FINISH = sql("requests.finish")
_RELEASE = sql("requests.release")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A write as its caller identified it: `id` (a checked UUID), the method's name, a hash of everything else in it,
    how many seconds the caller is going to wait (None: for ever), and who he is."""

    id: str
    method: str
    digest: bytes
    seconds_left: float | None = None
    caller: Caller = ANYONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a write; `replayed` when it was given before."""

    payload: Payload
    replayed: bool


class _Overtaken(Exception):
    """Somebody else took the write over: what he stored is the outcome."""


@dataclass(slots=True)
class _Lease:
    """The number of a try, and until when (`time.monotonic`) it is surely the only one."""

    attempt: int
    until: float


class Attempt:
    """One try at a write: asks Stripe under keys of its request_id and remembers what it answered."""

    def __init__(self, writes: "Writes", request: Request) -> None:
        self.lease = _Lease(0, 0.0)
        self.seen = Seen()
        self.abandoned = False
        self.reached_stripe = False
        self.plan: Payload | None = None
        self._writes = writes
        self._request = request

    async def post(
        self, path: str, params: Mapping[str, Any], *, step: str = "", changes: tuple[str, str] | None = None
    ) -> Payload:
        """POST to Stripe and return the answered object, canonical, with its client secret if it has one.

        A write of several steps names each. `changes` is the object (its name, its id) that exists already.
        """
        before = await self._writes.mirror.standing(*changes) if changes else None
        self._before_stripe()
        key = idempotency_key(self._writes.account, self._request.id, step)
        reply = await self._writes.gateway.request("post", path, params, idempotency_key=key)
        payload = self.seen.add(reply, before=before)
        return payload | {name: reply.body[name] for name in outcomes.SECRETS if name in reply.body}

    async def delete(self, path: str, params: Mapping[str, Any], *, changes: tuple[str, str]) -> Payload:
        """DELETE at Stripe, which keeps no idempotency keys for it: what is gone when we ask again is what was wanted.

        Returns what Stripe answers, or shows of an object that had ended before. `NotFound` for what never was there.
        """
        before = await self._writes.mirror.standing(*changes)
        self._before_stripe()
        try:
            reply = await self._writes.gateway.request("delete", path, params)
        except NotFound:
            try:
                return await self.look(path)
            except NotFound:
                if before is None:
                    raise
                # It was there, and Stripe knows it no more: its own event tells the mirror.
                return {"id": changes[1], "object": changes[0], "deleted": True}
        return self.seen.add(reply, before=before)

    def _before_stripe(self) -> None:
        """From here on the write may have happened."""
        if self.abandoned and not self.reached_stripe:
            raise Unavailable("DEADLINE_EXCEEDED", "The caller left before Stripe was asked; nothing happened.")
        if time.monotonic() >= self.lease.until:
            raise _Overtaken
        self.reached_stripe = True

    async def look(self, path: str, params: Mapping[str, Any] | None = None) -> Payload:
        """GET from Stripe; the answer is mirrored with the write."""
        reply = await self._writes.gateway.request("get", path, params)
        return self.seen.add(reply)

    async def decide(self, plan: Callable[[], Awaitable[Payload]]) -> Payload:
        """What a repetition has to send again exactly although it was read from elsewhere: computed once and kept."""
        if self.plan is None:
            self.plan = await self._writes.keep_plan(self._request, await plan())
        return self.plan


class Writes:
    """Every write of one account in this process."""

    def __init__(
        self, reader: Reader, gateway: StripeGateway, *, livemode: bool, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self.account = reader.account
        self.gateway = gateway
        self.mirror = Mirror(reader, gateway, livemode)
        self._reader = reader
        self._lease_seconds = lease_seconds
        self._running: set[asyncio.Task[Outcome]] = set()

    async def once(self, request: Request, work: Work) -> Outcome:
        """Do `work` unless it was done before, and return its outcome; raises the `Problem` it met, now or then.

        A cancelled caller stops work that has not reached Stripe; what has is brought to its end behind his back.
        """
        attempt = Attempt(self, request)
        task = asyncio.create_task(self._drive(request, attempt, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            attempt.abandoned = True
            raise

    async def settle(self, seconds: float) -> bool:
        """Wait until no write is under way, for a clean stop; False when some are left to their lease."""
        if not self._running:
            return True
        _, left = await asyncio.wait(self._running, timeout=seconds)
        return not left

    async def keep_plan(self, request: Request, plan: Payload) -> Payload:
        """Store what a repetition must send again; answers what is to be sent, which is the first one stored."""
        row = await self._fetch(_PLAN, request, plan=orjson.dumps(plan))
        if row is None:
            raise _Overtaken
        kept: Payload = orjson.loads(row[0])
        return kept

    async def _drive(self, request: Request, attempt: Attempt, work: Work) -> Outcome:
        done = await self._claim(request, attempt)
        if done:
            return done
        renewing = asyncio.create_task(self._renew(request, attempt.lease))
        try:
            outcome = await self._outcome(request, attempt, work)
            refused = await self._finish(request, attempt, outcome)
        except _Overtaken:
            return await self._known(request)
        except BaseException as error:
            await self._release(request, attempt.lease)
            if attempt.reached_stripe and isinstance(error, Problem):
                await self._audit_unknown(request, error)
            raise
        finally:
            renewing.cancel()
        await self.mirror.read_again(refused)
        if isinstance(outcome, Problem):
            raise outcome
        return Outcome(outcome, replayed=False)

    async def _outcome(self, request: Request, attempt: Attempt, work: Work) -> Payload | Problem:
        """The answer or the definite error; what is not known yet is raised."""
        try:
            return await self._work(request, attempt, work)
        except Problem as problem:
            if not outcomes.is_definite(problem):
                raise
            await self._learn_of_decline(attempt, problem)
            return problem

    async def _work(self, request: Request, attempt: Attempt, work: Work) -> Payload:
        seconds = STRIPE_SECONDS_MAX
        if request.seconds_left is not None:
            seconds = min(seconds, request.seconds_left + DEADLINE_GRACE_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await work(attempt)
        except TimeoutError:
            if attempt.reached_stripe:
                what = "Stripe did not answer in time. The write may or may not have happened."
                raise Unavailable("STRIPE_OUTCOME_UNKNOWN", what) from None
            raise Unavailable("DEADLINE_EXCEEDED", "The deadline passed before Stripe was asked.") from None

    async def _claim(self, request: Request, attempt: Attempt) -> Outcome | None:
        """None when this try may go on, with its lease and plan; otherwise what is known of the write."""
        terms = {"lease_seconds": self._lease_seconds, "key_life_seconds": KEY_LIFE_SECONDS}
        until = time.monotonic() + self._lease_seconds
        row = await self._fetch(_CLAIM, request, method=request.method, request_hash=request.digest, **terms)
        if row is None:
            return await self._known(request)
        number, plan, forgotten = row
        attempt.lease = _Lease(number, until)
        attempt.plan = orjson.loads(plan) if plan else None
        if forgotten:
            await self._release(request, attempt.lease)
            raise Refused(
                "STRIPE_OUTCOME_UNKNOWN",
                "The outcome of this write was never learnt, and Stripe has forgotten its key since.",
                next_step="Look in Stripe whether it happened; if it did not, send it with a new request_id.",
            )
        return None

    async def _known(self, request: Request) -> Outcome:
        row = await self._fetch(_READ, request, method=request.method, request_hash=request.digest)
        state, outcome, same = row or ("running", None, True)
        if not same:
            what = f"request_id {request.id} was used for another request."
            raise UsageProblem("REQUEST_ID_REUSED", what, field="request_id")
        if state != "done":
            what = "This request is being worked on."
            raise Conflict("REQUEST_IN_PROGRESS", what, retry_after_seconds=0.25)
        decoded = outcomes.decode(outcome)
        if isinstance(decoded, Problem):
            raise decoded
        return Outcome(decoded, replayed=True)

    async def _learn_of_decline(self, attempt: Attempt, problem: Problem) -> None:
        """What was declined leaves an intent and its failed charge or attempt; they are read back and mirrored."""
        if not isinstance(problem, Declined):
            return
        for kind, latest in LEFT_BY_DECLINES.items():
            if kind not in problem.metadata:
                continue
            intent = problem.metadata[kind]
            try:
                async with asyncio.timeout(LOOK_SECONDS_MAX):
                    await attempt.look(f"{CATALOGUE[kind].path}/{intent}", {"expand": [latest]})
            except (Problem, TimeoutError) as trouble:
                log.warning("declined_intent_not_read", intent=intent, reason=reason_of(trouble))

    async def _finish(self, request: Request, attempt: Attempt, outcome: Payload | Problem) -> Sequence[Key]:
        """Mirror and store in one transaction; returns the objects to be read again."""
        status, stored = outcomes.encode(outcome)
        terms = {"status_code": status, "outcome": stored, "attempt": attempt.lease.attempt}
        terms |= {"caller": request.caller.name, "object_id": outcomes.object_of(outcome)}
        terms |= {"code": outcome.reason if isinstance(outcome, Problem) else "OK"}
        try:
            async with self._reader.connection() as connection, connection.transaction():
                refused = await self.mirror.write(connection, attempt.seen) if attempt.seen.states else ()
                cursor = await connection.execute(_FINISH, self._parameters(request, **terms))
                ours = await cursor.fetchone()
        except (Unavailable, psycopg.Error) as trouble:
            log.warning("outcome_not_stored", request_id=request.id, reason=reason_of(trouble))
            what = f"Stripe has answered, but the answer could not be stored ({reason_of(trouble)})."
            raise Unavailable("STRIPE_OUTCOME_UNKNOWN", what) from None
        if ours is None:
            raise _Overtaken
        return refused

    async def _renew(self, request: Request, lease: _Lease) -> None:
        """Keeps the lease for as long as this process lives; ends when somebody else took the write over."""
        while True:
            await asyncio.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            until = time.monotonic() + self._lease_seconds
            terms = {"lease_seconds": self._lease_seconds, "attempt": lease.attempt}
            try:
                row = await self._fetch(_RENEW, request, **terms)
            except (Problem, psycopg.Error) as trouble:
                log.warning("lease_not_renewed", request_id=request.id, reason=reason_of(trouble))
                continue
            lease.until = until if row else 0.0
            if row is None:
                return

    async def _release(self, request: Request, lease: _Lease) -> None:
        try:
            await self._execute(_RELEASE, request, attempt=lease.attempt)
        except (Problem, psycopg.Error) as trouble:
            log.warning("request_not_released", request_id=request.id, reason=reason_of(trouble))

    async def _audit_unknown(self, request: Request, problem: Problem) -> None:
        """Stripe was asked, and what became of it is not known yet: whoever repeats the write leaves another row."""
        entry = audit.Entry(request.caller.name, request.method, request.id, "", problem.reason)
        try:
            async with self._reader.connection() as connection:
                await audit.add(connection, self.account, Counter([entry]))
        except (Problem, psycopg.Error) as trouble:
            log.warning("unknown_outcome_not_audited", request_id=request.id, reason=reason_of(trouble))

    async def _fetch(self, query: Any, request: Request, **more: Any) -> tuple[Any, ...] | None:
        async with self._reader.connection() as connection:
            cursor = await connection.execute(query, self._parameters(request, **more))
            row: tuple[Any, ...] | None = await cursor.fetchone()
            return row

    async def _execute(self, query: Any, request: Request, **more: Any) -> None:
        async with self._reader.connection() as connection:
            await connection.execute(query, self._parameters(request, **more))

    def _parameters(self, request: Request, **more: Any) -> dict[str, Any]:
        return {"account_id": self.account, "request_id": request.id, **more}


def idempotency_key(account: str, request_id: str, step: str = "") -> str:
    """Stripe's Idempotency-Key of a write or of one of its steps; under Stripe's 255 characters."""
    return f"pk-{account}-{request_id}" + (f"-{step}" if step else "")
