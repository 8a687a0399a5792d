"""A run end to end: a real kernel on a real database, and everything a finance team gets from it."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import nbformat
import psycopg
import pytest

from payment_kit.config import Settings, load
from payment_kit.database.embedded import embedded
from payment_kit.database.migrations import migrate
from payment_kit.errors import Problem
from payment_kit.runs import Progress, RunResult, run
from tests.fix_books import Ledger, into_postgres
from tests.waiting import SECONDS_MAX, eventually

NB: Any = nbformat.v4
NAME = "reconcile/payouts"
LOADS = re.compile(
    r"<script|<link|<iframe|@import|url\(|\b(?:src|href|action|poster|data)\s*=\s*[\"']?(?!data:)", re.IGNORECASE
)


def settings_for(dsn: str, home: Path) -> Settings:
    return load(home=home, database_url=dsn)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A folder for notebooks of a test's own."""
    (tmp_path / "books").mkdir()
    return tmp_path / "books"


def write(folder: Path, name: str, *sources: str) -> None:
    cells = [NB.new_code_cell(source) for source in sources]
    (folder / f"{name}.ipynb").write_text(NB.writes(NB.new_notebook(cells=cells)))


def kernels() -> list[str]:
    """The kernels this process started and that still live."""
    listed = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout
    mine = (line.split(maxsplit=1) for line in listed.splitlines()[1:])
    return [args for parent, args in mine if parent == str(os.getpid()) and "ipykernel_launcher" in args]


def test_books_that_tie_pass_and_leave_everything(
    seeded: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Progress] = []
    result = run(NAME, {"period": "2026-08"}, settings_for(seeded, tmp_path / "ho me{}"), progress=told.append)
    assert (result.status, result.exit_code) == ("PASS", 0)
    assert result.folder.parent == tmp_path / "ho me{}" / "runs" / "reconcile" / "payouts" / "2026-08"
    assert (result.folder.parents[1] / "latest").resolve() == result.folder
    assert told[-1].done == told[-1].total == len(told)
    assert "Controls" in {one.label for one in told}
    assert capfd.readouterr() == ("", "")
    assert kernels() == []
    assert_sealed(result)
    assert_loads_nothing(result.report.read_text())
    assert_tells_no_secret(result, seeded)


def assert_sealed(result: RunResult) -> None:
    summary = json.loads((result.folder / "checks.json").read_text())
    assert summary == result.summary
    listed = {one["path"]: one["sha256"] for one in summary["artifacts"]}
    assert {"executed.ipynb", "report.html", "reconciliation.xlsx", "payouts.parquet"} <= set(listed)
    assert set(listed) == {path.name for path in result.folder.iterdir()} - {"checks.json"}
    for name, digest in listed.items():
        assert hashlib.sha256((result.folder / name).read_bytes()).hexdigest() == digest


def assert_loads_nothing(page: str) -> None:
    assert LOADS.findall(page) == []
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page
    assert all(
        word in page for word in ("Payout reconciliation", "1 – 31 August 2026", "<svg", "TEST MODE", "Appendix")
    )


def assert_tells_no_secret(result: RunResult, dsn: str) -> None:
    for path in result.folder.iterdir():
        data = path.read_bytes()
        assert dsn.encode() not in data, path.name
        assert str(result.folder.parents[5]).encode() not in data, path.name
        assert not re.search(rb"(sk|rk)_(test|live)_|whsec_|://[^/\s]+:[^/\s]+@", data), path.name


def test_the_embedded_database_is_found_by_its_home(
    ledger: Ledger, open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two notebooks' worth of defaults: no parameter, no DATABASE_URL, as in JupyterLab after the demo."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with embedded(open_home, options={"fsync": "off"}) as dsn:
        migrate(dsn)
        into_postgres(dsn, ledger)
        result = run(NAME, {}, load(home=open_home))
    assert (result.status, result.summary["parameters"]["period"]) == ("PASS", "2026-08")


async def test_a_run_can_be_awaited_from_a_thread(tmp_path: Path, book: Path) -> None:
    write(book, "own", "1 + 1")
    result = await asyncio.to_thread(run, "own", {}, load(home=tmp_path / "home"), folder=book)
    assert result.exit_code == 0


def test_one_changed_unit_fails_and_the_report_names_it(seeded: str, tmp_path: Path) -> None:
    with psycopg.connect(seeded) as connection:
        row = connection.execute(
            "update stripe.balance_transactions set fee = fee + 1 where id = (select min(t.id) from "
            "stripe.balance_transactions t join stripe.payout_balance_transactions on balance_transaction_id = t.id "
            "where t.created between '2026-08-05' and '2026-08-20' and t.type = 'charge' and t.currency = 'usd') "
            "returning id, (select payout_id from stripe.payout_balance_transactions where balance_transaction_id = id)"
        ).fetchone()
    assert row is not None
    result = run(NAME, {"period": "2026-08", "currency": "usd"}, settings_for(seeded, tmp_path))
    page = result.report.read_text()
    assert (result.status, result.exit_code) == ("FAIL", 1)
    assert all(name in page for name in row)
    assert result.summary["currencies"] == ["usd"]


def test_missing_objects_are_pending(seeded: str, tmp_path: Path) -> None:
    with psycopg.connect(seeded) as connection:
        connection.execute("delete from stripe.charges where created > '2026-09-01'")
    result = run(NAME, {"period": "2026-Q3"}, settings_for(seeded, tmp_path))
    assert (result.status, result.exit_code) == ("PENDING", 1)
    assert "sync catch-up" in result.report.read_text()


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [("postgresql://me:hunter2hunter2@127.0.0.1:9/books", "DATABASE_UNREACHABLE"), (None, "NO_DATA")],
)
def test_a_database_that_is_not_there_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dsn: str | None, reason: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(Problem) as caught:
        run(NAME, {}, load(home=tmp_path / "home", database_url=dsn))
    assert (caught.value.reason, caught.value.exit_code) == (reason, 2)
    assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "home" / "runs").exists()


def test_a_failing_cell_keeps_the_executed_notebook_without_secrets(tmp_path: Path, book: Path) -> None:
    secret = "sk_live_51Habcdefghijklmnop"
    write(book, "own", f"key = '{secret}'", "print(key)", "raise ValueError(key)")
    with pytest.raises(Problem) as caught:
        run("own", {}, load(home=tmp_path / "home"), folder=book)
    path = Path(re.findall(r"see (\S+executed\.ipynb)", caught.value.what)[0])
    assert (caught.value.reason, "in cell 3 (ValueError" in caught.value.what) == ("RUN_FAILED", True)
    assert secret not in str(caught.value) + path.read_text()
    assert "[redacted]" in path.read_text()


def test_the_kernel_is_not_told_stripe_s_secrets(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefgh")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_abcdefgh")
    write(book, "own", "import os", "assert not [name for name in os.environ if name.startswith('STRIPE_')]")
    result = run("own", {}, load(home=tmp_path / "home"), folder=book)
    assert (result.status, result.exit_code) == ("", 0)


def test_the_whole_run_is_bounded(tmp_path: Path, book: Path) -> None:
    write(book, "own", "import time; time.sleep(600)")
    begun = time.monotonic()
    with pytest.raises(Problem, match=r"took longer than 2 seconds"):
        run("own", {}, load(home=tmp_path / "home"), folder=book, seconds_max=2)
    assert time.monotonic() - begun < 120
    assert kernels() == []


def test_a_dying_kernel_is_a_failed_run(tmp_path: Path, book: Path) -> None:
    write(book, "own", "import os; os._exit(1)")
    with pytest.raises(Problem, match="RUN_FAILED"):
        run("own", {}, load(home=tmp_path / "home"), folder=book)


def test_a_script_in_an_output_cannot_run_or_load(tmp_path: Path, book: Path) -> None:
    write(book, "own", "from IPython.display import HTML", "HTML('<img src=x onerror=alert(1)>')")
    page = run("own", {}, load(home=tmp_path / "home"), folder=book).report.read_text()
    assert page.index("Content-Security-Policy") < page.index("onerror")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_kernel_outlives_an_interrupted_run(tmp_path: Path, book: Path, how: signal.Signals) -> None:
    write(
        book,
        "own",
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid()))\nimport time; time.sleep(600)",
    )
    program = textwrap.dedent(f"""
        from pathlib import Path
        from payment_kit.config import load
        from payment_kit.runs import run
        try:
            run("own", {{}}, load(home=Path({str(tmp_path / "home")!r})), folder=Path({str(book)!r}))
        except KeyboardInterrupt:
            raise SystemExit(130)
    """)
    started = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        kernel = int(eventually(lambda: (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""))
        os.killpg(started.pid, how)
        assert started.wait(SECONDS_MAX) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    finally:
        started.kill()
        started.wait()
    eventually(lambda: not Path(f"/proc/{kernel}").exists())
