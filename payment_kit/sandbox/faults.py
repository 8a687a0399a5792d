"""Faults on demand: what a client has to survive, by a seeded plan, one after the other, or for a single request.

A single request asks for its fault with a header: ``Sandbox-Fault: rate_limit; retry_after=2; reason=global-rate``.

| fault | what the client sees |
|---|---|
| rate_limit | 429, with ``Retry-After`` and ``Stripe-Rate-Limited-Reason`` when asked for |
| lock_timeout | 429 with code lock_timeout |
| conflict | 409 |
| error_before | 500, nothing was done and nothing is kept: the same key does it later |
| error_during | 500 that undid what it began; kept under the idempotency key, as Stripe keeps it |
| error_after | 500 although it was done: the same key gives the answer |
| drop_before, drop_after | the connection closes without an answer, before or after it was done |
| hang | nothing is done and no answer comes: the connection closes after `seconds`, or as soon as the plan changes |
| slow | the answer waits `seconds` |
| slow_page | the same, for lists only |
| truncate | half of the body, then the connection closes |

``should_retry=true`` or ``false`` adds ``Stripe-Should-Retry`` to any of them.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from payment_kit.sandbox import ids
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.rates import Rates
from payment_kit.sandbox.store import Store

NAMES = (
    "rate_limit",
    "lock_timeout",
    "conflict",
    "error_before",
    "error_during",
    "error_after",
    "drop_before",
    "drop_after",
    "hang",
    "slow",
    "slow_page",
    "truncate",
)
# docs.stripe.com/rate-limits
REASONS = ("global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency", "resource-specific")
SECONDS_MAX = 120.0
NEXT_MAX = 1000
RATE_MAX = 1_000_000
_TRIES_MAX = 10_000
_CLOCKS = ("wall", "sandbox")


class Dropped(ConnectionResetError):
    """The connection closes without an answer; over HTTP the server does it, in-process the caller gets this."""


class Fault(NamedTuple):
    """One fault of one request."""

    name: str
    retry_after: float | None = None
    reason: str | None = None
    seconds: float = 1.0
    should_retry: bool | None = None

    def headers(self) -> dict[str, str]:
        """The hints this fault's answer carries."""
        found = {}
        if self.name == "rate_limit" and self.retry_after is not None:
            found["retry-after"] = f"{self.retry_after:g}"
        if self.name == "rate_limit" and self.reason is not None:
            found["stripe-rate-limited-reason"] = self.reason
        if self.should_retry is not None:
            found["stripe-should-retry"] = str(self.should_retry).lower()
        return found

    def refusal(self) -> ApiError | None:
        """The error of a fault that answers instead of the operation, before anything is done."""
        match self.name:
            case "rate_limit":
                return rate_limited()
            case "lock_timeout":
                return ApiError(
                    429,
                    "This object cannot be accessed right now because another API request or Stripe process is "
                    "currently accessing it. If you see this error intermittently, retry the request. If you see this "
                    "error frequently and are making multiple concurrent requests to a single object, make your "
                    "requests serially or at a lower rate.",
                    code="lock_timeout",
                    stored=False,
                )
            case "conflict":
                return ApiError(409, "The request conflicts with another request.", stored=False)
            case "error_before":
                return broken()
        return None


@dataclass(frozen=True)
class Plan:
    """Shares in 0..1 of the requests that meet each fault, and what the faults are like.

    A share of 1 is a trouble that lasts until another plan is set. `methods` and `path` narrow all of it:
    ``("POST",)``, ``"payment_intents"`` (how the path below /v1 begins). With `per_second` and `per_endpoint` an
    account's requests beyond so many a second of `rate_clock` (the machine's, or the sandbox's own, that stands still)
    are answered 429, in all and for each operation (`rates`); 0 is no limit.
    """

    seed: int = 1
    rate_limit: float = 0.0
    lock_timeout: float = 0.0
    conflict: float = 0.0
    error_before: float = 0.0
    error_during: float = 0.0
    error_after: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    hang: float = 0.0
    slow: float = 0.0
    slow_page: float = 0.0
    truncate: float = 0.0
    retry_after: float = -1.0
    reason: str = ""
    seconds: float = 1.0
    should_retry: str = ""
    methods: tuple[str, ...] = ()
    path: str = ""
    per_second: int = 0
    per_endpoint: int = 0
    rate_clock: str = "wall"

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Plan":
        """A checked plan; raises ValueError naming the field."""
        known = asdict(cls())
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown field {name}; known are {', '.join(known)}")
            _check(name, value, known[name])
        plan = cls(**{**values, "methods": tuple(values.get("methods", ()))})
        shares = [getattr(plan, name) for name in NAMES]
        if not all(0 <= share <= 1 for share in shares) or sum(shares) > 1 + 1e-9:
            raise ValueError("the shares of the faults lie between 0 and 1 and are not more than 1 together")
        if plan.rate_clock not in _CLOCKS or plan.should_retry not in ("", "true", "false"):
            raise ValueError(f"rate_clock is one of {', '.join(_CLOCKS)}, should_retry true or false")
        if not (0 <= plan.per_second <= RATE_MAX and 0 <= plan.per_endpoint <= RATE_MAX):
            raise ValueError(f"per_second and per_endpoint are 0 to {RATE_MAX}")
        plan.fault("slow")
        return plan

    def fault(self, name: str) -> Fault:
        """A fault as this plan makes it; raises ValueError for options it cannot have."""
        retry_after = None if self.retry_after < 0 else self.retry_after
        should_retry = {"": None, "true": True, "false": False}[self.should_retry]
        return _checked(Fault(name, retry_after, self.reason or None, self.seconds, should_retry))


class Faults:
    """The faults of one world: its plan, those that are next, the rate limits and how often each came."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store, self._clock = store, clock
        self.plan = Plan.read(store.meta.get("faults", {}))
        self.counts = dict.fromkeys(NAMES, 0)
        self._next: list[Fault] = []
        self._hanging = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        self._asked = 0
        self._tries: dict[str, int] = {}
        plan = self.plan
        self._rates = Rates(self._clock if plan.rate_clock == "wall" else lambda: self.store.now)
        self._limited = bool(plan.per_second or plan.per_endpoint)
        self._active = bool(self._next or self._limited or any(getattr(plan, name) for name in NAMES))

    def configure(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take a new plan, ``{"error_after": 0.1, …, "next": ["rate_limit; retry_after=1", …]}``; returns it.

        `next` are the faults of the coming requests that `methods` and `path` let through, before the shares apply.
        Raises `ApiError` 400.
        """
        values = dict(given)
        coming = values.pop("next", [])
        if not isinstance(coming, list) or len(coming) > NEXT_MAX or not all(isinstance(text, str) for text in coming):
            raise ApiError(400, f"Invalid next: must be a list of at most {NEXT_MAX} faults.", param="next")
        following = [read(text) for text in coming]
        try:
            self.plan = Plan.read(values)
        except (TypeError, ValueError) as error:
            raise ApiError(400, f"Invalid plan: {error}.", param="plan", stored=False) from None
        self._next = following
        self.release()
        self.store.set_meta(faults=values)
        self.store.commit()
        self._begin()
        return {**asdict(self.plan), "next": [fault.name for fault in self._next]}

    def chosen(self, header: str | None, method: str, path: str, key: str | None, account: str = "") -> Fault | None:
        """The fault of a request, `path` below /v1 as its operation has it; raises `ApiError` for an unknown one.

        `account` is whose request it is.
        """
        if header is not None:
            return self._counted(read(header))
        if not self._active:
            return None
        plan = self.plan
        if (plan.methods and method not in plan.methods) or not path.startswith(plan.path):
            return None
        if self._limited and (fault := self._over(account, f"{method} {path}")):
            return self._counted(fault)
        if self._next:
            return self._counted(self._next.pop(0))
        roll = ids.share(plan.seed, "fault", self._subject(key))
        for name in NAMES:
            roll -= getattr(plan, name)
            if roll < 0:
                return self._counted(plan.fault(name))
        return None

    def _counted(self, fault: Fault) -> Fault:
        self.counts[fault.name] += 1
        return fault

    def _subject(self, key: str | None) -> str:
        """What a request's dice follow from: its key and which try it is, or else its number."""
        if key is None:
            self._asked += 1
            return str(self._asked)
        if len(self._tries) >= _TRIES_MAX:
            self._tries.clear()
        self._tries[key] = self._tries.get(key, 0) + 1
        return f"{key} {self._tries[key]}"

    def _over(self, account: str, operation: str) -> Fault | None:
        plan = self.plan
        for name, most, reason in (
            ("", plan.per_second, "global-rate"),
            (operation, plan.per_endpoint, "endpoint-rate"),
        ):
            if most and not self._rates.take(account, name, most):
                return plan.fault("rate_limit")._replace(reason=reason)
        return None

    def release(self) -> None:
        """Let go of the requests that hang."""
        self._hanging.set()
        self._hanging = asyncio.Event()

    async def hang(self, seconds: float) -> None:
        """Wait so long, or until another plan is set."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hanging.wait(), seconds)


def read(text: str) -> Fault:
    """A fault as the header ``Sandbox-Fault`` writes it; raises `ApiError` 400 naming what is wrong."""
    name, *options = (part.strip() for part in text.split(";"))
    if name not in NAMES:
        raise ApiError(
            400, f"Invalid Sandbox-Fault: it is one of {', '.join(NAMES)}.", param="Sandbox-Fault", stored=False
        )
    values: dict[str, Any] = {}
    try:
        for option in options:
            field, _, value = (part.strip() for part in option.partition("="))
            match field:
                case "retry_after" | "seconds":
                    values[field] = float(value)
                case "reason":
                    values[field] = value
                case "should_retry" if value in ("true", "false"):
                    values[field] = value == "true"
                case _:
                    raise ValueError(f"it has no option {option[:100]}")
        return _checked(Fault(name, **values))
    except ValueError as error:
        raise ApiError(400, f"Invalid Sandbox-Fault: {error}.", param="Sandbox-Fault", stored=False) from None


def rate_limited() -> ApiError:
    """429: more requests than an account may send."""
    return ApiError(
        429,
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        stored=False,
    )


def broken() -> ApiError:
    """500: something went wrong on the server's side."""
    return ApiError(500, "An unknown error occurred.", kind="api_error", stored=False)


def kept() -> ApiError:
    """The same, of a request that had begun: Stripe keeps it under the idempotency key."""
    return ApiError(500, "An unknown error occurred.", kind="api_error")


def _checked(fault: Fault) -> Fault:
    if not 0 <= fault.seconds <= SECONDS_MAX or not 0 <= (fault.retry_after or 0) <= SECONDS_MAX:
        raise ValueError(f"seconds and retry_after are 0 to {SECONDS_MAX:g}")
    if fault.reason is not None and fault.reason not in REASONS:
        raise ValueError(f"reason is one of {', '.join(REASONS)}")
    return fault


def _check(name: str, value: Any, default: Any) -> None:
    if isinstance(default, tuple):
        if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
            raise ValueError(f"{name} must be a list of words")
    elif isinstance(default, str):
        if not isinstance(value, str):
            raise ValueError(f"{name} must be text")
    elif isinstance(value, bool) or not isinstance(value, int if isinstance(default, int) else (int, float)):
        raise ValueError(f"{name} must be a number")
