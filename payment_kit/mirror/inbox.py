"""The inbox: every verified event, stored whole before it is acknowledged. The row is the job.

Deliveries that arrive together are stored by one statement: while one batch is written the next one gathers, so one
flush to disk serves many and a lone delivery waits for nobody.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import orjson
import psycopg

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import Unavailable, UsageProblem
from payment_kit.stripe_gateway.text import clean_json

Source = Literal["webhook", "grpc", "catch_up"]
CHANNEL = "payment_kit_inbox"
BATCH_MAX = 100
NOTIFY_INTERVAL_SECONDS = 0.1
CREATED_MAX = 2**33
TEXT_CHARACTERS_MAX = 255

_STORE = sql("inbox.store")
_STORE_MISSING = sql("inbox.store_missing")
_NOTIFY = sql("inbox.notify")


class Envelope(NamedTuple):
    """What is known of an event before anyone looks into its object. `account` is a connected account's id or None."""

    id: str
    type: str
    created: int
    account: str | None
    livemode: bool
    api_version: str | None
    object_id: str | None
    body: bytes


class Receipt(NamedTuple):
    """The event is stored and survives us; `new` is false for one that had reached us before."""

    event_id: str
    type: str
    new: bool


def envelope(body: bytes) -> Envelope:
    """Read the envelope of one event; raises `UsageProblem` BODY_INVALID when `body` is not one.

    The body is kept byte for byte, except that characters no PostgreSQL can hold are replaced (see text.py).
    """
    try:
        body = clean_json(body)
        event = orjson.loads(body)
    except ValueError:
        raise UsageProblem("BODY_INVALID", "The body is not JSON.") from None
    if not isinstance(event, dict) or event.get("object") not in ("event", "v2.core.event"):
        raise UsageProblem("BODY_INVALID", "The body is not a Stripe event.")
    data = event.get("data")
    payload = data.get("object") if isinstance(data, dict) else event.get("related_object")
    return Envelope(
        id=_text(event, "id"),
        type=_text(event, "type"),
        created=_created(event.get("created")),
        account=_text(event, "account") if event.get("account") else None,
        livemode=event.get("livemode") is True,
        api_version=_text(event, "api_version") if event.get("api_version") else None,
        object_id=_object_id(payload),
        body=body,
    )


class Inbox:
    """The inbox of one key; events without an account of their own belong to `account_id`.

    `platform` is the account of the key, whose worker applies them; by default `account_id` itself. `arrived` is set
    whenever something was stored, for a worker in this process; others hear a NOTIFY on `CHANNEL`.
    """

    def __init__(self, pool: Pool, account_id: str, platform: str | None = None) -> None:
        self.account_id = account_id
        self.platform = platform or account_id
        self.arrived = asyncio.Event()
        self._pool = pool
        self._waiting: list[tuple[Envelope, Source, asyncio.Future[bool]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._notified_at = 0.0

    async def store(self, envelope: Envelope, source: Source) -> Receipt:
        """Store one delivery durably; a repeated one is counted. Raises `Unavailable` while the database is away."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((envelope, source, stored))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        return Receipt(envelope.id, envelope.type, await stored)

    async def store_missing(self, envelopes: Sequence[Envelope], source: Source) -> int:
        """Store those that never reached us, without counting the others as delivered; returns how many were new."""
        rows = self._rows([(envelope, source, 0) for envelope in envelopes])
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_STORE_MISSING, rows)
            return cursor.rowcount

    async def _flush(self) -> None:
        """Store what waits, batch after batch; callers who went away wait no longer."""
        while waiting := [entry for entry in self._waiting if not entry[2].done()]:
            batch, self._waiting = waiting[:BATCH_MAX], waiting[BATCH_MAX:]
            try:
                new = await self._insert([(envelope, source) for envelope, source, _ in batch])
            except asyncio.CancelledError:
                for _, _, stored in (*batch, *self._waiting):
                    stored.cancel()
                raise
            except BaseException as error:  # noqa: BLE001 - whoever waits is told of it
                failure = _storage_away(error) if isinstance(error, psycopg.Error) else error
                for _, _, stored in batch:
                    if not stored.done():
                        stored.set_exception(failure)
                continue
            for envelope, _, stored in batch:
                if not stored.done():
                    stored.set_result(envelope.id in new)
            self.arrived.set()
        self._waiting.clear()

    async def _insert(self, deliveries: Sequence[tuple[Envelope, Source]]) -> set[str]:
        counted: dict[tuple[str | None, str], tuple[Envelope, Source, int]] = {}
        for envelope, source in deliveries:
            _, _, times = counted.get((envelope.account, envelope.id), (envelope, source, 0))
            counted[envelope.account, envelope.id] = (envelope, source, times + 1)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_STORE, self._rows(list(counted.values())))
            new = {event_id for event_id, was_new in await cursor.fetchall() if was_new}
            # Its own statement: NOTIFY takes a lock that would make every commit to disk wait for the one before.
            if time.monotonic() - self._notified_at >= NOTIFY_INTERVAL_SECONDS:
                self._notified_at = time.monotonic()
                await connection.execute(_NOTIFY, {"channel": CHANNEL})
        return new

    def _rows(self, deliveries: Sequence[tuple[Envelope, Source, int]]) -> Mapping[str, Any]:
        rows = [(one.account or self.account_id, one, source, times) for one, source, times in deliveries]
        rows.sort(key=lambda row: (row[0], row[1].id))
        envelopes = [envelope for _, envelope, _, _ in rows]
        return {
            "platform": self.platform,
            "account_ids": [account_id for account_id, _, _, _ in rows],
            "event_ids": [envelope.id for envelope in envelopes],
            "types": [envelope.type for envelope in envelopes],
            "object_ids": [envelope.object_id for envelope in envelopes],
            "created": [envelope.created for envelope in envelopes],
            "livemode": [envelope.livemode for envelope in envelopes],
            "api_versions": [envelope.api_version for envelope in envelopes],
            "bodies": [envelope.body for envelope in envelopes],
            "sources": [source for _, _, source, _ in rows],
            "deliveries": [times for _, _, _, times in rows],
        }


def _storage_away(error: Exception) -> Unavailable:
    reason = "DATABASE_FULL" if isinstance(error, psycopg.errors.DiskFull) else "DATABASE_UNREACHABLE"
    problem = Unavailable(reason, "The event could not be stored; Stripe will send it again.")
    problem.__cause__ = error
    return problem


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= TEXT_CHARACTERS_MAX:
        raise UsageProblem("BODY_INVALID", f"The event's {name} is missing or no short text.", field=name)
    return value


def _created(value: object) -> int:
    if isinstance(value, str):
        value = _unix_seconds(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= CREATED_MAX:
        raise UsageProblem("BODY_INVALID", "The event's created is no time.", field="created")
    return value


def _unix_seconds(text: str) -> int | None:
    """Thin event notifications write their time as ISO 8601."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None


def _object_id(payload: object) -> str | None:
    found = payload.get("id") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else None
