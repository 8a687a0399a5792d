"""What has not arrived is PENDING: never PASS, and never FAIL only because we do not know yet."""

import random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.errors import UsageProblem
from payment_kit.finance import Reconciliation, Status, overall, parse_period, reconcile
from payment_kit.warehouse import create_tables
from tests.fix_books import into_duckdb, random_ledger

AUGUST = parse_period("2026-08")


def statuses(result: Reconciliation, name: str) -> set[Status]:
    return {one.status for one in result.checks if one.id == name}


@pytest.mark.parametrize("table", ["charges", "refunds", "disputes", "payouts"])
def test_an_object_that_has_not_arrived_is_pending_and_named(books: duckdb.DuckDBPyConnection, table: str) -> None:
    [(missing,)] = books.execute(
        f"select id from {table} where created between '2026-08-05' and '2026-08-25' order by id limit 1"
    ).fetchall()
    books.execute(f"delete from {table} where id = '{missing}'")
    result = reconcile(books, AUGUST)
    assert result.status is Status.PENDING
    named = [one for one in result.breaks if one.check == "C1" and one.source == missing]
    assert named
    assert "sync catch-up" in named[0].next_step


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_a_tenth_of_everything_lost_is_pending(seed: int) -> None:
    rng = random.Random(seed)
    ledger = random_ledger(rng, days=60)
    for table in ("charges", "refunds", "disputes", "payouts"):
        ledger.objects[table] = [row for row in ledger.objects[table] if rng.random() > 0.1]
    for lost in set(ledger.items) - {row["id"] for row in ledger.objects["payouts"]}:
        del ledger.items[lost]
    ledger.complete_through = int(AUGUST.start.timestamp())
    with into_duckdb(ledger) as books:
        assert reconcile(books, AUGUST).status is Status.PENDING


def test_a_payout_not_itemised_yet_is_pending(books: duckdb.DuckDBPyConnection) -> None:
    [(payout, currency)] = books.execute(
        "select id, currency from payouts where arrival_date between '2026-08-05' and '2026-08-25' limit 1"
    ).fetchall()
    books.execute(f"delete from payout_itemisations where payout_id = '{payout}'")
    result = reconcile(books, AUGUST)
    waiting = {one.id for one in result.checks if one.status is Status.PENDING and one.currency == currency}
    assert (result.status, waiting) == (Status.PENDING, {"T2", "T3", "T4"})


def test_a_payout_still_in_progress_is_pending(books: duckdb.DuckDBPyConnection) -> None:
    books.execute("update payouts set reconciliation_status = 'in_progress' where arrival_date = '2026-08-20'")
    assert Status.PENDING in statuses(reconcile(books, AUGUST), "T2")


@pytest.mark.parametrize("stream", ["events", "balance_transactions"])
@pytest.mark.parametrize("through", ["'2026-08-31 23:59:59'", "NULL"])
def test_a_stream_not_read_past_the_period_is_pending(
    books: duckdb.DuckDBPyConnection, stream: str, through: str
) -> None:
    books.execute(f"update sync_state set complete_through = {through} where stream = '{stream}'")
    result = reconcile(books, AUGUST)
    assert (result.status, statuses(result, "C2")) == (Status.PENDING, {Status.PENDING})


def test_a_stream_read_exactly_to_the_period_end_is_enough(books: duckdb.DuckDBPyConnection) -> None:
    books.execute("update sync_state set complete_through = '2026-09-01'")
    assert reconcile(books, AUGUST).status is Status.PASS


@pytest.mark.parametrize("outcome", ["NULL", "'dead'"])
def test_an_event_that_waits_or_was_given_up_is_pending(books: duckdb.DuckDBPyConnection, outcome: str) -> None:
    books.execute(f"insert into inbox_open values ('evt_1', 'charge.updated', 'ch_1', {outcome}, '2026-08-10')")
    assert reconcile(books, AUGUST).status is Status.PENDING


def test_an_event_after_the_period_does_not_matter_to_it(books: duckdb.DuckDBPyConnection) -> None:
    books.execute("insert into inbox_open values ('evt_1', 'charge.updated', 'ch_1', NULL, '2026-09-01')")
    assert reconcile(books, AUGUST).status is Status.PASS


def test_a_transaction_an_object_names_but_nobody_read_is_pending(books: duckdb.DuckDBPyConnection) -> None:
    books.execute(
        "insert into charges (id, amount, amount_captured, amount_refunded, currency, balance_transaction, created, "
        "raw_amount, raw_amount_captured, raw_amount_refunded) "
        "values ('ch_new', 5, 5, 0, 'usd', 'txn_unread', '2026-08-30', 5, 5, 0)"
    )
    result = reconcile(books, AUGUST)
    assert result.status is Status.PENDING
    assert [one.balance_transaction for one in result.breaks] == ["txn_unread"]


@pytest.mark.parametrize("column", ["amount", "amount_captured", "amount_refunded"])
def test_a_changed_charge_fails_and_names_its_transaction_and_payout(
    books: duckdb.DuckDBPyConnection, column: str
) -> None:
    [(charge, transaction, payout)] = books.execute(
        "select charges.id, balance_transaction, payout_id from charges "
        "join payout_items on balance_transaction_id = balance_transaction limit 1"
    ).fetchall()
    books.execute(f"update charges set {column} = {column} + 1 where id = '{charge}'")
    [found] = reconcile(books, AUGUST).breaks
    assert (found.check, found.status, found.amount) == ("C3", Status.FAIL, 1)
    assert (found.source, found.balance_transaction, found.payout) == (charge, transaction, payout)


@pytest.mark.parametrize("table", ["refunds", "disputes", "payouts"])
def test_a_changed_amount_of_any_source_fails(books: duckdb.DuckDBPyConnection, table: str) -> None:
    books.execute(f"update {table} set amount = amount - 1 where id = (select min(id) from {table})")
    assert statuses(reconcile(books, AUGUST), "C3") == {Status.FAIL, Status.PASS}


def test_no_data_is_no_pass() -> None:
    with duckdb.connect() as empty:
        create_tables(empty)
        with pytest.raises(UsageProblem, match="NO_DATA"):
            reconcile(empty, AUGUST)


def test_an_unknown_currency_is_no_pass(books: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageProblem, match="nothing in chf"):
        reconcile(books, AUGUST, "chf")


def test_only_all_passing_is_pass_and_any_failing_is_fail() -> None:
    assert overall([]) is Status.PENDING
    assert overall([Status.PASS, Status.PASS]) is Status.PASS
    assert overall([Status.PASS, Status.PENDING]) is Status.PENDING
    assert overall([Status.PENDING, Status.FAIL]) is Status.FAIL


def test_a_period_before_the_first_transaction_is_no_pass(books: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageProblem, match="NO_DATA: The books begin only after that period"):
        reconcile(books, parse_period("2019-01"))
