"""`payment-kit sandbox verify` against another sandbox in the place of Stripe, and against nothing."""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from payment_kit.cli import main
from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.contract import client
from payment_kit.sandbox.contract.client import Answer, Remote
from payment_kit.sandbox.contract.scenarios import SCENARIOS


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0)


@pytest.fixture
def as_stripe(monkeypatch: pytest.MonkeyPatch, clean_settings: Path, stripe_elsewhere: Sandbox) -> Sandbox:
    """A sandbox where the command expects Stripe."""
    monkeypatch.setenv("STRIPE_API_BASE", stripe_elsewhere.url)
    monkeypatch.setenv("STRIPE_API_KEY", stripe_elsewhere.api_key)
    return stripe_elsewhere


def verify(*words: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "verify", "--against", "stripe", *words])
    return ended.value.code


def test_one_that_is_alike_has_no_difference_and_leaves_a_record(as_stripe: Sandbox, tmp_path: Path) -> None:
    assert verify("--yes", "--snapshot", str(tmp_path / "record.json")) == 0
    record = orjson.loads((tmp_path / "record.json").read_bytes())
    assert record["differences"] == []
    assert record["base"] == as_stripe.url
    assert record["scenarios"].keys() == {scenario.__name__ for scenario in SCENARIOS}
    assert as_stripe.api_key not in (tmp_path / "record.json").read_text()


def test_one_that_differs_is_told_by_path_and_exit_code(
    as_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = Remote.ask

    def bent(self: Remote, method: str, path: str, form: str, key: str | None) -> Answer:
        answer = honest(self, method, path, form, key)
        return Answer(answer.status, {**answer.body, "reason": "odd"}) if path == "refunds" else answer

    monkeypatch.setattr(Remote, "ask", bent)
    assert verify("--yes") == 1
    assert "refund.reason: sandbox requested_by_customer, theirs odd" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["sk_live_1234567890", "rk_live_1234567890", None])
def test_any_key_but_a_test_key_is_refused(
    as_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str | None
) -> None:
    if key is None:
        monkeypatch.delenv("STRIPE_API_KEY")
    else:
        monkeypatch.setenv("STRIPE_API_KEY", key)
        monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/nothing")
        monkeypatch.delenv("STRIPE_API_BASE")
    assert verify("--yes") == 2
    captured = capsys.readouterr()
    assert "sk_test_" in captured.err
    assert captured.out == ""


def test_nothing_is_asked_without_consent(
    as_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert verify() == 130
    assert "test cards" in capsys.readouterr().out
    assert as_stripe.store.meta["requests"] == 0


@pytest.mark.parametrize(
    ("setting", "value"), [("STRIPE_API_BASE", "http://127.0.0.1:1"), ("STRIPE_API_KEY", "sk_test_no")]
)
def test_one_that_cannot_be_asked_is_exit_code_2(
    as_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    assert verify("--yes") == 2
    assert "PK-STRIPE_UNREACHABLE" in capsys.readouterr().err
