"""The sandbox as an object and as a server."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from payment_kit.sandbox import clock
from payment_kit.sandbox.app import CLOSE, Door, Receive, Scope, Send
from payment_kit.sandbox.world import Worlds

START = 1_782_864_000  # 2026-07-01T00:00:00Z
BACKLOG = 512
CONCURRENCY_MAX = 1000
GRACEFUL_SECONDS = 3


class Sandbox:
    """A stateful Stripe that runs offline: a default account, and a world of its own for each key that asks for one.

    `seed` gives the default account, its key and all ids; `now` is where the clock starts (unix seconds). With
    `state_dir` the state survives the process, and what is stored there wins over both. With `isolated` every
    ``sk_test_…`` key opens a world of its own (see `keys`), else those that begin with ``sk_test_sandbox_``. Raises
    `StateInUse` (an OSError) when another process has that folder open. `url` is where it is served, "" before.
    """

    def __init__(
        self, *, seed: int = 1, now: int = START, state_dir: Path | None = None, isolated: bool = False
    ) -> None:
        self.worlds = Worlds(seed=seed, now=now, state_dir=state_dir, isolated=isolated)
        self.store, self.delivery = self.worlds.default.store, self.worlds.default.delivery
        self.url = ""
        self.door = Door(self.worlds)
        self.app = App(self.worlds, self.door)

    @property
    def account_id(self) -> str:
        """``acct_sandbox…``, the default account."""
        return self.worlds.default.account_id

    @property
    def api_key(self) -> str:
        """The secret key of the default account."""
        return self.worlds.api_key

    @property
    def publishable_key(self) -> str:
        """The publishable key of the default account."""
        return self.worlds.publishable_key

    @property
    def now(self) -> int:
        """The default account's virtual clock, unix seconds."""
        return self.store.now

    def advance_to(self, now: int) -> None:
        """Move that clock to `now`, doing what falls due; raises ValueError when that lies in the past."""
        if now < self.now:
            raise ValueError(f"the clock stands at {self.now} and does not go back to {now}")
        self.delivery.add(clock.advance(self.store, now))

    def close(self) -> None:
        """Give the state folder free. The sandbox must not be used afterwards."""
        self.worlds.close()


class App:
    """The ASGI application of a sandbox: requests go through the door, deliveries live as long as the server does."""

    def __init__(self, worlds: Worlds, door: Door) -> None:
        self.worlds, self.door = worlds, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one life of the server."""
        if scope["type"] == "http":
            await self.door(scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            await self.worlds.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.worlds.stop()
            await send({"type": "lifespan.shutdown.complete"})


class SandboxServer:
    """``async with SandboxServer(sandbox) as server:`` serves it over HTTP in the running loop at ``server.url``.

    Port 0 takes a free one. Raises OSError when the port is taken.
    """

    def __init__(self, sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sandbox, self._host, self._port = sandbox, host, port
        self.url = ""

    async def __aenter__(self) -> "SandboxServer":
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # Named, because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms for an ACK.
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((self._host, self._port))
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            raise
        name = f"[{self._host}]" if family == socket.AF_INET6 else self._host
        self.url = self.sandbox.url = f"http://{name}:{self._socket.getsockname()[1]}"
        self._server = _Server(
            uvicorn.Config(
                self.sandbox.app,
                lifespan="on",
                http=_Protocol,
                ws="none",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                limit_concurrency=CONCURRENCY_MAX,
                backlog=BACKLOG,
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
            )
        )
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await self._task
            raise OSError("the sandbox did not start")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        await self._task
        self._socket.close()


class _Protocol(HttpToolsProtocol):
    """HTTP whose connection a fault on demand can close."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CLOSE: {"now": self.transport.abort}}


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to its host and starts and stops without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._ended = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._ended.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready.set()

    async def main_loop(self) -> None:
        await self._ended.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_until(
    sandbox: Sandbox,
    host: str,
    port: int,
    stop: asyncio.Event | Callable[[], Awaitable[object]],
    on_ready: Callable[[str], None],
) -> None:
    """Serve until `stop` (an event that is set, or a function whose awaitable returns); `on_ready` gets the URL.

    Raises OSError when the port is taken.
    """
    async with SandboxServer(sandbox, host, port) as server:
        on_ready(server.url)
        await (stop.wait() if isinstance(stop, asyncio.Event) else stop())
