"""What a business act has in its hands: requests with ids that follow from the act alone, and seeded choices.

Nothing an act does depends on how many acts came before it, so a history stays itself when acts are taken out of it.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from payment_kit.sandbox import triggers
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.ids import share
from tests.convergence.account import Account

Json = dict[str, Any]
Choice = TypeVar("Choice")

CURRENCIES = ("usd", "eur", "jpy", "kwd")
STEPS = {"kwd": 10}
"""Dinars have three decimals, but cards move in tens."""


class Shop:
    """One act's hands. `name` tells the act from all others of its history."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name
        self._asked = 0
        self._drawn = 0

    def share(self) -> float:
        """A number in [0, 1), the next of this act."""
        self._drawn += 1
        return share(self.name, self._drawn)

    def happens(self, probability: float) -> bool:
        """A seeded coin."""
        return self.share() < probability

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of a few."""
        return choices[int(self.share() * len(choices))]

    def number(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int(self.share() * (high - low + 1))

    def money(self, currency: str) -> int:
        """A plausible amount in minor units."""
        return self.number(80, 9000) * STEPS.get(currency, 1)

    def row(self, kind: str, where: Callable[[Json], object] = bool, account: str | None = None) -> Json | None:
        """One object of a kind, None when there is none; the choice does not follow from how many there are."""
        self._drawn += 1
        found = [row for row in self.account.rows(kind, account) if where(row)]
        return min(found, key=lambda row: share(self.name, self._drawn, row["id"]), default=None)

    async def post(self, path: str, account: str | None = None, /, **params: Any) -> Json:
        """A write; the answer, or what stands in a refusal's ``error`` (with no ``id`` then)."""
        return await self._ask("POST", f"/v1/{path}", params, account)

    async def get(self, path: str, /, **params: Any) -> Json:
        """A read."""
        return await self._ask("GET", f"/v1/{path}", params, None)

    async def delete(self, path: str) -> Json:
        """A removal."""
        return await self._ask("DELETE", f"/v1/{path}", {}, None)

    async def outside(self, path: str, **params: Any) -> Json:
        """What customers and banks do."""
        return await self._ask("POST", f"/_sandbox/{path}", params, None)

    def trigger(self, event: str) -> None:
        """Make an event of a type happen through objects of its own."""
        try:
            triggers.run(self.account.sandbox.store, self.account.sandbox.delivery, event)
        except ApiError as error:
            if error.status >= 500:
                raise

    async def _ask(self, method: str, path: str, params: Json, account: str | None) -> Json:
        self._asked += 1
        key = f"{self.name}.{self._asked}" if method == "POST" and path.startswith("/v1/") else None
        status, body, _ = await self.account.ask(method, path, params, key=key, account=account)
        if status >= 500:
            raise AssertionError(f"the sandbox failed: {method} {path} {params}: {body}")
        found: Json = body.get("error", body)
        return found
