"""What the books are made of: one DuckDB table per mirrored table, each with the columns finance needs and no other.

Amounts are BIGINT minor units beside a lower-case `currency`; times are TIMESTAMP in UTC without zone. `raw_…` columns
are the same figure read again from the stored object, so a typed column that was changed cannot hide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the books: its columns as ``name, DuckDB type, PostgreSQL expression`` and where it is read."""

    columns: tuple[tuple[str, str, str], ...]
    source: str

    @property
    def ddl(self) -> str:
        """The column list of DuckDB's CREATE TABLE."""
        return ", ".join(f"{name} {kind}" for name, kind, _ in self.columns)

    @property
    def select(self) -> str:
        """The PostgreSQL query for one account (``$1``)."""
        listed = ", ".join(f"{expression} as {name}" for name, _, expression in self.columns)
        return f"select {listed} from {self.source} where account_id = $1::text"  # noqa: S608 — constants of this module


def _table(source: str, text: str) -> Table:
    """``"id created:time raw_amount:raw=amount"`` -> columns; kinds: text (default), int, flag, time, raw."""
    columns = []
    for word in text.split():
        declaration, _, path = word.partition("=")
        name, _, kind = declaration.partition(":")
        columns.append((name, *_KINDS[kind or "text"](path or name)))
    return Table(tuple(columns), source)


_KINDS: Mapping[str, Callable[[str], tuple[str, str]]] = {
    "text": lambda name: ("VARCHAR", name),
    "int": lambda name: ("BIGINT", f"{name}::bigint"),
    "flag": lambda name: ("BOOLEAN", name),
    "time": lambda name: ("TIMESTAMP", f"{name} at time zone 'UTC'"),
    "raw": lambda name: ("BIGINT", f"(raw->>'{name}')::bigint"),
    "details": lambda name: ("BIGINT", _DETAILS.format(name)),
}

# sum(bigint) is numeric in PostgreSQL, which Arrow would hand over as text
_DETAILS = """(
    select coalesce(sum((detail->>'amount')::bigint), 0)::bigint
    from jsonb_array_elements(case jsonb_typeof({0}) when 'array' then {0} end) as detail
)"""
_LIVING = "(select * from stripe.{0} where deleted_at is null) as {0}"

TABLES: Mapping[str, Table] = {
    "balance_transactions": _table(
        _LIVING.format("balance_transactions"),
        "id amount:int fee:int net:int currency type reporting_category status source description created:time "
        "available_on:time fee_details:details raw_amount:raw=amount raw_fee:raw=fee raw_net:raw=net",
    ),
    "payouts": _table(
        _LIVING.format("payouts"),
        "id amount:int currency status automatic:flag method created:time arrival_date:time balance_transaction "
        "failure_balance_transaction failure_code reconciliation_status raw_amount:raw=amount",
    ),
    "payout_items": _table("stripe.payout_balance_transactions", "payout_id balance_transaction_id"),
    "payout_itemisations": _table("stripe.payout_itemisations", "payout_id items:int"),
    "charges": _table(
        _LIVING.format("charges"),
        "id amount:int amount_captured:int amount_refunded:int currency status balance_transaction payment_intent "
        "customer created:time raw_amount:raw=amount raw_amount_captured:raw=amount_captured "
        "raw_amount_refunded:raw=amount_refunded",
    ),
    "refunds": _table(
        _LIVING.format("refunds"),
        "id amount:int currency status charge balance_transaction failure_balance_transaction created:time "
        "raw_amount:raw=amount",
    ),
    "disputes": _table(
        _LIVING.format("disputes"),
        "id amount:int currency status reason charge created:time raw_amount:raw=amount",
    ),
    "sync_state": _table("payment_kit.sync_state", "stream complete_through:time"),
    "inbox_open": _table(
        "(select * from payment_kit.inbox where outcome is null or outcome = 'dead') as inbox",
        "event_id type object_id outcome created:time",
    ),
}


def create_tables(connection: Any) -> None:
    """Creates every table of the books, empty, on a DuckDB connection."""
    for name, table in TABLES.items():
        connection.execute(f"create table {name} ({table.ddl})")
