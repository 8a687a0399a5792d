"""Fixtures of the mirror's tests: the sandbox's account, and a business that trades there."""

import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import Account, identify
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import Business


@pytest.fixture
async def account(gateway: StripeGateway, pool: Pool) -> Account:
    """The account of the gateway's key, remembered in the database."""
    return await identify(gateway, pool)


@pytest.fixture
def business(gateway: StripeGateway, sandbox: Sandbox) -> Business:
    """A business that sells through `gateway`."""
    return Business(gateway, sandbox)
