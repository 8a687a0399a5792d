"""A desk whose gateway fails as it is told."""

from collections.abc import AsyncIterator

import pytest

from payment_kit.database.connection import Pool
from payment_kit.payments.desk import Desk, open_desk
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway

from ..waiting import SECONDS_MAX
from .faulty import Faulty


@pytest.fixture
def faulty(gateway: StripeGateway) -> Faulty:
    return Faulty(gateway)


@pytest.fixture
async def faulty_desk(faulty: Faulty, pool: Pool, sandbox: Sandbox) -> AsyncIterator[Desk]:
    desk = open_desk(pool, faulty, account=sandbox.account_id, livemode=False)  # type: ignore[arg-type]
    yield desk
    for task in desk.writes._running:
        task.cancel()
    await desk.writes.settle(SECONDS_MAX)
