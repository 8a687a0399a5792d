"""A process that has imported everything and forks: each fork is one run of the command line, in a few milliseconds.

python -m tests.crash.forks

Each line of stdin is one `Order` as JSON; each line of stdout is ``{"pid"}`` in the order of the orders, or
``{"pid", "ended"}`` for a process that is gone (negative: the signal). All processes end with stdin.
"""

import gc
import json
import os
import selectors
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from payment_kit import cli
from payment_kit.cli import serve, sync
from payment_kit.mirror.intake import Intake
from tests.crash import points

LOADED = (serve, sync)
"""Commands are loaded when they are called; here before."""


def main() -> None:
    """Fork and reap until stdin ends, then kill what is left."""
    signals, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    alive: set[int] = set()
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ)
        ready.register(signals, selectors.EVENT_READ)
        unread = b""
        while True:
            for key, _ in ready.select():
                if key.fd == signals:
                    os.read(signals, 4096)
                    _reap(alive)
                    continue
                if not (read := os.read(key.fd, 1 << 16)):
                    for pid in alive:
                        os.kill(pid, signal.SIGKILL)
                    return
                *orders, unread = (unread + read).split(b"\n")
                for order in orders:
                    alive.add(pid := _fork(json.loads(order)))
                    _say({"pid": pid})


def _reap(alive: set[int]) -> None:
    while alive:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        alive.discard(pid)
        _say({"pid": pid, "ended": os.waitstatus_to_exitcode(status)})


def _say(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _fork(order: dict[str, Any]) -> int:
    if pid := os.fork():
        return pid
    try:
        _run(order)
    except BaseException:  # noqa: BLE001  # a fork must never go on as its parent
        os.write(2, traceback.format_exc().encode())
    os._exit(70)


def _run(order: dict[str, Any]) -> NoReturn:
    """The command line, as its own process would run it, with a log for both outputs."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    points.install(Path(order["armed"]), order["bounds"])
    _skew(order["skew_seconds"])
    try:
        cli.main(order["words"])
    except SystemExit as ended:
        sys.stdout.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    raise AssertionError("the command line always exits")


def _skew(seconds: float) -> None:
    """Put this process's clock wrong, for everybody who reads it."""
    right = time.time

    def wrong() -> float:
        return right() + seconds

    time.time = wrong
    init: Any = Intake.__init__
    init.__defaults__ = tuple(wrong if default is right else default for default in init.__defaults__)


if __name__ == "__main__":
    main()
