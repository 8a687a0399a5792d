"""Rows as a table people can read: money right-aligned with its currency's decimals, ids in full, a stated bound."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from payment_kit.finance.checks import Break, Status, plural
from payment_kit.notebook.html import LEFT, ONE_LINE, Html, amount, chip

ROWS_MAX = 500
DENSE_FROM = 10
Row = Mapping[str, Any]
_IDS = ("balance_transaction", "payout", "source")
_CODE = {*_IDS, "key"}
_NUMBERS = {"count", "transactions", "items"}
_ZERO_MATTERS = {"amount", "difference"}
_WORDS = {
    "items_net": "net of items",
    "effective_at": "effective",
    "balance_transaction": "transaction",
    "transactions": "items",
}


def table(
    rows: Sequence[Row] | Sequence[Break],
    *,
    columns: str = "",
    money: str = "amount",
    group: str = "",
    empty: str = "Nothing to show.",
    rows_max: int = ROWS_MAX,
) -> Html:
    """Rows (dictionaries or breaks) as HTML; `columns` and `money` are names separated by spaces.

    `money` columns are minor units of the row's ``currency``; the column ``objects`` stands for a break's ids. With
    `group="currency"` every currency has a part of its own with totals; currencies are never added up.
    At most `rows_max` rows are shown and the caption says how many there are; the exported files hold every one.
    """
    plain: list[Row] = [_row(one) for one in rows]
    if not plain:
        return Html(f'<p class="soft">{escape(empty)}</p>', empty)
    names = [name for name in columns.split() or plain[0] if name != group]
    amounts = money.split()
    head = "".join(f"<th{_class(name, amounts)}>{escape(_title(name))}</th>" for name in names)
    shown = plain[:rows_max]
    parts = {row[group]: None for row in shown} if group else {None: None}
    body = "".join(
        _part(str(part or ""), [row for row in shown if not group or row[group] == part], plain, names, amounts)
        for part in parts
    )
    dense = ' class="dense"' if len(names) > DENSE_FROM else ""
    text = f"<table{dense}>{_caption(len(plain), rows_max)}<thead><tr>{head}</tr></thead>{body}</table>"
    return Html(f'<div class="wide">{text}</div>', plural(len(plain), "row"))


def _row(one: Row | Break) -> Row:
    if isinstance(one, Break):
        found = one.as_json()
        return found | {"objects": [found[name] for name in _IDS if found[name]]}
    return one


def _part(currency: str, rows: Sequence[Row], every: Sequence[Row], names: Sequence[str], money: Sequence[str]) -> str:
    """The rows of one currency under their heading, with totals over every row, also those not shown."""
    lines = "".join(
        f"<tr>{''.join(f'<td{_class(name, money)}>{_cell(row, name, money)}</td>' for name in names)}</tr>"
        for row in rows
    )
    if not currency:
        return f"<tbody>{lines}</tbody>"
    mine = [row for row in every if row["currency"] == currency]
    sums = {name: sum(row[name] or 0 for row in mine) for name in (*money, *_NUMBERS) if name in names}
    total: Row = dict.fromkeys(names) | sums | {"currency": currency}
    cells = "".join(f"<td{_class(n, money)}>{_cell(total, n, money) if n in sums else ''}</td>" for n in names[1:])
    heading = f'<tr class="part"><th{LEFT} colspan="{len(names)}">{escape(currency.upper())}</th></tr>'
    return f'<tbody>{heading}{lines}<tr class="sum"><td{ONE_LINE}>Total of {len(mine):,}</td>{cells}</tr></tbody>'


def _caption(count: int, rows_max: int) -> str:
    said = f"{rows_max:,} of {count:,} rows; the exported files hold all." if count > rows_max else ""
    return f"<caption>{said}</caption>" if said else ""


def _title(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " ")).capitalize()


def _class(name: str, money: Sequence[str]) -> str:
    if name in money or name in _NUMBERS:
        return ' class="n"'
    short = name in _CODE or name == "objects" or name.endswith("_at") or name == "created"
    return f' class="ids"{ONE_LINE}' if short else LEFT


def _cell(row: Row, name: str, money: Sequence[str]) -> str:
    value = row[name]
    if value is None or value in ("", []) or (name in money and value == 0 and name not in _ZERO_MATTERS):
        return '<span class="soft">–</span>'
    if name in money:
        return amount(value, row["currency"]) if row.get("currency") else '<span class="soft">–</span>'
    if name in {"status", "control"} and value in set(Status):
        return chip(value)
    if name == "objects":
        return "<br>".join(f"<code>{escape(one)}</code>" for one in value)
    if name in _CODE:
        return f"<code>{escape(str(value))}</code>"
    return escape(value.upper()) if name == "currency" else _text(value)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == value.min.time() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(str(value)))
