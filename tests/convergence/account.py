"""One Stripe account in this process, with everything it ever told and every state it was ever in.

It is the sandbox without a socket. A journal that only listens writes down each unit of work: that is the truth the
judges compare with, and it owes nothing to the mirror's own code.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import public
from payment_kit.sandbox.journal import Journal
from payment_kit.sandbox.store import Row, Store

START = 1_782_864_000  # 2026-07-01T00:00:00Z
Key = tuple[str, str, str]
"""(account, object, id)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A state an object had from the unit of work `unit` on, which was at second `at` of the account's clock."""

    unit: int
    at: int
    row: Row


@dataclass(slots=True)
class Life:
    """All states of one object, oldest first."""

    moments: list[Moment] = field(default_factory=list)

    def at_unit(self, unit: int) -> Row | None:
        """The state after `unit` units of work; None before it was there."""
        place = bisect_right([moment.unit for moment in self.moments], unit)
        return self.moments[place - 1].row if place else None


class Truth(Journal):
    """The journal of a sandbox that writes nothing to disk and remembers everything."""

    def __init__(self, account: str) -> None:
        super().__init__(None)
        self.account = account
        self.store: Store
        self.unit = 0
        self.lives: dict[Key, Life] = {}
        self.told: list[Row] = []

    def write(self, record: dict[str, Any]) -> None:
        """Remember one unit of work."""
        self.unit += 1
        self._take(self.account, record.get("rows", ()))
        for account, part in record.get("accounts", {}).items():
            self._take(account, part.get("rows", ()))

    def _take(self, account: str, rows: Iterable[Row]) -> None:
        for row in rows:
            if row["object"] == "event":
                self.told.append(row)
            else:
                life = self.lives.setdefault((account, row["object"], row["id"]), Life())
                life.moments.append(Moment(self.unit, self.store.now, row))


class Account:
    """A platform account and those connected to it. `seed` decides its id, its key and every id in it."""

    def __init__(self, seed: int) -> None:
        self.sandbox = Sandbox(seed=seed, now=START)
        self.truth = Truth(self.sandbox.account_id)
        self.truth.store = self.sandbox.store
        self.sandbox.store.journal = self.truth
        self._headers = [(b"authorization", f"Bearer {self.sandbox.api_key}".encode())]

    @property
    def id(self) -> str:
        """The platform's id."""
        return self.sandbox.account_id

    @property
    def now(self) -> int:
        """Stripe's clock, Unix seconds."""
        return self.sandbox.now

    def pass_time(self, seconds: int) -> None:
        """Let time pass, with everything that falls due."""
        self.sandbox.advance_to(self.now + seconds)

    def stores(self) -> Iterator[tuple[str, Store]]:
        """Every account's id and what it holds, the platform first."""
        yield self.id, self.sandbox.store
        yield from self.sandbox.store.connected.items()

    def gone(self) -> set[str]:
        """The connected accounts whose data nobody reaches any more."""
        rows = self.sandbox.store.rows("account")
        return {row["id"] for row in rows if "deleted" in row}

    def rows(self, kind: str, account: str | None = None) -> list[Row]:
        """What the account (default: the platform) has of a kind, oldest first, without what was deleted."""
        store = self.sandbox.store if account in (None, self.id) else self.sandbox.store.connected[str(account)]
        return [row for row in store.rows(kind) if "deleted" not in row]

    async def ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        account: str | None = None,
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, parsed body and headers of one request to Stripe, or below ``/_sandbox`` to the control API."""
        control = path.startswith("/_sandbox/")
        encoded = orjson.dumps(params or {}) if control else urlencode(flat(params or {})).encode()
        headers = list(self._headers)
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        if account not in (None, self.id):
            headers.append((b"stripe-account", str(account).encode()))
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": encoded if method == "POST" else b""}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": encoded if method != "POST" else b"",
            "headers": headers,
            "root_path": "",
        }
        await self.sandbox.app(scope, receive, send)
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], orjson.loads(sent[1]["body"]), answered


def shown(row: Row) -> Row:
    """A row as clients see it."""
    return public(row)


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested data as form fields."""
    if isinstance(value, Mapping):
        parts = [flat(part, f"{name}[{key}]" if name else key) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [flat(part, f"{name}[{at}]") for at, part in enumerate(value)]
    else:
        return {name: str(value).lower() if isinstance(value, bool) else str(value)}
    return {key: text for part in parts for key, text in part.items()}
