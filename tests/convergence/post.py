"""The mail between Stripe and us: each event in up to five copies, in any order, late, in old shapes, or not at all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from payment_kit.sandbox import event_types, thin, versions
from payment_kit.sandbox.ids import share
from payment_kit.sandbox.signing import body_of
from payment_kit.sandbox.store import Row
from tests.convergence.account import Account
from tests.convergence.counters import Arrivals

COPIES_MAX = 5
THIN = -1
NEWEST = versions.NEWEST


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of one event, as bytes; number `THIN` is the notification without the object."""

    id: str
    number: int
    body: bytes


class Post:
    """What waits to be delivered. The fate of an event follows from the seed and its id."""

    def __init__(self, account: Account, seed: int, met: Counter[str]) -> None:
        self._account, self._seed, self._met = account, seed, met
        self._seen = 0
        self._number: dict[str, int] = {}
        self._arrivals = Arrivals(met)
        self.waiting: list[Copy] = []
        self.lost: set[str] = set()
        self.loss = 0.3 * self._share("loss") if self._share("lossy") < 0.8 else 0.0
        self.thin = 0.15 if self._share("thins") < 0.3 else 0.0
        self.old = 0.5 * self._share("old") if self._share("aged") < 0.4 else 0.0

    def collect(self) -> None:
        """Take what Stripe has told since."""
        told = self._account.truth.told
        for number, event in enumerate(told[self._seen :], self._seen):
            self._number[event["id"]] = number
            self._take(event)
        self._seen = len(told)

    def _take(self, event: Row) -> None:
        name = event["id"]
        if self._share("thin", name) < self.thin and event_types.thin(event["type"]):
            self.waiting.append(Copy(name, THIN, orjson.dumps(thin.notification(event))))
            self._met["thin notification"] += 1
        if self._share("lost", name) < self.loss:
            self.lost.add(name)
            self._met["event lost"] += 1
            return
        copies = 1 + int(self._share("copies", name) ** 4 * COPIES_MAX)
        for number in range(copies):
            version = self._version(name, number)
            self.waiting.append(Copy(name, number, self._body(event, version)))
        if copies > 1:
            self._met["event duplicated"] += copies - 1

    def _version(self, name: str, number: int) -> str:
        if self._share("version", name, number) >= self.old:
            return NEWEST
        self._met["older API version"] += 1
        at = int(self._share("which", name, number) * len(versions.VERSIONS))
        return versions.VERSIONS[at]

    def _body(self, event: Row, version: str) -> bytes:
        store = dict(self._account.stores())[event.get("account", self._account.id)]
        return body_of(event, version, store)

    def take(self, count: int, name: str) -> Sequence[Copy]:
        """Some of what waits, in a random order that follows from `name`."""
        self.waiting.sort(key=lambda copy: share(name, copy.id, copy.number))
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def arrived(self, copy: Copy) -> None:
        """The mirror has acknowledged it."""
        if copy.number != THIN:
            number = self._number[copy.id]
            self._arrivals.arrived(number, self._account.truth.told[number])

    def back(self, copies: Sequence[Copy]) -> None:
        """These were not acknowledged: Stripe will send them again."""
        self.waiting += copies

    def _share(self, *parts: object) -> float:
        return share("post", self._seed, *parts)
