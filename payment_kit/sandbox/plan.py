"""The delivery plan: what may happen to a webhook on its way, and how a failed one is tried again."""

from dataclasses import asdict, dataclass
from typing import Any

DELAY_SECONDS_MAX = 60.0
REORDER_WINDOW_MAX = 100
DISABLE_DAYS_MAX = 365
RETRIES = ("wall", "stripe")

_SHARES = ("duplicate", "delay", "reorder", "drop", "wrong_secret", "old_timestamp")


@dataclass(frozen=True)
class Plan:
    """Shares in 0..1 of the deliveries that meet a fault, and how failures are retried.

    `drop` loses a delivery for good. `wrong_secret` and `old_timestamp` spoil the signature of one attempt; a receiver
    that answers such a one with 2xx does not check signatures. With ``retry="wall"`` failed attempts are repeated
    within seconds of the machine's clock; with ``"stripe"`` they fall due on the account's clock, at the intervals of
    `delivery.STRIPE_RETRIES`, and an endpoint that only failed for `disable_after_days` is disabled. With `collect`
    nothing is sent: read what would have been sent with ``GET /_sandbox/webhooks``.
    """

    duplicate: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 2.0
    reorder: float = 0.0
    reorder_window: int = 5
    drop: float = 0.0
    wrong_secret: float = 0.0
    old_timestamp: float = 0.0
    seed: int = 1
    collect: bool = False
    concurrency: int = 8
    timeout_seconds: float = 10.0
    retry: str = "wall"
    retry_first_seconds: float = 0.1
    retry_max_seconds: float = 2.0
    give_up_after_seconds: float = 300.0
    disable_after_days: int = 3

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Plan":
        """A checked plan; raises ValueError naming the field."""
        known = asdict(cls())
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown field {name}; known are {', '.join(known)}")
            _check_type(name, value, known[name])
        plan = cls(**values)
        if not all(0 <= getattr(plan, name) <= 1 for name in _SHARES):
            raise ValueError(f"{', '.join(_SHARES)} are shares between 0 and 1")
        if not (0 <= plan.delay_seconds <= DELAY_SECONDS_MAX and 1 <= plan.reorder_window <= REORDER_WINDOW_MAX):
            raise ValueError(f"delay_seconds is at most {DELAY_SECONDS_MAX}, reorder_window 1 to {REORDER_WINDOW_MAX}")
        if not (1 <= plan.concurrency <= 64 and plan.timeout_seconds > 0 and plan.retry_first_seconds > 0):
            raise ValueError("concurrency is 1 to 64; timeout_seconds and retry_first_seconds are positive")
        if plan.retry not in RETRIES:
            raise ValueError(f"retry is one of {', '.join(RETRIES)}")
        if not 1 <= plan.disable_after_days <= DISABLE_DAYS_MAX:
            raise ValueError(f"disable_after_days is 1 to {DISABLE_DAYS_MAX}")
        return plan


def _check_type(name: str, value: Any, default: Any) -> None:
    if isinstance(default, (bool, str)):
        if not isinstance(value, type(default)):
            raise ValueError(f"{name} must be {'true or false' if isinstance(default, bool) else 'a word'}")
        return
    if isinstance(value, bool) or not isinstance(value, int if isinstance(default, int) else (int, float)):
        raise ValueError(f"{name} must be a number")
