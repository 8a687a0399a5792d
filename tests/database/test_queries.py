from pathlib import Path

import psycopg
import pytest

from payment_kit.database.queries import Query, load, numbered, queries, sql


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "orders.sql").write_text(
        """-- Orders and nothing else.

-- name: orders.store
-- Store one,
-- once.
insert into orders values (%(id)s, %(note)s, %(id)s); -- done

-- name: orders.like
select 100 %% 7 from orders where note like '%%x';
"""
    )
    return tmp_path


def test_a_query_has_a_name_a_comment_and_its_parameters(directory: Path) -> None:
    (directory / "orders.sql").write_text(
        "-- name: orders.store\n-- Store one,\n-- once.\nselect %(id)s, %(note)s, %(id)s;\n"
    )
    assert load(directory) == {
        "orders.store": Query("orders.store", "Store one, once.", "select %(id)s, %(note)s, %(id)s", ("id", "note"))
    }


def test_numbered_writes_what_prepare_wants(directory: Path) -> None:
    found = load(directory)
    assert numbered(found["orders.store"]).startswith("insert into orders values ($1, $2, $1)")
    assert numbered(found["orders.like"]) == "select 100 % 7 from orders where note like '%x'"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: orders.a\nselect 1;\n-- name: orders.a\nselect 2;", "twice"),
        ("select 1;\n-- name: orders.a\nselect 2;", "before the first"),
        ("-- name:\nselect 1;", "must look like"),
        ("-- name: refunds.a\nselect 1;", "must look like orders.something"),
        ("-- name: orders.a\n-- only words", "has no SQL"),
    ],
)
def test_a_malformed_file_is_an_error_at_load(directory: Path, text: str, complaint: str) -> None:
    (directory / "orders.sql").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        load(directory)


def test_an_unknown_name_says_where_it_was_looked_for() -> None:
    with pytest.raises(KeyError, match=r"no query orders.lost in sql/queries/orders.sql"):
        sql("orders.lost")


def test_every_named_query_fits_the_migrated_schema(database: str) -> None:
    complaints = []
    with psycopg.connect(database, autocommit=True) as connection:
        for name, query in queries().items():
            try:
                connection.execute(f"prepare probe as {numbered(query)}".encode())
                connection.execute("deallocate probe")
            except psycopg.Error as error:
                complaints.append(f"{name}: {error}")
    assert complaints == []
