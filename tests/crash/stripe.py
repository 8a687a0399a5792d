"""A Stripe for processes of their own: a sandbox over HTTP whose business goes on, and the post that brings its events.

The post is as stubborn as Stripe's: what was not acknowledged is sent again.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from payment_kit.sandbox import SandboxServer, versions
from payment_kit.sandbox.signing import body_of, signature
from payment_kit.webhooks.receiver import PATH
from tests.convergence.account import Account
from tests.convergence.acts import act

SECRET = "whsec_crash"
CONNECTIONS = 8
ACTS = ("new_customer", "edit_customer", "product", "price", "pay", "refund", "subscribe", "change_subscription",
        "draft_lines", "card", "tax_id", "edit_charge", "drop_customer", "credit", "bill", "coupon", "second", "second",
        "second")  # fmt: skip
OWING = ("bill", "bill", "draft_lines", "checkout", "edit_customer", "second")
"""Acts after which something has to be read: more than one change in a second, more lines than an event carries."""
FIRST = ("new_customer", "product", "new_customer", "product", "second", "checkout", "pay", "bill", "subscribe")


class Stripe:
    """One account, its business and its post."""

    def __init__(self, seed: int, session: aiohttp.ClientSession, port: int) -> None:
        self.account = Account(seed)
        self.acknowledged: set[str] = set()
        self.answers: list[int] = []
        self.refusals: list[str] = []
        self._rng = random.Random(seed)
        self._session = session
        self._gate = asyncio.Semaphore(CONNECTIONS)
        self._acts = 0
        self._bodies: dict[str, bytes] = {}
        self.ahead_seconds = 0
        self.url = f"http://127.0.0.1:{port}"

    @property
    def events(self) -> dict[str, bytes]:
        """Every event there ever was, by id, as its webhook shows it."""
        stores = dict(self.account.stores())
        for event in self.account.truth.told[len(self._bodies) :]:
            store = stores[event.get("account", self.account.id)]
            self._bodies[event["id"]] = body_of(event, versions.NEWEST, store)
        return self._bodies

    async def do_business(self, count: int, acts: Sequence[str] = ACTS) -> None:
        """So many of `acts`, which follow from the seed."""
        for _ in range(count):
            number = self._acts
            self._acts += 1
            name = FIRST[number] if number < len(FIRST) else self._rng.choice(acts)
            await act(self.account, name, f"act {number}")

    async def deliver(self, *, copies: int = 1, again: bool = False) -> None:
        """Send once what was not acknowledged (with `again` everything), shuffled, over `CONNECTIONS` connections."""
        bodies = [(id_, body) for id_, body in self.events.items() if again or id_ not in self.acknowledged]
        bodies *= copies
        self._rng.shuffle(bodies)
        await asyncio.gather(*(self._send(id_, body) for id_, body in bodies))

    def told_in_full(self) -> None:
        """Every event is known to have come, by whatever way."""
        self.acknowledged |= self.events.keys()

    @property
    def owing(self) -> int:
        """How many events were not acknowledged yet."""
        return len(self.events.keys() - self.acknowledged)

    async def _send(self, id_: str, body: bytes) -> None:
        async with self._gate:
            headers = {"Stripe-Signature": signature(body, [SECRET], int(time.time()) + self.ahead_seconds)}
            try:
                async with self._session.post(self.url + PATH, data=body, headers=headers) as answer:
                    text = await answer.text()
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                return
            self.answers.append(answer.status)
            if answer.status == 200:
                self.acknowledged.add(id_)
            else:
                self.refusals.append(text)

    async def answers_health(self) -> bool:
        """Does the receiver listen?"""
        try:
            async with self._session.get(self.url + "/healthz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, ConnectionError):
            return False


@asynccontextmanager
async def stripe(seed: int, port: int) -> AsyncIterator[Stripe]:
    """Its API is served on a free port; its post goes to `port`."""
    # Each delivery has a connection of its own: one kept alive may die with a server that never saw the request.
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as session:
        opened = Stripe(seed, session, port)
        async with SandboxServer(opened.account.sandbox):
            yield opened


def chosen(names: Sequence[str], seed: int) -> list[str]:
    """The names in a seeded order."""
    return random.Random(seed).sample(list(names), len(names))
