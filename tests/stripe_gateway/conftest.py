"""A gateway to a server that answers as it is told; its waits take no time."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import SecretStr

from payment_kit.stripe_gateway import StripeGateway

from .answering import Server, Waits

KEY = SecretStr("sk_test_gateway")


@pytest.fixture
async def server(unused_tcp_port: int) -> AsyncIterator[Server]:
    server = Server(f"http://127.0.0.1:{unused_tcp_port}")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    yield server
    await runner.cleanup()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def gateway(server: Server, waits: Waits) -> AsyncIterator[StripeGateway]:
    """It repeats nothing but what was refused for its rate, unless it is asked for patience."""
    async with StripeGateway(KEY, base=server.url, retries=0, timeout_seconds=60, sleep=waits) as gateway:
        yield gateway
