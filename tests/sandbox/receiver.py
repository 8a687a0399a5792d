"""A real webhook receiver for tests of delivery."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import stripe
from aiohttp import web

from payment_kit.sandbox import Sandbox
from tests.sandbox.wire import ask, control


class Receiver:
    """A webhook receiver that remembers what it got; `status` is what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.status = 200
        self.text = "received " * 100
        self.url = ""
        self.came = asyncio.Condition()

    async def receive(self, request: web.Request) -> web.Response:
        self.got.append((await request.read(), request.headers["Stripe-Signature"]))
        async with self.came:
            self.came.notify_all()
        return web.Response(status=self.status, text=self.text)

    def ids(self, secret: str) -> list[str]:
        """The ids of what came, each verified by the SDK."""
        return [stripe.Webhook.construct_event(body, header, secret).id for body, header in self.got]

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        app = web.Application()
        app.router.add_post("/hook", self.receive)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        taken: int = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{taken}/hook"
        try:
            yield taken
        finally:
            await runner.cleanup()


async def register(sandbox: Sandbox, url: str, *types: str) -> dict[str, Any]:
    data = {"url": url} | {f"enabled_events[{at}]": name for at, name in enumerate(types or ("*",))}
    answer = await ask(sandbox, "POST", "/v1/webhook_endpoints", data)
    assert answer.status == 200, answer.body
    return answer.body


async def flush(sandbox: Sandbox) -> dict[str, Any]:
    done = await control(sandbox, "delivery/flush", timeout_seconds=30)
    assert done == {"flushed": True, "waiting": 0}
    counts: dict[str, Any] = (await ask(sandbox, "GET", "/_sandbox/stats")).body["delivery"]
    return counts
