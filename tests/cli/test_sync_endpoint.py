"""`sync endpoint` says what it did, and shows a secret exactly once."""

from pathlib import Path

import pytest

from payment_kit.cli import main
from payment_kit.cli.sync_endpoint import append_secret
from payment_kit.sandbox import Sandbox

URL = "https://pay.example.com/webhooks/stripe"


def _called(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["sync", "endpoint", "--url", URL, *words])
    return int(ended.value.code or 0)


def test_the_secret_is_shown_when_it_is_made_and_never_again(
    against_stripe: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _called("--check") == 1
    assert "no endpoint at Stripe" in capsys.readouterr().out
    assert _called() == 0
    said = capsys.readouterr().out
    assert said.count("whsec_") == 1
    assert "STRIPE_WEBHOOK_SECRET" in said
    assert (_called(), _called("--check")) == (0, 0)
    assert "whsec_" not in capsys.readouterr().out


def test_the_secret_goes_into_the_settings_file_when_asked(
    against_stripe: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _called("--write-env") == 0
    assert "whsec_" not in capsys.readouterr().out
    env = Path.cwd() / ".env"
    assert env.read_text().startswith("STRIPE_WEBHOOK_SECRET=whsec_")
    assert env.stat().st_mode & 0o777 == 0o600


def test_a_new_secret_stands_before_the_old_one_and_other_lines_stay(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text('A=1\nSTRIPE_WEBHOOK_SECRET="whsec_old"\nB=2\n')
    env.chmod(0o644)
    append_secret("whsec_new", env)
    assert env.read_text() == "A=1\nSTRIPE_WEBHOOK_SECRET=whsec_new,whsec_old\nB=2\n"
    assert env.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [env]


def test_json_never_holds_a_secret(against_stripe: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert _called("--json") == 2
    assert _called("--json", "--write-env") == 0
    assert "whsec_" not in capsys.readouterr().out
