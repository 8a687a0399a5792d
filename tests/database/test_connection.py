import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from payment_kit.database import connection as connections
from payment_kit.database.connection import Pool, connect, connect_async, open_pool, problem, translated
from payment_kit.errors import Problem, UsageProblem
from tests.fix_database import with_database

PASSWORD = "hunter2-and-more"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port nobody listens on, nor can begin to while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def refusal(dsn: str) -> Problem:
    with pytest.raises(Problem) as caught:
        connect(dsn)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in caught.value.what
    return caught.value


def test_a_refused_connection_is_one_sentence(closed_port: int) -> None:
    refused = refusal(f"postgresql://app:{PASSWORD}@127.0.0.1:{closed_port}/shop")
    assert refused.reason == "DATABASE_UNREACHABLE"
    assert refused.what == f"Nothing listens at 127.0.0.1:{closed_port}."


def test_an_unknown_host_is_one_sentence() -> None:
    refused = refusal(f"postgresql://app:{PASSWORD}@no-such-host.invalid/shop")
    assert refused.what == "The host name of no-such-host.invalid:5432 is unknown."


async def test_an_unknown_host_is_the_same_sentence_in_async_code() -> None:
    with pytest.raises(Problem, match="The host name of no-such-host"):
        await connect_async(f"postgresql://app:{PASSWORD}@no-such-host.invalid/shop")


def test_a_server_that_never_answers_is_given_up(silent_port: int) -> None:
    refused = refusal(f"postgresql://app:{PASSWORD}@127.0.0.1:{silent_port}/shop?connect_timeout=2")
    assert refused.what == f"127.0.0.1:{silent_port} did not answer in time."


def test_a_missing_socket_is_one_sentence(tmp_path: Path) -> None:
    refused = refusal(f"postgresql://app@/shop?host={tmp_path}")
    assert refused.what == f"Nothing listens at the socket in {tmp_path}."


def test_a_wrong_password_is_named_and_not_shown(database: str) -> None:
    parts = urlsplit(database)
    refused = refusal(urlunsplit(parts._replace(netloc=f"stranger:{PASSWORD}@{parts.netloc.rpartition('@')[2]}")))
    assert refused.reason == "DATABASE_UNREACHABLE"
    assert "refused the password of stranger" in refused.what


def test_an_unknown_database_is_named(database: str) -> None:
    assert refusal(with_database(database, "no_such_shop")).what.endswith("has no database no_such_shop.")


@pytest.mark.parametrize("text", [f"not a url {PASSWORD}", f"postgresql://a:{PASSWORD}@h:port/x", "mysql://x"])
def test_text_that_is_no_url_is_a_setting_to_correct(text: str) -> None:
    assert refusal(text).reason == "SETTING_INVALID"


def test_a_server_older_than_15_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "OLDEST_MAJOR", 99)
    refused = refusal(database)
    assert isinstance(refused, UsageProblem)
    assert refused.reason == "DATABASE_TOO_OLD"


async def test_the_pool_does_not_open_without_a_server(closed_port: int) -> None:
    with pytest.raises(Problem, match="Nothing listens"):
        await open_pool(f"postgresql://app:{PASSWORD}@127.0.0.1:{closed_port}/shop", max_size=2, name="test")


async def test_connections_of_the_pool_are_in_autocommit_named_and_bounded(pool: Pool) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select current_setting('application_name'), current_setting('statement_timeout'), now(), txid_current()"
        )
        row = await cursor.fetchone()
        assert row is not None
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    assert row[:2] == ("test", "30s")
    assert isinstance(row[2], datetime)
    assert row[2].tzinfo is not None
    assert row[2].utcoffset() == datetime.now(UTC).utcoffset()


async def test_json_comes_back_as_it_went(pool: Pool) -> None:
    value = {"amount": 2**53 + 1, "text": "€ ✓", "list": [None, True]}
    async with pool.connection() as connection:
        row = await (await connection.execute("select %s::jsonb", [Jsonb(value)])).fetchone()
    assert row == (value,)


async def test_a_connection_the_server_hung_up_is_replaced_unseen(pool: Pool, database: str) -> None:
    async with pool.connection() as connection:
        doomed = connection.info.backend_pid
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as admin:
        await admin.execute("select pg_terminate_backend(%s, 60000)", [doomed])
    async with pool.connection() as connection:
        row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    assert row is not None
    assert row[0] != doomed


async def test_waiting_for_a_connection_ends_with_a_problem(database: str) -> None:
    async with await open_pool(database, max_size=1, name="test") as pool, pool.connection():
        with pytest.raises(Problem, match="became free"), translated(database):
            async with pool.connection(timeout=0.05):
                await asyncio.sleep(0)


def test_a_mistake_in_sql_is_not_called_a_lost_connection(database: str) -> None:
    with connect(database) as connection, pytest.raises(psycopg.errors.UndefinedTable), translated(database):
        connection.execute("select * from nowhere")


def test_a_statement_that_takes_too_long_is_not_called_a_lost_connection(database: str) -> None:
    with connect(database) as connection:
        connection.execute("set statement_timeout = 10")
        with pytest.raises(psycopg.errors.QueryCanceled), translated(database):
            connection.execute("select pg_sleep(5)")


def test_unknown_failures_keep_their_first_line_without_the_password() -> None:
    found = problem(
        psycopg.OperationalError(f"strange: {PASSWORD}\nmore"), f"postgresql://app:{PASSWORD}@db.example:1/shop"
    )
    assert found is not None
    assert found.what == "PostgreSQL at db.example:1 did not answer: strange: ***."


def test_a_pool_timeout_needs_no_valid_dsn() -> None:
    found = problem(PoolTimeout("x"), "nonsense nonsense")
    assert found is not None
    assert found.reason == "DATABASE_UNREACHABLE"
