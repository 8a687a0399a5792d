"""Numbered, forward-only SQL migrations: ``sql/migrations/NNNN_name.sql``, each applied once in one transaction.

``payment_kit.schema_migrations`` remembers what was applied and the file's hash. An advisory lock lets one process
migrate while others wait; a lock timeout keeps a migration from queueing in front of everybody else's work.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from payment_kit.database.connection import connect
from payment_kit.errors import Broken, Conflict, UsageProblem
from payment_kit.resources import folder

TURN_SECONDS = 120
LOCK_SECONDS = 10
STATEMENT_SECONDS = 600
_ADVISORY_LOCK = 0x70_6B_6D_69_67  # "pkmig"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")

_LEDGER = """
    create schema if not exists payment_kit;
    create table payment_kit.schema_migrations (
        version integer primary key,
        name text not null,
        sha256 text not null,
        applied_at timestamptz not null default now()
    );
    comment on table payment_kit.schema_migrations is 'Which migrations this database has, and the hash of each file.';
"""


class Migration(NamedTuple):
    """One file; `name` is the file's name without its ending, e.g. ``0001_foundations``."""

    version: int
    name: str
    sha256: str
    text: bytes


def migrate(dsn: str, *, migrations: Path | None = None) -> list[str]:
    """Apply what is missing, in order, and return the names applied; an empty list when nothing was.

    Raises `Problem` MIGRATION_CHANGED, MIGRATION_UNKNOWN (the database is newer than this program),
    DATABASE_RIGHTS_MISSING, STATE_LOCKED (somebody held a lock too long) and those of `connection.connect`. What was
    applied before a failure stays; the failing file leaves nothing behind.
    """
    files = read(migrations)
    with connect(dsn, name="payment-kit migrate") as connection, _explained(connection):
        connection.execute(_timeout("lock_timeout", TURN_SECONDS))
        connection.execute(_timeout("statement_timeout", STATEMENT_SECONDS))
        connection.execute("select pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        connection.execute(_timeout("lock_timeout", LOCK_SECONDS))
        missing = _missing(files, _applied(connection))
        for migration in missing:
            _apply(connection, migration)
        return [migration.name for migration in missing]


def pending(dsn: str, *, migrations: Path | None = None) -> list[str]:
    """Names of the migrations the database lacks, in order; errors as in `migrate`."""
    with connect(dsn, name="payment-kit migrate") as connection, _explained(connection):
        return [migration.name for migration in _missing(read(migrations), _applied(connection))]


def ensure_migrated(dsn: str, *, migrations: Path | None = None) -> None:
    """Return when the database has every migration; raises `UsageProblem` DATABASE_NOT_MIGRATED otherwise."""
    missing = pending(dsn, migrations=migrations)
    if missing:
        raise UsageProblem(
            "DATABASE_NOT_MIGRATED", f"The database lacks {_counted(len(missing))}, from {missing[0]} on."
        )


def read(migrations: Path | None = None) -> list[Migration]:
    """The migration files in order. Raises ValueError for a name out of pattern or a gap in the numbers."""
    where = migrations if migrations is not None else folder("sql") / "migrations"
    files = []
    for path in sorted(where.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name} is not named NNNN_name.sql")
        text = path.read_bytes()
        files.append(Migration(int(match[1]), path.stem, hashlib.sha256(text).hexdigest(), text))
    numbers = [migration.version for migration in files]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"migrations are numbered 0001, 0002, … without gap or double: {numbers}")
    return files


def _missing(files: list[Migration], applied: Mapping[int, tuple[str, str]]) -> list[Migration]:
    known = {migration.version: migration for migration in files}
    for version, (name, sha256) in sorted(applied.items()):
        file = known.get(version)
        if file is None:
            raise UsageProblem(
                "MIGRATION_UNKNOWN", f"The database has migration {name}, which this program does not know."
            )
        if file.sha256 != sha256:
            raise Broken("MIGRATION_CHANGED", f"{file.name}.sql differs from the {name} this database was made with.")
    return [migration for migration in files if migration.version not in applied]


def _applied(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[int, tuple[str, str]]:
    if not _has_ledger(connection):
        return {}
    rows = connection.execute("select version, name, sha256 from payment_kit.schema_migrations").fetchall()
    return {version: (name, sha256) for version, name, sha256 in rows}


def _has_ledger(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    row = connection.execute(
        "select exists (select from pg_class where relname = 'schema_migrations'"
        " and relnamespace = (select oid from pg_namespace where nspname = 'payment_kit'))"
    ).fetchone()
    return bool(row and row[0])


def _apply(connection: psycopg.Connection[tuple[Any, ...]], migration: Migration) -> None:
    try:
        with connection.transaction():
            if not _has_ledger(connection):
                connection.execute(_LEDGER)
            connection.execute(migration.text)
            connection.execute(
                "insert into payment_kit.schema_migrations (version, name, sha256) values (%s, %s, %s)",
                [migration.version, migration.name, migration.sha256],
            )
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.LockNotAvailable,
        psycopg.errors.ReadOnlySqlTransaction,
    ):
        raise
    except psycopg.Error as error:
        if connection.broken:
            raise
        said = str(error).splitlines()[0].rstrip(".")
        raise Broken("INTERNAL", f"Migration {migration.name} failed and was undone: {said}.") from error


@contextmanager
def _explained(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
        said = error.diag.message_primary or "insufficient privilege"
        user, database = connection.info.user, connection.info.dbname
        raise UsageProblem(
            "DATABASE_RIGHTS_MISSING", f"The role {user} may not migrate the database {database}: {said}."
        ) from None
    except psycopg.errors.LockNotAvailable:
        raise Conflict(
            "STATE_LOCKED",
            "Another session holds a lock the migration needs.",
            next_step="Wait for it or stop the long transaction, then run `payment-kit migrate` again.",
        ) from None


def _timeout(setting: str, seconds: int) -> bytes:
    return f"set {setting} = '{seconds}s'".encode()


def _counted(number: int) -> str:
    return "1 migration" if number == 1 else f"{number} migrations"
