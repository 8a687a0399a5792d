"""The control panel in the terminal, and which month is the last full one."""

from datetime import UTC, datetime

import pytest

from payment_kit.cli.demo_report import break_line, last_full_month, panel


def test_the_panel_has_a_row_per_control_and_a_column_per_currency() -> None:
    checks = [
        {"id": "T1", "title": "Fees", "currency": "usd", "status": "PASS"},
        {"id": "T1", "title": "Fees", "currency": "jpy", "status": "FAIL"},
        {"id": "C2", "title": "Complete", "currency": "", "status": "PENDING"},
    ]
    assert panel(checks) == (
        ["jpy", "usd"],
        [["T1  Fees", "FAIL", "PASS"], ["C2  Complete", "PENDING", "PENDING"]],
    )


@pytest.mark.parametrize(
    ("now", "period"),
    [(datetime(2026, 1, 31, tzinfo=UTC), "2025-12"), (datetime(2026, 3, 1, tzinfo=UTC), "2026-02")],
)
def test_the_last_full_month_is_the_one_before(now: datetime, period: str) -> None:
    assert last_full_month(now) == period


def test_a_break_names_the_object_it_concerns() -> None:
    one = {
        "check": "T1",
        "currency": "jpy",
        "balance_transaction": "txn_1",
        "payout": "po_1",
        "source": "",
        "why": "Off.",
    }
    assert break_line(one) == "T1 jpy txn_1: Off."
    assert break_line(one | {"balance_transaction": ""}) == "T1 jpy po_1: Off."
