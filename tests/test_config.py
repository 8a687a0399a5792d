"""Settings: known names, no guess, and no secret in an error."""

from pathlib import Path

import pytest

from payment_kit import config
from payment_kit.errors import UsageProblem


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "STRIPE_API_KEY",
        "DATABASE_URL",
        "PORT",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_API_BASE",
        "PAYMENT_KIT_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_unset_means_the_documented_defaults(tmp_path: Path) -> None:
    settings = config.load()

    assert (settings.stripe_api_key, settings.database_url, settings.port) == (None, None, 8080)
    assert settings.home == tmp_path / "var"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("STRIPE_API_KEY", "pk_test_verysecret", "STRIPE_API_KEY: a secret key starts with sk_test_"),
        ("STRIPE_API_KEY", "", "STRIPE_API_KEY: it is set but empty"),
        ("DATABASE_URL", "", "DATABASE_URL: it is set but empty"),
        ("DATABASE_URL", "mysql://me:verysecret@db/x", "DATABASE_URL: it must look like postgresql://"),
        ("PORT", "verysecret", "PORT: Input should be a valid integer"),
        ("PORT", "70000", "PORT: Input should be less than or equal to 65535"),
        ("PAYMENT_KIT_WEBHOOK_PORT", "-1", "PAYMENT_KIT_WEBHOOK_PORT: Input should be greater"),
        ("STRIPE_WEBHOOK_SECRET", "verysecret", "STRIPE_WEBHOOK_SECRET: a webhook signing secret starts with whsec_"),
        ("STRIPE_API_BASE", "ftp://verysecret", "STRIPE_API_BASE: it must be an http(s) URL"),
        ("STRIPE_API_BASE", "http://stripe.example", "STRIPE_API_BASE: plain http is allowed to this machine only"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(UsageProblem) as caught:
        config.load()

    assert caught.value.reason == "SETTING_INVALID"
    assert caught.value.what.startswith(sentence)
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PAYMENT_KIT_PORT", "PORT"),
        ("PAYMENT_KIT_DATABASE_URL", "DATABASE_URL"),
        ("PAYMENT_KIT_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET"),
        ("PAYMENT_KIT_WEBHOK_PORT", "PAYMENT_KIT_WEBHOOK_PORT"),
        ("payment_kit_port", "PORT"),
    ],
)
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, meant: str, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv(name, "verysecret")
    else:
        (tmp_path / ".env").write_text(f"{name}=verysecret\n")

    with pytest.raises(UsageProblem) as caught:
        config.load()

    assert caught.value.what == f"{name}: there is no such setting; did you mean {meant}?"
    assert "verysecret" not in str(caught.value)


def test_a_name_near_no_setting_is_refused_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_KIT_XYZZY", "1")

    with pytest.raises(UsageProblem, match=r"PAYMENT_KIT_XYZZY: there is no such setting\. Correct or unset it"):
        config.load()


def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """kubernetes.io/docs/concepts/services-networking/service: environment variables of each active Service."""
    for name in ("SERVICE_PORT", "SERVICE_PORT_GRPC", "SERVICE_HOST", "PORT_8080_TCP_ADDR", "PORT_8080_TCP"):
        monkeypatch.setenv(f"PAYMENT_KIT_{name}", "10.0.0.11")
    monkeypatch.setenv("PAYMENT_KIT_PORT", "tcp://10.0.0.11:8080")

    assert config.load().port == 8080


def test_a_home_that_cannot_be_written_is_named_and_one_that_can_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageProblem, match=r"PAYMENT_KIT_HOME: .*/file cannot be written \(Not a directory\)"):
        config.require_writable(tmp_path / "file" / "var")

    config.require_writable(tmp_path / "new" / "var")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_live_key_never_meets_the_embedded_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live_1")

    with pytest.raises(UsageProblem) as caught:
        config.load()

    assert caught.value.reason == "LIVE_MODE_NEEDS_DATABASE"


def test_a_live_key_is_never_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "rk_live_1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/x")
    monkeypatch.setenv("STRIPE_API_BASE", "https://stripe.example")

    with pytest.raises(UsageProblem, match="a live key is only ever sent to"):
        config.load()


def test_secrets_appear_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_verysecret")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_verysecret,whsec_verysecret2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:verysecret@db/x")

    settings = config.load()

    assert "verysecret" not in repr(settings)
    assert len(settings.stripe_webhook_secrets) == 2


def test_a_folder_below_finds_the_settings_and_state_of_its_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=9090\n")
    below = tmp_path / "notebooks" / "reconcile"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    settings = config.load()

    assert (settings.port, settings.home) == (9090, tmp_path / "var")


@pytest.mark.parametrize("limit", ["0", "-1", "inf", "nan", "many"])
def test_a_limit_of_requests_is_a_number_above_nothing(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv("PAYMENT_KIT_STRIPE_REQUESTS_PER_SECOND", limit)

    with pytest.raises(UsageProblem, match="PAYMENT_KIT_STRIPE_REQUESTS_PER_SECOND"):
        config.load()
