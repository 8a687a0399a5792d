"""What a cell shows: escaped HTML with one small style sheet, readable in a light or dark JupyterLab and on paper.

JupyterLab has rules of its own for tables, which come after ours: each of ours names its class three times, to be the
more specific one. Of a notebook that is not trusted JupyterLab drops the style sheet and keeps inline styles: what a
table needs to be read (alignment, the colour of a status, spaces) is therefore inline.
"""

from html import escape
from typing import NamedTuple

from payment_kit.money import exponent, to_decimal

LEFT, CENTRE = ' style="text-align:left"', ' style="text-align:center"'
ONE_LINE = ' style="text-align:left;white-space:nowrap"'
_COLOURS = {
    "PASS": "background-color:#dcefe9;color:#00573f",
    "FAIL": "background-color:#c4410c;color:#ffffff",
    "PENDING": "background-color:#fbeecb;color:#6b4a00",
}
_RULES = """
.pk{font:13px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
 color:var(--jp-ui-font-color1,#1b2733);--line:color-mix(in srgb,currentColor 16%,transparent);
 --soft:color-mix(in srgb,currentColor 62%,transparent)}
.pk p{text-align:left}
.pk table{border-collapse:collapse;width:100%;margin:0;font-size:inherit;color:inherit;table-layout:auto}
.pk thead,.pk tr{background:none;border:0}
.pk th,.pk td{padding:5px 10px;text-align:left;vertical-align:top;border:0;border-bottom:1px solid var(--line);
 background:none;white-space:normal;max-width:none;line-height:inherit}
.pk thead th{font-weight:600;font-size:11px;color:var(--soft);border-bottom:1px solid var(--soft);vertical-align:bottom}
.pk .n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.pk .c{text-align:center} .pk .ids{white-space:nowrap}
.pk .part th{padding-top:14px;font-size:13px;font-weight:670}
.pk .dense{font-size:12px} .pk .dense th,.pk .dense td{padding:4px 6px} .pk .dense th.n{white-space:normal}
.pk .sum td{font-weight:650;border-bottom:1px solid var(--soft)}
.pk code{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:none;padding:0;color:inherit;
 overflow-wrap:anywhere}
.pk .soft{color:var(--soft)} .pk .small{font-size:11.5px}
.pk caption{caption-side:bottom;text-align:left;color:var(--soft);padding-top:6px;font-size:11.5px}
.pk .chip{display:inline-block;min-width:62px;padding:1px 8px;border-radius:3px;font-weight:650;font-size:11px;
 letter-spacing:.04em;text-align:center;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.pk .PENDING{outline:1px dashed #b98a1b;outline-offset:-1px}
.pk .wide{overflow-x:auto}
.pk .id{display:inline-block;width:26px;color:var(--soft);font-weight:600}
.pk .drawn{display:block!important}.pk .undrawn{display:none}
.pk .bridges{display:grid;grid-template-columns:repeat(auto-fit,minmax(470px,1fr));gap:22px 34px}
.pk .bridge h4{margin:0 0 4px;font-size:14px;font-weight:650}.pk .bridge svg{width:100%;height:auto;display:block}
.pk svg text{fill:currentColor;font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.pk svg .num{font-variant-numeric:tabular-nums;text-anchor:end}.pk svg .soft{fill:var(--soft)}
.pk svg .total{font-weight:650}.pk svg line{stroke:var(--line)}
.pk svg rect{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.pk svg .up{fill:#0072b2}.pk svg .down{fill:#d55e00}.pk svg .bal{fill:#56606b}
.pk .key span{display:inline-block;width:10px;height:10px;margin:0 5px 0 14px;border-radius:2px;
 -webkit-print-color-adjust:exact;print-color-adjust:exact}
"""
STYLE = f"<style>{_RULES.replace('.pk', '.pk.pk.pk')}</style>"


class Html(NamedTuple):
    """HTML that Jupyter shows as it is; `text` must be escaped already."""

    text: str
    plain: str = ""

    def _repr_html_(self) -> str:
        return f'{STYLE}<div class="pk">{self.text}</div>'

    def __repr__(self) -> str:
        return self.plain or "(see the HTML output)"


def chip(status: str) -> str:
    """A status as a coloured word: the word carries the meaning, the colour only helps."""
    return f'<span class="chip {escape(status)}" style="{_COLOURS.get(status, "")}">{escape(status)}</span>'


def amount(minor: int, currency: str, *, sign: bool = False) -> str:
    """``1234567, "usd"`` -> ``12,345.67`` with the decimals of the currency and a true minus sign."""
    plus = "+" if sign else ""
    return f"{to_decimal(minor, currency):{plus},.{exponent(currency)}f}".replace("-", "−")
