"""`connect` finds the database by name, and says in one sentence when it cannot."""

from pathlib import Path

import pytest

from payment_kit.errors import Problem
from payment_kit.notebook import connect
from payment_kit.notebook.session import place, run_folder


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("DATABASE_URL", "STRIPE_API_KEY", "PAYMENT_KIT_RUN_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAYMENT_KIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_the_database_is_the_one_of_database_url(monkeypatch: pytest.MonkeyPatch, seeded: str) -> None:
    monkeypatch.setenv("DATABASE_URL", seeded)
    assert connect().account == "acct_books"


def test_without_any_database_nothing_is_started(nowhere: Path) -> None:
    with pytest.raises(Problem, match="NO_DATA"):
        connect()
    assert not nowhere.exists()


def test_a_run_by_hand_has_a_folder_of_its_own(nowhere: Path) -> None:
    folder = run_folder("reconcile/payouts", "2026-08")
    assert folder == nowhere / "runs" / "reconcile" / "payouts" / "2026-08" / "lab"
    assert folder.is_dir()


def test_a_folder_is_named_as_its_reader_finds_it(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert place(nowhere / "runs" / "a" / "lab") == "home/runs/a/lab"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert place(nowhere / "runs" / "a" / ".unfinished") == "$PAYMENT_KIT_HOME/runs/a/unfinished"
