"""Fixtures: a real PostgreSQL for the session, and one fresh migrated database per test.

The server is a private one in a temporary folder, or the one PAYMENT_KIT_TEST_DATABASE_URL names (any database of a
PostgreSQL ≥ 15 whose role may create databases). Databases are copies of a template that was migrated once.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from payment_kit.database.connection import Pool, open_pool
from payment_kit.database.embedded import throwaway, wait_until_gone
from payment_kit.database.migrations import migrate


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """DSN of a server on which tests create databases."""
    external = os.environ.get("PAYMENT_KIT_TEST_DATABASE_URL")
    with nullcontext(external) if external else throwaway() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def template(cluster: str) -> Iterator[str]:
    """Name of a migrated database nobody is connected to."""
    name = f"payment_kit_test_{secrets.token_hex(4)}"
    with database_named(cluster, name, "template0"):
        migrate(with_database(cluster, name))
        yield name


@pytest.fixture
def empty_database(cluster: str) -> Iterator[str]:
    """DSN of a fresh database without any migration."""
    with _fresh(cluster, "template0") as dsn:
        yield dsn


@pytest.fixture
def database(cluster: str, template: str) -> Iterator[str]:
    """DSN of a fresh migrated database, dropped after the test."""
    with _fresh(cluster, template) as dsn:
        yield dsn


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """An open pool of up to 4 connections to `database`."""
    async with await open_pool(database, max_size=4, name="test") as opened:
        yield opened


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home an embedded server can keep its data in even as root, whose server runs as another account; removed."""
    folder = Path(tempfile.mkdtemp(prefix="payment-kit-home-"))
    folder.chmod(0o755)
    yield folder
    wait_until_gone(folder)
    shutil.rmtree(folder)


@contextmanager
def database_named(cluster: str, name: str, template: str) -> Iterator[str]:
    """The DSN of a new database, dropped afterwards whoever is connected."""
    _execute(cluster, sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield with_database(cluster, name)
    finally:
        _drop(cluster, sql.Identifier(name))


def with_database(dsn: str, database: str) -> str:
    """The same URL with another database."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(path=f"/{quote(database, safe='')}"))


def _fresh(cluster: str, template: str) -> AbstractContextManager[str]:
    return database_named(cluster, f"payment_kit_test_{secrets.token_hex(8)}", template)


def _drop(cluster: str, name: sql.Identifier) -> None:
    try:
        _execute(cluster, sql.SQL("drop database {} with (force)").format(name))
    except psycopg.errors.InsufficientPrivilege:
        # Only a superuser may force an autovacuum out; without force the server sends it away by itself.
        _execute(cluster, sql.SQL("drop database {}").format(name))


def _execute(dsn: str, statement: sql.Composed) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)
