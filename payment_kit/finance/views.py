"""The views every figure is built on (sql/metrics/reconciliation.sql), and small ways to ask them."""

from datetime import datetime
from typing import Any

from payment_kit import resources

Row = dict[str, Any]


def create_views(connection: Any) -> None:
    """Creates the views on a DuckDB connection that has the tables of the books; safe to call twice."""
    if not connection.execute("select 1 from duckdb_views() where view_name = 'postings'").fetchone():
        connection.execute((resources.folder("sql") / "metrics" / "reconciliation.sql").read_text("utf-8"))


def ask(connection: Any, sql: str, **parameters: object) -> list[Row]:
    """The rows of a query with ``$name`` parameters; times are given and returned as naive UTC."""
    given = {name: _naive(value) for name, value in parameters.items()}
    cursor = connection.execute(sql, given) if given else connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _naive(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
