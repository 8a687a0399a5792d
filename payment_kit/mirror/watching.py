"""Many who watch the changes of one account, each at its own pace, woken by one connection."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing

from payment_kit.database.connection import Pool
from payment_kit.database.listening import Bell
from payment_kit.errors import Busy, UsageProblem
from payment_kit.mirror import changes
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.changes import Change

WATCHERS_MAX = 200
"""How many may watch at once in one process; each holds one page of changes at most."""
HEARTBEAT_SECONDS = 10.0


class Watching:
    """The changes of one account; made once per process."""

    def __init__(self, pool: Pool, account: str, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._pool = pool
        self._account = account
        self._heartbeat_seconds = heartbeat_seconds
        self._bell = Bell(pool, changes.CHANNEL, name="payment-kit watchers")
        self._watchers = 0

    async def watch(
        self, cursor: str, kinds: Collection[str], *, stop: asyncio.Event
    ) -> AsyncGenerator[tuple[Change | None, str], None]:
        """Every change behind `cursor` (empty: from now on) of an object of `kinds` (empty: all), each with the cursor
        behind it; None at the beginning and when there was none for a while. Ends when `stop` is set.

        Nothing is read ahead of whoever asks for the next but the page it is in. Raises `UsageProblem` FIELD_INVALID
        for a kind nobody knows and CURSOR_INVALID, `Busy` WATCHERS_TOO_MANY.
        """
        unknown = next((kind for kind in kinds if kind not in CATALOGUE), None)
        if unknown is not None:
            what = f"objects may hold the names of mirrored objects, not {unknown[:100]!r}."
            raise UsageProblem("FIELD_INVALID", what, field="objects")
        if self._watchers >= WATCHERS_MAX:
            raise Busy("WATCHERS_TOO_MANY", f"{WATCHERS_MAX} streams of changes are open.", retry_after_seconds=5.0)
        self._watchers += 1
        try:
            at = cursor or await changes.now(self._pool)
            changes.check(at)
            yield None, at
            async with aclosing(self._behind(at, frozenset(kinds), stop)) as found:
                async for told in found:
                    yield told
        finally:
            self._watchers -= 1

    async def _behind(
        self, at: str, kinds: frozenset[str], stop: asyncio.Event
    ) -> AsyncGenerator[tuple[Change | None, str], None]:
        told = time.monotonic()
        pages = changes.pages(self._pool, at, stop=stop, bell=self._bell, idle_seconds=self._heartbeat_seconds)
        async with aclosing(pages) as found:
            async for page, cursor in found:
                for change in page:
                    if change.account_id == self._account and (not kinds or change.object in kinds):
                        yield change, change.cursor
                        told = time.monotonic()
                    if stop.is_set():
                        return
                # What is not for this watcher moves him on as well.
                if time.monotonic() - told >= self._heartbeat_seconds:
                    yield None, cursor
                    told = time.monotonic()
