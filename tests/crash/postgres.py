"""A PostgreSQL of its own to kill, with fsync on as installations have it; its keeper starts it again."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from payment_kit.database import server as servers
from payment_kit.database.embedded import embedded
from payment_kit.database.migrations import migrate
from tests.crash import judge
from tests.fix_database import database_named

TEMPLATE = "crash_template"


class Postgres:
    """The server of `home`."""

    def __init__(self, home: Path, dsn: str) -> None:
        found = servers.load(home.resolve() / "postgres.state")
        assert found is not None
        self.server = found
        self.dsn = dsn
        self.keeper = int((found.state / "keeper").read_text())

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, None while there is none."""
        return servers.running(self.server.data)

    def kill(self) -> None:
        """SIGKILL the postmaster."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)

    async def kill_backend(self, dsn: str, rng: random.Random) -> None:
        """SIGKILL one of the processes that serve the clients of that database: PostgreSQL then recovers."""
        if pids := [row[0] for row in await judge.asked(dsn, _BACKENDS)]:
            os.kill(rng.choice(pids), signal.SIGKILL)

    @contextmanager
    def away(self) -> Iterator[None]:
        """It dies, and nobody starts it before the end of the block."""
        os.kill(self.keeper, signal.SIGSTOP)
        try:
            self.kill()
            yield
        finally:
            os.kill(self.keeper, signal.SIGCONT)


_BACKENDS = (
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    " and datname = current_database()"
)


@contextmanager
def postgres(home: Path) -> Iterator[Postgres]:
    """Started for the block, with a migrated template for databases."""
    with embedded(home) as dsn, database_named(dsn, TEMPLATE, "template0") as template:
        migrate(template)
        yield Postgres(home, dsn)


@contextmanager
def fresh(server: Postgres, name: str) -> Iterator[str]:
    """A migrated database there."""
    with database_named(server.dsn, name, TEMPLATE) as dsn:
        yield dsn
