"""Every trouble the doctor can name it names, with what fixes it, and says so by its exit code."""

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from payment_kit.cli import doctor_checks, main
from payment_kit.sandbox import Sandbox
from tests.fix_installation import Called

NOBODY_LISTENS = "postgresql://me:hunter2secret@127.0.0.1:1/books"


def _found(findings: Any, name: str) -> tuple[str, str, str]:
    (one,) = [one for one in findings if one["name"] == name]
    return one["mark"], one["detail"], one["fix"]


def test_an_installation_in_order_has_no_trouble(called: Called, against_stripe: Sandbox) -> None:
    code, findings = called("doctor")
    assert (code, [one for one in findings if one["mark"] == "fail"]) == (0, [])
    names = {one["name"] for one in findings}
    assert {"Stripe key", "webhook secret", "PostgreSQL", "migrations", "rights", "service port", "inbox"} <= names
    assert _found(findings, "Stripe key")[1] == "test mode, secret key"


def test_a_setting_that_cannot_be_used_ends_the_examination(
    called: Called, clean_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "pk_test_1")
    code, findings = called("doctor")
    assert (code, [one["name"] for one in findings]) == (1, ["settings"])


def test_a_variable_that_is_no_setting_is_named(
    called: Called, clean_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_KIT_PORT", "9090")
    code, findings = called("doctor")
    said = "PAYMENT_KIT_PORT: there is no such setting; did you mean PORT?"
    assert (code, _found(findings, "settings")[:2]) == (1, ("fail", said))


def test_a_state_folder_that_cannot_be_written_is_found_before_postgresql(
    called: Called, clean_settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PAYMENT_KIT_HOME", str(tmp_path / "file" / "var"))
    code, findings = called("doctor")
    mark, detail, fix = _found(findings, "state folder")
    assert (code, mark, findings[-1]["name"]) == (1, "fail", "state folder")
    assert "cannot be written (Not a directory)" in detail
    assert "PAYMENT_KIT_HOME" in fix


def test_a_missing_webhook_secret(called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_WEBHOOK_SECRET")
    code, findings = called("doctor")
    mark, _, fix = _found(findings, "webhook secret")
    assert (code, mark, "STRIPE_WEBHOOK_SECRET" in fix) == (1, "fail", True)


def test_a_database_that_does_not_answer(
    called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", NOBODY_LISTENS)
    code, findings = called("doctor")
    mark, detail, fix = _found(findings, "PostgreSQL")
    assert (code, mark, detail) == (1, "fail", "Nothing listens at 127.0.0.1:1.")
    assert "DATABASE_URL" in fix
    assert "hunter2secret" not in str(findings)


def test_missing_migrations(
    called: Called, against_stripe: Sandbox, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    code, findings = called("doctor")
    mark, _, fix = _found(findings, "migrations")
    assert (code, mark, "payment-kit migrate" in fix) == (1, "fail", True)


@pytest.fixture
def stranger(database: str) -> Iterator[str]:
    """DSN of `database` for a role that may not write everything: another one, or its owner after giving rights up.

    A superuser can do everything whatever is revoked, and an ordinary owner may not be allowed to create roles.
    """
    with psycopg.connect(database, autocommit=True) as connection:
        (row,) = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchall()
        if not row[0]:
            connection.execute("revoke insert on payment_kit.inbox from current_user")
            yield database
            return
        role, password = f"stranger_{secrets.token_hex(4)}", secrets.token_hex(8)
        connection.execute(f"create role {role} login password '{password}'".encode())
        connection.execute(f"grant usage on schema payment_kit to {role}".encode())
        connection.execute(f"grant select on payment_kit.schema_migrations to {role}".encode())
        owner = urlsplit(database)
        place = owner.netloc.rpartition("@")[2]
        yield owner._replace(netloc=f"{role}:{password}@{place}").geturl()
        connection.execute(f"drop owned by {role}".encode())
        connection.execute(f"drop role {role}".encode())


def test_a_role_without_rights(
    called: Called, against_stripe: Sandbox, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", stranger)
    code, findings = called("doctor")
    mark, _, fix = _found(findings, "rights")
    assert (code, mark, "grant" in fix) == (1, "fail", True)


def test_a_key_stripe_refuses(called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_wrong")
    code, findings = called("doctor")
    mark, _, fix = _found(findings, "Stripe")
    assert (code, mark, "STRIPE_API_KEY" in fix) == (1, "fail", True)
    assert "sk_test_wrong" not in str(findings)


@pytest.mark.parametrize(("ahead", "mark"), [(31, "fail"), (-31, "fail"), (30, "ok"), (-30, "ok")])
def test_a_clock_that_is_wrong(ahead: float, mark: str) -> None:
    assert doctor_checks._clock(ahead).mark == mark


def test_a_clock_far_from_stripes_is_trouble(called: Called, against_stripe: Sandbox) -> None:
    against_stripe.advance_to(against_stripe.now + 40 * 86_400)
    code, findings = called("doctor")
    assert (code, _found(findings, "clock")[0]) == (1, "fail")


def test_a_port_in_use_is_pointed_out(called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        monkeypatch.setenv("PAYMENT_KIT_WEBHOOK_PORT", str(listening.getsockname()[1]))
        _, findings = called("doctor")
    mark, _, fix = _found(findings, "webhook port")
    assert (mark, "PAYMENT_KIT_WEBHOOK_PORT" in fix) == ("warn", True)


@pytest.mark.parametrize(
    ("outcome", "age", "mark"), [("dead", "1 s", "fail"), (None, "2 minutes", "fail"), (None, "1 s", "ok")]
)
def test_events_that_wait_too_long_or_were_given_up(
    called: Called, against_stripe: Sandbox, database: str, outcome: str | None, age: str, mark: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "insert into payment_kit.inbox"
            " (platform, account_id, event_id, type, created, livemode, body, source, outcome, received_at)"
            " values (%s, %s, 'evt_1', 'a.b', now(), false, '', 'webhook', %s, now() - %s::interval)",
            [against_stripe.account_id, against_stripe.account_id, outcome, age],
        )
    code, findings = called("doctor")
    assert (_found(findings, "inbox")[0], code) == (mark, 1 if mark == "fail" else 0)


def test_people_read_a_mark_a_name_and_the_fix(
    capsys: pytest.CaptureFixture[str], against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRIPE_WEBHOOK_SECRET")
    with pytest.raises(SystemExit):
        main(["doctor"])
    said = capsys.readouterr().out
    assert "✗ webhook secret" in said
    assert "→ set STRIPE_WEBHOOK_SECRET" in said
