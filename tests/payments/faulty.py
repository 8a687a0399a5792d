"""A gateway that fails as it is told, and a look at what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from payment_kit.database.connection import Pool
from payment_kit.errors import Unavailable
from payment_kit.payments.idempotency import Request
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Reply, StripeGateway


class Faulty:
    """The real gateway with something going wrong after Stripe has answered a write, or before it is asked."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway = gateway
        self.answered = asyncio.Event()
        self.hang = False
        self.lose = False
        self.then: Callable[[], Awaitable[object]] | None = None
        self.hold_reads: asyncio.Event | None = None

    async def request(
        self, method: Any, path: str, params: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None
    ) -> Reply:
        if method == "get" and self.hold_reads is not None:
            self.answered.set()
            await self.hold_reads.wait()
        reply = await self._gateway.request(method, path, params, idempotency_key=idempotency_key)
        if method == "post":
            self.answered.set()
            if self.then:
                await self.then()
            if self.hang:
                await asyncio.Event().wait()
            if self.lose:
                raise Unavailable("STRIPE_OUTCOME_UNKNOWN", "The answer was lost.")
        return reply


def request(request_id: str, *, digest: bytes = b"body", seconds_left: float | None = None) -> Request:
    return Request(request_id, "CreateCustomer", digest, seconds_left)


def made(sandbox: Sandbox, kind: str = "customer") -> int:
    return len(list(sandbox.store.rows(kind)))


async def execute(pool: Pool, statement: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []
