"""Rows as a table people can read: money right-aligned with its currency's decimals, ids in full, a stated bound."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from payment_kit.finance.checks import Break, Status, plural
from payment_kit.notebook.html import Html, amount, chip

ROWS_MAX = 500
Row = Mapping[str, Any]
_CODE = {"payout", "balance_transaction", "source", "key"}
_WORDS = {
    "items_net": "net of items",
    "amount": "amount",
    "effective_at": "arrives",
    "balance_transaction": "transaction",
}


def table(
    rows: Sequence[Row] | Sequence[Break],
    *,
    columns: Sequence[str] = (),
    money: Sequence[str] = ("amount",),
    empty: str = "Nothing to show.",
    rows_max: int = ROWS_MAX,
) -> Html:
    """Rows (dictionaries or breaks) as HTML; `money` columns are minor units of the row's ``currency``.

    At most `rows_max` rows are shown and the caption says how many there are; the exported files hold every one.
    """
    plain: list[Row] = [one.as_json() if isinstance(one, Break) else one for one in rows]
    if not plain:
        return Html(f'<p class="soft">{escape(empty)}</p>', empty)
    names = list(columns) or list(plain[0])
    head = "".join(f"<th{_class(name, money)}>{escape(_title(name))}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td{_class(name, money)}>{_cell(row, name, money)}</td>' for name in names)}</tr>"
        for row in plain[:rows_max]
    )
    text = f"<table>{_caption(len(plain), rows_max)}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return Html(f'<div class="wide">{text}</div>', plural(len(plain), "row"))


def _caption(count: int, rows_max: int) -> str:
    said = f"{rows_max:,} of {count:,} rows; the exported files hold all." if count > rows_max else ""
    return f"<caption>{said}</caption>" if said else ""


def _title(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " ")).capitalize()


def _class(name: str, money: Sequence[str]) -> str:
    return ' class="n"' if name in money or name in {"count", "transactions", "items"} else ""


def _cell(row: Row, name: str, money: Sequence[str]) -> str:
    value = row[name]
    if value is None or value == "":
        return '<span class="soft">–</span>'
    if name in money:
        return amount(value, row["currency"]) if row.get("currency") else ""
    if name in {"status", "control"} and value in set(Status):
        return chip(value)
    if name in _CODE:
        return f"<code>{escape(str(value))}</code>"
    if name == "currency":
        return escape(value.upper())
    return escape(_text(value))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == value.min.time() else f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
