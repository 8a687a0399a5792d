"""What cannot run says so in one sentence with the next step: exit 2, no traceback, nothing half-done."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from payment_kit.cli import main
from payment_kit.sandbox import Sandbox

SETTINGS = (
    "STRIPE_API_KEY",
    "DATABASE_URL",
    "PORT",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
    "PAYMENT_KIT_HOME",
    "PAYMENT_KIT_WEBHOOK_PORT",
)
NOBODY_LISTENS = "postgresql://me:hunter2secret@127.0.0.1:1/books"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # the process under test logs to its own stderr, this one to pytest's
    monkeypatch.setattr("payment_kit.cli.serve.configure", lambda _level: None)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def _refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of stderr with which a command ends in exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert "Traceback" not in captured.err
    (line,) = captured.err.strip().splitlines()
    return line


@pytest.mark.parametrize(
    "words", [("migrate",), ("serve",), ("sync", "status"), ("sync", "catch-up"), ("demo", "--payments", "60")]
)
def test_a_database_that_does_not_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOBODY_LISTENS)

    with pytest.raises(SystemExit) as ended:
        main(words)

    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert "PK-DATABASE_UNREACHABLE: Nothing listens at 127.0.0.1:1." in captured.err
    assert "hunter2secret" not in captured.err + captured.out
    assert "Traceback" not in captured.err
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_run_on_a_database_that_does_not_answer_leaves_no_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOBODY_LISTENS)

    with pytest.raises(SystemExit) as ended:
        main(["run", "reconcile/payouts"])

    assert ended.value.code == 2
    assert "PK-DATABASE_UNREACHABLE" in capsys.readouterr().err
    assert list((tmp_path / "var" / "runs").rglob("*.ipynb")) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://x"), ("DATABASE_URL", ""), ("STRIPE_API_KEY", "pk_test_1"), ("STRIPE_API_KEY", "")],
)
def test_a_setting_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    line = _refusal(capsys, "serve")

    assert line.startswith(f"✗ PK-SETTING_INVALID: {name}:")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("serve", "--port", "0", "--webhook-port", "0"), ("sandbox",), ("sync", "status")])
def test_a_home_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PAYMENT_KIT_HOME", str(tmp_path / "file" / "var"))

    assert "PAYMENT_KIT_HOME" in _refusal(capsys, *words)


def test_a_folder_for_the_sandbox_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "PK-SETTING_INVALID: --state:" in _refusal(capsys, "sandbox", "--state", str(tmp_path / "file" / "sandbox"))


def test_an_external_database_that_was_not_migrated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, empty_database: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)

    assert "PK-DATABASE_NOT_MIGRATED" in _refusal(capsys, "serve")


def test_stripe_that_does_not_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_1")
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:1")
    monkeypatch.setenv("PAYMENT_KIT_STRIPE_RETRIES", "0")

    assert "PK-STRIPE_UNREACHABLE" in _refusal(capsys, "sync", "status")


def test_a_key_stripe_refuses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database: str, stripe_elsewhere: Sandbox
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_wrong")
    monkeypatch.setenv("STRIPE_API_BASE", stripe_elsewhere.url)

    line = _refusal(capsys, "sync", "status")

    assert "PK-STRIPE_KEY_REFUSED" in line
    assert "sk_test_wrong" not in line


@pytest.mark.parametrize("option", ["--port", "--webhook-port"])
def test_a_port_somebody_else_has(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    taken_port: int,
    option: str,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    other = {"--port": "--webhook-port", "--webhook-port": "--port"}[option]

    line = _refusal(capsys, "serve", option, str(taken_port), other, "0")

    assert f"PK-PORT_TAKEN: Port {taken_port} of 127.0.0.1 is taken." in line


def test_an_address_others_can_reach(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)

    assert "PK-BIND_INSECURE" in _refusal(capsys, "serve", "--host", "0.0.0.0", "--port", "0", "--webhook-port", "0")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "{taken}"], "PK-PORT_TAKEN"),
        (["--webhook-port", "{taken}"], "PK-PORT_TAKEN"),
        (["--host", "192.0.2.1"], "PK-BIND_INSECURE"),
        ([], "PK-WEBHOOK_SECRET_MISSING"),
    ],
)
def test_doors_that_cannot_open_are_said_before_database_and_stripe_are_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    taken_port: int,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOBODY_LISTENS)
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_1")
    if options:
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_1")
    given = [option.format(taken=taken_port) for option in options]

    assert said in _refusal(capsys, "serve", "--port", "0", "--webhook-port", "0", *given)


def test_a_demo_with_a_key_stripe_refuses_starts_no_database(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stripe_elsewhere: Sandbox, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_wrong")
    monkeypatch.setenv("STRIPE_API_BASE", stripe_elsewhere.url)

    with pytest.raises(SystemExit) as ended:
        main(["demo"])

    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert "PK-STRIPE_KEY_REFUSED" in captured.err
    assert "PostgreSQL" not in captured.out
    assert not (tmp_path / "var").exists()


def test_no_webhook_secret_for_a_real_stripe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database: str, stripe_elsewhere: Sandbox
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("STRIPE_API_BASE", stripe_elsewhere.url)
    monkeypatch.setenv("STRIPE_API_KEY", stripe_elsewhere.api_key)

    assert "PK-WEBHOOK_SECRET_MISSING" in _refusal(capsys, "serve", "--port", "0", "--webhook-port", "0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "reconcile/payout"), "PK-NOTEBOOK_NOT_FOUND: There is no notebook 'reconcile/payout'. Did you mean"),
        (("run", "reconcile/payouts", "-p", "perod=2026-08"), "PK-PARAMETER_UNKNOWN"),
        (("run", "reconcile/payouts", "-p", "period=August"), "PK-PARAMETER_INVALID"),
        (("run", "reconcile/payouts", "-p", "period"), "PK-PARAMETER_INVALID: -p 'period': write NAME=VALUE."),
        (("run", "reconcile/payouts", "-p", "currency=USD"), "PK-PARAMETER_INVALID"),
        (("run", "reconcile/payouts", "-p", "currency=usd", "-p", "currency=eur"), "PK-PARAMETER_INVALID"),
    ],
)
def test_a_notebook_or_parameter_there_is_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    line = _refusal(capsys, *words)

    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_books_that_hold_nothing_yet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "reconcile/payouts"])

    assert ended.value.code == 2
    assert "PK-NO_DATA" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("nonsense",), ("serve", "--port", "x"), ("run",)])
def test_words_that_are_no_command(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert "Error:" in capsys.readouterr().err
