"""T1–T4: books that tie pass, and one minor unit anywhere is found and named."""

import random
from datetime import UTC, datetime

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.finance import Break, Check, Reconciliation, Status, parse_period, reconcile
from tests.fix_books import Ledger, into_duckdb, random_ledger

AUGUST = parse_period("2026-08")
SEEDS = st.integers(0, 2**32)


def failing(result: Reconciliation) -> set[tuple[str, str]]:
    return {(one.id, one.currency) for one in result.checks if one.status is Status.FAIL}


def of(result: Reconciliation, name: str, currency: str) -> Check:
    return next(one for one in result.checks if (one.id, one.currency) == (name, currency))


def at(month: int, day: int, hour: int = 0) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp())


@settings(max_examples=8)
@given(SEEDS, st.sampled_from(["2026-07", "2026-08", "2026-Q3", "2026-07-10..2026-07-12", "2026-09-05..2026-09-05"]))
def test_books_moved_as_stripe_moves_them_always_pass(seed: int, period: str) -> None:
    with into_duckdb(random_ledger(random.Random(seed))) as books:
        result = reconcile(books, parse_period(period))
    assert [one for one in result.checks if one.status is not Status.PASS] == []
    assert result.breaks == ()


@settings(max_examples=12)
@given(SEEDS, st.sampled_from(["amount", "fee", "net"]), st.sampled_from([1, -1]), st.booleans())
def test_one_unit_in_one_column_fails_and_names_the_transaction_and_its_payout(
    seed: int, column: str, by: int, raw_too: bool
) -> None:
    """Even when the stored object was changed along with the typed column."""
    rng = random.Random(seed)
    ledger = random_ledger(rng, days=45)
    chosen = rng.choice(ledger.objects["balance_transactions"])["id"]
    payout = next((name for name, items in ledger.items.items() if chosen in items), "")
    with into_duckdb(ledger) as books:
        books.execute(f"update balance_transactions set {column} = {column} + {by} where id = '{chosen}'")
        if raw_too:
            books.execute(f"update balance_transactions set raw_{column} = raw_{column} + {by} where id = '{chosen}'")
        result = reconcile(books, parse_period("2026-Q3"))
    assert result.status is Status.FAIL
    named = [one for one in result.breaks if one.check == "T1"]
    assert {(one.balance_transaction, one.payout) for one in named} == {(chosen, payout)}


@settings(max_examples=8)
@given(SEEDS, st.sampled_from([1, -1]))
def test_a_change_that_hides_from_t1_breaks_the_payout_and_the_balance(seed: int, by: int) -> None:
    """Amount and net moved together, in the row and in the stored object: only the payout can tell."""
    rng = random.Random(seed)
    ledger = random_ledger(rng, days=60)
    august = [
        payout["id"]
        for payout in ledger.objects["payouts"]
        if payout["arrival_date"] >= at(8, 1) and payout["arrival_date"] < at(8, 20) and payout["status"] == "paid"
    ]
    payout = rng.choice(august)
    chosen = rng.choice(ledger.items[payout][1:])
    currency = ledger.find("payouts", payout)["currency"]
    with into_duckdb(ledger) as books:
        books.execute(
            f"update balance_transactions set amount = amount + {by}, net = net + {by}, "
            f"raw_amount = raw_amount + {by}, raw_net = raw_net + {by} where id = '{chosen}'"
        )
        result = reconcile(books, AUGUST)
    assert failing(result) == {("T2", currency), ("T3", currency), ("T4", currency)}
    assert {one.payout for one in result.breaks} == {payout}
    assert of(result, "T2", currency).difference == by


def golden() -> Ledger:
    """July: one charge paid out over the month end. August: a refund, a dispute fee, a failed payout paid again."""
    ledger = Ledger()
    first = ledger.charge("jpy", 10_000, at(7, 29), fee=360)
    ledger.payout("jpy", at(7, 31), days=2)
    ledger.charge("jpy", 5_000, at(8, 3), fee=180)
    ledger.refund(first, 1_000, at(8, 4))
    ledger.payout("jpy", at(8, 6), days=2, failed_at=at(8, 9, 12))
    ledger.charge("kwd", 12_340, at(8, 31, 23), fee=358)
    ledger.payout("jpy", at(8, 30), days=3)
    return ledger


def test_the_golden_month_has_these_figures() -> None:
    with into_duckdb(golden()) as books:
        result = reconcile(books, AUGUST)
    jpy, kwd = result.bridges
    assert (jpy.opening, jpy.closing, kwd.opening, kwd.closing) == (9_640, 3_820, 0, 11_982)
    assert [(one.category, one.count, one.gross, one.fee, one.net) for one in jpy.activity] == [
        ("charge", 1, 5_000, 180, 4_820),
        ("refund", 1, -1_000, 0, -1_000),
    ]
    assert [(one.category, one.net) for one in jpy.payouts] == [("payout", -13_460), ("payout_reversal", 3_820)]
    assert result.status is Status.PASS


def test_a_payout_under_way_at_the_period_end_is_still_in_the_closing_balance() -> None:
    with into_duckdb(golden()) as books:
        july = reconcile(books, parse_period("2026-07"), "jpy")
    assert july.bridges[0].closing == 9_640
    assert [row["amount"] for row in july.in_transit] == [9_640]


def test_a_manual_payout_leaves_the_balance_when_it_is_made() -> None:
    ledger = Ledger()
    ledger.charge("usd", 10_000, at(8, 1), fee=0)
    ledger.manual_payout("usd", 4_000, at(8, 31, 12))
    with into_duckdb(ledger) as books:
        result = reconcile(books, AUGUST)
    assert (result.bridges[0].closing, result.status) == (6_000, Status.PASS)


def test_a_payout_that_came_back_before_it_arrived_never_counts_twice() -> None:
    ledger = Ledger()
    ledger.charge("usd", 10_000, at(8, 28), fee=0)
    ledger.payout("usd", at(8, 30), days=5, failed_at=at(8, 31, 12))
    with into_duckdb(ledger) as books:
        result = reconcile(books, AUGUST)
    assert (result.bridges[0].closing, result.status) == (10_000, Status.PASS)


def test_errors_that_cancel_out_still_fail(books: duckdb.DuckDBPyConnection) -> None:
    first, second = (
        row[0]
        for row in books.execute(
            "select id from balance_transactions where currency = 'usd' and type = 'charge' order by created limit 2"
        ).fetchall()
    )
    books.execute(f"update balance_transactions set net = net + 1 where id = '{first}'")
    books.execute(f"update balance_transactions set net = net - 1 where id = '{second}'")
    found = of(reconcile(books, AUGUST), "T1", "usd")
    assert (found.difference, found.status, found.breaks) == (0, Status.FAIL, 2)


def test_a_fee_that_its_details_do_not_explain_fails(books: duckdb.DuckDBPyConnection) -> None:
    books.execute(
        "update balance_transactions set fee_details = fee_details + 1 where id = (select min(id) from charges)"
    )
    books.execute(
        "update balance_transactions set fee = fee + 1, net = net - 1, raw_fee = raw_fee + 1, raw_net = raw_net - 1 "
        "where id = (select min(balance_transaction) from charges where currency = 'eur')"
    )
    assert ("T1", "eur") in failing(reconcile(books, AUGUST))


def test_an_amount_of_another_currency_is_never_added_to_a_payout(books: duckdb.DuckDBPyConnection) -> None:
    payout, item, net = books.execute(
        "select payout_id, moved.id, moved.net from payout_items join payouts on payouts.id = payout_id "
        "join balance_transactions as moved on moved.id = balance_transaction_id "
        "where payouts.currency = 'usd' and moved.type = 'charge' "
        "and arrival_date between '2026-08-05' and '2026-08-25' and payouts.status = 'paid' limit 1"
    ).fetchall()[0]
    books.execute(f"update balance_transactions set currency = 'eur' where id = '{item}'")
    result = reconcile(books, AUGUST)
    broken = {one.rule: one.amount for one in result.breaks if one.check == "T2" and one.payout == payout}
    assert broken == {"items": 0, "net": -net}


def test_a_lost_item_of_a_payout_fails(books: duckdb.DuckDBPyConnection) -> None:
    payout = august_payout(books)
    books.execute(
        f"delete from payout_items where payout_id = '{payout}' and balance_transaction_id in "
        f"(select max(balance_transaction_id) from payout_items where payout_id = '{payout}')"
    )
    result = reconcile(books, AUGUST)
    assert any(one.check == "T2" and one.payout == payout for one in result.breaks)


def test_a_changed_payout_amount_fails_twice(books: duckdb.DuckDBPyConnection) -> None:
    """Against its items and against its own balance transaction."""
    payout = august_payout(books)
    books.execute(f"update payouts set amount = amount + 1 where id = '{payout}'")
    broken = {one.rule for one in reconcile(books, AUGUST).breaks if one.check == "T2" and one.payout == payout}
    assert broken == {"net", "own"}


def august_payout(books: duckdb.DuckDBPyConnection) -> str:
    rows = books.execute(
        "select id from payouts where automatic and status = 'paid' "
        "and arrival_date between '2026-08-05' and '2026-08-25' order by id limit 1"
    ).fetchall()
    return str(rows[0][0])


def test_a_break_keeps_its_key_from_run_to_run(books: duckdb.DuckDBPyConnection) -> None:
    books.execute("update balance_transactions set net = net + 1 where type = 'charge' and created < '2026-08-10'")
    keys = [one.key for one in reconcile(books, AUGUST).breaks]
    assert keys == [one.key for one in reconcile(books, AUGUST).breaks]
    assert len(set(keys)) == len(keys)


def test_one_currency_is_judged_by_its_own_rows_only(books: duckdb.DuckDBPyConnection) -> None:
    books.execute("update balance_transactions set net = net + 1 where currency = 'usd'")
    assert reconcile(books, AUGUST, "eur").status is Status.PASS
    assert reconcile(books, AUGUST, "usd").status is Status.FAIL


def test_break_and_check_are_plain_data() -> None:
    one = Break("T1", "usd", 1, Status.FAIL, "why", "next", "txn_1", "po_1", rule="net")
    assert one.as_json()["key"] == "T1:usd:txn_1:net"
    assert Check("T1", "t", "usd", 3, 2, Status.FAIL, "d").as_json()["difference"] == 1
