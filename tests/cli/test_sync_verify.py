"""`sync verify`, `sync repair`, `sync reproject` from the command line, and what a third party makes of the report."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from payment_kit import runs
from payment_kit.config import load
from payment_kit.mirror.repair import ACTIONS
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.fix_installation import Called
from tests.mirror.business import Business

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "verify-report.md"
QUICK = ("--patience", "0")


async def _trade(sandbox: Sandbox) -> None:
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url) as gateway:
        await Business(gateway, sandbox).trade(6)


@pytest.fixture
def mirrored(called: Called, against_stripe: Sandbox) -> Sandbox:
    """A small business, caught up with."""
    asyncio.run(_trade(against_stripe))
    called("sync", "catch-up")
    return against_stripe


def _damage(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("update stripe.products set name = 'planted' returning id").fetchone()
    assert row
    return str(row[0])


def test_a_verification_says_complete_and_leaves_its_report(
    called: Called, mirrored: Sandbox, clean_settings: Path
) -> None:
    code, report = called("sync", "verify", *QUICK)
    assert (code, report["verdict"], report["platforms"]) == (0, "COMPLETE", [mirrored.account_id])
    assert json.loads((clean_settings / "runs" / "verify" / "latest" / "verify.json").read_bytes()) == report


def test_damage_is_named_planned_repaired_and_gone(
    called: Called, mirrored: Sandbox, database: str, tmp_path: Path
) -> None:
    id_, path = _damage(database), str(tmp_path / "report.json")
    code, report = called("sync", "verify", "--output", path, *QUICK)
    (found,) = report["accounts"][0]["differences"]
    assert (code, found["object"], found["id"], found["fields"]) == (1, "product", id_, ["name"])
    code, planned = called("sync", "repair", "--dry-run", "--report", path, *QUICK)
    assert (code, planned["plan"]) == (1, {mirrored.account_id: {"product": {"rebuild": 1}}})
    code, repaired = called("sync", "repair", "--report", path, *QUICK)
    assert (code, repaired["after"]["verdict"]) == (0, "COMPLETE")
    assert called("sync", "repair", "--dry-run", *QUICK) == (0, {"plan": {}, "actions": ACTIONS})


def test_a_reprojection_rebuilds_without_a_report(called: Called, mirrored: Sandbox, database: str) -> None:
    _damage(database)
    code, done = called("sync", "reproject")
    assert (code, done["rows"]) == (0, {"product": 1})
    assert called("sync", "verify", *QUICK)[0] == 0


def test_people_read_what_differs(
    capsys: pytest.CaptureFixture[str], called: Called, mirrored: Sandbox, database: str
) -> None:
    from payment_kit.cli import main

    id_ = _damage(database)
    with pytest.raises(SystemExit):
        main(["sync", "verify", *QUICK])
    shown = capsys.readouterr().out
    assert "DIFFERENT" in shown
    assert f"product {id_}: typed columns are not what its JSON says (name)" in shown


def test_a_file_that_is_no_report_is_refused(called: Called, against_stripe: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    code, said = called("sync", "repair", "--report", str(tmp_path / "x.json"))
    assert (code, "is no report" in said) == (2, True)


def test_a_third_party_computes_the_hashes_again(called: Called, mirrored: Sandbox, tmp_path: Path) -> None:
    called("sync", "verify", "--output", str(tmp_path / "verify.json"), *QUICK)
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    (tmp_path / "recompute.py").write_text(found[1])
    environment = os.environ | {"STRIPE_API_KEY": mirrored.api_key, "STRIPE_API_BASE": mirrored.url}
    for kind, path in (("customer", "customers"), ("charge", "charges"), ("payment_intent", "payment_intents")):
        command = [sys.executable, "recompute.py", "verify.json", kind, f"/v1/{path}"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        assert all(line.endswith("equal") for line in done.stdout.splitlines()), done.stdout


def test_the_notebook_shows_the_report_and_ends_as_it_does(
    called: Called, mirrored: Sandbox, database: str, clean_settings: Path
) -> None:
    id_ = _damage(database)
    called("sync", "verify", *QUICK)
    result = runs.run("reconcile/mirror", {}, load())
    page = result.report.read_text()
    assert (result.status, result.exit_code) == ("FAIL", 1)
    assert id_ in page
    assert "<svg" in page
    assert "typed columns are not what its JSON says" in page


def test_the_notebook_without_a_verification_says_what_to_run(against_stripe: Sandbox) -> None:
    with pytest.raises(Exception, match="NO_DATA"):
        runs.run("reconcile/mirror", {}, load())
