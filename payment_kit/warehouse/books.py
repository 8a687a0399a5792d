"""Opens one account's books: every table read in one repeatable-read snapshot, then independent of PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from payment_kit.errors import Problem, Unavailable, UsageProblem
from payment_kit.warehouse.tables import TABLES, create_tables

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 300
MEMORY_LIMIT = "2GB"


@dataclass(frozen=True, slots=True)
class Watermark:
    """How fresh the books are, in Stripe's time except `read_at`, which is the database's."""

    read_at: datetime
    events_complete_through: datetime | None
    balance_transactions_complete_through: datetime | None
    newest_balance_transaction: datetime | None
    rows: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The same with ISO 8601 times."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Books:
    """One account's figures in DuckDB (`connection`), the account, whether it is live, and how fresh they are."""

    connection: Any
    account: str
    livemode: bool
    watermark: Watermark


@contextmanager
def open_books(dsn: str, account: str = "") -> Iterator[Books]:
    """The books of `account` (or of the only one) as they stand in PostgreSQL now.

    Raises `Problem`: EXTRA_MISSING, DATABASE_UNREACHABLE, DATABASE_NOT_MIGRATED, DATABASE_RIGHTS_MISSING, NO_DATA, or
    PARAMETER_INVALID for an account that is unknown or must be chosen. No text of the DSN is ever in an error.
    """
    adbc, duckdb = _drivers()
    with closing(duckdb.connect(config={"memory_limit": MEMORY_LIMIT})) as memory:
        create_tables(memory)
        try:
            with closing(adbc.connect(_bounded(dsn))) as source, closing(source.cursor()) as cursor:
                chosen, livemode, read_at = _begin(cursor, account)
                rows = {name: _copy(cursor, memory, name, chosen) for name in TABLES}
        except adbc.Error as error:
            raise _translate(error, dsn) from None
        yield Books(memory, chosen, livemode, _watermark(memory, read_at, rows))


def _drivers() -> tuple[Any, Any]:
    try:
        import duckdb
        import pyarrow  # noqa: F401 — ADBC hands tables over through it
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise UsageProblem("EXTRA_MISSING", f"The package {error.name} is not installed.") from None
    return dbapi, duckdb


def _bounded(dsn: str) -> str:
    """The DSN with time bounds where its owner set none."""
    limits = f"connect_timeout={CONNECT_SECONDS}"
    if "connect_timeout" in dsn:
        return dsn
    if "://" in dsn:
        return f"{dsn}{'&' if '?' in dsn else '?'}{limits}"
    return f"{dsn} {limits}"


def _begin(cursor: Any, account: str) -> tuple[str, bool, datetime]:
    """Starts the snapshot and finds the account in it."""
    cursor.execute("set transaction isolation level repeatable read, read only")
    cursor.execute(f"set local statement_timeout = '{STATEMENT_SECONDS}s'")
    cursor.execute("select now() at time zone 'UTC'")
    read_at = cursor.fetchone()[0].replace(tzinfo=UTC)
    cursor.execute("select account_id, livemode, platform is null from payment_kit.accounts order by account_id")
    rows = cursor.fetchall()
    known = {account_id: livemode for account_id, livemode, _ in rows}
    chosen = _choose(list(known), [account_id for account_id, _, own in rows if own], account)
    return chosen, known[chosen], read_at


def _choose(known: list[str], own: list[str], account: str) -> str:
    """The account asked for; else the only one that has a key, whatever accounts are connected to it."""
    if not known:
        raise UsageProblem("NO_DATA", "The database holds no Stripe account yet.")
    if account and account not in known:
        raise UsageProblem(
            "PARAMETER_INVALID", f"account: {account} is not one of {', '.join(known)}.", field="account"
        )
    choice = own or known
    if not account and len(choice) > 1:
        raise UsageProblem("PARAMETER_INVALID", f"account: choose one of {', '.join(known)}.", field="account")
    return account or choice[0]


def _copy(cursor: Any, memory: Any, name: str, account: str) -> int:
    cursor.execute(TABLES[name].select, parameters=(account,))
    arrow = cursor.fetch_arrow_table()
    memory.register("arrived", arrow)
    memory.execute(f"insert into {name} by name select * from arrived")  # noqa: S608 — a constant of this package
    memory.unregister("arrived")
    return int(arrow.num_rows)


def _watermark(memory: Any, read_at: datetime, rows: dict[str, int]) -> Watermark:
    through = dict(memory.execute("select stream, complete_through from sync_state").fetchall())
    newest = memory.execute("select max(created) from balance_transactions").fetchone()[0]
    return Watermark(
        read_at,
        _utc(through.get("events")),
        _utc(through.get("balance_transactions")),
        _utc(newest),
        rows,
    )


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None else None


_BY_STATE = {
    "42P01": ("DATABASE_NOT_MIGRATED", "The database has no payment_kit tables."),
    "3F000": ("DATABASE_NOT_MIGRATED", "The database has no payment_kit tables."),
    "42703": ("DATABASE_NOT_MIGRATED", "The database's tables are older than this payment-kit."),
    "42501": ("DATABASE_RIGHTS_MISSING", "The role may not read the mirror's tables."),
}


def _translate(error: Exception, dsn: str) -> Problem:
    state = getattr(error, "sqlstate", None) or ""
    if state in _BY_STATE:
        return UsageProblem(*_BY_STATE[state])
    return Unavailable("DATABASE_UNREACHABLE", f"PostgreSQL{_place(dsn)} did not answer.")


def _place(dsn: str) -> str:
    """`` at host:port`` where that can be told without showing anything else of the DSN."""
    try:
        url = urlsplit(dsn)
        return f" at {url.hostname}:{url.port or 5432}" if url.scheme and url.hostname else ""
    except ValueError:
        return ""
