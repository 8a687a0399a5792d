"""One run: check the input, execute into a folder of its own, render the report, sign every file with its hash.

    home/runs/<notebook>/<period>/<run id>/   executed.ipynb  report.html  checks.json  *.csv *.parquet *.xlsx
    home/runs/<notebook>/latest               -> the newest finished run

A folder appears under its name only when the run is finished; input that is wrong leaves nothing behind.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from payment_kit.config import Settings
from payment_kit.errors import REASONS, Broken, UsageProblem
from payment_kit.runs.engine import Execution, Failure, execute
from payment_kit.runs.notebooks import checked, find
from payment_kit.runs.report import render, versions

SECONDS_MAX = 900.0
_PASSING = "PASS"


class Progress(NamedTuple):
    """`done` of `total` code cells; `label` names the cell that just finished (may be empty)."""

    done: int
    total: int
    label: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run. `exit_code` is 0 when every control passed (or there is none), 1 for FAIL or PENDING.

    `summary` is what ``checks.json`` holds: status, checks, breaks, watermark, artifacts with their sha256.
    """

    notebook: str
    run_id: str
    folder: Path
    report: Path
    status: str
    exit_code: int
    seconds: float
    summary: dict[str, Any]


def run(
    notebook: str,
    parameters: Mapping[str, object],
    settings: Settings,
    *,
    progress: Callable[[Progress], None] | None = None,
    seconds_max: float = SECONDS_MAX,
    folder: Path | None = None,
) -> RunResult:
    """Executes `notebook` (e.g. ``reconcile/payouts``) with `parameters`, texts or typed values.

    Blocks until done, `seconds_max` at most. Raises `Problem`: NOTEBOOK_NOT_FOUND, PARAMETER_UNKNOWN,
    PARAMETER_INVALID, EXTRA_MISSING, whatever the notebook says of its input or the database, or RUN_FAILED naming the
    executed notebook. `folder` holds the notebooks, if not those of this installation.
    """
    name, source = find(notebook, folder)
    values = checked(name, parameters, folder)
    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    final = _runs(settings, name) / _safe(str(values.get("period") or "all")) / run_id
    partial = final.with_name(f".{run_id}")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageProblem("SETTING_INVALID", f"PAYMENT_KIT_HOME: {error.strerror} ({settings.home}).") from None
    begun = time.monotonic()
    try:
        failure = execute(_execution(source, partial, values, settings, progress, seconds_max))
        if failure is not None:
            raise _problem(name, failure, partial, final)
        summary = _finish(partial, name, run_id, values, source, started, time.monotonic() - begun)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        _prune(final.parent)
        raise
    partial.rename(final)
    _point(_runs(settings, name) / "latest", final)
    status = summary.get("status", "")
    code = 0 if status in ("", _PASSING) else 1
    return RunResult(name, run_id, final, final / "report.html", status, code, time.monotonic() - begun, summary)


def _runs(settings: Settings, name: str) -> Path:
    return settings.home.resolve() / "runs" / name


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "all"


def _execution(
    source: Path,
    target: Path,
    values: Mapping[str, object],
    settings: Settings,
    progress: Callable[[Progress], None] | None,
    seconds_max: float,
) -> Execution:
    tell = progress or (lambda _progress: None)
    return Execution(
        source,
        target / "executed.ipynb",
        values,
        _environment(settings, target),
        _secrets(settings),
        seconds_max,
        lambda done, total, label: tell(Progress(done, total, label)),
    )


def _environment(settings: Settings, target: Path) -> dict[str, str]:
    """What the kernel sees: no Stripe key and no signing secret, for it only reads the database."""
    hidden = {"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "DATABASE_URL", "PAYMENT_KIT_ACCOUNT"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"PAYMENT_KIT_HOME": str(settings.home.resolve()), "PAYMENT_KIT_RUN_FOLDER": str(target)}
    if settings.database_url is not None:
        environment["DATABASE_URL"] = settings.database_url.get_secret_value()
    if settings.account is not None:
        environment["PAYMENT_KIT_ACCOUNT"] = settings.account
    return environment


def _secrets(settings: Settings) -> tuple[str, ...]:
    signing = [secret for secrets in settings.signing_secrets.values() for secret in secrets]
    held = [*settings.stripe_api_keys, settings.database_url, *signing]
    texts = [secret.get_secret_value() for secret in held if secret is not None]
    if settings.database_url is not None:
        password = urlsplit(settings.database_url.get_secret_value()).password
        texts.append(password or "")
    return tuple(text for text in texts if len(text) >= 8)


def _problem(name: str, failure: Failure, partial: Path, final: Path) -> Exception:
    """What the notebook itself said when it refused its input; else RUN_FAILED, with the executed notebook kept."""
    said = re.match(r"PK-([A-Z_]+): (.*)", failure.message, re.DOTALL)
    if said and said[1] in REASONS:
        what = said[2].removesuffix(REASONS[said[1]].next_step).strip()
        return UsageProblem(said[1], what)
    partial.rename(final)
    where = f"in cell {failure.cell}" if failure.cell else "before its end"
    said_first = failure.message.strip().partition("\n")[0][:200]
    what = f"{name} stopped {where} ({failure.error}: {said_first}); see {final / 'executed.ipynb'}."
    return Broken("RUN_FAILED", what)


def _finish(
    folder: Path,
    name: str,
    run_id: str,
    values: Mapping[str, object],
    source: Path,
    started: datetime,
    seconds: float,
) -> dict[str, Any]:
    """Adds what only the runner knows to the notebook's own checks.json, renders the report, hashes every file."""
    checks = folder / "checks.json"
    summary: dict[str, Any] = json.loads(checks.read_text("utf-8")) if checks.exists() else {"schema_version": 1}
    summary |= {
        "notebook": name,
        "run_id": run_id,
        "parameters": dict(values),
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "notebook_sha256": _sha256(source),
        "versions": versions(),
    }
    executed = json.loads((folder / "executed.ipynb").read_text("utf-8"))
    (folder / "report.html").write_text(render(executed, summary), "utf-8")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path != checks)
    summary["artifacts"] = [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
    ]
    checks.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    return summary


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _point(link: Path, target: Path) -> None:
    """Moves `latest` in one step; a reader never finds it missing."""
    fresh = link.with_name(f".latest-{target.name}")
    fresh.symlink_to(target.relative_to(link.parent), target_is_directory=True)
    fresh.replace(link)


def _prune(folder: Path) -> None:
    """Removes the folders that were made for nothing, up to the first that holds something."""
    for path in (folder, *folder.parents[:3]):
        try:
            path.rmdir()
        except OSError:
            return
