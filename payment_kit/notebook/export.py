"""The files a run leaves: CSV and Parquet per table, one workbook, and `checks.json` for programs.

Parquet and CSV keep integer minor units beside the currency; the workbook shows amounts as people read them.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from payment_kit.errors import UsageProblem
from payment_kit.finance import Reconciliation
from payment_kit.money import exponent, to_decimal
from payment_kit.notebook.html import Html
from payment_kit.notebook.session import Scope, place, run_folder
from payment_kit.warehouse import Books

SCHEMA_VERSION = 1
BREAKS_MAX = 1000
SHEET_ROWS_MAX = 1_000_000
Row = Mapping[str, Any]
_BRIDGE = ("currency", "part", "category", "count", "gross", "fee", "net")
_MONEY = {
    "amount", "charges", "refunds", "disputes", "other", "fees", "items_net", "difference", "gross", "fee", "net",
}  # fmt: skip


def export(result: Reconciliation, books: Books, scope: Scope, *, notebook: str = "reconcile/payouts") -> Html:
    """Writes the files into the run's folder and lists them; overwrites what an earlier execution left there."""
    folder = run_folder(notebook, scope.period.label)
    tables = _tables(result)
    for name, rows in tables.items():
        _csv(folder / f"{name}.csv", rows)
        _parquet(folder / f"{name}.parquet", rows)
    _workbook(folder / "reconciliation.xlsx", tables)
    (folder / "checks.json").write_text(json.dumps(_summary(result, books, scope, notebook), indent=1) + "\n", "utf-8")
    files = sorted(path.name for path in folder.iterdir() if path.suffix in {".csv", ".parquet", ".xlsx", ".json"})
    where = place(folder)
    listed = ", ".join(f"<code>{escape(name)}</code>" for name in files)
    return Html(f"<p>In <code>{escape(where)}</code>: {listed}</p>", f"{where}: {', '.join(files)}")


def _tables(result: Reconciliation) -> dict[str, list[Row]]:
    return {
        "controls": [{**one.as_json()} for one in result.checks],
        "breaks": [one.as_json() for one in result.breaks],
        "bridge": [
            dict(zip(_BRIDGE, (bridge.currency, *row), strict=True))
            for bridge in result.bridges
            for row in (
                ("opening", "", 0, bridge.opening, 0, bridge.opening),
                *(("activity", m.category, m.count, m.gross, m.fee, m.net) for m in bridge.activity),
                *(("payouts", m.category, m.count, m.gross, m.fee, m.net) for m in bridge.payouts),
                ("closing", "", 0, bridge.closing, 0, bridge.closing),
            )
        ],
        "payouts": list(result.payouts),
        "payouts_in_transit": list(result.in_transit),
        "payout_items": list(result.items),
    }  # fmt: skip


def _summary(result: Reconciliation, books: Books, scope: Scope, notebook: str) -> dict[str, Any]:
    period = scope.period
    return {
        "schema_version": SCHEMA_VERSION,
        "notebook": notebook,
        "status": result.status.value,
        "account": books.account,
        "livemode": books.livemode,
        "currencies": list(result.currencies),
        "period": {"label": period.label, "start": period.start.isoformat(), "end": period.end.isoformat()},
        "watermark": books.watermark.as_json(),
        "checks": [one.as_json() for one in result.checks],
        "breaks": [one.as_json() for one in result.breaks[:BREAKS_MAX]],
        "breaks_total": len(result.breaks),
        "bridges": [one.as_json() for one in result.bridges],
    }


def _csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows({name: _guarded(value) for name, value in row.items()} for row in rows)


def _guarded(value: object) -> object:
    """A spreadsheet must not take a text for a formula (a customer may have written it)."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return value.isoformat() if isinstance(value, datetime) else value


def _parquet(path: Path, rows: Sequence[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path, compression="zstd")


def _workbook(path: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    try:
        import xlsxwriter
    except ImportError:
        raise UsageProblem("EXTRA_MISSING", "The package xlsxwriter is not installed.") from None
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        formats: dict[int | str, Any] = {
            places: book.add_format({"num_format": _number_format(places)}) for places in (0, 2, 3)
        }
        formats["day"] = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        formats["head"] = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
        for name, rows in tables.items():
            _sheet(book.add_worksheet(name.replace("_", " ").capitalize()), rows[:SHEET_ROWS_MAX], formats, name)


def _number_format(places: int) -> str:
    return f"#,##0.{'0' * places};[Red]-#,##0.{'0' * places}" if places else "#,##0;[Red]-#,##0"


def _sheet(sheet: Any, rows: Sequence[Row], formats: Mapping[Any, Any], name: str) -> None:
    if not rows:
        sheet.write(0, 0, "Nothing to show.")
        return
    columns = list(rows[0])
    for at, title in enumerate(columns):
        sheet.write(0, at, title.replace("_", " "), formats["head"])
        sheet.set_column(at, at, min(max(len(title), *(len(str(row[title] or "")) for row in rows[:200])) + 2, 60))
    for line, row in enumerate(rows, start=1):
        for at, title in enumerate(columns):
            _write(sheet, (line, at), row, title, formats, money=_is_money(name, row, title))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(rows), len(columns) - 1)


def _is_money(table: str, row: Row, title: str) -> bool:
    if table == "controls":
        return title in {"left", "right", "difference"} and row["unit"] == "money"
    return title in _MONEY


def _write(sheet: Any, cell: tuple[int, int], row: Row, title: str, formats: Mapping[Any, Any], *, money: bool) -> None:
    value = row[title]
    if value is None:
        return
    if money and row["currency"]:
        sheet.write_number(*cell, to_decimal(value, row["currency"]), formats[exponent(row["currency"])])
    elif isinstance(value, datetime):
        sheet.write_datetime(*cell, value, formats["day"])
    elif isinstance(value, int) and not isinstance(value, bool):
        sheet.write_number(*cell, value)
    else:
        sheet.write_string(*cell, str(value))
