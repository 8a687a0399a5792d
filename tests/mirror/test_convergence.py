"""A business crowded into a few seconds, delivered badly to two workers: the mirror still ends equal to Stripe."""

import asyncio
import random
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import identify
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import Business, different, mirrored

CHANGES = 40


class Hurried(Business):
    """Nearly everything happens in the same second."""

    def pass_time(self, seconds: int) -> None:
        """One second now and then, whatever was asked for."""
        if random.Random(self.sandbox.now + seconds).random() < 0.05:
            super().pass_time(1)

    async def edit(self, rng: random.Random) -> None:
        """Change customers back and forth, which is what only a refetch can settle."""
        customers = sorted((await self.truth())["customer"])
        for _ in range(CHANGES):
            changes: dict[str, Any] = {"name": rng.choice("abc")}
            if rng.random() < 0.5:
                changes["metadata"] = {rng.choice("xy"): rng.choice("12")}
            await self.post(f"customers/{rng.choice(customers)}", **changes)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ties_losses_repetitions_and_two_workers_end_in_stripes_rows(
    gateway: StripeGateway, pool: Pool, sandbox: Sandbox, inbox: Inbox, seed: int
) -> None:
    rng, business, account = random.Random(seed), Hurried(gateway, sandbox), await identify(gateway, pool)
    workers = [Worker(pool, gateway, account.id) for _ in range(2)]
    await catch_up(gateway, pool, account)
    await business.trade(20)
    await business.edit(rng)
    events = [one async for page in gateway.list("/v1/events") for one in page.data]
    arrivals = [one for one in events if rng.random() > 0.1]
    arrivals += rng.choices(arrivals, k=30)
    rng.shuffle(arrivals)
    for start in range(0, len(arrivals), 40):
        lot = [envelope(orjson.dumps(one)) for one in arrivals[start : start + 40]]
        await asyncio.gather(*(inbox.store(one, "webhook") for one in lot))
        await asyncio.gather(*(worker.drain() for worker in workers))
        if start == 80:
            await backfill(gateway, pool, account)
    await catch_up(gateway, pool, account)
    assert different(await mirrored(pool), await business.truth()) == []
    assert sum(worker.tally.paid for worker in workers) > 0
