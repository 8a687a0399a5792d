"""The HTTP server around the receiver: where it listens, and how it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from payment_kit.errors import UsageProblem
from payment_kit.webhooks.receiver import Message, Receive, Send
from payment_kit.webhooks.server import WebhookServer


class Slow:
    """An app whose answer waits until it is let go."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def app(self, _scope: Message, _receive: Receive, send: Send) -> None:
        """Any request."""
        self.asked.set()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def _get(session: aiohttp.ClientSession, port: int) -> str:
    async with session.get(f"http://127.0.0.1:{port}/") as answer:
        return await answer.text()


async def test_port_0_takes_a_free_one(session: aiohttp.ClientSession) -> None:
    slow = Slow()
    slow.go.set()
    async with WebhookServer(slow.app) as server:
        assert server.port > 0
        assert await _get(session, server.port) == "done"


async def test_a_running_request_is_answered_before_the_server_ends(session: aiohttp.ClientSession) -> None:
    slow = Slow()
    async with WebhookServer(slow.app) as server:
        asking = asyncio.create_task(_get(session, server.port))
        await slow.asked.wait()
        asyncio.get_running_loop().call_later(0.2, slow.go.set)
    assert await asking == "done"


async def test_after_the_end_nothing_listens(session: aiohttp.ClientSession) -> None:
    async with WebhookServer(Slow().app) as server:
        pass
    with pytest.raises(aiohttp.ClientConnectionError):
        await _get(session, server.port)


async def test_a_port_somebody_else_has_is_refused() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(UsageProblem) as refused:
            async with WebhookServer(Slow().app, port=listening.getsockname()[1]):
                pass
    assert refused.value.reason == "PORT_TAKEN"


async def test_a_port_is_shared_by_those_who_say_so(session: aiohttp.ClientSession) -> None:
    async with (
        WebhookServer(Slow().app, shared=True) as one,
        WebhookServer(Slow().app, port=one.port, shared=True) as other,
    ):
        assert other.port == one.port
        with pytest.raises(UsageProblem) as refused:
            async with WebhookServer(Slow().app, port=one.port):
                pass
    assert refused.value.reason == "PORT_TAKEN"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_an_address_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(UsageProblem) as refused:
        WebhookServer(Slow().app, host=host)
    assert refused.value.reason == "BIND_INSECURE"
