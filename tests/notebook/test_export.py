"""The exported files hold every row, exact, in the forms people and programs want."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest

from payment_kit.finance import Reconciliation, reconcile
from payment_kit.notebook import export, params
from payment_kit.notebook.export import _guarded
from payment_kit.warehouse import open_books

FILES = ["breaks", "bridge", "controls", "payout_items", "payouts", "payouts_in_transit"]


@pytest.fixture
def exported(seeded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Reconciliation]:
    monkeypatch.setenv("PAYMENT_KIT_RUN_FOLDER", str(tmp_path))
    scope = params("2026-08")
    with open_books(seeded) as books:
        result = reconcile(books.connection, scope.period)
        export(result, books, scope)
    return tmp_path, result


def test_every_table_is_there_in_every_form(exported: tuple[Path, Reconciliation]) -> None:
    names = {path.name for path in exported[0].iterdir()}
    assert names == {"checks.json", "reconciliation.xlsx"} | {f"{n}.{s}" for n in FILES for s in ("csv", "parquet")}


def test_files_hold_minor_units_and_the_workbook_major(exported: tuple[Path, Reconciliation]) -> None:
    folder, result = exported
    first = next(row for row in result.payouts if row["currency"] == "kwd")
    table = pyarrow.parquet.read_table(folder / "payouts.parquet").to_pylist()
    with (folder / "payouts.csv").open() as file:
        lines = list(csv.DictReader(file))
    sheet = openpyxl.load_workbook(folder / "reconciliation.xlsx")["Payouts"]
    heads = [cell.value for cell in sheet[1]]
    cell = next(row[heads.index("amount")] for row in sheet.iter_rows(min_row=2) if row[0].value == first["payout"])
    assert next(row["amount"] for row in table if row["payout"] == first["payout"]) == first["amount"]
    assert next(row["amount"] for row in lines if row["payout"] == first["payout"]) == str(first["amount"])
    assert Decimal(str(cell.value)) == Decimal(first["amount"]).scaleb(-3)
    assert "0.000" in cell.number_format


def test_checks_json_says_what_was_checked(exported: tuple[Path, Reconciliation]) -> None:
    folder, result = exported
    summary = json.loads((folder / "checks.json").read_text())
    assert (summary["schema_version"], summary["status"], summary["breaks"]) == (1, "PASS", [])
    assert len(summary["checks"]) == len(result.checks)
    assert summary["period"]["end"] == "2026-09-01T00:00:00+00:00"
    assert summary["watermark"]["events_complete_through"] == "2026-12-01T00:00:00+00:00"


def test_it_says_where_the_files_are(seeded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAYMENT_KIT_RUN_FOLDER", raising=False)
    monkeypatch.setenv("PAYMENT_KIT_HOME", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    scope = params("2026-08", "kwd")
    with open_books(seeded) as books:
        shown = export(reconcile(books.connection, scope.period, scope.currency), books, scope)
    assert "<p>In <code>var/runs/reconcile/payouts/2026-08/lab</code>: <code>breaks.csv</code>" in shown.text
    assert repr(shown).startswith("var/runs/reconcile/payouts/2026-08/lab: breaks.csv, ")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_text_never_becomes_a_formula(text: str) -> None:
    assert _guarded(text) == f"'{text}"
