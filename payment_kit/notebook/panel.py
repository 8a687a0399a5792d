"""The control panel: one row per control, one column per currency, and on top the sentence to read first."""

from datetime import UTC, datetime
from html import escape

from payment_kit.finance import Check, Reconciliation, Status
from payment_kit.finance.checks import plural
from payment_kit.notebook.html import CENTRE, LEFT, Html, amount, chip


def check(result: Reconciliation) -> Html:
    """The control panel of a reconciliation, then every control with its two sides and their difference."""
    return Html(f"{_verdict(result)}{_matrix(result)}{_sides(result)}", _plain(result))


def _verdict(result: Reconciliation) -> str:
    return f'<p style="margin:0 0 10px">{chip(result.status)} &ensp;{escape(sentence(result))}</p>'


def sentence(result: Reconciliation) -> str:
    """What the controls say, in one sentence."""
    count = len(result.checks)
    if result.status is Status.PASS:
        paid = sum(1 for row in result.payouts if row["control"] == "PASS")
        if not paid:
            return f"All {count} controls pass; no payout fell into the period."
        return f"All {count} controls pass: every one of {plural(paid, 'payout')} ties to the cent, in every currency."
    failing = sum(1 for one in result.checks if one.status is Status.FAIL)
    waiting = sum(1 for one in result.checks if one.status is Status.PENDING)
    parts = [
        f"{plural(failing, 'control')} of {count} do not tie" if failing != 1 else f"1 control of {count} does not tie"
    ]
    if waiting:
        parts.append(f"{plural(waiting, 'control')} cannot be decided yet because data has not arrived")
    return "; ".join(parts if failing else parts[1:]).capitalize() + ". The breaks below say what and why."


def _matrix(result: Reconciliation) -> str:
    titles = {one.id: one.title for one in result.checks}
    columns = list(result.currencies)
    found = {(one.id, one.currency): one for one in result.checks}
    head = "".join(f'<th class="c"{CENTRE}>{escape(name.upper())}</th>' for name in columns)
    rows = []
    for name, title in titles.items():
        if (name, "") in found:
            cells = f'<td class="c"{CENTRE} colspan="{len(columns)}">{_cell(found[name, ""])}</td>'
        else:
            cells = "".join(f'<td class="c"{CENTRE}>{_cell(found[name, one])}</td>' for one in columns)
        rows.append(f'<tr><td{LEFT}><span class="id">{escape(name)}</span> {escape(title)}</td>{cells}</tr>')
    table = f"<table><thead><tr><th{LEFT}>Control</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(one: Check) -> str:
    said = _short(one)
    return chip(one.status) + (f'<br><span class="small soft">{escape(said)}</span>' if said else "")


def _short(one: Check) -> str:
    """Why it does not pass, in two or three words; a difference that still waits for data is not told as one."""
    if one.status is Status.PASS:
        return ""
    if one.status is Status.FAIL and one.difference and one.unit == "money":
        return f"off by {_value(one.difference, one)}"
    return plural(one.breaks, "break") if one.breaks else "not known yet"


def _sides(result: Reconciliation) -> str:
    rows = "".join(
        f"<tr><td{LEFT}>{escape(one.id)}</td><td{LEFT}>{escape(one.currency.upper() or 'all')}</td>"
        f'<td class="n">{_value(one.left, one)}</td><td class="n">{_value(one.right, one)}</td>'
        f'<td class="n">{_value(one.difference, one) if one.unit != "time" else ""}</td>'
        f'<td class="n">{one.tolerance}</td><td{LEFT}>{chip(one.status)}</td>'
        f'<td class="soft"{LEFT}>{escape(one.detail)}</td></tr>'
        for one in result.checks
    )
    head = f"<th{LEFT}>Control</th><th{LEFT}>Currency</th>" + "".join(
        f'<th class="n">{name}</th>' for name in ("Left", "Right", "Difference", "Tolerance")
    )
    table = (
        f"<table><thead><tr>{head}<th{LEFT}>Status</th><th{LEFT}>Over</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    return (
        f'<details style="margin-top:10px"><summary class="soft">Both sides of every control</summary>{table}</details>'
    )


def _value(value: int, one: Check) -> str:
    if one.unit == "money":
        return amount(value, one.currency)
    if one.unit == "time":
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M} UTC" if value else "never"
    return f"{value:,}".replace("-", "−")


def _plain(result: Reconciliation) -> str:
    lines = [f"{one.status:8}{one.id:4}{one.currency:4} {one.title}" for one in result.checks]
    return "\n".join([f"{result.status}: {sentence(result)}", *lines])
