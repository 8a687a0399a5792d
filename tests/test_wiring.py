"""What the settings make of an installation, and how its parts end."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from payment_kit import config, lease, wiring
from payment_kit.database.connection import Pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.inbox import Inbox
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.waiting import SECONDS_MAX, eventually


@pytest.fixture
def kit(
    pool: Pool, gateway: StripeGateway, sandbox: Sandbox, database: str, clean_settings: Path
) -> wiring.Installation:
    access = wiring.StripeAccess(sandbox.url, SecretStr(sandbox.api_key), (), sandbox=True)
    account = Account(sandbox.account_id, livemode=False)
    return wiring.Installation(config.load(), database, access, pool, gateway, account, Inbox(pool, account.id))


def test_a_key_that_is_set_never_uses_the_sandbox(against_stripe: Sandbox) -> None:
    with wiring.stripe(config.load()) as access:
        assert (access.sandbox, access.base) == (False, against_stripe.url)


def test_an_external_database_is_not_migrated_by_the_way(
    against_stripe: Sandbox, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    with pytest.raises(UsageProblem) as refused, wiring.database(config.load()):
        pass
    assert refused.value.reason == "DATABASE_NOT_MIGRATED"


async def test_the_key_must_belong_to_the_account_that_was_named(
    against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_KIT_ACCOUNT", "acct_other")
    with pytest.raises(UsageProblem) as refused:
        async with wiring.installation(config.load()):
            pass
    assert refused.value.reason == "SETTING_INVALID"


async def test_work_breaks_a_catch_up_off_when_it_is_told_to_stop(
    kit: wiring.Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def endless(*_: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(wiring, "catch_up_once", endless)
    stop = asyncio.Event()
    working = asyncio.create_task(wiring.work(kit, stop, catch_up=True))
    await began.wait()
    stop.set()
    await asyncio.wait_for(working, SECONDS_MAX)


async def test_a_catch_up_that_fails_is_repeated(kit: wiring.Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    tries, again = list[int](), asyncio.Event()

    async def fails(*_: Any) -> None:
        tries.append(1)
        if len(tries) > 1:
            again.set()
        raise UsageProblem("STRIPE_REFUSED_PARAMETER", "no")

    monkeypatch.setattr(wiring, "catch_up_once", fails)
    hasty = wiring.Installation(
        kit.settings.model_copy(update={"catch_up_interval_seconds": 0.01}),
        *(getattr(kit, name) for name in ("dsn", "stripe", "pool", "gateway", "account", "inbox")),
    )
    stop = asyncio.Event()
    working = asyncio.create_task(wiring.work(hasty, stop, catch_up=True))
    await asyncio.wait_for(again.wait(), SECONDS_MAX)
    stop.set()
    await working


async def test_an_endpoint_is_registered_once_and_follows_its_address(gateway: StripeGateway, tmp_path: Path) -> None:
    first = await wiring.endpoint_secret(gateway, tmp_path, "http://127.0.0.1:1/a")
    again = await wiring.endpoint_secret(gateway, tmp_path, "http://127.0.0.1:2/b")
    (endpoint,) = (await gateway.page("/v1/webhook_endpoints")).data
    assert (first, endpoint["url"]) == (again, "http://127.0.0.1:2/b")


def test_secrets_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    wiring.write_private(tmp_path / "kept", b"secret")
    assert ((tmp_path / "kept").stat().st_mode & 0o777, len(list(tmp_path.iterdir()))) == (0o600, 1)


def test_users_who_start_at_once_share_one_sandbox_and_leave_none(clean_settings: Path) -> None:
    files, settings = wiring.SandboxFiles(clean_settings), config.load()
    together, found = threading.Barrier(3), list[str]()

    def use() -> None:
        with wiring.sandbox(settings) as access:
            found.append(access.base)
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
    files = wiring.SandboxFiles(clean_settings)
    files.home.mkdir()
    holder = (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-u", "-c", holder], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            stale = f"http://127.0.0.1:{int(other.stdout.readline())}"
            files.address.write_bytes(orjson.dumps({"url": stale, "api_key": "sk_test_old"}))
            with wiring.sandbox(config.load()) as access:
                assert access.base != stale
        finally:
            other.kill()
    _gone(files)


def _gone(files: wiring.SandboxFiles) -> None:
    """Nobody serves any more, at the latest when the start mutex is free after the last user left."""

    def nobody() -> bool:
        with lease.exclusive(files.start):
            return lease.unused(files.alive)

    eventually(nobody)
