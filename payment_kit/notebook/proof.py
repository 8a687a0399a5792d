"""What `sync verify` reported, to be looked at: a table of kinds, the objects that differ, and one picture."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from payment_kit import config
from payment_kit.errors import UsageProblem
from payment_kit.finance.checks import plural
from payment_kit.mirror.verification import SCHEMA
from payment_kit.notebook.html import LEFT, Html, chip
from payment_kit.notebook.session import place, run_folder
from payment_kit.notebook.tables import table

NOTEBOOK = "reconcile/mirror"
ROW, BAR, LABEL, WIDTH = 19, 11, 220, 640
ROWS_MAX = 500
_STATUS = {"COMPLETE": "PASS", "PENDING": "PENDING", "DIFFERENT": "FAIL", "REFUSED": "PENDING"}
Report = Mapping[str, Any]


def verification(report: str = "") -> Report:
    """The report of that file, or the newest `sync verify` left in this installation.

    Raises `UsageProblem` NO_DATA when there is none yet, PARAMETER_INVALID for a file that is no such report.
    """
    path = Path(report) if report else config.load().home / "runs" / "verify" / "latest" / "verify.json"
    try:
        found = json.loads(path.read_bytes())
    except OSError:
        what = f"{report} cannot be read" if report else "Nothing was verified in this installation yet"
        raise UsageProblem("NO_DATA", f"{what}.", next_step="Run `payment-kit sync verify`.") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UsageProblem("PARAMETER_INVALID", f"report: the file is none of the schema {SCHEMA}.", field="report")
    return found


def verdict(report: Report) -> Html:
    """The sentence to read first, and per account what keeps it from being complete."""
    status = _STATUS[report["verdict"]]
    sample = report["sample"]
    scope = f"the fields of {sample['share']:.0%} of the objects" if sample else "every field of every object"
    said = f"{report['verdict']}: {scope}, compared {report['began']} to {report['ended']} of Stripe's time."
    reasons = [
        f"{account['account']}: {words}"
        for account in report["accounts"]
        for words in [*account["pending"], *([account["refused"]] if account["refused"] else [])]
    ]
    listed = "".join(f"<li>{escape(one)}</li>" for one in reasons)
    text = f'<p style="margin:0 0 10px">{chip(status)} &ensp;{escape(said)}</p>' + (
        f"<ul>{listed}</ul>" if listed else ""
    )
    return Html(text, "\n".join([f"{status} {said}", *reasons]))


def kinds(report: Report) -> Html:
    """One row per kind of object and account: both counts, whether they are equal, how many objects differ."""
    rows = [
        {
            "status": kind["status"],
            "account": account["account"],
            "object": name,
            "at_stripe": _count(kind, "stripe"),
            "in_the_mirror": _count(kind, "mirror"),
            "months": len(kind["buckets"]),
            "differing": kind["differences"],
        }
        for account in report["accounts"]
        for name, kind in account["kinds"].items()
    ]
    return table(rows, rows_max=ROWS_MAX, empty="Nothing was compared.")


def differing(report: Report) -> Html:
    """The objects that differ: their ids, what is wrong and in which fields; no value of any."""
    rows = [
        {
            "account": account["account"],
            "object": one["object"],
            "source": one["id"],
            "what": one["says"],
            "fields": ", ".join(one["fields"]),
        }
        for account in report["accounts"]
        for one in account["differences"]
    ]
    return table(rows, rows_max=ROWS_MAX, empty="None: the mirror is what Stripe holds.")


def picture(report: Report) -> Html:
    """Objects per kind, largest first; a kind that is not equal stands out."""
    totals: dict[str, tuple[int, str]] = {}
    for account in report["accounts"]:
        for name, kind in account["kinds"].items():
            count, status = totals.get(name, (0, "PASS"))
            totals[name] = (count + _count(kind, "stripe"), min(status, kind["status"]))
    bars = sorted(((count, name, status) for name, (count, status) in totals.items() if count), reverse=True)
    most = max((count for count, _, _ in bars), default=1)
    drawn = "".join(_bar(place_, *bar, most) for place_, bar in enumerate(bars))
    height = ROW * len(bars) + 4
    svg = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Objects per kind">{drawn}</svg>'
    plain = "\n".join(f"{status:8}{name}: {count:,}" for count, name, status in bars)
    return Html(f'<div class="bridge" style="max-width:{WIDTH}px">{svg}</div>', plain)


def conclude(report: Report) -> Html:
    """Put the verdict where the run ends with it, and the report beside it."""
    folder = run_folder(NOTEBOOK, "all")
    accounts = [account["account"] for account in report["accounts"]]
    summary = {
        "schema_version": 1,
        "notebook": NOTEBOOK,
        "status": _STATUS[report["verdict"]],
        "account": ", ".join(accounts),
        "livemode": report["livemode"],
        "differences": sum(account["differences_found"] for account in report["accounts"]),
    }
    (folder / "checks.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    (folder / "verify.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    said = f"{plural(len(accounts), 'account')}, {plural(summary['differences'], 'difference')}"
    where = place(folder)
    return Html(f"<p{LEFT}>{escape(said)}; in <code>{escape(where)}</code>: <code>verify.json</code></p>", said)


def _count(kind: Mapping[str, Any], side: str) -> int:
    return sum(bucket[side] for bucket in kind["buckets"].values())


def _bar(row: int, count: int, name: str, status: str, most: int) -> str:
    top = row * ROW + 2
    width = max(2.0, (WIDTH - LABEL - 90) * count / most)
    style = "bal" if status == "PASS" else "down"
    said = f"{count:,}" if status == "PASS" else f"{count:,} {status}"
    return (
        f"<g><title>{escape(name)}: {said}</title>"
        f'<text x="0" y="{top + BAR}" class="name">{escape(name)}</text>'
        f'<rect class="{style}" x="{LABEL}" y="{top}" width="{width:.1f}" height="{BAR}" rx="1.5"/>'
        f'<text x="{LABEL + width + 6:.1f}" y="{top + BAR}">{said}</text></g>'
    )
