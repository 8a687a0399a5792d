"""Real processes of the command line, started in milliseconds and killed for good."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.points import SIGN
from tests.waiting import until

BOUNDS: Mapping[str, float] = {
    "payment_kit.mirror.payer:LEASE_SECONDS": 0.5,
    "payment_kit.mirror.payer:BACKOFF_SECONDS_MAX": 0.5,
    "payment_kit.mirror.worker:POLL_SECONDS": 0.05,
    "psycopg_pool.base:AttemptWithBackoff.INITIAL_DELAY": 0.1,
    "payment_kit.stripe_gateway.patience:DELAY_SECONDS_MAX": 0.2,
}
"""Waits a test does not sit out: what a dead worker had taken is due again after half a second, not a minute."""
PROJECT = Path(__file__).parents[2]


@dataclass(slots=True)
class Process:
    """One run of the command line; `code` is its exit code once it is gone, negative for a signal."""

    pid: int
    log: Path
    code: int | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def kill(self) -> None:
        """SIGKILL; nothing happens when it is dead already."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    @property
    def said(self) -> str:
        """What it wrote to stdout and stderr."""
        return self.log.read_text(errors="replace")

    @property
    def died_at(self) -> str | None:
        """The point at which it died by itself."""
        last = self.said.rstrip().rpartition("\n")[2]
        return last.removeprefix(SIGN) if last.startswith(SIGN) else None


class Processes:
    """Starts processes in `folder`; `armed` is the file that says where the next one dies."""

    def __init__(self, folder: Path, forks: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.armed = folder / "armed"
        self.skew_seconds = 0
        self._forks = forks
        self._known: dict[int, Process] = {}
        self._coming: asyncio.Queue[int] = asyncio.Queue()
        self._count = 0

    def arm(self, point: str | None, passage: int = 1) -> None:
        """From now on whoever passes `point` for the `passage`-th time dies there; None: nobody does."""
        if point is None:
            self.armed.unlink(missing_ok=True)
            return
        draft = self.folder / "armed.new"
        draft.write_text(f"{point} {passage}")
        draft.replace(self.armed)

    async def start(
        self, words: Sequence[str], environment: Mapping[str, str], bounds: Mapping[str, float] = BOUNDS
    ) -> Process:
        """A process that runs ``payment-kit`` with these words, on a clock that is `skew_seconds` ahead."""
        self._count += 1
        log = self.folder / f"{self._count:04}_{'_'.join(words[:2])}.log"
        order: dict[str, Any] = {
            "words": list(words),
            "environment": dict(environment),
            "bounds": dict(bounds),
            "skew_seconds": self.skew_seconds,
            "armed": str(self.armed),
            "folder": str(self.folder),
            "log": str(log),
        }
        assert self._forks.stdin is not None
        self._forks.stdin.write(json.dumps(order).encode() + b"\n")
        pid = await self._coming.get()
        self._known[pid] = process = Process(pid, log)
        return process

    async def listen(self) -> None:
        """Hear of births and deaths."""
        assert self._forks.stdout is not None
        async for line in self._forks.stdout:
            heard = json.loads(line)
            if "ended" not in heard:
                self._coming.put_nowait(heard["pid"])
                continue
            # who dies at once may do so before its starter looked
            await until(lambda pid=heard["pid"]: pid in self._known)  # type: ignore[misc]
            process = self._known.pop(heard["pid"])
            process.code = heard["ended"]
            process.gone.set()


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[Processes]:
    """Everything started in the block is dead behind it."""
    forks = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.crash.forks",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    started = Processes(folder, forks)
    listening = asyncio.create_task(started.listen())
    try:
        yield started
    finally:
        assert forks.stdin is not None
        forks.stdin.close()
        await forks.wait()
        await listening
