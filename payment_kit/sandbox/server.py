"""The sandbox as an object and as a server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from payment_kit.sandbox import clock, ids, registry
from payment_kit.sandbox.app import Door
from payment_kit.sandbox.control import fresh_meta
from payment_kit.sandbox.delivery import Delivery
from payment_kit.sandbox.journal import Journal
from payment_kit.sandbox.store import Store

START = 1_782_864_000  # 2026-07-01T00:00:00Z
BACKLOG = 512
CONCURRENCY_MAX = 1000
GRACEFUL_SECONDS = 3


class Sandbox:
    """A stateful Stripe account that runs offline.

    `seed` gives the account, its key and all ids; `now` is where its clock starts (unix seconds). With `state_dir` the
    state survives the process, and what is stored there wins over both. Raises `StateInUse` (an OSError) when another
    process has that folder open. `url` is where it is served, "" before.
    """

    def __init__(self, *, seed: int = 1, now: int = START, state_dir: Path | None = None) -> None:
        self._journal = Journal(state_dir)
        self.store = Store(self._journal, fresh_meta(seed, now, seed), registry.LISTENERS)
        self.delivery = Delivery(self.store)
        self.url = ""
        self.app = Starlette(routes=[Mount("/", app=Door(self.store, self.delivery))], lifespan=self._lifespan)

    @property
    def account_id(self) -> str:
        """``acct_sandbox…``"""
        return ids.account(self.store.meta["account_seed"])

    @property
    def api_key(self) -> str:
        """The one secret key this sandbox accepts."""
        return ids.api_key(self.store.meta["account_seed"])

    @property
    def now(self) -> int:
        """The virtual clock, unix seconds."""
        return self.store.now

    def advance_to(self, now: int) -> None:
        """Move the clock to `now`, doing what falls due; raises ValueError when that lies in the past."""
        if now < self.now:
            raise ValueError(f"the clock stands at {self.now} and does not go back to {now}")
        self.delivery.add(clock.advance(self.store, now))

    def close(self) -> None:
        """Give the state folder free. The sandbox must not be used afterwards."""
        self._journal.close()

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await self.delivery.start()
        try:
            yield
        finally:
            await self.delivery.stop()


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
