"""One private PostgreSQL server as files and a process: start it, look at it, stop it.

The truth is what the kernel and PostgreSQL itself say (``postmaster.pid``, the process's command line); nothing is
remembered that a SIGKILL could leave wrong. Deciding *when* to start or stop belongs to `embedded` and `keeper`.
"""

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from payment_kit.errors import Problem

ROLE = "payment_kit"
DATABASE = "payment_kit"
START_SECONDS = 60.0
ORPHAN_SECONDS = 15.0
STOP_SECONDS = 30.0
PING_SECONDS = 5
POLL_SECONDS = 0.05
LOG_BYTES_MAX = 16 << 20

# fsync and synchronous_commit keep PostgreSQL's defaults: an acknowledged webhook survives a power cut.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "cluster_name": "payment_kit",
}

# What the server says while the remains of a killed one are still there.
_NOT_YET = ("shared memory block", 'lock file "postmaster.pid" already exists')


@dataclass(frozen=True)
class Server:
    """Where one server lives and as whom it runs; `options` are settings on top of ours."""

    state: Path
    binaries: Path
    data: Path
    socket: Path
    log: Path
    uid: int
    gid: int
    options: dict[str, str]

    @property
    def dsn(self) -> str:
        """A libpq URL over the Unix socket; it holds no secret, the kernel tells the server who calls (peer)."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.socket), safe='')}"


def save(server: Server) -> None:
    """Write the description for the keeper and for processes that join."""
    fields = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(server).items()}
    draft = server.state / "server.json.new"
    draft.write_text(json.dumps(fields))
    draft.replace(server.state / "server.json")


def load(state: Path) -> Server | None:
    """The server last described in `state`, whether it runs or not."""
    try:
        fields: dict[str, Any] = json.loads((state / "server.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    folders = {name: Path(value) for name, value in fields.items() if isinstance(value, str)}
    return Server(**(fields | folders))


def switched(uid: int, gid: int) -> dict[str, Any]:
    """`subprocess` arguments that run a program as this account; PostgreSQL refuses to run as root."""
    return {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}


def environment() -> dict[str, str]:
    """What background processes get: no secret of ours, and no PG* variable that would redirect the server."""
    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def running(data: Path, known: int | None = None) -> int | None:
    """The process id of the server of `data`, or None; a stale ``postmaster.pid`` does not deceive it.

    `known` is the pid of before: it still counts while its process lives, even when the pid file was deleted.
    """
    lines = _pid_file(data)
    found = _postmaster(lines, data) if lines else None
    return known if found is None and known is not None and _is_postmaster(known, data) else found


def ready(server: Server) -> bool:
    """True once the server accepts connections; its pid file alone would still say so while a killed one dies."""
    lines = _pid_file(server.data)
    said = len(lines) > 7 and lines[7].strip() == "ready" and _postmaster(lines, server.data) is not None
    return said and PGconn.ping(make_conninfo(server.dsn, connect_timeout=PING_SECONDS).encode()) == Ping.OK


def adoptable(server: Server) -> bool:
    """True when a server somebody else started serves; waits, bounded, for one that comes up or is just dying."""
    deadline = time.monotonic() + START_SECONDS
    while running(server.data) is not None and time.monotonic() < deadline:
        if ready(server):
            return True
        time.sleep(POLL_SECONDS)
    return False


def start(server: Server) -> subprocess.Popen[bytes]:
    """Start the server and return once it accepts connections; raises `Problem` EMBEDDED_POSTGRES_FAILED.

    Backends orphaned by a SIGKILL of their postmaster hold its shared memory for a moment: we wait for them, bounded.
    """
    orphans_until = time.monotonic() + ORPHAN_SECONDS
    while True:
        _forget_stale_pid(server.data)
        remove_socket(server.socket)  # of a killed server; the folder is this server's alone
        with _log(server) as log:
            beginning = log.tell()
            process = subprocess.Popen(
                [str(server.binaries / "postgres"), "-D", str(server.data), *_arguments(server)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                **switched(server.uid, server.gid),
            )
        if _becomes_ready(server, process):
            return process
        said = _log_since(server.log, beginning)
        if not any(sign in said for sign in _NOT_YET) or time.monotonic() > orphans_until:
            raise Problem("EMBEDDED_POSTGRES_FAILED", f"PostgreSQL did not start: {_cause(said)} (log: {server.log}).")
        time.sleep(POLL_SECONDS)


def stop(data: Path) -> None:
    """Stop the server of `data`: fast (SIGINT), and at once (SIGQUIT, crash recovery next time) if it lingers."""
    for how in (signal.SIGINT, signal.SIGQUIT):
        deadline = time.monotonic() + STOP_SECONDS
        pid = running(data)
        if pid is None:
            return
        os.kill(pid, how)
        while running(data) is not None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def remove_socket(folder: Path) -> None:
    """Remove the socket and its lock file, which a killed server leaves behind."""
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (folder / name).unlink(missing_ok=True)


def abandon(pid: int, data: Path) -> None:
    """Stop, at once, a server that still runs because its data folder and with it its pid file were deleted."""
    if _is_postmaster(pid, data):
        os.kill(pid, signal.SIGQUIT)


def _arguments(server: Server) -> list[str]:
    settings = _SETTINGS | {"unix_socket_directories": str(server.socket)} | server.options
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _becomes_ready(server: Server, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        if ready(server):
            return True
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        time.sleep(POLL_SECONDS)
    return False


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _postmaster(lines: list[str], data: Path) -> int | None:
    if not lines or not lines[0].lstrip("-").isdigit():
        return None
    pid = abs(int(lines[0]))
    return pid if _is_postmaster(pid, data) else None


def _is_postmaster(pid: int, data: Path) -> bool:
    command = _command_line(pid)
    return "postgres" in command and str(data) in command


def _command_line(pid: int) -> str:
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout


def _forget_stale_pid(data: Path) -> None:
    """Remove a pid file that PostgreSQL would believe although its server is gone: the number now belongs to another
    program (a container started again) or to a zombie nobody reaps (a container without an init).

    While any process still works in the data folder it stays, and so does the file of a pid that does not exist:
    PostgreSQL needs it to find the shared memory that orphaned backends may hold.
    """
    lines = _pid_file(data)
    if not lines or not lines[0].isdigit() or _postmaster(lines, data) is not None:
        return
    if _exists(int(lines[0])) and not _inhabited(data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _inhabited(data: Path) -> bool:
    """True while a process works in the data folder, as every process of a server does."""
    for folder in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if folder.readlink() == data:
                return True
        except OSError:
            continue
    return False


def _log(server: Server) -> BinaryIO:
    """The log, for its owner only (statements may show in it); the server writes through the open descriptor."""
    if server.log.exists() and server.log.stat().st_size > LOG_BYTES_MAX:
        server.log.replace(server.log.with_suffix(".log.1"))
    server.log.touch(mode=0o600)
    return server.log.open("ab")


def _log_since(log: Path, beginning: int) -> str:
    with log.open("rb") as file:
        file.seek(beginning)
        return file.read(LOG_BYTES_MAX).decode(errors="replace")


def _cause(said: str) -> str:
    lines = [line.partition(":  ")[2] for line in said.splitlines() if "FATAL:" in line or "PANIC:" in line]
    return lines[-1] if lines else f"it was not ready within {START_SECONDS:.0f} seconds"
