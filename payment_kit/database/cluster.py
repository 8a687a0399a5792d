"""The data folder of the embedded server: where it lies, who owns it, who may connect.

Who may connect: peer authentication. The kernel tells the server the account of the process at the other end of the
Unix socket, and only our own account (and root, who can read the files anyway) maps to the role `payment_kit`. There is
no password to store, leak or lose, and no other local user gets in. Any other role needs a password of its own (scram).

As root the server runs as ``postgres`` or ``nobody``, because PostgreSQL refuses root. We create no account and change
the mode of no folder we did not make: what that account cannot reach goes to `SHARED` instead.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from payment_kit.database import server as servers
from payment_kit.database.binaries import Binaries, candidates
from payment_kit.database.server import DATABASE, ROLE, Server
from payment_kit.errors import Problem

INITDB_SECONDS = 120.0
SOCKET_PATH_BYTES_MAX = 103  # macOS; Linux has 107. PostgreSQL appends /.s.PGSQL.5432
SHARED = (Path("/var/lib/payment_kit"), Path("/var/tmp/payment_kit"))  # noqa: S108  # root's own and checked to be, see _shared


class Account(NamedTuple):
    """The operating system account the server runs as."""

    uid: int
    gid: int


def prepare(home: Path, state: Path, binaries: str | None, options: Mapping[str, str]) -> Server:
    """Find programs, make the data folder if there is none, set who may connect; the server must not be running.

    Raises `Problem` EMBEDDED_POSTGRES_MISSING or EMBEDDED_POSTGRES_FAILED.
    """
    link = home / "postgres"
    data = link.resolve()
    major = _major(data)
    account = _account(data)
    chosen = _choose(candidates(binaries), account, major, link)
    if major is None:
        data = _create(home, chosen, account)
    _admit(data, account)
    socket = _socket_folder(state, account)
    return Server(state, chosen, data, socket, home / "postgres.log", account.uid, account.gid, dict(options))


def _major(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise Problem(
            "EMBEDDED_POSTGRES_FAILED",
            f"{data} belongs to another user.",
            next_step="Run as that user, or set PAYMENT_KIT_HOME to a folder of your own.",
        ) from None


def _account(data: Path) -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data.is_dir() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise Problem("EMBEDDED_POSTGRES_FAILED", "PostgreSQL refuses to run as root and there is no account nobody.")


def _choose(found: list[Binaries], account: Account, major: int | None, link: Path) -> Path:
    for binaries in found:
        if major not in (None, binaries.major):
            continue
        if _reaches(account, binaries.folder):
            return binaries.folder
        if binaries.wheel:
            return _copied(binaries)
    if major is None:
        raise Problem("EMBEDDED_POSTGRES_MISSING", "No PostgreSQL here can be read by the account it has to run as.")
    raise Problem(
        "EMBEDDED_POSTGRES_FAILED",
        f"{link} was written by PostgreSQL {major}, and this machine offers {', '.join(str(b.major) for b in found)}.",
        next_step=f"Install PostgreSQL {major}, or remove that folder to start afresh.",
    )


def _reaches(account: Account, folder: Path) -> bool:
    """True when the account can enter `folder`; asked of the kernel, which knows about ACLs and mounts."""
    if os.geteuid() != 0:
        return os.access(folder, os.X_OK)
    try:
        tried = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
            cwd="/",
            stderr=subprocess.DEVNULL,
            check=False,
            **servers.switched(*account),
        )
    except OSError:
        raise Problem("EMBEDDED_POSTGRES_FAILED", "root may not start a program as another account here.") from None
    return tried.returncode == 0


def _copied(binaries: Binaries) -> Path:
    """A copy of the wheel's programs that the server's account can read and nobody but root can change."""
    source = binaries.folder.parent
    made = (binaries.folder / "postgres").stat().st_mtime_ns
    target = _shared() / f"programs-{hashlib.sha256(f'{source} {made}'.encode()).hexdigest()[:12]}"
    if not target.is_dir():
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
        shutil.copytree(source, draft, dirs_exist_ok=True, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(0o755 if path.is_dir() or mode & stat.S_IXUSR else 0o644)
        try:
            draft.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return target / "bin"


def _shared() -> Path:
    """A folder of root's that every account can enter, for what lies out of the server's reach."""
    for folder in SHARED:
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
            folder.chmod(0o755) if not any(folder.iterdir()) else None
        except OSError:
            continue
        about = folder.lstat()
        if stat.S_ISDIR(about.st_mode) and about.st_uid == 0 and not about.st_mode & 0o022:
            return folder
    raise Problem("EMBEDDED_POSTGRES_FAILED", f"Neither {SHARED[0]} nor {SHARED[1]} can be used for the data folder.")


def _create(home: Path, programs: Path, account: Account) -> Path:
    """A new cluster, complete before it is visible as home/postgres; a killed attempt leaves nothing half-made."""
    link = home / "postgres"
    if link.is_symlink():
        link.unlink()
    elif link.is_dir() and any(link.iterdir()):
        raise Problem(
            "EMBEDDED_POSTGRES_FAILED",
            f"{link} exists and is not a PostgreSQL data folder.",
            next_step="Move it away, or set PAYMENT_KIT_HOME.",
        )
    inside = _reaches(account, home)
    parent, prefix = (home, "postgres.new-") if inside else (_shared(), f"{_digest(home)}-")
    for leftover in parent.glob(f"{prefix}*"):
        if servers.running(leftover) is None:
            shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    if os.geteuid() == 0:
        os.chown(draft, *account)
    _initialise(draft, programs, account)
    if not inside:
        link.symlink_to(draft)
        return draft
    draft.rename(link)
    return link


def _digest(home: Path) -> str:
    return hashlib.sha256(str(home).encode()).hexdigest()[:16]


def _initialise(data: Path, programs: Path, account: Account) -> None:
    # C collation: the same order of rows on every machine. --no-sync: nothing of worth is in there yet.
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", ROLE, "-A", "peer", "-E", "UTF8", "--locale=C"]
    _run([*initdb, "--no-sync", "--data-checksums"], account)
    single = [str(programs / "postgres"), "--single", "-D", str(data), "-c", "log_min_messages=fatal", "postgres"]
    _run(single, account, f"CREATE DATABASE {DATABASE}\n")


def _run(command: list[str], account: Account, text: str = "") -> None:
    try:
        subprocess.run(
            command,
            input=text,
            text=True,
            capture_output=True,
            check=True,
            timeout=INITDB_SECONDS,
            cwd="/",
            env=servers.environment(),
            **servers.switched(*account),
        )
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.strip()]
        reason = said[-1] if said else f"exit {error.returncode}"
        raise Problem("EMBEDDED_POSTGRES_FAILED", f"{Path(command[0]).name} failed: {reason}.") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problem("EMBEDDED_POSTGRES_FAILED", f"{Path(command[0]).name} failed: {error}.") from None


def _admit(data: Path, account: Account) -> None:
    users = dict.fromkeys(_name(uid) for uid in (0, os.geteuid()))
    identities = "".join(f'owner "{user}" {ROLE}\n' for user in users if user)
    for name, text in (
        ("pg_hba.conf", f"local all {ROLE} peer map=owner\nlocal all all scram-sha-256\n"),
        ("pg_ident.conf", identities),
    ):
        path = data / name
        path.write_text(text)
        if os.geteuid() == 0:
            os.chown(path, *account)


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _socket_folder(state: Path, account: Account) -> Path:
    """A short path: a Unix socket's name has at most 107 bytes, and a home can lie anywhere.

    The folder a killed server left is used again; a fresh name is random, so nobody can have prepared it.
    """
    before = servers.load(state)
    if before is not None and _is_ours(before.socket, account):
        return before.socket
    base = tempfile.gettempdir()
    longest = len(os.fsencode(base)) + len("/payment-kit-xxxxxxxx/.s.PGSQL.5432.lock")
    if longest > SOCKET_PATH_BYTES_MAX or not _reaches(account, Path(base)):
        base = "/tmp"  # noqa: S108  # short, and the folder in it is private and random
    folder = Path(tempfile.mkdtemp(prefix="payment-kit-", dir=base))
    if os.geteuid() == 0:
        os.chown(folder, *account)
    return folder


def _is_ours(folder: Path, account: Account) -> bool:
    try:
        about = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == account.uid and not about.st_mode & 0o077
