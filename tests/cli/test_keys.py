"""`payment-kit keys` and `audit`, and what a server refuses to start with."""

from pathlib import Path

import psycopg
import pytest

from payment_kit import config, wiring
from payment_kit.errors import UsageProblem
from payment_kit.sandbox import Sandbox

from ..fix_installation import Called


def test_a_key_is_shown_once_rotated_and_revoked(against_stripe: Sandbox, called: Called, database: str) -> None:
    create = ("keys", "create", "--caller", "shop")
    code, first = called(*create, "--role", "refunds", "--max-amount", "refunds:usd=50000")
    assert code == 0
    assert called(*create)[0] == 0
    code, refused = called(*create)
    assert code == 2
    id_ = first["key"].split("_")[2]
    assert f"payment-kit keys revoke {id_}" in refused
    assert called("keys", "revoke", id_)[1]["caller"] == "shop"
    assert called(*create)[0] == 0
    assert called("keys", "allow-certificate", "--caller", "shop", "spiffe://a/b")[0] == 0
    code, listed = called("keys", "list")
    assert [(one["roles"], one["max_amounts"]) for one in listed] == [(["refunds"], {"refunds": {"usd": 50000}})] * 4
    with psycopg.connect(database) as connection:
        dumped = str(connection.execute("select * from payment_kit.caller_keys").fetchall())
    assert first["key"].split("_")[3] not in dumped


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "--caller", "shop", "--max-amount", "refunds=5"),
        ("keys", "create", "--caller", ""),
        ("keys", "revoke", "0123"),
        ("keys", "allow-certificate", "--caller", "nobody", "x"),
        ("audit", "verify", "--head", "x"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(against_stripe: Sandbox, called: Called, words: tuple[str, ...]) -> None:
    code, said = called(*words)
    assert code == 2
    assert "PK-" in said


def test_an_empty_record_is_whole(against_stripe: Sandbox, called: Called) -> None:
    code, said = called("audit", "verify")
    assert (code, said["wrong"]) == (0, [])
    assert called("audit", "list") == (0, [])


LIVE = {"STRIPE_API_KEY": "sk_live_1", "DATABASE_URL": "postgresql://u@h/d", "STRIPE_WEBHOOK_SECRET": "whsec_1"}
OFF = {"PAYMENT_KIT_AUTHENTICATION": "off"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (LIVE | OFF, "AUTHENTICATION_OFF"),
        (OFF | {"PAYMENT_KIT_HOST": "0.0.0.0"}, "AUTHENTICATION_OFF"),
        ({"PAYMENT_KIT_HOST": "0.0.0.0"}, "BIND_INSECURE"),
        ({"PAYMENT_KIT_TLS_KEY": "/a"}, "SETTING_INVALID"),
        ({"PAYMENT_KIT_TLS_CERTIFICATE": "/none", "PAYMENT_KIT_TLS_KEY": "/none"}, "SETTING_INVALID"),
        ({"PAYMENT_KIT_JWT_ISSUER": "x"}, "SETTING_INVALID"),
    ],
)
def test_an_insecure_start_is_refused(
    clean_settings: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], reason: str
) -> None:
    for name, value in {"PORT": "0", "PAYMENT_KIT_WEBHOOK_PORT": "0", **given}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageProblem) as caught:
        wiring.check_doors(config.load(), ("service", "webhooks"))
    assert caught.value.reason == reason
    assert caught.value.next_step


def test_callers_say_who_they_are_unless_it_is_harmless(clean_settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not wiring.asks_who_calls(config.load())
    assert wiring.asks_who_calls(config.load(authentication="required"))
    assert wiring.asks_who_calls(config.load(host="192.0.2.1"))
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    assert wiring.asks_who_calls(config.load())
