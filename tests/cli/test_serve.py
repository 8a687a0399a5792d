"""A real `payment-kit serve`: it comes up, shares, ends when told, and survives what it depends on."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson
import psycopg
import pytest

from payment_kit import lease
from payment_kit.sandbox_process import SandboxFiles
from tests.waiting import SECONDS_MAX, eventually


@pytest.fixture
def environment(clean_settings: Path, database: str) -> dict[str, str]:
    """An installation on `database` and a sandbox of its own, in this test's folder."""
    return os.environ | {"DATABASE_URL": database, "PAYMENT_KIT_HOME": str(clean_settings)}


@contextmanager
def _serve(environment: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The process and what it says when it is ready."""
    command = [sys.executable, "-m", "payment_kit", "serve", "--port", "0", "--webhook-port", "0", "--ready-json"]
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process, orjson.loads(process.stdout.readline())
        finally:
            process.kill()


def _ends(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(SECONDS_MAX)


def _status(environment: dict[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "payment_kit", "sync", "status"], env=environment, check=False, capture_output=True
    ).returncode


def test_it_serves_and_ends_with_code_0_on_sigterm(environment: dict[str, str], clean_settings: Path) -> None:
    with _serve(environment) as (process, ready):
        with urlopen(f"http://127.0.0.1:{ready['webhook_port']}/healthz") as answer:
            assert answer.status == 200
        socket.create_connection(("127.0.0.1", ready["grpc_port"])).close()
        assert _ends(process) == 0
    eventually(lambda: lease.unused(SandboxFiles(clean_settings).alive))


def test_only_a_part_opens_only_its_port(environment: dict[str, str]) -> None:
    with _serve(environment, "--only", "webhooks") as (process, ready):
        assert set(ready) == {"account", "webhook_port"}
        assert _ends(process) == 0


def test_sigterm_ends_it_while_stripe_hangs_at_its_start(environment: dict[str, str]) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        base = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        key = {"STRIPE_API_KEY": "sk_test_1", "STRIPE_API_BASE": base, "STRIPE_WEBHOOK_SECRET": "whsec_x"}
        command = [sys.executable, "-m", "payment_kit", "serve", "--port", "0", "--webhook-port", "0"]
        with subprocess.Popen(command, env=environment | key) as process:
            try:
                with hanging.accept()[0]:
                    assert _ends(process) == 0
            finally:
                process.kill()


def test_two_serve_one_database(environment: dict[str, str]) -> None:
    with _serve(environment) as (one, first), _serve(environment) as (other, second):
        assert first["account"] == second["account"]
        assert (_ends(one), _ends(other)) == (0, 0)


def test_it_goes_on_when_every_connection_to_the_database_is_cut(environment: dict[str, str], database: str) -> None:
    with _serve(environment, "--no-catch-up") as (process, ready), psycopg.connect(database, autocommit=True) as own:
        own.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = current_user and pid <> pg_backend_pid()"
        )
        own.execute(
            "insert into payment_kit.inbox (platform, account_id, event_id, type, created, livemode, body, source)"
            " values (%s, %s, 'evt_1', 'a.b', now(), false, '{}', 'webhook')",
            [ready["account"], ready["account"]],
        )
        done = "select 1 from payment_kit.inbox where outcome is not null"
        eventually(lambda: own.execute(done).fetchall())
        assert _ends(process) == 0


def test_a_sandbox_that_was_killed_is_started_again_where_it_was(
    environment: dict[str, str], clean_settings: Path
) -> None:
    files = SandboxFiles(clean_settings)
    with _serve(environment, "--no-catch-up") as (process, _):
        before = orjson.loads(files.address.read_bytes())
        (server,) = lease.holders(files.alive)
        os.kill(server, signal.SIGKILL)
        eventually(lambda: lease.unused(files.alive))
        assert _status(environment) == 0
        assert orjson.loads(files.address.read_bytes()) == before
        assert _ends(process) == 0
