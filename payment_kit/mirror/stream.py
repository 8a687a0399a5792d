"""One stream of a backfill: all lists of one kind, read by several readers, written in batches.

Readers take windows (windows.py), one page after the other, and put what they read into one batch; the batch, the
places of its windows and the suspicions it raises (missed.py) are one transaction. While a batch is written the next
is read, and no more than that is in memory.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from payment_kit.database.connection import Pool, through_deadlocks
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Problem, Refused, Unavailable, UsageProblem
from payment_kit.mirror import missed, windows
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.missed import Covered
from payment_kit.mirror.order import State
from payment_kit.mirror.pages import page_states, write_reads
from payment_kit.mirror.reading import Reading, complete, expanding, parameters, read_list, read_object
from payment_kit.mirror.stripe_object import Listing, StripeObject
from payment_kit.mirror.windows import STRIPE_BEGAN, Place, Window, listing_name
from payment_kit.mirror.writer import Connection
from payment_kit.stripe_gateway.gateway import Page, StripeGateway

READERS = 8
PARENTS_AT_ONCE = 8
PARENTS_MAX = 100
STATES_AT_ONCE = 500
"""A batch is written from then on; readers under way make it up to `READERS` pages more. It bounds memory."""
SAVE_SECONDS = 1.0
"""Pages that came slowly wait no longer for a full batch."""
RESUME_SECONDS_MAX = 7 * 24 * 3600
"""A stream begun longer ago is begun anew: what changed behind it must still be in Stripe's list of events."""
SHARE_LEAST = 0.01
"""Of the time to be read; before that, nobody can say how much there will be."""

_COMPLETE = sql("sync.complete")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stream (a table's name) has come.

    `objects` were read since it was begun, `written` counts the rows this run changed, `total` is how many objects
    there may be (None: unknown). `refused` holds Stripe's reason when this key may not read all of it: then it is not
    complete.
    """

    stream: str
    objects: int
    written: int
    finished: bool
    total: int | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What the streams of one backfill share; `now` is Stripe's Unix second before its first request."""

    gateway: StripeGateway
    pool: Pool
    account: Account
    now: int
    report: Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one answer brought: states, where its window stands behind it, and what to look for because of it."""

    states: Sequence[State]
    place: Place
    covered: Covered | None = None
    look: Callable[[Connection], Awaitable[None]] | None = None


def swept(entry: StripeObject, *, livemode: bool = False) -> list[Listing]:
    """The lists a backfill reads for a kind. Test clocks exist in test mode only."""
    if entry.name == "entitlements.active_entitlement_summary":
        # Events alone show a summary; it is put together from the list of each customer, if there are features.
        nested, features = entry.carried[0], CATALOGUE["entitlements.feature"]
        given = f"exists (select from stripe.{features.table} where account_id = parents.account_id)"
        return [Listing(nested.path, per="customer", where=given)]
    found = [listing for listing in entry.listings if listing.swept]
    return [one for one in found if not (livemode and "test_clock" in f"{one.path} {one.per}")]


class Stream:
    """One kind's lists, from where they were left.

    `lacking` says why what its lists are asked by is not complete: then it is not complete either.
    """

    def __init__(self, run: Run, entry: StripeObject, lacking: str | None = None) -> None:
        self._run = run
        self._entry = entry
        self._listings = {listing_name(one): one for one in swept(entry, livemode=run.account.livemode)}
        self._floor = run.account.created or STRIPE_BEGAN
        self._open: deque[Window] = deque()
        self._windows: list[Window] = []
        self._busy: list[Window] = []
        self._places: dict[int, Place] = {}
        self._changed = asyncio.Event()
        self._batch = _Batch(self._save)
        self._started = run.now
        self._progress = Progress(entry.table, 0, 0, finished=False, refused=lacking)

    async def read(self) -> Progress:
        """Read to the end. Raises the gateway's problems; everything saved before is kept."""
        await self._resume()
        try:
            await each(lambda _number: self._work(), range(READERS), READERS)
            await self._batch.flush()
        except Problem:
            # Stripe's, not the database's: what was read until then is kept.
            await self._batch.flush()
            raise
        finally:
            await self._batch.close()
        settle = missed.settle(self._run.gateway, self._run.pool, self._run.account, self._entry)
        try:
            changed = await settle
        except Problem as problem:
            self._refuse(problem)
        else:
            self._progress = replace(self._progress, written=self._progress.written + changed)
        if self._progress.refused is None:
            await self._complete()
        return self._tell()

    async def _resume(self) -> None:
        run, stream = self._run, self._entry.table
        left = await windows.saved(run.pool, run.account.id, stream)
        known = left is not None and {window.listing for window in left.windows} <= self._listings.keys()
        if left is None or not known or run.now - left.started > RESUME_SECONDS_MAX:
            await windows.begin(run.pool, run.account.id, stream, run.now, list(self._listings.values()))
            left = await windows.saved(run.pool, run.account.id, stream)
        if left is not None:
            self._started = left.started
            self._progress = replace(self._progress, objects=left.objects)
            self._windows = left.windows
            self._places = {window.id: window.place(0) for window in left.windows}
            self._open = deque(window for window in left.windows if not window.finished)

    async def _complete(self) -> None:
        key = {"account_id": self._run.account.id, "stream": self._entry.table}
        async with self._run.pool.connection() as connection, connection.transaction():
            await windows.forget(connection, **key)
            await connection.execute(_COMPLETE, key | {"complete_through": self._started, "objects": 0})
        self._progress = replace(self._progress, finished=True, total=self._progress.objects)

    # ---- readers ----

    async def _work(self) -> None:
        """One reader: windows until there is no more to be had."""
        while (window := await self._next()) is not None:
            listing = self._listings[window.listing]
            try:
                await (self._read_parents if listing.per else self._read_window)(window, listing)
            except Problem as problem:
                self._refuse(problem)
            finally:
                self._busy.remove(window)
                self._wake()

    async def _next(self) -> Window | None:
        """A window to read: one that waits, or half of what is left of another; None when nothing is left."""
        while True:
            if self._open:
                self._busy.append(self._open.popleft())
                return self._busy[-1]
            if not self._busy:
                return None
            widest = max(self._busy, key=lambda window: window.left(self._floor) * window.per_second)
            middle = widest.middle(self._floor) if self._listings[widest.listing].created else None
            if middle is not None:
                older = await windows.split(self._run.pool, widest, middle)
                self._windows.append(older)
                self._busy.append(older)
                return older
            await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _refuse(self, problem: Problem) -> None:
        """Remember that Stripe does not show this key a list; raises what is no such refusal."""
        why = _refusal(problem)
        if why is None:
            raise problem
        self._progress = replace(self._progress, refused=self._progress.refused or why)

    async def _read_window(self, window: Window, listing: Listing) -> None:
        while not window.finished:
            first = window.first
            page = await self._page(window, listing)
            if page is None:
                continue
            await complete(self._run.gateway, self._entry, page.data, account=self._run.account.header, bulk=True)
            seen = window.follow(page.data, more=page.has_more, first=first)
            covered = Covered(seen, [one["id"] for one in page.data], page.server_time) if seen else None
            self._wake()
            await self._batch.add(_Part(page_states(page), window.place(len(page.data)), covered))

    async def _page(self, window: Window, listing: Listing) -> Page | None:
        params = {**parameters(listing), **expanding(self._entry, "data.")}
        created, run = window.created(), self._run
        params |= ({"created": created} if created else {}) | ({"starting_after": window.after} if window.after else {})
        try:
            return await run.gateway.page(listing.path, params, account=run.account.header, bulk=True)
        except (NotFound, UsageProblem) as problem:
            if not window.after or problem.field != "starting_after":
                raise
            window.begin_again_behind_the_gone()
            return None

    async def _read_parents(self, window: Window, listing: Listing) -> None:
        """Ask once per parent, in the order of their ids, several at a time."""
        while parents := await self._parents(listing, window.after):
            reads = await each(lambda parent: self._read_parent(listing, parent), parents, PARENTS_AT_ONCE)
            found = [one for one in reads if one is not None]
            states = await self._worth_a_row([state for one in found for state in one.states()])
            window.after = parents[-1]
            objects = sum(len(one.payloads) for one in found) if self._entry.listings else len(states)
            look = self._look_below(listing, parents, found)
            await self._batch.add(_Part(states, window.place(objects), look=look))
        window.finished = True

        async def look_for_orphans(connection: Connection) -> None:
            await missed.suspect_orphans(connection, self._run.account, self._entry, listing, self._started)

        await self._batch.add(_Part((), window.place(0), look=look_for_orphans))

    async def _parents(self, listing: Listing, after: str) -> list[str]:
        given = {"account_id": self._run.account.id, "after": after, "limit": PARENTS_MAX}
        query = f"""
            select id from stripe.{CATALOGUE[str(listing.per)].table} as parents
            where account_id = %(account_id)s and deleted_at is null and id > %(after)s and {listing.where or "true"}
            order by id limit %(limit)s
        """.encode()
        async with self._run.pool.connection() as connection:
            return [row[0] for row in await (await connection.execute(query, given)).fetchall()]

    async def _read_parent(self, listing: Listing, parent: str) -> Reading | None:
        """One parent's list; None when the parent is gone."""
        run, options = self._run, {"account": self._run.account.header, "bulk": True}
        try:
            if not self._entry.listings:
                return await read_object(run.gateway, self._entry, parent, **options)  # type: ignore[arg-type]
            return await read_list(run.gateway, listing, parent, **options)  # type: ignore[arg-type]
        except NotFound as gone:
            if gone.metadata.get("stripe_code") != "resource_missing":
                raise
            return None

    async def _worth_a_row(self, states: list[State]) -> list[State]:
        """Without the summaries of customers who are entitled to nothing and never were."""
        if self._entry.listings:
            return states
        field, table = self._entry.carried[0].field, self._entry.table
        query = f"select id from stripe.{table} where account_id = %(account_id)s and id = any(%(ids)s)".encode()
        given = {"account_id": self._run.account.id, "ids": [state.id for state in states]}
        async with self._run.pool.connection() as connection:
            known = {row[0] for row in await (await connection.execute(query, given)).fetchall()}
        return [state for state in states if state.id in known or state.raw[field]["data"]]

    def _look_below(
        self, listing: Listing, parents: Sequence[str], found: Sequence[Reading]
    ) -> Callable[[Connection], Awaitable[None]]:
        ids = [one["id"] for read in found for one in read.payloads if "id" in one]
        at = max((read.time for read in found), default=self._started)

        async def look(connection: Connection) -> None:
            run = self._run
            await missed.suspect_below(connection, run.account, self._entry, listing, self._started, parents, ids, at)

        return look

    # ---- the writer ----

    async def _save(self, parts: Sequence[_Part]) -> None:
        # Another backfill, or a worker, may hold what this one wants.
        written = await through_deadlocks(lambda: self._save_once(parts))
        self._places |= {part.place.id: part.place for part in parts}
        made = self._progress
        objects = made.objects + sum(part.place.objects for part in parts)
        self._progress = replace(made, objects=objects, written=made.written + written, total=self._estimate(objects))
        self._tell()

    async def _save_once(self, parts: Sequence[_Part]) -> int:
        run, account = self._run, self._run.account
        states = [state for part in parts for state in part.states]
        async with run.pool.connection() as connection, connection.transaction():
            written = await write_reads(connection, account, states)
            if missed.can_vanish(self._entry):
                covered = [part.covered for part in parts if part.covered]
                await missed.suspect_in_ranges(connection, account, self._entry, self._started, covered)
            for part in parts:
                if part.look:
                    await part.look(connection)
            await windows.advance(connection, account.id, self._entry.table, [part.place for part in parts])
        return written

    def _estimate(self, objects: int) -> int | None:
        """How many there will be, by the share of time that is read; None when no one can say."""
        whole = (self._run.now - self._floor) * len(self._listings)
        if self._run.account.created is None or whole <= 0 or not all(one.created for one in self._listings.values()):
            return None
        left = sum(self._left(window) for window in self._windows)
        share = 1 - min(whole, left) / whole
        return round(objects / share) if share >= SHARE_LEAST else None

    def _left(self, window: Window) -> int:
        """Seconds of a window that are not saved yet."""
        place = self._places.get(window.id)
        if place is not None and place.finished:
            return 0
        end = place.reached if place is not None else None
        if end is None:
            end = self._run.now if window.before is None else window.before
        return max(0, end - max(window.first, self._floor))

    def _tell(self) -> Progress:
        self._run.report(self._progress)
        return self._progress


class _Batch:
    """Parts on their way to the database: one batch is written while the next is gathered, in the order they came."""

    def __init__(self, save: Callable[[Sequence[_Part]], Awaitable[None]]) -> None:
        self._save = save
        self._parts: list[_Part] = []
        self._states = 0
        self._since = 0.0
        self._saving: asyncio.Task[None] | None = None

    async def add(self, part: _Part) -> None:
        """Take a part; waits while two batches are under way. Raises what the saving of an earlier one raised."""
        self._since = self._since if self._parts else time.monotonic()
        self._parts.append(part)
        self._states += len(part.states)
        while self._is_due():
            if self._saving is not None:
                await asyncio.wait({self._saving})
                self._reap()
            if self._is_due() and self._saving is None:
                self._begin()

    async def flush(self) -> None:
        """Until everything is saved."""
        while self._saving is not None or self._parts:
            if self._saving is not None:
                await asyncio.wait({self._saving})
                self._reap()
            elif self._parts:
                self._begin()

    async def close(self) -> None:
        """Break off what is being saved."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)

    def _is_due(self) -> bool:
        waited = time.monotonic() - self._since
        return self._states >= STATES_AT_ONCE or (bool(self._parts) and waited >= SAVE_SECONDS)

    def _begin(self) -> None:
        parts, self._parts, self._states = self._parts, [], 0
        self._saving = asyncio.create_task(self._all(parts), name="backfill writer")

    async def _all(self, parts: Sequence[_Part]) -> None:
        await self._save(parts)

    def _reap(self) -> None:
        if self._saving is not None and self._saving.done():
            # One that failed stays: what was read behind it must never be saved, or a resumed run would skip its pages.
            self._saving.result()
            self._saving = None


def _refusal(problem: Problem) -> str | None:
    """Why Stripe does not show a list to this key: a right or a feature it has not; None for any other problem."""
    if isinstance(problem, Refused | NotFound) or problem.reason == "STRIPE_REFUSED_PARAMETER":
        return problem.what
    if isinstance(problem, Unavailable) and problem.metadata.get("http_status") == "501":
        return "Stripe does not have this list here (501)."
    return None
