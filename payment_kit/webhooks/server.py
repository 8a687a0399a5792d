"""Serves the receiver over HTTP on the running event loop, for as long as its block lasts."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from payment_kit.addresses import bound, listening
from payment_kit.certificates import Certificates
from payment_kit.webhooks.receiver import App

BACKLOG = 1024
CONCURRENCY_MAX = 1000
STOP_SECONDS = 10


class WebhookServer:
    """``async with WebhookServer(app, host=…, port=…) as server: server.port``; port 0 takes a free one.

    With `shared` other processes may serve at the same port. Leaving the block takes no new request and lets the
    running ones end. Outside this machine only with `certificates`. Raises `UsageProblem` PORT_TAKEN and BIND_INSECURE.
    """

    def __init__(
        self,
        app: App,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        shared: bool = False,
        certificates: Certificates | None = None,
    ) -> None:
        self.host = listening(host, protected=certificates is not None)
        self.port = port
        self._shared = shared
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_Protocol,
                log_config=None,
                access_log=False,
                server_header=False,
                interface="asgi3",
                lifespan="off",
                ws="none",
                proxy_headers=False,
                limit_concurrency=CONCURRENCY_MAX,
                timeout_graceful_shutdown=STOP_SECONDS,
                ssl_context_factory=(lambda *_: certificates.context()) if certificates else None,
            )
        )

    async def __aenter__(self) -> Self:
        listening = bound(self.host, self.port, shared=self._shared)
        listening.listen(BACKLOG)
        self.port = listening.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve([listening]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to whoever owns the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """uvicorn's own, whose answers leave in one piece.

    It writes the head of an answer and its body apart, which on uvloop are two system calls and two TCP segments.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]


class _Joined:
    """A transport that sends what is written within one turn of the event loop at once."""

    __slots__ = ("_loop", "_transport", "_written")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        written, self._written = self._written, []
        if written:
            self._transport.write(b"".join(written))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
