"""The last stage: the notebook runs, and its control panel per currency is shown with the way to the report."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from payment_kit.cli.screen import Screen
from payment_kit.config import Settings
from payment_kit.runs import Progress, run

NOTEBOOK = "reconcile/payouts"
PERIOD = "2026-08"
BREAKS_SHOWN = 5
Steps = tuple[tuple[str, str], ...]
AFTER_DEMO: Steps = (
    ("lab", "open the notebook"),
    (f"run {NOTEBOOK} -p period=2026-09", "tie out another month"),
    ("demo --kill 5", "five SIGKILLs, nothing lost"),
)
AFTER_DROPS: Steps = (
    ("sync catch-up", "fetch what was dropped"),
    (f"run {NOTEBOOK} -p period={PERIOD}", "now it ties out"),
    ("sync status", "how far each stream has been read"),
)
AFTER_OWN: Steps = (
    ("lab", "open the notebook"),
    (f"run {NOTEBOOK} --help-parameters", "what it can be asked"),
    ("serve", "stay up to date by webhooks, and take payments over gRPC"),
)


def report(settings: Settings, screen: Screen, period: str, steps: Steps, *, breaks: bool = True) -> dict[str, Any]:
    """Runs the notebook for `period` and shows what came out; the status and the report's path.

    `steps` are the commands to try next; `breaks` says whether to list what does not tie.
    """
    with screen.progress("Report", "cells") as advance:

        def cell(progress: Progress) -> None:
            advance(progress.done, progress.total, progress.label)

        result = run(NOTEBOOK, {"period": period}, settings, progress=cell)
    screen.result(result.status == "PASS", f"{NOTEBOOK} for {period}: {result.status}", f"{result.seconds:.0f} s")
    currencies, rows = panel(result.summary["checks"])
    screen.table(["", *(currency.upper() for currency in currencies)], rows)
    for line in _breaks(result.summary.get("breaks", ()), listed=breaks):
        screen.note(line)
    screen.done("Report", str(_shown(result.report)))
    _next_steps(screen, steps)
    return {"status": result.status, "report": str(result.report), "checks": result.summary["checks"]}


def panel(checks: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The control panel: the currencies, and a row per control with a status for each of them."""
    currencies = sorted({check["currency"] for check in checks if check["currency"]})
    titles = {check["id"]: check["title"] for check in checks}
    found = {(check["id"], check["currency"]): check["status"] for check in checks}
    rows = []
    for name, title in titles.items():
        whole = found.get((name, ""), "")
        rows.append([f"{name}  {title}", *(found.get((name, currency), whole) for currency in currencies)])
    return currencies, rows


def last_full_month(now: datetime) -> str:
    """The month before `now` as a period, e.g. "2026-10"."""
    return f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"


def break_line(one: Mapping[str, Any]) -> str:
    """One break in one line: the control, the object it concerns, why."""
    concerned = one["balance_transaction"] or one["payout"] or one["source"]
    return f"{one['check']} {one['currency']} {concerned}: {one['why']}"


def _breaks(breaks: Sequence[Mapping[str, Any]], *, listed: bool) -> list[str]:
    if not breaks:
        return []
    shown = [break_line(one) for one in breaks[:BREAKS_SHOWN]] if listed else []
    more = len(breaks) - len(shown)
    return [*shown, f"… and {more:,} more in the report"] if more and shown else shown or [f"{more:,} breaks"]


def _next_steps(screen: Screen, steps: Steps) -> None:
    name = _command_name()
    width = max(len(command) for command, _why in steps)
    screen.console.print("\nTry next:")
    for command, why in steps:
        screen.console.print(f"  {name} {command:<{width}}   [dim]{why}[/]")


def _command_name() -> str:
    """How the reader can call us: by name when it is on the PATH, else as it was called."""
    if shutil.which("payment-kit"):
        return "payment-kit"
    called = Path(sys.argv[0])
    return f"{sys.executable} -m payment_kit" if called.name == "__main__.py" else str(_shown(called))


def _shown(path: Path) -> Path:
    """Relative to where the reader stands, if that is shorter."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else Path(relative)
