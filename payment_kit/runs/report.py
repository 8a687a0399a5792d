"""The report: one HTML file made from the executed notebook. Nothing in it runs and nothing in it is fetched.

Markdown and outputs become sections, code does not; cells tagged ``lab-only`` are for the notebook's reader. The page
forbids itself scripts and network by a Content-Security-Policy, so even an output that asks for them gets none.
"""

import html
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PACKAGES = ("payment-kit", "duckdb", "pyarrow", "adbc-driver-postgresql", "papermill", "pandas")


def render(notebook: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The page as text; `summary` is what ``checks.json`` will hold."""
    import jinja2

    about = notebook["metadata"].get("payment_kit", {})
    sections, styles = _sections(notebook["cells"])
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        title=about.get("title", summary["notebook"]),
        description=about.get("description", ""),
        status=summary.get("status", ""),
        facts=_facts(summary),
        sections=sections,
        styles=styles,
        appendix=_appendix(summary),
        test_mode=summary.get("livemode") is False,
        period=_period(summary),
    )


def versions() -> dict[str, str]:
    """What made this run."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _sections(cells: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Every visible piece in its order, and each style sheet once."""
    pieces: list[str] = []
    styles: dict[str, None] = {}
    for cell in cells:
        if {"lab-only", "parameters", "injected-parameters"} & set(cell["metadata"].get("tags", ())):
            continue
        if cell["cell_type"] == "markdown":
            pieces.append(_markdown("".join(cell["source"])))
        for output in cell.get("outputs", ()):
            text = _output(output)
            styles |= dict.fromkeys(_STYLE.findall(text))
            pieces.append(_STYLE.sub("", text))
    return [piece for piece in pieces if piece.strip()], list(styles)


def _markdown(text: str) -> str:
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return re.sub(r'<a class="anchor-link".*?</a>', "", str(markdown2html_mistune(text)), flags=re.DOTALL)


def _output(output: Mapping[str, Any]) -> str:
    kind = output["output_type"]
    if kind == "stream":
        return _pre("".join(output["text"])) if output["name"] == "stdout" else ""
    if kind == "error":
        return _pre(_ANSI.sub("", "\n".join(output["traceback"])))
    data = output.get("data", {})
    for media in ("text/html", "image/svg+xml"):
        if media in data:
            return "".join(data[media])
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    return _pre("".join(data.get("text/plain", "")))


def _pre(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""


def _period(summary: Mapping[str, Any]) -> str:
    """``1 – 31 August 2026`` for people; empty for a notebook without a period."""
    if "period" not in summary:
        return ""
    first = datetime.fromisoformat(summary["period"]["start"])
    last = datetime.fromisoformat(summary["period"]["end"]) - timedelta(seconds=1)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {last.day} {last:%B %Y}" if first.day != last.day else f"{last.day} {last:%B %Y}"
    start = f"{first.day} {first:%B}" if first.year == last.year else f"{first.day} {first:%B %Y}"
    return f"{start} – {last.day} {last:%B %Y}"


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    watermark = summary.get("watermark", {})
    found = {
        "Account": summary.get("account", ""),
        "Currencies": ", ".join(summary.get("currencies", ())).upper(),
        "Events complete until": _when(watermark.get("events_complete_through")),
        "Books read": _when(watermark.get("read_at")),
    }
    return [(name, value) for name, value in found.items() if value]


def _appendix(summary: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    watermark = dict(summary.get("watermark", {}))
    rows = watermark.pop("rows", {})
    return [
        ("Parameters", [(name, str(value) or "not set") for name, value in summary["parameters"].items()]),
        ("Watermark", [(name.replace("_", " "), _when(value)) for name, value in watermark.items()]),
        ("Rows read", [(name.replace("_", " "), f"{value:,}") for name, value in rows.items()]),
        (
            "Run",
            [
                ("notebook", summary["notebook"]),
                ("notebook sha256", summary["notebook_sha256"]),
                ("run", summary["run_id"]),
                ("started", _when(summary["started_at"])),
                ("seconds", str(summary["seconds"])),
            ],
        ),
        ("Versions", list(summary["versions"].items())),
    ]


def _when(value: str | None) -> str:
    return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if value else "never"
