"""The keeper of an embedded server: starts it, restarts it after every crash, and stops it when its last user is gone.

    python -m payment_kit.database.keeper STATE_FOLDER

It is a process of its own in a session of its own, so no user's exit, Ctrl-C or SIGKILL takes it along. Users hold a
shared lock (`payment_kit.lease`); once the kernel says nobody holds it, the keeper stops the server and exits. The
command returns when the server accepts connections, with nothing on stdout, or with the problem as JSON.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from payment_kit import lease
from payment_kit.database import server as servers
from payment_kit.errors import Problem

TICK_SECONDS = 0.2
RESTART_WAIT_SECONDS_MAX = 2.0
CALM_SECONDS = 60.0
"""A server that ran so long is started again at once when it dies; one that dies sooner waits longer each time."""
LEASE, MUTEX, KEEPER = "lease", "start", "keeper"


def main(state: Path) -> int:
    """Keep the server described in `state` until nobody uses it; 1 when it could not be started."""
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, _stop_on_signal)
    with _only_keeper(state) as descriptor:
        if descriptor is None:
            return 0
        os.ftruncate(descriptor, 0)  # an earlier keeper's number may have been longer
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)  # for people; the lock is what counts
        server = servers.load(state)
        if server is None:
            return 1
        child: subprocess.Popen[bytes] | None = None
        pid: int | None = None
        try:
            if not servers.adoptable(server):
                child = servers.start(server)
            pid = servers.running(server.data)
            _say_ready()
            _watch(server, child, pid, descriptor)
        except Problem as problem:
            print(json.dumps({"reason": problem.reason, "what": problem.what}), flush=True)
            _stop(server, pid)
            return 1
        except _Stopped:
            _stop(server, pid)
    return 0


def alive(state: Path) -> bool:
    """True while a keeper holds `state`; the kernel lets go of its lock however it dies."""
    return not lease.unused(state / KEEPER)


class _Stopped(Exception):
    """SIGTERM: the machine shuts down or an operator stops us."""


def _watch(server: servers.Server, child: subprocess.Popen[bytes] | None, pid: int | None, descriptor: int) -> None:
    wait, restart_at = 0.0, 0.0
    while True:
        time.sleep(TICK_SECONDS)
        if child is not None:
            child.poll()  # reap it if it died
        if _removed(server.state / KEEPER, descriptor):
            _stop(server, pid)
            return
        pid = servers.running(server.data, pid)
        if lease.unused(server.state / LEASE):
            with lease.exclusive(server.state / MUTEX):
                if lease.unused(server.state / LEASE):
                    _stop(server, pid)
                    # before the mutex, so that whoever waits for it sees no keeper
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                    return
        elif pid is None and time.monotonic() >= restart_at:
            wait = min(RESTART_WAIT_SECONDS_MAX, 2 * wait) if time.monotonic() < restart_at + CALM_SECONDS else 0.0
            child = _started_again(server)
            pid = child.pid if child is not None else None
            wait = wait or TICK_SECONDS
            restart_at = time.monotonic() + wait


def _started_again(server: servers.Server) -> subprocess.Popen[bytes] | None:
    """None when it cannot run at present, e.g. on a full disk: its log says why, and somebody may yet make room."""
    try:
        return servers.start(server)
    except Problem:
        return None


def _stop(server: servers.Server, pid: int | None) -> None:
    servers.stop(server.data)
    if pid is not None:
        servers.abandon(pid, server.data)
    servers.remove_socket(server.socket)
    if server.socket.is_dir():
        server.socket.rmdir()


@contextmanager
def _only_keeper(state: Path) -> Iterator[int | None]:
    descriptor = os.open(state / KEEPER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor if _locked(descriptor) else None
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _removed(path: Path, descriptor: int) -> bool:
    """True when somebody deleted the home folder under us, e.g. ``make clean`` while the server still ran."""
    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return True


def _say_ready() -> None:
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.close(nothing)


def _stop_on_signal(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
