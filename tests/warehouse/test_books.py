"""The books are PostgreSQL's figures, exact and typed, and errors tell nothing secret."""

import random
from datetime import UTC, datetime

import psycopg
import pytest

from payment_kit.errors import Problem
from payment_kit.finance import Status, parse_period, reconcile
from payment_kit.warehouse import TABLES, open_books
from tests.fix_books import ACCOUNT, Ledger, into_duckdb, into_postgres, random_ledger


def test_every_table_reads_as_the_ledger_has_it(seeded: str, ledger: Ledger) -> None:
    with open_books(seeded) as books, into_duckdb(ledger) as expected:
        for name in TABLES:
            query = f"select * from {name} order by all"
            assert books.connection.execute(query).fetchall() == expected.execute(query).fetchall(), name


def test_amounts_are_integers_never_text(seeded: str) -> None:
    with open_books(seeded) as books:
        row = books.connection.execute(
            "select amount, fee, net, fee_details from balance_transactions limit 1"
        ).fetchone()
    assert [type(value) for value in row] == [int] * 4


def test_the_watermark_says_how_far_the_books_reach(seeded: str) -> None:
    with open_books(seeded) as books:
        mark = books.watermark
    assert (books.account, books.livemode) == (ACCOUNT, False)
    assert mark.events_complete_through == datetime(2026, 12, 1, tzinfo=UTC)
    assert mark.rows["balance_transactions"] > 100


def test_only_one_account_is_read(seeded: str) -> None:
    other = random_ledger(random.Random(1), days=20, currencies=("chf",))
    into_postgres(seeded, other, account="acct_other")
    with open_books(seeded, ACCOUNT) as books:
        assert "chf" not in reconcile(books.connection, parse_period("2026-08")).currencies
    with open_books(seeded, "acct_other") as books:
        assert reconcile(books.connection, parse_period("2026-07")).status is Status.PASS


def test_several_accounts_want_a_choice(seeded: str) -> None:
    into_postgres(seeded, Ledger(), account="acct_other")
    with pytest.raises(Problem, match="choose one of acct_books, acct_other") as caught, open_books(seeded):
        pass
    assert caught.value.reason == "PARAMETER_INVALID"


def test_an_unknown_account_is_refused(seeded: str) -> None:
    with pytest.raises(Problem, match="acct_none is not one of") as caught, open_books(seeded, "acct_none"):
        pass
    assert caught.value.reason == "PARAMETER_INVALID"


def test_an_empty_database_says_so(database: str) -> None:
    with pytest.raises(Problem) as caught, open_books(database):
        pass
    assert caught.value.reason == "NO_DATA"


def test_a_deleted_row_is_not_in_the_books(seeded: str) -> None:
    with psycopg.connect(seeded) as connection:
        connection.execute("update stripe.charges set deleted_at = now()")
    with open_books(seeded) as books:
        assert books.watermark.rows["charges"] == 0


def test_a_database_without_our_tables_is_not_migrated(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("drop schema payment_kit cascade")
    with pytest.raises(Problem) as caught, open_books(database):
        pass
    assert caught.value.reason == "DATABASE_NOT_MIGRATED"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://finance:hunter2hunter2@127.0.0.1:9/books",
        "postgresql://finance:hunter2hunter2@nowhere.invalid/books",
        "postgresql://finance:hunter2hunter2@127.0.0.1:9/books?hunter2hunter2=1",
        "host=127.0.0.1 port=9 password=hunter2hunter2",
        "postgresql://finance:hunter2hunter2@[broken/books",
    ],
)
def test_an_unreachable_database_is_one_sentence_without_the_password(dsn: str) -> None:
    with pytest.raises(Problem) as caught, open_books(dsn):
        pass
    assert caught.value.reason == "DATABASE_UNREACHABLE"
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
