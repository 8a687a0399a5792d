"""One PostgreSQL and one recorded Stripe for everybody: fresh databases, fake Stripes, the machine they run on."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString
from urllib.request import urlopen

import orjson
import psycopg
from psycopg import sql

from benchmarks.peers.contenders import Command, Contender, Place
from benchmarks.peers.installed import Installed
from benchmarks.peers.processes import run, served
from benchmarks.peers.recording import Recording
from payment_kit.database.embedded import embedded, wait_until_gone

FSYNC_SECONDS = 0.5
ROOT = Path(__file__).parents[2]


class Laboratory:
    """Enter `laboratory` to get one."""

    def __init__(self, admin: str, folder: Path, recording: Recording, installed: Installed) -> None:
        self.recording = recording
        self.folder = folder
        self._admin = admin
        self._installed = installed
        self._prepared: set[str] = set()
        self._recorded = folder / "recording.json"
        recording.save(self._recorded)

    def fresh(self, contender: Contender, stripe: str) -> Place:
        """A database with this contender's tables and nothing else in it, its name that of the contender."""
        name = "".join(letter for letter in contender.name if letter.isalnum())
        place = Place(self._dsn(name), stripe, self._installed, self._home(name))
        if name not in self._prepared:
            self._create(f"{name}_empty", "template1")
            for command in contender.migrate(Place(self._dsn(f"{name}_empty"), stripe, self._installed, place.folder)):
                run(command, self.log(f"{name}.migrate"))
            self._prepared.add(name)
        self._create(name, f"{name}_empty")
        return place

    @contextmanager
    def stripe(self, copies: int, milliseconds: int = 0) -> Iterator[str]:
        """The address of a fake Stripe that serves so many copies of the recording, each answer so much later."""
        words = [sys.executable, "-m", "benchmarks.peers.stripe", str(self._recorded), str(copies), str(milliseconds)]
        with served([Command(words, {}, ROOT)], self.log("stripe")) as said:
            yield f"http://127.0.0.1:{said['port']}"

    def rows(self, place: Place, query: str) -> dict[str, str | None]:
        """The ids and status a contender's query finds."""
        with psycopg.connect(place.dsn) as connection:
            return dict(connection.execute(query.encode()).fetchall())

    def count(self, place: Place, query: str) -> int:
        """One number."""
        with psycopg.connect(place.dsn) as connection:
            found = connection.execute(query.encode()).fetchone()
        return int(found[0]) if found else 0

    def settle(self) -> None:
        """Write what earlier work left to write, so that nobody pays for the one before."""
        self._order("checkpoint")

    def machine(self) -> list[str]:
        """What was measured where: a line each for the machine, PostgreSQL and the code."""
        with psycopg.connect(self._admin) as connection:
            version, fsync, commit, buffers = (
                connection.execute(
                    "select split_part(version(), ' on ', 1), current_setting('fsync'),"
                    " current_setting('synchronous_commit'), current_setting('shared_buffers')"
                ).fetchone()
                or ("",) * 4
            )
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        return [
            f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}",
            f"{version}, fsync {fsync}, synchronous_commit {commit}, shared_buffers {buffers},"
            f" {_syncs_per_second(self.folder):,.0f} syncs of 8 kB per second",
            f"commit {_commit()}",
        ]

    def log(self, name: str) -> Path:
        """Where a program's output is kept."""
        return self.folder / f"{name}.log"

    def _home(self, name: str) -> Path:
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        return home

    def _create(self, name: str, template: str) -> None:
        self._order("drop database if exists {} with (force)", name)
        self._order("create database {} template {}", name, template)

    def _order(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _dsn(self, database: str) -> str:
        before, _, after = self._admin.partition("/payment_kit?")
        return f"{before}/{database}?{after}"


@contextmanager
def laboratory(recording: Recording, installed: Installed) -> Iterator[Laboratory]:
    """A private PostgreSQL that syncs to disk as it does by default; everything is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="payment-kit-peers-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root the server runs as another account, which has to get in
        with embedded(folder / "postgres") as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("create role postgres superuser")  # one contender's migrations name it
            yield Laboratory(dsn, folder, recording, installed)
        wait_until_gone(folder / "postgres")


def requests(stripe: str) -> Mapping[str, int]:
    """What the fake Stripe was asked since the last time, by the shape of the path."""
    with urlopen(f"{stripe}/requests") as response:
        counted: dict[str, int] = orjson.loads(response.read())
    return counted


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "payment_kit", "sql")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with uncommitted changes" if changed else "")


def _syncs_per_second(folder: Path) -> float:
    file = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    try:
        number, began = 0, time.perf_counter()
        while time.perf_counter() - began < FSYNC_SECONDS:
            os.pwrite(file, b"x" * 8192, 0)
            os.fdatasync(file)
            number += 1
        return number / (time.perf_counter() - began)
    finally:
        os.close(file)
