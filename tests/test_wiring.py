"""What the settings make of an installation, and how its parts end."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from payment_kit import config, wiring
from payment_kit.database.connection import Pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.inbox import Inbox
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.waiting import SECONDS_MAX


@pytest.fixture
def kit(
    pool: Pool, gateway: StripeGateway, sandbox: Sandbox, database: str, clean_settings: Path
) -> wiring.Installation:
    access = wiring.StripeAccess(sandbox.url, (SecretStr(sandbox.api_key),), sandbox=True)
    account = Account(sandbox.account_id, livemode=False)
    platform = wiring.Platform(gateway, account, Inbox(pool, account.id), [])
    return wiring.Installation(config.load(), database, access, pool, (platform,))


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


async def test_the_limits_of_requests_are_the_settings(
    against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_KIT_STRIPE_REQUESTS_PER_SECOND", "40")
    monkeypatch.setenv("PAYMENT_KIT_STRIPE_ENDPOINT_REQUESTS_PER_SECOND", "7.5")
    with wiring.stripe(config.load()) as access:
        gateway = wiring.open_gateway(config.load(), access)
    assert gateway.budget.per_second("", "GET charges") == (40, 7.5)


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
    settings = kit.settings.model_copy(update={"catch_up_interval_seconds": 0.01})
    hasty = dataclasses.replace(kit, settings=settings)
    stop = asyncio.Event()
    working = asyncio.create_task(wiring.work(hasty, stop, catch_up=True))
    await asyncio.wait_for(again.wait(), SECONDS_MAX)
    stop.set()
    await working
