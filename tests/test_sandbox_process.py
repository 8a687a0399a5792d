"""One sandbox for all processes of an installation: found, started, shared, and gone with its last user."""

import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest

from payment_kit import lease
from payment_kit.cli import main
from payment_kit.sandbox_process import SandboxFiles, endpoint_secret, in_use, sandbox, write_private
from payment_kit.stripe_gateway import StripeGateway
from tests.waiting import SECONDS_MAX, eventually

USER = """
import pathlib, sys
from payment_kit.sandbox_process import sandbox

with sandbox(pathlib.Path(sys.argv[1])):
    print("in use", flush=True)
    sys.stdin.read()
"""


async def test_an_endpoint_is_registered_once_and_follows_its_address(gateway: StripeGateway, tmp_path: Path) -> None:
    first = await endpoint_secret(gateway, tmp_path, "http://127.0.0.1:1/a")
    again = await endpoint_secret(gateway, tmp_path, "http://127.0.0.1:2/b")
    (endpoint,) = (await gateway.page("/v1/webhook_endpoints")).data
    assert (first, endpoint["url"]) == (again, "http://127.0.0.1:2/b")


def test_secrets_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    write_private(tmp_path / "kept", b"secret")
    assert ((tmp_path / "kept").stat().st_mode & 0o777, len(list(tmp_path.iterdir()))) == (0o600, 1)


def test_users_who_start_at_once_share_one_sandbox_and_leave_none(clean_settings: Path) -> None:
    files = SandboxFiles(clean_settings)
    together, found = threading.Barrier(3), list[str]()

    def use() -> None:
        with sandbox(clean_settings) as address:
            found.append(address.url)
            together.wait(SECONDS_MAX)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert (len(found), len(set(found))) == (3, 1)
    with lease.exclusive(files.start):
        pass
    _gone(files)


def test_an_address_whose_sandbox_died_and_whose_port_is_taken_is_not_believed(clean_settings: Path) -> None:
    files = SandboxFiles(clean_settings)
    files.home.mkdir()
    holder = (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-u", "-c", holder], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            stale = f"http://127.0.0.1:{int(other.stdout.readline())}"
            files.address.write_bytes(orjson.dumps({"url": stale, "api_key": "sk_test_old"}))
            with sandbox(clean_settings) as address:
                assert address.url != stale
        finally:
            other.kill()
    _gone(files)


@pytest.mark.parametrize("words", [("sandbox", "--port", "0"), ("demo",)])
def test_who_wants_it_alone_is_told_who_has_it_and_where(
    clean_settings: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    files = SandboxFiles(clean_settings)
    with sandbox(clean_settings) as address:
        (server,) = lease.holders(files.alive)
        with pytest.raises(SystemExit) as refused:
            main(words)
    said = capsys.readouterr().err
    assert refused.value.code == 2
    assert "PK-STATE_LOCKED" in said
    assert f"process {server} (payment-kit sandbox) serves it at {address.url}" in said
    assert str(files.address) in said
    _gone(files)


def test_a_user_of_it_is_named(clean_settings: Path) -> None:
    """As `payment-kit serve` in another terminal is."""
    command = [sys.executable, "-c", USER, str(clean_settings), "payment-kit", "serve", "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        said = in_use(SandboxFiles(clean_settings)).what
        assert f"for process {process.pid} (payment-kit serve)." in said
    _gone(SandboxFiles(clean_settings))


def _gone(files: SandboxFiles) -> None:
    """Nobody serves any more, at the latest when the start mutex is free after the last user left."""

    def nobody() -> bool:
        with lease.exclusive(files.start):
            return lease.unused(files.alive)

    eventually(nobody)
