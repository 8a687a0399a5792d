"""Shared use of one background server by several processes, counted by the kernel.

Every user of a server holds a shared lock on one file. The server's keeper tries to take the exclusive lock: when
it succeeds, nobody is left and the server stops. The kernel drops the locks of a process however it dies, so a
SIGKILL leaves no server behind and no stale count.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def use(path: Path) -> Iterator[None]:
    """Hold the server that `path` stands for in use for the length of the block."""
    with _locked(path, fcntl.LOCK_SH):
        yield


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time, e.g. while it looks whether the server runs and starts it; waits its turn."""
    with _locked(path, fcntl.LOCK_EX):
        yield


def unused(path: Path) -> bool:
    """True when no process uses the server any more."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def holders(path: Path) -> list[int]:
    """The processes that have the lock file `path` open, so hold it or are asking; for people to read.

    Empty where the kernel does not tell (no /proc) and for processes of other accounts.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(descriptor.readlink() == path for descriptor in (folder / "fd").iterdir()):
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
