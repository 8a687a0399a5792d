"""The mirror's parts, open and connected: a gateway to the sandbox, an inbox and a worker on a fresh database."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway


@pytest.fixture
async def gateway(sandbox: Sandbox) -> AsyncIterator[StripeGateway]:
    """A gateway to `sandbox` that does not retry."""
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url, retries=0) as opened:
        yield opened


@pytest.fixture
def inbox(pool: Pool, sandbox: Sandbox) -> Inbox:
    """The inbox of the sandbox's account."""
    return Inbox(pool, sandbox.account_id)


@pytest.fixture
def worker(pool: Pool, gateway: StripeGateway, inbox: Inbox) -> Worker:
    """A worker on that inbox; nothing runs until a test asks it to."""
    return Worker(pool, gateway, inbox.account_id, arrived=inbox.arrived)
