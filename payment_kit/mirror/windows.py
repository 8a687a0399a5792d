"""Windows: the pieces of a stream that a backfill reads, several at once, and how far each has been read.

A list that filters by creation time starts as one window over all time. While readers have nothing to do, the window
with the most left is cut in the middle of what is left; an empty piece costs one request. Every other list is one
window. How far a window is saved is written in the transaction that wrote its objects (`Place`), so a killed backfill
goes on behind the last page of each.

Stripe lists the newest first (docs.stripe.com/api/pagination), so a page covers all creation times from its last object
to where the page before ended; the second of its last object may go on behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from payment_kit.database.connection import Pool
from payment_kit.database.queries import sql
from payment_kit.mirror.stripe_object import Listing, Payload
from payment_kit.mirror.writer import Connection

STRIPE_BEGAN = 1_293_840_000
"""2011-01-01: no object of Stripe's is older. Where nothing better is known, cutting starts here."""
SPLIT_OBJECTS_LEAST = 300
"""A window is cut when about so many objects are left: three pages."""
BOUNDARY_MAX = 2_000
"""Ids kept of one second; a list with more in one second is not searched for deletions in that second."""
LATEST = 1 << 40

_WINDOWS = sql("backfill.windows")
_FORGET = sql("backfill.forget")
_BEGIN = sql("backfill.begin")
_START = sql("sync.start")
_SPLIT = sql("backfill.split")
_ADVANCE = sql("backfill.advance")


class Range(NamedTuple):
    """Creation times (Unix seconds, both inclusive) of which a page, with `also` from before, showed every object."""

    low: int
    high: int
    also: tuple[str, ...]


class Place(NamedTuple):
    """How far a window has been read, as it is saved; `objects` since the place before."""

    id: int
    after: str
    reached: int | None
    boundary: tuple[str, ...] | None
    objects: int
    finished: bool


@dataclass(slots=True)
class Window:
    """Objects of one list created in ``first..before`` (Unix seconds, `before` exclusive; None is without an end).

    The reader's own view, ahead of what is saved. `boundary` holds the ids seen of the second `reached`; None when they
    were too many to keep.
    """

    id: int
    listing: str
    first: int = 0
    before: int | None = None
    after: str = ""
    reached: int | None = None
    boundary: tuple[str, ...] | None = ()
    finished: bool = False
    per_second: float = field(default=0.0, compare=False)
    """Objects in a second of the last page."""
    splitting: bool = field(default=False, compare=False)

    def created(self) -> dict[str, int]:
        """The filter of its requests; empty when it has no bound."""
        return ({"gte": self.first} if self.first else {}) | ({} if self.before is None else {"lt": self.before})

    def follow(self, page: Sequence[Payload], *, more: bool, first: int) -> Range | None:
        """Take up a page that was asked for with `first`; returns what it covers, None when that is not known."""
        times = [_created(one) for one in page]
        more = more and bool(page)
        last = None if None in times or not times else times[-1]
        low = last + 1 if more and last is not None else first
        high = self._high()
        covered = Range(low, high, self.boundary or ()) if (last is not None or not page) and low <= high else None
        if page:
            self.after = page[-1]["id"]
        if last is not None:
            self._stand_at(last, tuple(one["id"] for one, time in zip(page, times, strict=True) if time == last))
            self.per_second = len(page) / max(1, (times[0] or last) - last)
        self.finished = not more or (self.first > 0 and self.reached is not None and self.reached < self.first)
        return covered

    def _high(self) -> int:
        if self.reached is None:
            return LATEST if self.before is None else self.before - 1
        return self.reached - 1 if self.boundary is None else self.reached

    def _stand_at(self, second: int, ids: tuple[str, ...]) -> None:
        if second != self.reached:
            self.reached, self.boundary = second, ids
        elif self.boundary is not None:
            self.boundary = (*self.boundary, *ids)
        if self.boundary is not None and len(self.boundary) > BOUNDARY_MAX:
            self.boundary = None

    def begin_again_behind_the_gone(self) -> None:
        """The object to go on behind is not there any more: go on with its second, or from the start."""
        self.after = ""
        if self.reached is not None:
            self.before = self.reached + 1

    def left(self, floor: int) -> int:
        """Seconds still to be read; nothing is older than `floor`."""
        return 0 if self.finished or self.reached is None else max(0, self.reached - max(self.first, floor))

    def middle(self, floor: int) -> int | None:
        """Where to cut it; None when it is too little for that."""
        left = self.left(floor)
        if self.splitting or left < 2 or left * self.per_second < SPLIT_OBJECTS_LEAST:
            return None
        return max(self.first, floor) + left // 2

    def place(self, objects: int) -> Place:
        """What is to be saved with the objects of the page taken up last."""
        return Place(self.id, self.after, self.reached, self.boundary, objects, self.finished)


def _created(payload: Payload) -> int | None:
    # An invoice item says `date` (docs.stripe.com/api/invoiceitems/object).
    found = payload.get("created", payload.get("date"))
    return found if isinstance(found, int) else None


# ---- in the database ------------------------------------------------------------------------------------------------


def listing_name(listing: Listing) -> str:
    """What a window calls its list."""
    query = "&".join(f"{name}={value}" for name, value in sorted(dict(listing.params).items()))
    return f"{listing.path}?{query}" if query else listing.path


@dataclass(frozen=True, slots=True)
class Saved:
    """A stream under way: since when (Stripe's Unix second), how many objects so far, and its windows."""

    started: int
    objects: int
    windows: list[Window]


async def saved(pool: Pool, account_id: str, stream: str) -> Saved | None:
    """What an interrupted backfill left of a stream; None when it was read to its end or never begun."""
    async with pool.connection() as connection:
        rows = await (await connection.execute(_WINDOWS, {"account_id": account_id, "stream": stream})).fetchall()
    if not rows:
        return None
    windows = [
        Window(
            id_, listing, first or 0, before, after, reached, None if boundary is None else tuple(boundary), finished
        )
        for id_, listing, _, first, before, after, reached, boundary, _, finished in rows
    ]
    return Saved(rows[0][2], sum(row[8] for row in rows), windows)


async def begin(pool: Pool, account_id: str, stream: str, started: int, listings: Sequence[Listing]) -> None:
    """Start a stream from its beginning, whatever was left of it."""
    key = {"account_id": account_id, "stream": stream}
    names = [listing_name(listing) for listing in listings]
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_FORGET, key)
        await connection.execute(_BEGIN, key | {"started": started, "listings": names})
        await connection.execute(_START, key | {"position": orjson.dumps({"started": started}).decode()})


async def split(pool: Pool, window: Window, middle: int) -> Window:
    """Cut the part before `middle` off a window that is being read."""
    window.splitting = True
    async with pool.connection() as connection:
        row = await (await connection.execute(_SPLIT, {"id": window.id, "middle": middle})).fetchone()
    assert row is not None, "a window under way has a row"
    older = Window(row[0], window.listing, window.first, middle)
    # Only now: had it ended at `middle` before that is saved, a kill would lose the older part.
    window.first, window.splitting = middle, False
    return older


async def advance(connection: Connection, account_id: str, stream: str, places: Sequence[Place]) -> None:
    """Save how far windows have been read: of each the last place, with the objects of all."""
    objects: dict[int, int] = {}
    last: dict[int, Place] = {}
    for place in places:
        objects[place.id] = objects.get(place.id, 0) + place.objects
        last[place.id] = place
    rows: list[Mapping[str, Any]] = [
        {**place._asdict(), "objects": objects[id_]} for id_, place in sorted(last.items())
    ]
    given = {"account_id": account_id, "stream": stream, "windows": orjson.dumps(rows).decode()}
    await connection.execute(_ADVANCE, given)


async def forget(connection: Connection, account_id: str, stream: str) -> None:
    """A stream was read to its end."""
    await connection.execute(_FORGET, {"account_id": account_id, "stream": stream})
