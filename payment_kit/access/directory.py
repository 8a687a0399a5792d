"""Every caller of an account in this process's memory, so that a call asks no database who calls.

All of them are read again every `REFRESH_SECONDS`, looked at each second: so long a revocation may take. They are read
at once, though no more than ten times a second, when somebody is not known, whatever the reason, so that a new key
works from its first call and waiting tells nobody whether an id exists.
"""

import asyncio
import hmac
import time
from typing import Any, NamedTuple

import psycopg
import structlog

from payment_kit.access.callers import Caller
from payment_kit.access.keys import Key
from payment_kit.database.connection import Pool, translated
from payment_kit.database.queries import sql
from payment_kit.errors import Problem, Unavailable

REFRESH_SECONDS = 2.0
STALE_SECONDS = 30.0
"""A copy older than this is not believed any more: a key may have been revoked since."""
PAUSE_SECONDS = 0.1
USED_SECONDS = 60.0
_READ = sql("access.read")
_USED = sql("access.used")
_NOBODY = bytes(32)

log = structlog.get_logger(__name__)


class _Known(NamedTuple):
    caller: Caller
    digest: bytes
    expires: float


class Directory:
    """The callers of one account. `refresh` once before the first question."""

    def __init__(self, pool: Pool, account: str, *, livemode: bool) -> None:
        self._pool = pool
        self._dsn = pool.conninfo if isinstance(pool.conninfo, str) else ""
        self._account = account
        self._livemode = livemode
        self._keys: dict[str, _Known] = {}
        self._identities: dict[str, _Known] = {}
        self._callers: dict[str, Caller] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._used: dict[str, float] = {}
        self._flushed_at = time.monotonic()

    def by_key(self, key: Key) -> Caller | None:
        """Whose key it is; None when it is unknown, expired or revoked."""
        known = self._keys.get(key.id)
        right = hmac.compare_digest(known.digest if known else _NOBODY, key.digest)
        if known is None or not right or key.livemode != self._livemode or known.expires <= time.time():
            return None
        self._used[key.id] = time.time()
        return known.caller

    def by_identity(self, identity: str) -> Caller | None:
        """Whose certificate it is."""
        known = self._identities.get(identity)
        return known.caller if known and known.expires > time.time() else None

    def named(self, name: str) -> Caller | None:
        """The caller of that name, for the limits of a token's bearer."""
        return self._callers.get(name)

    def require_fresh(self) -> None:
        """Raises `Unavailable` when the database has been away so long that what is known may be wrong."""
        if time.monotonic() - self._read_at > STALE_SECONDS:
            raise Unavailable("DATABASE_UNREACHABLE", "Who may call cannot be read from the database.")

    async def refresh(self, *, after_seconds: float = 0.0) -> None:
        """Read every caller, unless that was less than `after_seconds` ago."""
        async with self._reading:
            began = time.monotonic()
            if began - self._read_at >= after_seconds:
                await self._read()
                self._read_at = began

    async def look_again(self) -> None:
        """Read every caller as of now; who asks while others do shares their answer, and waits no longer than that."""
        asked = time.monotonic()
        async with self._reading:
            if self._read_at < asked:
                await asyncio.sleep(self._read_at + PAUSE_SECONDS - asked)
                began = time.monotonic()
                await self._read()
                self._read_at = began

    async def _read(self) -> None:
        with translated(self._dsn):
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(_READ, {"account_id": self._account})).fetchall()
        self._keys, self._identities, self._callers = {}, {}, {}
        for row in rows:
            self._remember(*row)

    def _remember(
        self, name: str, roles: list[str], rate: float | None, amounts: Any, expires: float | None, *proofs: Any
    ) -> None:
        until = float("inf") if expires is None else expires
        caller = Caller(name, frozenset(roles), rate, amounts)
        self._callers[name] = caller
        for id_, digest, key_expires in proofs[0]:
            key_until = until if key_expires is None else min(until, key_expires)
            self._keys[id_] = _Known(caller, bytes.fromhex(digest), key_until)
        for identity in proofs[1]:
            self._identities[identity] = _Known(caller, _NOBODY, until)

    async def keep(self) -> None:
        """What is due now: a fresh copy, and once a minute when keys were used; trouble is only logged."""
        try:
            await self.refresh(after_seconds=REFRESH_SECONDS)
            if time.monotonic() - self._flushed_at >= USED_SECONDS:
                await self.flush()
        except (Problem, psycopg.Error) as trouble:
            log.warning("callers_not_read", reason=type(trouble).__name__)

    async def flush(self) -> None:
        """Store when keys were used last."""
        self._flushed_at = time.monotonic()
        used, self._used = self._used, {}
        if used:
            with translated(self._dsn):
                async with self._pool.connection() as connection:
                    await connection.execute(_USED, {"ids": list(used), "times": list(used.values())})
