"""What became of the latest deliveries: every attempt with its status code and the beginning of its answer.

It is for people and assertions, not state: it starts empty when the sandbox starts, is reset or restored.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from payment_kit.sandbox.store import Row

DELIVERIES_MAX = 2_000
ATTEMPTS_MAX = 20
EXCERPT_BYTES_MAX = 500

Outcome = str
"""``acknowledged`` (2xx), ``refused`` (any other answer, redirects too) or ``unreachable``."""


@dataclass
class Attempt:
    """One request to an endpoint. `at` is the account's time (unix seconds), `seconds` how long the answer took."""

    number: int
    at: int
    signature: str
    fault: str | None = None
    status_code: int | None = None
    error: str | None = None
    response: str = ""
    seconds: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """Only 2xx counts."""
        if self.status_code is None:
            return "unreachable"
        return "acknowledged" if 200 <= self.status_code < 300 else "refused"


@dataclass
class Entry:
    """One event for one endpoint.

    `status`: pending, delivered, failed (given up), lost (by the plan), collected, canceled (endpoint deleted or
    disabled).
    """

    event: str
    type: str
    endpoint: str
    url: str
    created: int
    status: str = "pending"
    next_attempt: int | None = None
    attempts: deque[Attempt] = field(default_factory=lambda: deque(maxlen=ATTEMPTS_MAX))

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**vars(self), "attempts": [vars(attempt) for attempt in self.attempts]}


class Log:
    """The latest deliveries, oldest first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()

    def open(self, key: str, event: Row, endpoint: Row) -> Entry:
        """The entry of a delivery; the oldest goes when there are too many."""
        entry = self._entries.get(key)
        if entry is None:
            entry = Entry(event["id"], event["type"], endpoint["id"], endpoint.get("url", ""), event["created"])
            self._entries[key] = entry
            if len(self._entries) > DELIVERIES_MAX:
                del self._entries[next(iter(self._entries))]
        return entry

    def get(self, key: str) -> Entry | None:
        """The entry of ``event|endpoint``."""
        return self._entries.get(key)

    def settle(self, key: str, status: str, next_attempt: int | None = None) -> None:
        """Write down what became of a delivery."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.status, entry.next_attempt = status, next_attempt

    def latest(self, limit: int, **wanted: str) -> list[Entry]:
        """The newest first, those whose fields are as wanted."""
        found = [
            entry
            for entry in reversed(self._entries.values())
            if all(getattr(entry, name) == value for name, value in wanted.items())
        ]
        return found[:limit]
