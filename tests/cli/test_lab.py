"""`lab` starts JupyterLab on the notebooks, for the same installation."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from payment_kit import resources
from payment_kit.cli import main


class _Started:
    returncode = 3

    def __init__(self, command: list[str], **options: Any) -> None:
        self.command, self.options = command, options


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, clean_settings: Path) -> list[_Started]:
    """What `lab` would have started."""
    calls: list[_Started] = []

    def run(command: list[str], **options: Any) -> _Started:
        calls.append(_Started(command, **options))
        return calls[0]

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def _lab(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["lab", *words])
    return ended.value.code


def test_the_lab_opens_a_notebook_that_exists(started: list[_Started]) -> None:
    assert _lab() == 3
    (one,) = started
    root = Path(one.command[one.command.index("--ServerApp.root_dir") + 1])
    opened = one.command[one.command.index("--LabApp.default_url") + 1].removeprefix("/lab/tree/")
    assert one.command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert (root / opened).is_file()


def test_the_lab_uses_the_same_state_folder(
    started: list[_Started], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAYMENT_KIT_HOME", "elsewhere")
    _lab()
    assert started[0].options["env"]["PAYMENT_KIT_HOME"] == str(tmp_path / "elsewhere")


def test_an_installed_package_opens_a_copy_and_keeps_what_was_changed(
    started: list[_Started], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packaged = tmp_path / "site-packages" / "payment_kit"
    for name in ("payouts", "own"):
        (packaged / "notebooks" / "reconcile" / f"{name}.ipynb").parent.mkdir(parents=True, exist_ok=True)
        (packaged / "notebooks" / "reconcile" / f"{name}.ipynb").write_text("as shipped")
    monkeypatch.setattr(resources, "PACKAGE", packaged)
    changed = tmp_path / "notebooks" / "reconcile" / "own.ipynb"
    changed.parent.mkdir(parents=True)
    changed.write_text("changed")

    _lab()

    assert str(tmp_path / "notebooks") in started[0].command
    assert changed.read_text() == "changed"
    assert changed.with_name("payouts.ipynb").read_text() == "as shipped"


@pytest.mark.parametrize(("user", "said"), [(0, True), (1000, False)])
def test_only_root_is_allowed_to_be_root(
    started: list[_Started], monkeypatch: pytest.MonkeyPatch, user: int, said: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    _lab()
    assert ("--allow-root" in started[0].command) is said


def test_options_go_to_jupyterlab(started: list[_Started]) -> None:
    _lab("--no-browser", "--port", "8889")
    assert started[0].command[-3:] == ["--no-browser", "--port", "8889"]


def test_without_jupyterlab_one_sentence_says_so(
    capsys: pytest.CaptureFixture[str], started: list[_Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert _lab() == 2
    assert "PK-EXTRA_MISSING" in capsys.readouterr().err
    assert started == []
