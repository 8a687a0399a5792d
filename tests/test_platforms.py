"""Several keys in one installation: each account has its own inbox, worker, webhook path and secret; none mixes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import psycopg
import pytest
from pydantic import SecretStr

from payment_kit import config, wiring
from payment_kit.errors import UsageProblem
from payment_kit.mirror.signature import sign
from payment_kit.sandbox import Sandbox, keys
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.webhooks.receiver import PATH
from tests.fix_installation import Called
from tests.mirror.events import customer, event
from tests.waiting import until_found

SECOND_KEY = "sk_test_sandbox_second"
FIRST_SECRET, SECOND_SECRET = "whsec_first", "whsec_second"


async def _post(sandbox: Sandbox, key: str, path: str, **params: Any) -> dict[str, Any]:
    async with StripeGateway(SecretStr(key), base=sandbox.url, retries=0) as gateway:
        return (await gateway.request("post", f"/v1/{path}", params)).body


async def _account_of(sandbox: Sandbox, key: str) -> str:
    async with StripeGateway(SecretStr(key), base=sandbox.url, retries=0) as gateway:
        return str((await gateway.request("get", "/v1/account")).body["id"])


@pytest.fixture
def second(against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The account of the second key; both keys and their secrets are set."""
    account = asyncio.run(_account_of(against_stripe, SECOND_KEY))
    monkeypatch.setenv("STRIPE_API_KEY", f"{against_stripe.api_key}, {SECOND_KEY}")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", f"{FIRST_SECRET},{account}={SECOND_SECRET}")
    return account


def _rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_every_account_is_caught_up_and_shown(
    called: Called, against_stripe: Sandbox, second: str, database: str
) -> None:
    for key, name in ((against_stripe.api_key, "of the first"), (SECOND_KEY, "of the second")):
        asyncio.run(_post(against_stripe, key, "customers", name=name))
    code, found = called("sync", "catch-up")
    both = [against_stripe.account_id, second]
    assert (code, [one["account"] for one in found["accounts"]]) == (0, both)
    names = dict(_rows(database, "select account_id, name from stripe.customers"))
    assert names == {both[0]: "of the first", both[1]: "of the second"}
    _, shown = called("sync", "status")
    states = {one["account"]: one["status"]["state"] for one in shown["accounts"]}
    assert states == dict.fromkeys(both, "COMPLETE")


def test_one_account_can_be_chosen(called: Called, against_stripe: Sandbox, second: str) -> None:
    _, found = called("sync", "catch-up", "--account", second)
    _, shown = called("sync", "status", "--account", second)
    assert [one["account"] for one in found["accounts"] + shown["accounts"]] == [second, second]
    for command in ("catch-up", "status"):
        code, said = called("sync", command, "--account", "acct_stranger")
        assert (code, "PK-ACCOUNT_UNKNOWN" in said) == (2, True)


def test_one_key_that_fails_stops_no_other(called: Called, against_stripe: Sandbox, second: str) -> None:
    (world,) = (world for world in against_stripe.worlds if world.account_id == second)
    world.faults.configure({"error_before": 1.0, "path": "events", "should_retry": "false"})
    code, found = called("sync", "catch-up")
    told = {one["account"]: one.get("problem") for one in found["accounts"]}
    assert (code, told) == (1, {against_stripe.account_id: None, second: "PK-STRIPE_UNREACHABLE"})


def test_two_keys_of_one_account_are_refused(
    called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = keys.make(against_stripe.worlds.default, {"permissions": {"*": "read"}})["key"]
    monkeypatch.setenv("STRIPE_API_KEY", f"{against_stripe.api_key},{other}")
    code, said = called("sync", "status")
    assert (code, f"two keys of {against_stripe.account_id}" in said) == (2, True)


@pytest.mark.parametrize(("accounts", "refused"), [("{0},{1}", False), ("{1},{0}", True), ("{0},acct_other", True)])
def test_each_key_must_belong_to_the_account_named_for_it(
    called: Called,
    against_stripe: Sandbox,
    second: str,
    monkeypatch: pytest.MonkeyPatch,
    accounts: str,
    refused: bool,
) -> None:
    monkeypatch.setenv("PAYMENT_KIT_ACCOUNT", accounts.format(against_stripe.account_id, second))
    code, said = called("sync", "status")
    assert (code, "PAYMENT_KIT_ACCOUNT is acct_" in str(said)) == ((2, True) if refused else (0, False))


def test_a_secret_of_an_account_without_a_key_is_refused(
    called: Called, against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "acct_stranger=whsec_x")
    code, said = called("sync", "status")
    assert (code, "acct_stranger" in said, "whsec_x" in said) == (2, True, False)


@dataclass(frozen=True)
class Served:
    """An installation with its doors open."""

    kit: wiring.Installation
    url: str
    session: aiohttp.ClientSession

    async def deliver(self, path: str, secret: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        body = orjson.dumps(event(customer(), **fields))
        headers = {"Stripe-Signature": sign(body, secret, int(time.time()))}
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def served(against_stripe: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    account = await _account_of(against_stripe, SECOND_KEY)
    monkeypatch.setenv("STRIPE_API_KEY", f"{against_stripe.api_key},{SECOND_KEY}")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", f"{FIRST_SECRET},{account}={SECOND_SECRET}")
    monkeypatch.setenv("PAYMENT_KIT_WEBHOOK_PORT", "0")
    async with AsyncExitStack() as stack:
        kit = await stack.enter_async_context(wiring.installation(config.load()))
        ports = await wiring.open_doors(kit, ["webhooks"], stack)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Served(kit, f"http://127.0.0.1:{ports['webhook_port']}", session)


async def test_each_account_has_a_path_and_a_secret_of_its_own(served: Served, database: str) -> None:
    first, second = (platform.account.id for platform in served.kit.platforms)
    answers = [
        await served.deliver(PATH, FIRST_SECRET, id="evt_plain"),
        await served.deliver(f"{PATH}/{first}", FIRST_SECRET, id="evt_first"),
        await served.deliver(f"{PATH}/{second}", SECOND_SECRET, id="evt_second"),
        await served.deliver(f"{PATH}/{second}", SECOND_SECRET, id="evt_connected", account="acct_connected"),
        await served.deliver(PATH, SECOND_SECRET, id="evt_a"),
        await served.deliver(f"{PATH}/{second}", FIRST_SECRET, id="evt_b"),
        await served.deliver(f"{PATH}/acct_stranger", FIRST_SECRET, id="evt_c"),
    ]
    assert [status for status, _ in answers] == [200, 200, 200, 200, 400, 400, 404]
    stored = _rows(database, "select event_id, platform, account_id from payment_kit.inbox order by event_id")
    assert stored == [
        ("evt_connected", second, "acct_connected"),
        ("evt_first", first, first),
        ("evt_plain", first, first),
        ("evt_second", second, second),
    ]


async def test_each_account_has_a_worker_and_a_catch_up(served: Served, against_stripe: Sandbox, database: str) -> None:
    made = [await _post(against_stripe, key, "customers", name="x") for key in (against_stripe.api_key, SECOND_KEY)]
    ids = [platform.account.id for platform in served.kit.platforms]
    stop = asyncio.Event()
    working = asyncio.create_task(wiring.work(served.kit, stop, catch_up=True))

    async def mirrored() -> bool:
        rows = await asyncio.to_thread(_rows, database, "select account_id, id from stripe.customers")
        return {(account, one["id"]) for account, one in zip(ids, made, strict=True)} <= set(rows)

    await until_found(mirrored)
    stop.set()
    await working


async def test_a_test_event_of_a_connected_account_at_a_live_endpoint_is_acknowledged_and_ignored(
    served: Served, database: str
) -> None:
    status, answer = await served.deliver(PATH, FIRST_SECRET, livemode=True, account="acct_connected")
    assert (status, "ignored" in answer) == (200, True)
    assert _rows(database, "select 1 from payment_kit.inbox") == []


MIXED: list[tuple[str, str]] = [
    ("sk_test_a,sk_live_b", "test and of live"),
    ("sk_test_a,sk_test_a", "same key twice"),
    ("sk_test_a,pk_test_b", "starts with sk_test_"),
    (" , ", "empty"),
]


@pytest.mark.parametrize(("given", "why"), MIXED)
def test_keys_that_do_not_go_together_are_refused_at_once(
    clean_settings: object, monkeypatch: pytest.MonkeyPatch, given: str, why: str
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", given)
    with pytest.raises(UsageProblem) as refused:
        config.load()
    assert (refused.value.reason, why in refused.value.what, "sk_test_a" in refused.value.what) == (
        "SETTING_INVALID",
        True,
        False,
    )


def test_one_account_is_named_for_each_key(clean_settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_a,sk_test_b")
    monkeypatch.setenv("PAYMENT_KIT_ACCOUNT", "acct_1")
    with pytest.raises(UsageProblem, match="one account for each key"):
        config.load()
