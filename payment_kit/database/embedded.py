"""A private PostgreSQL for an installation without one: ``with embedded(home) as dsn``.

Every process that enters shares one server per home; it lives as long as somebody uses it and leaves with the last
(exit, Ctrl-C, SIGKILL) within about two seconds. The data stays in ``home/postgres`` and survives a SIGKILL of
anything. Three locks of the kernel decide, so nothing goes stale: ``start`` (one process at a time looks and starts),
``lease`` (shared by every user) and ``keeper`` (held by the process that owns the server's life, see `keeper`).
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from payment_kit import lease
from payment_kit.database import cluster, keeper
from payment_kit.database import server as servers
from payment_kit.errors import Problem
from payment_kit.resources import PACKAGE

READY_SECONDS = 90.0
GONE_SECONDS = 60.0
NO_OPTIONS: Mapping[str, str] = {}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def embedded(home: Path, *, binaries: str | None = None, options: Mapping[str, str] = NO_OPTIONS) -> Iterator[str]:
    """Yield the DSN of the server whose data lies in ``home/postgres``, started if it does not run yet.

    `binaries` is a folder of PostgreSQL programs or ``wheel`` (setting PAYMENT_KIT_POSTGRES_BIN); None prefers the
    machine's own. `options` are server settings for whoever starts it (tests: ``{"fsync": "off"}``). Raises `Problem`
    EMBEDDED_POSTGRES_MISSING or EMBEDDED_POSTGRES_FAILED. Blocks for a second or two when it has to start.
    """
    home = home.resolve()
    state = _state(home)
    with _admitted(home, state, binaries, options) as dsn:
        yield dsn


@contextmanager
def throwaway() -> Iterator[str]:
    """Yield the DSN of an embedded server that is deleted at the end, without fsync: for tests and tools."""
    home = Path(tempfile.mkdtemp(prefix="payment-kit-"))
    try:
        home.chmod(0o755)  # as root the server runs as another account, which has to get in
        with embedded(home, options=NOT_DURABLE) as dsn:
            yield dsn
        wait_until_gone(home)
    finally:
        # A server that was given up on may still be removing files of its own.
        shutil.rmtree(home, ignore_errors=True)


def wait_until_gone(home: Path) -> None:
    """Return once nobody keeps the server of `home`; raises TimeoutError after `GONE_SECONDS`."""
    deadline = time.monotonic() + GONE_SECONDS
    while keeper.alive(home.resolve() / "postgres.state"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the embedded server of {home} is still in use")
        time.sleep(servers.POLL_SECONDS)


@contextmanager
def _admitted(home: Path, state: Path, binaries: str | None, options: Mapping[str, str]) -> Iterator[str]:
    using = lease.use(state / keeper.LEASE)
    with lease.exclusive(state / keeper.MUTEX):
        using.__enter__()
        try:
            server = _kept(home, state, binaries, options)
        except BaseException:
            using.__exit__(None, None, None)
            raise
    try:
        yield server.dsn
    finally:
        # a keeper that was killed must not leave the server behind with us
        if state.is_dir() and not keeper.alive(state) and servers.running(server.data):
            with lease.exclusive(state / keeper.MUTEX):
                _launch(state)
        using.__exit__(None, None, None)


def _state(home: Path) -> Path:
    state = home / "postgres.state"
    try:
        home.mkdir(parents=True, exist_ok=True)
        state.mkdir(mode=0o700, exist_ok=True)
        (state / keeper.MUTEX).touch()
    except OSError as error:
        raise Problem(
            "EMBEDDED_POSTGRES_FAILED",
            f"{state} cannot be written: {error.strerror}.",
            next_step="Run as the owner of that folder, or set PAYMENT_KIT_HOME to a folder of your own.",
        ) from None
    return state


def _kept(home: Path, state: Path, binaries: str | None, options: Mapping[str, str]) -> servers.Server:
    """The running server with a living keeper; called with the mutex and the lease held."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        server = servers.load(state)
        if keeper.alive(state):
            if server is not None and servers.ready(server):
                return server
            time.sleep(servers.POLL_SECONDS)
            continue
        if server is None or servers.running(server.data) is None:
            servers.save(cluster.prepare(home, state, binaries, options))
        _launch(state)
    raise Problem(
        "EMBEDDED_POSTGRES_FAILED",
        f"PostgreSQL was not ready within {READY_SECONDS:.0f} seconds (log: {home / 'postgres.log'}).",
    )


def _launch(state: Path) -> None:
    command = [sys.executable, "-m", "payment_kit.database.keeper", str(state)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=PACKAGE.parent,
            env=servers.environment(),
            start_new_session=True,
            timeout=READY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Problem("EMBEDDED_POSTGRES_FAILED", "The keeper of the embedded PostgreSQL did not answer.") from None
    if done.stdout:
        failure = json.loads(done.stdout)
        raise Problem(failure["reason"], failure["what"])
    if done.returncode:
        raise Problem(
            "EMBEDDED_POSTGRES_FAILED", f"The keeper of the embedded PostgreSQL ended with {done.returncode}."
        )
