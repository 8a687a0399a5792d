"""The audit: what was done and what was refused, append-only, in a chain of hashes.

A write's row is stored by the statement that stores its outcome (requests.finish), in the transaction that changes the
mirror. Were its hash computed there too, every write would wait for the commit of the one before it. So rows are stored
without, and a second later one process after the other takes what waits, in the order of their ids, and seals it: one
hash for each row, over the one before. Only rows of the last second are not in the chain, and they stand in a list.

What the chain cannot show by itself is that its end was cut off: keep the head that `verify` prints somewhere else.
"""

import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import psycopg
import structlog

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.errors import Problem

BATCH_MAX = 500
SHOWN_MAX = 100
KINDS_MAX = 1000
"""How many kinds of refusals one batch tells apart."""
GATHER_SECONDS = 0.1
START = bytes(32)
"""What the first row is chained to."""
_ADD, _ALONE, _TAKE, _HEAD = sql("audit.add"), sql("audit.alone"), sql("audit.take"), sql("audit.head")
_SEAL, _SEALED = sql("audit.seal"), sql("audit.sealed")
_STRANGERS, _WAITING, _LIST = sql("audit.strangers"), sql("audit.waiting"), sql("audit.list")
Connection = psycopg.AsyncConnection[Any]

log = structlog.get_logger(__name__)


class Entry(NamedTuple):
    """What is told of a call; "" for what is not known."""

    caller: str
    method: str
    request_id: str
    object_id: str
    code: str


class Head(NamedTuple):
    """The end of a chain: how many rows it has, and the last hash."""

    position: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"


class Verdict(NamedTuple):
    """What a verification found: one sentence for each thing that is wrong."""

    head: Head
    unsealed: int
    wrong: list[str]


class Audit:
    """Stores refusals and seals rows, for one account."""

    def __init__(self, pool: Pool, account: str) -> None:
        self._pool = pool
        self._account = account
        self._waiting: Counter[Entry] = Counter()
        self._storing: asyncio.Task[None] | None = None

    async def refused(self, entry: Entry) -> None:
        """Returns when the refusal is stored. Those that come within a moment go together, and alike ones in one row,
        so a flood of them costs little; when the database is away the log has it."""
        if len(self._waiting) >= KINDS_MAX:
            entry = entry._replace(request_id="", object_id="")
        self._waiting[entry] += 1
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_soon())
        await asyncio.shield(self._storing)

    async def _store_soon(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        found, self._waiting = self._waiting, Counter()
        # Who comes from here on begins the next batch.
        self._storing = None
        try:
            async with self._pool.connection() as connection:
                await add(connection, self._account, found)
        except (psycopg.Error, Problem) as trouble:
            log.warning("refusals_not_stored", count=found.total(), reason=type(trouble).__name__)

    async def keep(self) -> None:
        """Seal what waits; trouble is only logged, the rows go on waiting."""
        try:
            async with self._pool.connection() as connection:
                while await seal(connection, self._account) == BATCH_MAX:
                    pass
        except (psycopg.Error, Problem) as trouble:
            log.warning("audit_not_sealed", reason=type(trouble).__name__)

    async def close(self) -> None:
        """Wait for what is being stored, and seal it."""
        with contextlib.suppress(asyncio.CancelledError):
            if self._storing:
                await self._storing
        await self.keep()


async def add(connection: Connection, account: str, found: Counter[Entry]) -> None:
    """Store entries, each as often as it is counted."""
    columns = zip(*found, strict=True)
    names = ("callers", "methods", "request_ids", "object_ids", "codes")
    given = {name: list(values) for name, values in zip(names, columns, strict=True)}
    await connection.execute(_ADD, {"account_id": account, "times": list(found.values()), **given})


async def seal(connection: Connection, account: str) -> int:
    """Put up to `BATCH_MAX` waiting rows into the chain; returns how many. None while another process is at it."""
    async with connection.transaction():
        alone = await (await connection.execute(_ALONE)).fetchone()
        if not alone or not alone[0]:
            return 0
        head = await _head(connection, account)
        cursor = await connection.execute(_TAKE, {"account_id": account, "limit": BATCH_MAX})
        rows = await cursor.fetchall()
        hashes, last = list[bytes](), head.hash
        for row in rows:
            last = hash_of(last, row)
            hashes.append(last)
        places = list(range(head.position + 1, head.position + 1 + len(rows)))
        given = {"positions": places, "ids": [row[0] for row in rows], "hashes": hashes}
        await connection.execute(_SEAL, {"account_id": account, **given})
    return len(rows)


def hash_of(before: bytes, row: Sequence[Any]) -> bytes:
    """SHA-256 over the hash before and the row: id, account, caller, method, request_id, object, code, times, and when
    in microseconds since 1970, as a JSON array."""
    return hashlib.sha256(before + orjson.dumps(list(row))).digest()


async def verify(connection: Connection, account: str, expected: Head | None = None) -> Verdict:
    """Compute the whole chain again. `expected` is a head it once had, and must still have had."""
    wrong, last = list[str](), Head(0, START)
    kept = expected is None
    while rows := await _rows(connection, _SEALED, account, after=last.position, limit=BATCH_MAX):
        for position, id_, hash_, there, *row in rows:
            wrong += _judged(last, position, id_, hash_, row if there else None)
            last = Head(position, hash_)
            kept = kept or last == expected
    if not kept:
        wrong.append(f"The chain never had the head {expected}: its end was cut off, or it was made anew.")
    strangers = await _rows(connection, _STRANGERS, account, limit=SHOWN_MAX)
    wrong += [f"Row {row[0]} was inserted: it is in no chain." for row in strangers]
    ((unsealed, lost),) = await _rows(connection, _WAITING, account)
    if lost:
        wrong.append(f"{lost} rows were deleted before they were sealed.")
    return Verdict(last, unsealed, wrong)


async def listing(
    connection: Connection, account: str, *, caller: str | None = None, refused: bool = False, limit: int = SHOWN_MAX
) -> list[dict[str, Any]]:
    """The newest rows first; of one `caller`, or only what was `refused`."""
    cursor = await connection.execute(
        _LIST, {"account_id": account, "caller": caller, "refused": refused, "limit": limit}
    )
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


def _judged(last: Head, position: int, id_: int, hash_: bytes, row: Sequence[Any] | None) -> list[str]:
    """What is wrong with one place of the chain. Each is held against the hash that stands before it, so that one
    changed row does not make every later one look changed."""
    if position != last.position + 1:
        return [f"Positions {last.position + 1} to {position - 1} of the chain were deleted, before row {id_}."]
    if row is None:
        return [f"Row {id_} was deleted; it had position {position}."]
    if hash_of(last.hash, row) != hash_:
        return [f"Row {id_} was changed, or its hash; it has position {position}."]
    return []


async def _head(connection: Connection, account: str) -> Head:
    row = await (await connection.execute(_HEAD, {"account_id": account})).fetchone()
    return Head(*row) if row else Head(0, START)


async def _rows(connection: Connection, query: Any, account: str, **more: Any) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, {"account_id": account, **more})).fetchall()
