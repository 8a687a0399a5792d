"""The one picture that matters: from the opening to the closing balance, one bar per cause, one bridge per currency.

Drawn as SVG by hand: text stays text, nothing is loaded, and direction is told by sign and position, not only by colour
(blue and vermilion of the Okabe-Ito palette).
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from payment_kit.finance import Reconciliation
from payment_kit.finance.balances import Bridge
from payment_kit.notebook.html import Html, amount

WIDTH, ROW, BAR, TOP = 560, 25, 14, 6
AMOUNT_END = 246
_NAMES = {
    "charge": "Charges",
    "charge_failure": "Charge failures",
    "refund": "Refunds",
    "refund_failure": "Refund failures",
    "dispute": "Disputes",
    "dispute_reversal": "Dispute reversals",
    "fee": "Stripe's fees",
    "payout": "Payouts",
    "payout_reversal": "Payout reversals",
}


class Step(NamedTuple):
    """One bar: its label, the balance before it and after it, how many transactions; `total` bars start at zero."""

    label: str
    before: int
    after: int
    transactions: int
    total: bool = False


def chart(result: Reconciliation) -> Html:
    """One bridge per currency, side by side; opening and closing in words where JupyterLab shows no picture."""
    drawn = "".join(
        f'<div class="bridge"><h4>{escape(one.currency.upper())}</h4>{draw(one.currency, steps(one))}</div>'
        for one in result.bridges
    )
    legend = (
        '<p class="key small soft" style="margin:8px 0 0 -14px"><span style="background:#56606b"></span>balance'
        '<span style="background:#0072b2"></span>adds<span style="background:#d55e00"></span>takes away</p>'
    )
    plain = "\n".join(f"{one.currency}: {one.opening} -> {one.closing}" for one in result.bridges)
    picture = f'<div class="drawn" style="display:none"><div class="bridges">{drawn}</div>{legend}</div>'
    return Html(f'{picture}<div class="undrawn">{_in_words(result.bridges)}</div>', plain)


def _in_words(bridges: Sequence[Bridge]) -> str:
    said = "<br>".join(
        f"{one.currency.upper()}: from {amount(one.opening, one.currency)} to {amount(one.closing, one.currency)}"
        for one in bridges
    )
    return f"<p>{said}</p><p>The picture is shown once you run the cell or trust the notebook.</p>"


def steps(bridge: Bridge) -> list[Step]:
    """Opening, gross by category, all fees in one step, payouts, closing; each step starts where the last one ended."""
    causes = [(_label(one.category), one.gross, one.count) for one in bridge.activity]
    fees = -sum(one.fee for one in bridge.activity + bridge.payouts)
    if fees:
        causes.append(("Fees withheld", fees, 0))  # parts of the transactions above, none of their own
    causes += [(_label(one.category), one.gross, one.count) for one in bridge.payouts]
    found, level = [Step("Opening balance", 0, bridge.opening, 0, total=True)], bridge.opening
    for label, moved, count in causes:
        found.append(Step(label, level, level + moved, count))
        level += moved
    return [*found, Step("Closing balance", 0, bridge.closing, 0, total=True)]


def draw(currency: str, found: Sequence[Step]) -> str:
    """The bridge as one SVG element."""
    low = min(0, *(min(step.before, step.after) for step in found))
    high = max(1, *(max(step.before, step.after) for step in found))
    left, room = AMOUNT_END + 14, WIDTH - AMOUNT_END - 16

    def x(value: int) -> float:
        return left + room * (value - low) / (high - low)

    height = TOP * 2 + ROW * len(found)
    zero = f'<line x1="{x(0):.1f}" y1="{TOP}" x2="{x(0):.1f}" y2="{height - TOP}"/>'
    rows = "".join(
        _row(currency, step, TOP + index * ROW, x(step.before), x(step.after), index == len(found) - 1)
        for index, step in enumerate(found)
    )
    label = f"Balance bridge in {currency.upper()}"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">{zero}{rows}</svg>'


def _row(currency: str, step: Step, top: int, before: float, after: float, last: bool) -> str:
    moved = step.after - step.before
    kind = "bal" if step.total else "up" if moved >= 0 else "down"
    weight = " total" if step.total else ""
    base = top + BAR + 3
    start, width = min(before, after), max(abs(after - before), 1.5)
    said = amount(step.after if step.total else moved, currency, sign=not step.total)
    counted = f'<tspan class="soft" dx="5" font-size="10.5">{step.transactions:,}</tspan>' if step.transactions else ""
    link = "" if last else f'<line x1="{after:.1f}" y1="{top + 5 + BAR}" x2="{after:.1f}" y2="{top + 5 + ROW}"/>'
    return (
        f"<g><title>{escape(step.label)}: {said} {currency.upper()}</title>"
        f'<text x="0" y="{base}" class="name{weight}">{escape(step.label)}{counted}</text>'
        f'<text x="{AMOUNT_END}" y="{base}" class="num{weight}">{said}</text>{link}'
        f'<rect class="{kind}" x="{start:.1f}" y="{top + 5}" width="{width:.1f}" height="{BAR}" rx="1.5"/></g>'
    )


def _label(category: str) -> str:
    return _NAMES.get(category) or category.replace("_", " ").capitalize()
