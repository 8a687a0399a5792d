"""How the mirror stands: what it is complete through and why not further, what waits, how much it holds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.backfill import streams as listed_streams
from payment_kit.mirror.catalogue import TABLES
from payment_kit.mirror.catch_up import LIST_SECONDS_MAX
from payment_kit.mirror.catch_up import STREAM as EVENTS
from payment_kit.mirror.event_types import looked_at, why_not_mirrored
from payment_kit.stripe_gateway.gateway import API_VERSION

CLAIMING = (EVENTS, "balance_transactions")
"""The streams every catch-up reads again; beside them those of polling."""
OF_PLATFORMS = "accounts"
"""No accounts are connected to a connected account, so nobody lists them there."""
POLLED = "polled "
"""What the streams of polling.py begin with."""
NAMES_MAX = 6
"""So many streams are named in one sentence."""

_STREAMS = sql("sync.streams")
_LAG = sql("inbox.lag")
_FIRST_UNAPPLIED = sql("inbox.first_unapplied")
_PLATFORM = sql("accounts.platform")
_DELIVERIES = sql("inbox.deliveries")


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of Stripe's and the moment of Stripe's time before which all of it is in the mirror.

    `running`: it is being read, or was broken off. `refused`: why Stripe does not let this key read it. `gap`: the time
    whose events are gone from Stripe's list, until everything was listed anew; its beginning may be unknown.
    """

    name: str
    complete_through: datetime | None
    objects: int
    running: bool
    refused: str = ""
    gap: tuple[datetime | None, datetime] | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """Events that wait or were given up, the age in seconds of the oldest that waits (0 when none does), and reads of
    Stripe that are owed, the oldest since a moment of Stripe's time."""

    waiting: int
    dead: int
    oldest_seconds: float
    owed: int
    owed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Events of one type that brought no row, and why; `looked_at` is false for a type nobody has decided about yet."""

    type: str
    events: int
    looked_at: bool
    why: str


@dataclass(frozen=True, slots=True)
class Status:
    """What `sync status` and `doctor` show of one account.

    `state` is COMPLETE when all of Stripe before `complete_through` (Stripe's time) is in the mirror, else PENDING for
    `reasons`. `events`: stored events by outcome (``waiting`` among them); `deliveries`: how often events reached us;
    `unmapped`: events that brought no row, by type, and all of types nobody looked at; `rows`: rows per table that are
    not deleted; `versions`: those of another API version than the pinned one, by table and version.
    """

    state: Literal["COMPLETE", "PENDING"]
    reasons: tuple[str, ...]
    complete_through: datetime | None
    streams: tuple[Stream, ...]
    lag: Lag
    events: Mapping[str, int]
    deliveries: int
    unmapped: tuple[Unmapped, ...]
    rows: Mapping[str, int]
    versions: Mapping[str, Mapping[str, int]]


async def status(pool: Pool, account_id: str) -> Status:
    """The mirror of one account, read in one snapshot."""
    key = {"account_id": account_id}
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set transaction isolation level repeatable read, read only")
        streams = [_stream(*row) for row in await (await connection.execute(_STREAMS, key)).fetchall()]
        lag = await (await connection.execute(_LAG, key)).fetchone()
        events = await (await connection.execute(_DELIVERIES, key)).fetchall()
        held = await (await connection.execute(_count_rows(), key)).fetchall()
        late = await (await connection.execute(_FIRST_UNAPPLIED, key)).fetchone()
        platform = await (await connection.execute(_PLATFORM, key)).fetchone()
    now = Lag(*lag) if lag else Lag(0, 0, 0.0, 0)
    expected = set(listed_streams()) - ({OF_PLATFORMS} if platform and platform[0] else set())
    reasons = tuple(_reasons(streams, now, expected))
    outcomes, rows = Counter[str](), Counter[str]()
    for _, outcome, count, _ in events:
        outcomes[outcome] += count
    for table, _, count in held:
        rows[table] += count
    return Status(
        "PENDING" if reasons else "COMPLETE",
        reasons,
        _through(streams, late[0] if late else None),
        tuple(streams),
        now,
        dict(outcomes),
        sum(deliveries for *_, deliveries in events),
        tuple(_unmapped(events)),
        {table: rows[table] for table in TABLES},
        _versions(held),
    )


async def lag(pool: Pool, account_id: str) -> Lag:
    """Only the lag: cheap enough to ask every second."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_LAG, {"account_id": account_id})).fetchone()
    return Lag(*row) if row else Lag(0, 0, 0.0, 0)


def _stream(
    name: str,
    through: datetime | None,
    objects: int,
    running: bool,
    refused: str,
    gap_from: int | None,
    gap_to: int | None,
    finished_at: datetime | None,
) -> Stream:
    gap = None if gap_to is None else (None if gap_from is None else _utc(gap_from), _utc(gap_to))
    return Stream(name, through, objects, running, refused, gap, finished_at)


def _through(streams: Sequence[Stream], late: int | None) -> datetime | None:
    """What all streams that are read again and again are complete through; `late`: the oldest thing not applied."""
    known = {one.name: one.complete_through for one in streams if one.name in CLAIMING or one.name.startswith(POLLED)}
    through = [known.get(name) for name in {*CLAIMING, *known}]
    found = [one for one in (*through, None if late is None else _utc(late)) if one is not None]
    return None if None in through else min(found)


def _reasons(streams: Sequence[Stream], lag: Lag, names: set[str]) -> Iterator[str]:
    """Why the mirror is not complete, in words; nothing when it is. `names`: the streams a backfill reads."""
    events = next((one for one in streams if one.name == EVENTS), None)
    yield from _reasons_of_events(events)
    for one in (one for one in streams if one.refused and one is not events):
        after = "" if one.name.startswith(POLLED) else "; with the right to read it, run `payment-kit sync backfill`"
        yield f"{one.name}: Stripe refused: {one.refused}{after}"
    # What was never finished: a list that is only read again is complete through its last end all the same.
    unfinished = [one for one in streams if one.name in names and one.complete_through is None and not one.refused]
    if unfinished:
        objects = sum(one.objects for one in unfinished)
        yield f"the first copy is running, or was broken off, at {objects:,} objects of {_named(unfinished)}"
    if events is not None and events.complete_through is not None and not events.gap:
        never = sorted(names - {one.name for one in streams})
        if never:
            yield f"never listed: {_listed(never)}; run `payment-kit sync backfill`"
    if lag.waiting:
        yield f"events wait to be applied: {lag.waiting:,}, the oldest for {lag.oldest_seconds:.0f} s"
    if lag.dead:
        yield f"events were given up: {lag.dead:,}; see last_error in payment_kit.inbox"
    if lag.owed and lag.owed_since:
        yield f"reads of Stripe are owed: {lag.owed:,}, the oldest since {_shown(lag.owed_since)}"


def _reasons_of_events(events: Stream | None) -> Iterator[str]:
    if events is not None and events.refused:
        yield f"Stripe refused: {events.refused}"
    if events is not None and events.gap:
        begin, end = events.gap
        if begin is None:
            yield "the first copy is not complete"
        else:
            yield (
                f"events of {_shown(begin)} to {_shown(end)} are gone from Stripe's list; deletions in the gap are "
                "looked for by the backfill"
            )
    elif events is None or events.complete_through is None:
        yield "nothing was compared with Stripe yet; run `payment-kit sync catch-up`"
    elif events.finished_at is not None and _age_seconds(events.finished_at) > LIST_SECONDS_MAX:
        yield (
            f"the last catch-up ended {_shown(events.finished_at)}, longer ago than Stripe keeps events; the next one "
            "lists everything anew"
        )


def _unmapped(events: Sequence[Sequence[Any]]) -> Iterator[Unmapped]:
    counts = Counter[str]()
    for type_, outcome, count, _ in events:
        if outcome == "unmapped" or not looked_at(type_):
            counts[type_] += count
    for type_, count in sorted(counts.items()):
        known = looked_at(type_)
        why = why_not_mirrored(type_) or ("no table holds its object" if known else "nobody has looked at this type")
        yield Unmapped(type_, count, known, why)


def _versions(held: Sequence[Sequence[Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for table, version, count in held:
        if version not in (None, API_VERSION):
            found.setdefault(table, {})[version] = count
    return found


def _count_rows() -> bytes:
    counts = (
        f"select '{table}', api_version, count(*) from stripe.{table}"
        " where account_id = %(account_id)s and deleted_at is null group by api_version"
        for table in TABLES
    )
    return " union all ".join(counts).encode()


def _named(streams: Sequence[Stream]) -> str:
    return _listed([one.name for one in streams])


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + rest


def _shown(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _age_seconds(time: datetime) -> float:
    return (datetime.now(UTC) - time).total_seconds()


def _utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
