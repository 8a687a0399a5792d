"""How the mirror stands: what it is complete through, what waits, how much it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.catalogue import TABLES

_STREAMS = sql("sync.streams")
_LAG = sql("inbox.lag")
_DELIVERIES = sql("inbox.deliveries")


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of Stripe's and the moment of Stripe's time before which all of it is in the mirror."""

    name: str
    complete_through: datetime | None
    objects: int
    running: bool


@dataclass(frozen=True, slots=True)
class Lag:
    """Events that wait or were given up, the age in seconds of the oldest that waits (0 when none does), and reads of
    Stripe that are owed."""

    waiting: int
    dead: int
    oldest_seconds: float
    owed: int


@dataclass(frozen=True, slots=True)
class Status:
    """What `sync status` and `doctor` show. `events`: stored events by outcome (``waiting`` among them);
    `rows`: rows per table that are not deleted; `deliveries`: how often events reached us."""

    streams: tuple[Stream, ...]
    lag: Lag
    events: Mapping[str, int]
    deliveries: int
    rows: Mapping[str, int]


async def status(pool: Pool, account_id: str) -> Status:
    """The mirror of one account, read in one snapshot."""
    key = {"account_id": account_id}
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set transaction isolation level repeatable read, read only")
        streams = await (await connection.execute(_STREAMS, key)).fetchall()
        lag = await (await connection.execute(_LAG, key)).fetchone()
        events = await (await connection.execute(_DELIVERIES, key)).fetchall()
        rows = await (await connection.execute(_count_rows(), key)).fetchall()
    return Status(
        tuple(Stream(name, through, count, begun and not ended) for name, through, count, begun, ended in streams),
        Lag(*lag) if lag else Lag(0, 0, 0.0, 0),
        {outcome: count for outcome, count, _ in events},
        sum(deliveries for _, _, deliveries in events),
        dict(rows),
    )


async def lag(pool: Pool, account_id: str) -> Lag:
    """Only the lag: cheap enough to ask every second."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_LAG, {"account_id": account_id})).fetchone()
    return Lag(*row) if row else Lag(0, 0, 0.0, 0)


def _count_rows() -> bytes:
    counts = (
        f"select '{table}', count(*) from stripe.{table} where account_id = %(account_id)s and deleted_at is null"
        for table in TABLES
    )
    return " union all ".join(counts).encode()
