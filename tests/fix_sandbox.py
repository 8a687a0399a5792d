"""A fresh sandbox served over real HTTP, and the unmodified stripe SDK talking to it."""

from collections.abc import AsyncIterator

import pytest_asyncio
import stripe

from payment_kit.sandbox import Sandbox, SandboxServer


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """An empty in-memory sandbox on a free port of this machine: ``.url``, ``.api_key``, ``.account_id``, ``.now``."""
    fresh = Sandbox()
    async with SandboxServer(fresh):
        yield fresh


@pytest_asyncio.fixture
async def stripe_client(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    """The SDK's client of that sandbox, for its ``…_async`` methods; it never retries."""
    http = stripe.AIOHTTPClient()
    yield stripe.StripeClient(
        sandbox.api_key, base_addresses={"api": sandbox.url}, http_client=http, max_network_retries=0
    )
    await http.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
