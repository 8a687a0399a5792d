"""Books to reconcile: a small, exact model of how Stripe moves a balance, written as Stripe's own objects.

`Ledger` builds charges, refunds, disputes and payouts that tie by construction; `into_duckdb` and `into_postgres` put
them where finance and the runs read them.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
import psycopg
import pyarrow
import pytest
from psycopg.types.json import Jsonb

from payment_kit.mirror.catalogue import TABLES as CATALOGUE_TABLES
from payment_kit.warehouse import TABLES, create_tables

DAY = 86400
ACCOUNT = "acct_books"
START = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())
FAR = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
Raw = dict[str, Any]


@dataclass
class Ledger:
    """Stripe objects by table; every method moves the balance the way Stripe does and returns what it made."""

    objects: dict[str, list[Raw]] = field(
        default_factory=lambda: {
            name: [] for name in ("charges", "refunds", "disputes", "balance_transactions", "payouts")
        }
    )
    items: dict[str, list[str]] = field(default_factory=dict)
    unsettled: dict[str, list[Raw]] = field(default_factory=dict)
    complete_through: int = FAR

    def charge(self, currency: str, amount: int, at: int, fee: int | None = None) -> Raw:
        fee = (amount * 29 + 500) // 1000 + 30 if fee is None else fee
        made = self._add("charges", "ch", currency=currency, amount=amount, created=at, status="succeeded")
        made |= {"amount_captured": amount, "amount_refunded": 0, "payment_intent": f"pi_{made['id'][3:]}"}
        moved = self._move("charge", "charge", made, amount, fee, at)
        made["balance_transaction"] = moved["id"]
        return made

    def refund(self, charge: Raw, amount: int, at: int) -> Raw:
        made = self._add("refunds", "re", currency=charge["currency"], amount=amount, created=at, status="succeeded")
        made["charge"] = charge["id"]
        made["balance_transaction"] = self._move("refund", "refund", made, -amount, 0, at)["id"]
        charge["amount_refunded"] += amount
        return made

    def dispute(self, charge: Raw, at: int, *, won_at: int | None = None) -> Raw:
        amount = charge["amount"]
        made = self._add("disputes", "dp", currency=charge["currency"], amount=amount, created=at, status="lost")
        made["charge"] = charge["id"]
        self._move("adjustment", "dispute", made, -amount, 1500, at)
        if won_at is not None:
            made["status"] = "won"
            self._move("adjustment", "dispute_reversal", made, amount, 0, won_at)
        return made

    def payout(self, currency: str, at: int, *, days: int = 2, failed_at: int | None = None) -> Raw | None:
        """An automatic payout of everything unsettled until `at`; none when that is not positive."""
        waiting = self.unsettled.get(currency, [])
        due = [moved for moved in waiting if moved["created"] < at]
        amount = sum(moved["net"] for moved in due)
        if amount <= 0:
            return None
        self.unsettled[currency] = [moved for moved in waiting if moved["created"] >= at]
        made = self._add("payouts", "po", currency=currency, amount=amount, created=at, status="paid")
        made |= {"automatic": True, "method": "standard", "reconciliation_status": "completed"}
        made["arrival_date"] = (at // DAY + days) * DAY
        own = self._move("payout", "payout", made, -amount, 0, at, unsettled=False)
        made["balance_transaction"] = own["id"]
        self.items[made["id"]] = [own["id"], *(moved["id"] for moved in due)]
        if failed_at is not None:
            made["status"] = "failed"
            back = self._move("payout_failure", "payout_reversal", made, amount, 0, failed_at)
            made["failure_balance_transaction"] = back["id"]
        return made

    def manual_payout(self, currency: str, amount: int, at: int) -> Raw:
        made = self._add("payouts", "po", currency=currency, amount=amount, created=at, status="paid")
        made |= {"automatic": False, "reconciliation_status": "not_applicable", "arrival_date": at + 2 * DAY}
        made["balance_transaction"] = self._move("payout", "payout", made, -amount, 0, at, unsettled=False)["id"]
        return made

    def stripe_fee(self, currency: str, amount: int, at: int) -> Raw:
        return self._move("stripe_fee", "fee", {"id": None, "currency": currency}, -amount, 0, at)

    def find(self, table: str, name: str) -> Raw:
        return next(one for one in self.objects[table] if one["id"] == name)

    def _add(self, table: str, prefix: str, **values: Any) -> Raw:
        made = {"id": f"{prefix}_1SeedBooksTies{len(self.objects[table]):010d}", "livemode": False, **values}
        self.objects[table].append(made)
        return made

    def _move(
        self, kind: str, category: str, source: Raw, amount: int, fee: int, at: int, *, unsettled: bool = True
    ) -> Raw:
        details = [{"amount": fee, "currency": source["currency"], "type": "stripe_fee"}] if fee else []
        made = self._add("balance_transactions", "txn", currency=source["currency"], amount=amount, created=at)
        made |= {"fee": fee, "net": amount - fee, "fee_details": details, "type": kind, "source": source["id"]}
        made |= {"reporting_category": category, "available_on": at + 2 * DAY, "status": "available"}
        if unsettled:
            self.unsettled.setdefault(source["currency"], []).append(made)
        return made


def random_ledger(rng: random.Random, *, days: int = 65, currencies: tuple[str, ...] = ("usd", "jpy", "kwd")) -> Ledger:
    """A business of `days` days from 2026-07-01: charges, refunds, disputes, fees, payouts, some of which fail."""
    ledger = Ledger()
    charges: list[Raw] = []
    for day in range(days):
        at = START + day * DAY
        for currency in currencies:
            charges += [
                ledger.charge(currency, rng.randrange(100, 90_000), at + rng.randrange(DAY))
                for _ in range(rng.randrange(0, 3))
            ]
            if rng.random() < 0.05:
                ledger.stripe_fee(currency, rng.randrange(1, 500), at + rng.randrange(DAY))
            if rng.random() < 0.7:
                failed = at + rng.randrange(1, 5 * DAY) if rng.random() < 0.15 else None
                ledger.payout(currency, at + rng.randrange(3600), days=rng.randrange(0, 4), failed_at=failed)
        if charges and rng.random() < 0.4:
            old = charges.pop(rng.randrange(len(charges)))
            if rng.random() < 0.7:
                ledger.refund(old, rng.randrange(1, old["amount"] + 1), at + rng.randrange(DAY))
            else:
                won = at + rng.randrange(DAY, 20 * DAY) if rng.random() < 0.5 else None
                ledger.dispute(old, at + rng.randrange(DAY), won_at=won)
    return ledger


def into_duckdb(ledger: Ledger) -> duckdb.DuckDBPyConnection:
    """The books of a ledger in memory, as `open_books` would have read them."""
    connection = duckdb.connect()
    create_tables(connection)
    for table, rows in ledger.objects.items():
        _fill(connection, table, [_book(table, row) for row in rows])
    links = [(payout, item) for payout, names in ledger.items.items() for item in names]
    _fill(connection, "payout_items", links)
    _fill(connection, "payout_itemisations", [(payout, len(names)) for payout, names in ledger.items.items()])
    through = _time(ledger.complete_through)
    _fill(connection, "sync_state", [("events", through), ("balance_transactions", through)])
    return connection


def _fill(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    names = [name for name, _, _ in TABLES[table].columns]
    arrived = pyarrow.table({name: [row[at] for row in rows] for at, name in enumerate(names)})
    connection.register("arrived", arrived)
    connection.execute(f"insert into {table} select * from arrived")
    connection.unregister("arrived")


def _book(table: str, raw: Raw) -> tuple[Any, ...]:
    values = []
    for name, kind, _ in TABLES[table].columns:
        if name == "fee_details":
            values.append(sum(detail["amount"] for detail in raw["fee_details"]))
        elif kind == "TIMESTAMP":
            values.append(_time(raw[name]) if raw.get(name) is not None else None)
        else:
            values.append(raw.get(name.removeprefix("raw_")))
    return tuple(values)


def _time(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC).replace(tzinfo=None)


def into_postgres(dsn: str, ledger: Ledger, account: str = ACCOUNT) -> None:
    """Writes a ledger straight into the mirror's tables, as a finished synchronisation would leave them."""
    with psycopg.connect(dsn) as connection:
        connection.execute("insert into payment_kit.accounts (account_id, livemode) values (%s, false)", [account])
        for table, rows in ledger.objects.items():
            columns = CATALOGUE_TABLES[table].columns
            connection.execute(
                f"insert into stripe.{table} (account_id, id, livemode, {', '.join(c.name for c in columns)}, raw, "
                f"source_time, source_progress, source_event) select %s, raw->>'id', false, "
                f"{', '.join(c.sql for c in columns)}, raw, now(), '{{}}', 'seed' from unnest(%s::jsonb[]) as raw",
                [account, [Jsonb(row) for row in rows]],
            )
        for payout, names in ledger.items.items():
            connection.execute(
                "insert into stripe.payout_balance_transactions select %s, %s, unnest(%s::text[])",
                [account, payout, names],
            )
            connection.execute(
                "insert into stripe.payout_itemisations values (%s, %s, %s)", [account, payout, len(names)]
            )
        for stream in ("events", "balance_transactions"):
            connection.execute(
                "insert into payment_kit.sync_state (account_id, stream, complete_through)"
                " values (%s, %s, to_timestamp(%s))",
                [account, stream, ledger.complete_through],
            )


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    """One seeded quarter in usd, eur, jpy and kwd."""
    return random_ledger(random.Random(7), days=75, currencies=("usd", "eur", "jpy", "kwd"))


@pytest.fixture
def books(ledger: Ledger) -> Iterator[duckdb.DuckDBPyConnection]:
    """The seeded quarter in memory."""
    connection = into_duckdb(ledger)
    yield connection
    connection.close()


@pytest.fixture
def seeded(database: str, ledger: Ledger) -> str:
    """The DSN of a database that holds the seeded quarter."""
    into_postgres(database, ledger)
    return database
