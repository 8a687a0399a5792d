"""The supervisor of the demo's `payment-kit serve`: starts it, kills it on request, starts it again when it dies."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from payment_kit.cli import demo_child
from payment_kit.errors import Broken, Problem

SERVE = ("serve", "--ready-json", "--no-catch-up", "--log-level", "warning")
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
RESTARTS_MAX = 100
LOG = "demo-serve.log"


class Serve:
    """One serving process group, after its first start on fixed ports; `starts` counts how often it was started."""

    def __init__(self, home: Path, environment: Mapping[str, str], ports: tuple[int, int] = (0, 0)) -> None:
        self.home = home
        self.grpc_port, self.webhook_port = ports
        self.starts = 0
        self.kills = 0
        self.failure: Problem | None = None
        self._environment = dict(environment)
        self._process: Process | None = None
        self._up = asyncio.Event()
        self._stopping = False
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts it and returns when it is ready; raises `Problem` when it is not within a minute."""
        log_path = self.home / LOG
        ports = ["--port", str(self.grpc_port), "--webhook-port", str(self.webhook_port)]
        command = [sys.executable, "-m", demo_child.__name__, *SERVE, *ports]
        environment = {**self._environment, demo_child.PARENT: str(os.getpid())}
        with log_path.open("wb" if self.starts == 0 else "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=PIPE, stderr=log, env=environment, start_new_session=True
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_SECONDS)
            ready = orjson.loads(line)
        except (TimeoutError, orjson.JSONDecodeError):
            self._signal(signal.SIGKILL)
            said = _last_line(log_path)
            raise Broken("DEMO_FAILED", f"`payment-kit serve` did not start; see {log_path}: {said}") from None
        self.grpc_port, self.webhook_port = ready["grpc_port"], ready["webhook_port"]
        self.starts += 1
        self._up.set()

    async def ended(self) -> None:
        """Returns never, or raises the `Problem` for which it could not be started again."""
        assert self._watcher is not None
        await asyncio.shield(self._watcher)
        if self.failure is not None:
            raise self.failure

    def watch(self) -> None:
        """From now on starts it again each time it ends, until `stop`; a start that fails ends in `failure`."""
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            while self.starts <= RESTARTS_MAX:
                assert self._process is not None
                await _drained(self._process)
                self._up.clear()
                if self._stopping:
                    return
                await self.start()
            raise Broken("DEMO_FAILED", f"`payment-kit serve` died {RESTARTS_MAX} times; see {self.home / LOG}.")
        except Problem as problem:
            self.failure = problem

    def kill(self) -> None:
        """SIGKILL to the whole process group: no handler, no goodbye."""
        self.kills += 1
        self._up.clear()
        self._signal(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """True while it is ready to be called (or to be killed)."""
        return self._up.is_set()

    async def stop(self) -> None:
        """Ends it gracefully, then by force; returns when it is gone."""
        self._stopping = True
        if self._watcher is not None:
            self._watcher.cancel()
        if self._process is None or self._process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


async def _drained(process: Process) -> None:
    """Reads what it prints, so that a full pipe never holds it up, and returns when it is gone."""
    assert process.stdout is not None
    while await process.stdout.read(1 << 16):
        pass
    await process.wait()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it is empty."


@asynccontextmanager
async def serving(home: Path, environment: Mapping[str, str], ports: tuple[int, int] = (0, 0)) -> AsyncIterator[Serve]:
    """A supervised `payment-kit serve` on these ports (0: a free one) for the length of the block."""
    serve = Serve(home, environment, ports)
    try:
        await serve.start()
        serve.watch()
        yield serve
    finally:
        await asyncio.shield(serve.stop())
