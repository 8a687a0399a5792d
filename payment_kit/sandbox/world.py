"""Worlds: the isolated accounts one sandbox holds, each with everything of its own, each opened by its own secret key.

Tests that run side by side take a key each and never see one another. A world keeps what belongs together: objects,
clock, delivery plan, webhook endpoints, idempotency keys, faults, requests seen and, with a state folder, its journal.
"""

import shutil
from collections.abc import Iterator
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

from payment_kit.sandbox import ids, keys, registry
from payment_kit.sandbox.delivery import Delivery
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.faults import Faults
from payment_kit.sandbox.journal import Journal
from payment_kit.sandbox.keys import Key
from payment_kit.sandbox.pace import Pace
from payment_kit.sandbox.requests import Seen
from payment_kit.sandbox.snapshots import Snapshots
from payment_kit.sandbox.store import Store

WORLDS_MAX = 256
_KNOWN_MAX = 10_000


class World:
    """One platform account with the accounts connected to it; `name` is "" for the default one."""

    def __init__(self, name: str, meta: dict[str, Any], folder: Path | None) -> None:
        self.name = name
        self.journal = Journal(folder)
        self.store: Store = Store(self.journal, meta, registry.LISTENERS)
        self.delivery: Delivery = Delivery(self.store)
        self.pace = Pace(self.store, self.delivery)
        self.snapshots = Snapshots(folder)
        self.faults = Faults(self.store)
        self.seen = Seen()
        self.in_use: set[tuple[str, str]] = set()
        self.used = 0
        self._request_ids = self._fresh_request_ids()

    @property
    def account_id(self) -> str:
        """``acct_sandbox…``"""
        return ids.account(self.store.meta["account_seed"])

    @property
    def stem(self) -> str:
        """What the restricted keys of this world begin with, after ``rk_test_``."""
        return f"{self.name}_" if self.name else "sandbox"

    def next_request_id(self) -> str:
        """``req_…``: the same for the same requests on a fresh or reset world, new ones after a restart."""
        return next(self._request_ids)

    def _fresh_request_ids(self) -> Iterator[str]:
        store = self.store
        so_far = store.meta["requests"], len(store.tables["event"].order), len(store.idempotency)
        numbers = count(1)
        return (ids.derive("request", store.meta["account_seed"], *so_far, number) for number in numbers)

    def account(self, id_: str, key: Key) -> Store:
        """The store of the account a ``Stripe-Account`` header names; raises `ApiError` 403 for a stranger's."""
        if id_ == self.account_id:
            return self.store
        row = self.store.get("account", id_) if "account" in self.store.tables else None
        if row is None or "deleted" in row:
            raise ApiError(
                403,
                f"The provided key '{key.redacted}' does not have access to account '{id_}' (or that account does not "
                "exist). Application access may have been revoked.",
                code="account_invalid",
                stored=False,
            )
        return self.store.connected[id_]

    def reset(self, meta: dict[str, Any]) -> None:
        """Start again, empty, with other settings."""
        self.store.reset(meta)
        self.delivery.reset()
        self.faults.release()
        self.faults = Faults(self.store)
        self.seen.clear()
        self._request_ids = self._fresh_request_ids()


class Worlds:
    """All worlds of one sandbox.

    At most `WORLDS_MAX` are open; then a new one is refused, for none is ever thrown away behind the back of the test
    that uses it. With `isolated` every ``sk_test_…`` key opens a world, else those that begin ``sk_test_sandbox_``.
    """

    def __init__(self, *, seed: int, now: int, state_dir: Path | None, isolated: bool) -> None:
        self.default = World("", fresh_meta(seed, now, seed), state_dir)
        self.isolated = isolated
        self._state_dir = state_dir
        self._start = (self.default.store.meta["account_seed"], self.default.store.meta["start"])
        self._named: dict[str, World] = {}
        self._known: dict[str, Key] = {}
        self._uses = count(1)
        self._running = False

    def __iter__(self) -> Iterator[World]:
        """The open worlds, the default one first."""
        yield self.default
        yield from self._named.values()

    @property
    def api_key(self) -> str:
        """The default account's secret key."""
        return ids.api_key(self._start[0])

    @property
    def publishable_key(self) -> str:
        """The default account's publishable key."""
        return publishable_key(self._start[0])

    async def key(self, authorization: str) -> Key:
        """The key of a request; raises `ApiError` 401 for one that is missing, malformed, live or not ours."""
        key = self._known.get(authorization)
        if key is None:
            key = await self._recognised(keys.presented(authorization))
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[authorization] = key
        key.world.used = next(self._uses)
        if key.made is not None:
            keys.alive(key)
        return key

    async def _recognised(self, text: str) -> Key:
        kind, rest = keys.parsed(text)
        if text in (self.api_key, self.publishable_key):
            return Key(kind, self.default, keys.redacted(text))
        if kind == keys.RESTRICTED:
            name = rest.rpartition("_")[0]
            world = self._named.get(name) if name else self.default
            if world is None and self._folder(name, exists=True):
                world = await self._open(name)
            made = keys.known(world.store, text) if world is not None else None
            if world is None or made is None:
                raise keys.refused(text)
            return Key(kind, world, keys.redacted(text), made)
        if not (rest.startswith("sandbox_") and len(rest) > len("sandbox_")) and not self.isolated:
            raise keys.refused(text)
        return Key(kind, self._named.get(rest) or await self._open(rest), keys.redacted(text))

    async def _open(self, name: str) -> World:
        if len(self._named) >= WORLDS_MAX:
            idle = min(self._named.values(), key=lambda world: world.used)
            key = keys.redacted(f"sk_test_{idle.name}")
            raise ApiError(
                429,
                f"This sandbox has {WORLDS_MAX} worlds open, its maximum; the one of {key} was used longest ago. Close "
                "one with POST /_sandbox/worlds/close and its key.",
                code="sandbox_worlds",
                stored=False,
            )
        seed = int.from_bytes(blake2b(f"{self._start[0]}/{name}".encode(), digest_size=7).digest())
        world = World(name, fresh_meta(seed, self._start[1], seed), self._folder(name))
        self._named[name] = world
        if self._running:
            await world.delivery.start()
        return world

    async def close_world(self, world: World) -> None:
        """Forget a world and, with a state folder, what it has on disk; the default one cannot be closed."""
        if world is self.default:
            raise ApiError(400, "The default account cannot be closed; reset it.", stored=False)
        del self._named[world.name]
        self.forget_keys()
        world.pace.run_at(0)
        # before anything is awaited: the key opens this world anew as soon as somebody uses it
        world.journal.close()
        folder = self._folder(world.name)
        if folder is not None:
            shutil.rmtree(folder)
        await world.delivery.stop()
        world.store.reset(world.store.meta)

    def forget_keys(self) -> None:
        """Look every key up again at its next use."""
        self._known.clear()

    async def start(self) -> None:
        """Begin to deliver, in the running loop."""
        self._running = True
        for world in self:
            await world.delivery.start()

    async def stop(self) -> None:
        """Stop delivering; what is not acknowledged stays owed."""
        self._running = False
        for world in self:
            world.pace.run_at(0)
            await world.delivery.stop()

    def close(self) -> None:
        """Give the state folders free."""
        for world in self:
            world.journal.close()

    def _folder(self, name: str, exists: bool = False) -> Path | None:
        if self._state_dir is None:
            return None
        folder = self._state_dir / "worlds" / blake2b(name.encode(), digest_size=12).hexdigest()
        return folder if folder.exists() or not exists else None


def publishable_key(seed: int) -> str:
    """The publishable key of a seed's account; it does not tell the secret one."""
    return "pk_test_sandbox" + ids.text(24, "publishable key", seed)


def fresh_meta(seed: int, now: int, account_seed: int) -> dict[str, Any]:
    """The settings of an empty world."""
    return {
        "account_seed": account_seed,
        "counts": {},
        "fail_next": {},
        "now": now,
        "plan": {},
        "requests": 0,
        "seed": seed,
        "start": now,
    }
