"""Programs that are measured: run to their end, or served until a block is left."""

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.peers.contenders import Command

RUN_SECONDS_MAX = 3600
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
LOOK_SECONDS = 0.05
SHOWN_CHARACTERS = 2000

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


class Failed(RuntimeError):
    """A program did not do what it was asked; the message ends in what it said last."""


@dataclass(frozen=True, slots=True)
class Ran:
    """Wall seconds of one program, the most memory it and its children held, in bytes, and what it wrote."""

    seconds: float
    peak_bytes: int
    said: str


def run(command: Command, log: Path) -> Ran:
    """Run `command` to its end; raises `Failed` when it fails. Its output is kept in `log`."""
    with log.open("w+b") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command.words, env=_environment(command), cwd=command.folder, stdout=out, stderr=subprocess.STDOUT
        )
        memory = _Memory(process.pid)
        try:
            process.wait(RUN_SECONDS_MAX)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            memory.stop()
        seconds = time.perf_counter() - began
        out.seek(0)
        said = out.read().decode(errors="replace")
    if process.returncode != 0:
        raise Failed(f"{' '.join(command.words)} ended with {process.returncode}: {said[-SHOWN_CHARACTERS:]}")
    return Ran(seconds, memory.peak_bytes, said)


@contextmanager
def served(commands: Sequence[Command], log: Path) -> Iterator[dict[str, Any]]:
    """Keep `commands` running; yields the line of JSON that the first one prints when it is ready."""
    with ExitStack() as stack:
        ready = [
            stack.enter_context(_serving(command, log.with_suffix(f".{at}"))) for at, command in enumerate(commands)
        ]
        yield ready[0]


@contextmanager
def _serving(command: Command, log: Path) -> Iterator[dict[str, Any]]:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command.words,
            env=_environment(command),
            cwd=command.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            yield _first_line(process, log)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _first_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS_MAX)
    line = process.stdout.readline() if readable else b""
    if not line.startswith(b"{"):
        raise Failed(f"{process.args!r} was not ready: {line!r} {log.read_text()[-SHOWN_CHARACTERS:]}")
    said: dict[str, Any] = orjson.loads(line)
    return said


def _environment(command: Command) -> dict[str, str]:
    return {**os.environ, **command.settings}


class _Memory:
    """The most memory that each process of a tree was ever resident with, added up.

    Linux only. What the kernel tells after the end (ru_maxrss) counts the size of whoever started the process as well.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def peak_bytes(self) -> int:
        return sum(self._peaks.values())

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            waiting = [self._pid]
            while waiting:
                pid = waiting.pop()
                with contextlib.suppress(OSError):
                    status = Path(f"/proc/{pid}/status").read_text()
                    found = _PEAK.search(status)
                    if found:  # not so of a process that has ended
                        self._peaks[pid] = int(found[1]) * 1024
                    waiting += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
