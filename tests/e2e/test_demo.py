"""`payment-kit demo` as people run it: a process of its own, real parts only, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

PAYMENTS = "100"
GONE_SECONDS = 60.0
SECONDS_MAX = 300
Cli = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def home(open_home: Path) -> Path:
    return open_home


def environment(home: Path, **more: str) -> dict[str, str]:
    """Only what we say: no key, no database, no .env of whoever runs the tests."""
    ours = ("STRIPE_", "DATABASE_URL", "PORT", "PAYMENT_KIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    binaries = {name: os.environ[name] for name in ("PAYMENT_KIT_POSTGRES_BIN",) if name in os.environ}
    return kept | binaries | {"PAYMENT_KIT_HOME": str(home)} | more


@pytest.fixture
def cli(home: Path) -> Cli:
    """Runs `payment-kit …` to its end with the settings given by name."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "payment_kit", *arguments]
        where = environment(home, **settings)
        return subprocess.run(command, env=where, cwd=home, capture_output=True, text=True, timeout=SECONDS_MAX)

    return run


def test_five_floors_survive_three_kills_and_leave_nothing_behind(cli: Cli, home: Path) -> None:
    done = cli("demo", "--payments", PAYMENTS, "--kill", "3", "--json")
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = orjson.loads(done.stdout)
    assert summary["kills"] == 3
    assert {name: summary["proof"][name] for name in ("lost", "applied_twice", "duplicate_payments")} == {
        "lost": 0,
        "applied_twice": 0,
        "duplicate_payments": 0,
    }
    assert all(one["stripe"] == one["mirror"] == one["equal"] for one in summary["proof"]["comparisons"])
    assert summary["status"] == "PASS"
    assert Path(summary["report"]).is_file()
    assert "Traceback" not in done.stderr
    assert left_behind(home) == []


def test_dropped_webhooks_are_seen_and_healed_and_one_unit_changed_in_sql_is_named(cli: Cli, database: str) -> None:
    demo = cli("demo", "--payments", PAYMENTS, "--drop", "0.1", "--json", DATABASE_URL=database)
    assert demo.returncode == 1, demo.stderr
    assert orjson.loads(demo.stdout)["status"] != "PASS"
    assert "payment-kit sync catch-up" in demo.stderr

    healed = cli("sync", "catch-up", DATABASE_URL=database)
    assert healed.returncode == 0, healed.stderr
    passed = cli("run", "reconcile/payouts", "-p", "period=2026-08", "--json", DATABASE_URL=database)
    assert (passed.returncode, orjson.loads(passed.stdout)["status"]) == (0, "PASS"), passed.stderr

    transaction, payout = change_one_unit(database)
    broken = cli("run", "reconcile/payouts", "-p", "period=2026-08", "--json", DATABASE_URL=database)
    breaks = orjson.loads(broken.stdout)["breaks"]
    report = (Path(orjson.loads(passed.stdout)["run_id"]), broken.stdout)
    assert broken.returncode == 1
    assert any((one["balance_transaction"], one["payout"]) == (transaction, payout) for one in breaks), report


def test_a_database_with_the_data_of_a_real_account_is_refused(cli: Cli, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into payment_kit.accounts (account_id, livemode) values ('acct_1Real', false)")
    refused = cli("demo", DATABASE_URL=database)
    assert refused.returncode == 2
    assert "PK-DATABASE_HAS_OTHER_DATA" in refused.stderr
    with psycopg.connect(database) as connection:
        assert connection.execute("select account_id from payment_kit.accounts").fetchall() == [("acct_1Real",)]


@pytest.mark.parametrize(
    ("number", "whole_group", "code", "said"),
    [(signal.SIGINT, True, 130, "Stopped."), (signal.SIGTERM, False, 130, "Stopped."), (signal.SIGKILL, False, -9, "")],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_a_demo_stopped_in_the_middle_of_the_business_leaves_no_process(
    home: Path, database: str, number: signal.Signals, whole_group: bool, code: int, said: str
) -> None:
    command = [sys.executable, "-m", "payment_kit", "demo", "--payments", "2000"]
    where = environment(home, DATABASE_URL=database, PYTHONUNBUFFERED="1")
    with subprocess.Popen(
        command, env=where, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "payment-kit serve" in line:
                break
        os.kill(-process.pid if whole_group else process.pid, number)
        _out, err = process.communicate(timeout=GONE_SECONDS)
    assert process.returncode == code
    assert err.strip() == said
    assert left_behind(home) == []


def change_one_unit(database: str) -> tuple[str, str]:
    """Adds one minor unit to a mirrored amount of August; answers the balance transaction and its payout."""
    with psycopg.connect(database, autocommit=True) as connection:
        found = connection.execute(
            """update stripe.balance_transactions t set amount = t.amount + 1
               from stripe.payout_balance_transactions i
               where i.balance_transaction_id = t.id and t.id = (
                   select min(b.id) from stripe.balance_transactions b
                   join stripe.payout_balance_transactions p on p.balance_transaction_id = b.id
                   where b.type = 'charge' and b.created between '2026-08-05' and '2026-08-20')
               returning t.id, i.payout_id"""
        ).fetchone()
    assert found is not None
    return found[0], found[1]


def left_behind(home: Path) -> list[str]:
    """Command lines of processes that still run for `home`, after giving them time to leave."""
    deadline = time.monotonic() + GONE_SECONDS
    while (found := list(_running(home))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _running(home: Path) -> Iterator[str]:
    wanted = f"PAYMENT_KIT_HOME={home}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
