"""What a cell shows: exact amounts, escaped text, no script, nothing fetched."""

import re
from itertools import pairwise

import duckdb
import pytest

from payment_kit.errors import UsageProblem
from payment_kit.finance import Break, Reconciliation, Status, parse_period, reconcile
from payment_kit.finance.balances import Bridge
from payment_kit.notebook import chart, check, params, table
from payment_kit.notebook.bridge_chart import draw, steps
from payment_kit.notebook.html import STYLE, amount

AUGUST = parse_period("2026-08")


@pytest.fixture
def result(books: duckdb.DuckDBPyConnection) -> Reconciliation:
    return reconcile(books, AUGUST)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1234567, "usd", "12,345.67"), (-1234567, "jpy", "−1,234,567"), (-5, "kwd", "−0.005"), (0, "eur", "0.00")],
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert amount(minor, currency) == text


def test_the_panel_names_every_control_and_currency(result: Reconciliation) -> None:
    shown = check(result)._repr_html_()
    assert all(f">{name}</span>" in shown for name in ("T1", "T2", "T3", "T4", "C1", "C2", "C3"))
    assert all(f">{name}</th>" in shown for name in ("EUR", "JPY", "KWD", "USD"))
    assert "All 25 controls pass" in shown


def test_every_rule_is_more_specific_than_jupyterlab_s_for_tables() -> None:
    """The strongest of those, ``:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon th``, has two classes."""
    rules = re.sub(r"\{[^}]*\}", ",", STYLE.removeprefix("<style>").removesuffix("</style>"))
    selectors = [one.strip() for one in rules.split(",") if one.strip()]
    assert len(selectors) > 30
    assert [one for one in selectors if not one.startswith(".pk.pk.pk")] == []


def test_without_the_style_sheet_the_tables_still_read_well(result: Reconciliation) -> None:
    """As in a notebook that is not trusted, of which JupyterLab keeps inline styles and colspan."""
    panel, payouts = check(result).text, table(result.payouts, columns="payout amount", group="currency").text
    assert '<td style="text-align:left"><span class="id">T1</span> Amount' in panel
    assert f'<td class="c" style="text-align:center" colspan="{len(result.currencies)}">' in panel
    assert 'style="background-color:#dcefe9;color:#00573f">PASS' in panel
    assert '<th style="text-align:left" colspan="2">EUR</th>' in payouts
    assert '<td class="ids" style="text-align:left;white-space:nowrap"><code>po_' in payouts


def test_where_no_picture_is_drawn_the_balances_stand_in_words(result: Reconciliation) -> None:
    text = chart(result).text
    hidden, shown = text.split('<div class="undrawn">')
    assert hidden.startswith('<div class="drawn" style="display:none">')
    assert "<svg" not in shown
    one = result.bridges[0]
    assert f"EUR: from {amount(one.opening, 'eur')} to {amount(one.closing, 'eur')}" in shown


def test_the_panel_says_by_how_much_a_control_is_off(books: duckdb.DuckDBPyConnection) -> None:
    books.execute(
        "update balance_transactions set net = net + 1 where id = "
        "(select min(balance_transaction) from charges where currency = 'kwd')"
    )
    assert "off by −0.001" in check(reconcile(books, AUGUST)).text


def test_what_still_waits_for_data_is_not_said_to_be_off_or_without_breaks(books: duckdb.DuckDBPyConnection) -> None:
    books.execute("update payouts set reconciliation_status = 'in_progress' where currency = 'kwd'")
    result = reconcile(books, AUGUST)
    waiting = [one for one in result.checks if one.id in {"T3", "T4"} and one.status is Status.PENDING]
    text = check(result).text
    assert [one.breaks for one in waiting] == [0] * len(waiting)
    assert text.count("not known yet") == len(waiting) > 0
    assert ("0 breaks" in text, "off by" in text) == (False, False)


def test_fees_are_no_transactions_of_their_own_in_any_currency(result: Reconciliation) -> None:
    fees = [one for bridge in result.bridges for one in steps(bridge) if one.label == "Fees withheld"]
    assert {one.transactions for one in fees} == {0}


def test_the_bridge_starts_where_it_opens_and_ends_where_it_closes(result: Reconciliation) -> None:
    for bridge in result.bridges:
        drawn = steps(bridge)
        assert (drawn[0].after, drawn[-1].after) == (bridge.opening, bridge.closing)
        assert drawn[-2].after == bridge.closing
        assert all(one.after == two.before for one, two in pairwise(drawn[:-1]))


def test_every_currency_has_its_picture_with_exact_figures(result: Reconciliation) -> None:
    text = chart(result).text
    assert text.count("<svg") == len(result.bridges)
    assert all(amount(one.closing, one.currency) in text for one in result.bridges)


def test_a_bridge_of_nothing_can_be_drawn() -> None:
    assert "<svg" in draw("usd", steps(Bridge("usd", 0, (), (), 0, 0)))


def test_text_from_outside_is_escaped() -> None:
    shown = table([{"currency": "usd", "note": "<script>alert(1)</script>"}], money="").text
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_totals_are_per_currency_and_over_rows_not_shown() -> None:
    rows = [{"payout": f"po_{n}", "currency": c, "amount": 100} for c in ("jpy", "usd") for n in range(3)]
    shown = table(rows, group="currency", rows_max=4).text
    assert ("Total of 3" in shown, ">300<" in shown, ">3.00<" in shown) == (True, True, True)
    assert "4 of 6 rows" in shown


def test_a_break_shows_its_objects() -> None:
    shown = table([Break("T1", "usd", 1, Status.FAIL, "why", "next", "txn_1", "po_1")], columns="objects why").text
    assert ("txn_1" in shown, "po_1" in shown) == (True, True)


@pytest.mark.parametrize(
    "wrong", [{"period": "soon"}, {"period": "2026-08", "currency": "USD"}, {"period": "2026-08", "account": "me"}]
)
def test_wrong_parameters_are_refused_by_name(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageProblem) as caught:
        params(**wrong)
    assert caught.value.field == list(wrong)[-1]
