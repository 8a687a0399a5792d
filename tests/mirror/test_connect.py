"""A platform's key mirrors the accounts connected to it, each under its own id; one that has left stops nobody."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import Account, connected, identify
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.catch_up import CatchUp, catch_up
from payment_kit.mirror.connect import Done, for_each_account
from payment_kit.mirror.debts import Debt, owe
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.normalise import read_states
from payment_kit.mirror.status import status
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import DAY, Rows, different
from tests.mirror.events import customer, event

READY: dict[str, Any] = {
    "type": "custom",
    "capabilities": {"card_payments": {"requested": True}, "transfers": {"requested": True}},
    "tos_acceptance": {"date": 1_782_864_000, "ip": "203.0.113.7"},
}
CARD: dict[str, Any] = {"confirm": True, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
CatchUps = Callable[[], Awaitable[dict[str, Done[CatchUp]]]]


@pytest.fixture
async def platform(gateway: StripeGateway, pool: Pool) -> Account:
    return await identify(gateway, pool)


@pytest.fixture
def caught_up(gateway: StripeGateway, pool: Pool, platform: Account) -> CatchUps:
    """Catches every account up; answers what was done by account."""

    async def run() -> dict[str, Done[CatchUp]]:
        async def work(account: Account) -> CatchUp:
            return await catch_up(gateway, pool, account)

        return {done.account.id: done for done in await for_each_account(pool, platform, work)}

    return run


async def _post(gateway: StripeGateway, path: str, account: str | None = None, **params: Any) -> dict[str, Any]:
    return (await gateway.request("post", f"/v1/{path}", params, account=account)).body


async def _sells(gateway: StripeGateway) -> str:
    """A connected account that has sold something; its id."""
    made = (await _post(gateway, "accounts", **READY))["id"]
    buyer = (await _post(gateway, "customers", made, name="Buyer"))["id"]
    paid: dict[str, Any] = {
        "amount": 5000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "application_fee_amount": 500,
    }
    await _post(gateway, "payment_intents", made, customer=buyer, **paid, **CARD)
    await _post(gateway, "invoiceitems", made, customer=buyer, amount=250, currency="usd")
    return str(made)


async def _mirrored(pool: Pool, account_id: str) -> Rows:
    found: Rows = {}
    async with pool.connection() as connection:
        for entry in CATALOGUE.values():
            query = f"select id, raw from stripe.{entry.table} where account_id = %s and deleted_at is null".encode()
            found[entry.name] = dict(await (await connection.execute(query, [account_id])).fetchall())
    return found


async def _truth(sandbox: Sandbox, account_id: str) -> Rows:
    found: Rows = {name: {} for name in CATALOGUE}
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    async with aiohttp.ClientSession(sandbox.url, headers=headers) as session:
        for name in CATALOGUE:
            query = f"/_sandbox/objects/{name}?limit=10000&account={account_id}"
            async with session.get(query) as answer:
                lines = (await answer.read()).splitlines()
            for state in read_states(map(orjson.loads, lines), time=0, request_id="", api_version=None):
                if state.object == name and not state.deleted:
                    found[name][state.id] = dict(state.raw)
    attached = {key: raw for key, raw in found["payment_method"].items() if raw["customer"]}
    return found | {"payment_method": attached}


async def _equal(pool: Pool, sandbox: Sandbox, account_id: str) -> list[str]:
    """Differences, without the account itself: the platform's list and the account's own events each show it."""
    ours, theirs = await _mirrored(pool, account_id), await _truth(sandbox, account_id)
    hidden: Rows = {} if account_id == sandbox.account_id else {"account": {}}
    return different(ours | hidden, theirs | hidden)


async def test_every_connected_account_is_mirrored_under_its_own_id(
    gateway: StripeGateway, pool: Pool, platform: Account, sandbox: Sandbox, caught_up: CatchUps
) -> None:
    accounts = [await _sells(gateway) for _ in range(3)]
    assert {one.problem for one in (await caught_up()).values()} == {None}
    sandbox.advance_to(sandbox.now + 9 * DAY)
    for one in accounts:
        await _post(gateway, "customers", one, name="Late")
    done = await caught_up()
    assert set(done) == {platform.id, *accounts}
    assert [one.result.backfilled for one in done.values() if one.result] == [False] * 4
    for one in (platform.id, *accounts):
        assert await _equal(pool, sandbox, one) == []
        assert (await status(pool, one)).reasons == ()
    payouts = [len((await _mirrored(pool, one))["payout"]) for one in accounts]
    assert min(payouts) > 0


async def test_connected_accounts_are_remembered_with_their_platform_and_mode(
    gateway: StripeGateway, pool: Pool, platform: Account, caught_up: CatchUps
) -> None:
    made = await _sells(gateway)
    await caught_up()
    (known,) = await connected(pool, platform)
    assert (known.id, known.platform, known.header, known.livemode) == (made, platform.id, made, False)


async def test_an_account_only_heard_of_by_its_events_is_found(
    pool: Pool, platform: Account, caught_up: CatchUps, inbox: Inbox, gateway: StripeGateway
) -> None:
    made = await _sells(gateway)
    told = event(customer(), account=made)
    await inbox.store(envelope(orjson.dumps(told)), "webhook")
    done: list[str] = []

    async def work(account: Account) -> None:
        done.append(account.id)

    await for_each_account(pool, platform, work)
    assert done == [platform.id, made]


async def test_an_account_that_has_left_is_shown_and_stops_no_other(
    gateway: StripeGateway, pool: Pool, platform: Account, sandbox: Sandbox, caught_up: CatchUps
) -> None:
    left, stays = [await _sells(gateway) for _ in range(2)]
    await caught_up()
    await _control(sandbox, f"accounts/{left}/deauthorize")
    await _post(gateway, "customers", stays, name="After")
    done = await caught_up()
    problem = done[left].problem
    assert problem is not None
    assert (problem.reason, done[stays].problem) == ("STRIPE_PERMISSION_DENIED", None)
    assert await _equal(pool, sandbox, stays) == []
    shown = await status(pool, left)
    assert (shown.state, shown.reasons[0].startswith("Stripe refused: PK-STRIPE_PERMISSION_DENIED")) == (
        "PENDING",
        True,
    )
    assert (await status(pool, stays)).state == "COMPLETE"


async def _control(sandbox: Sandbox, path: str) -> None:
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    async with (
        aiohttp.ClientSession(sandbox.url, headers=headers) as session,
        session.post(f"/_sandbox/{path}", json={}) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_only_one_account_is_worked_on_when_it_is_named(
    gateway: StripeGateway, pool: Pool, platform: Account, caught_up: CatchUps
) -> None:
    made = [await _sells(gateway) for _ in range(2)]
    await caught_up()
    worked: list[str] = []

    async def work(account: Account) -> None:
        worked.append(account.id)

    for only in (made[1], platform.id, "acct_stranger"):
        await for_each_account(pool, platform, work, only=only)
    assert worked == [made[1], platform.id]


async def test_an_account_with_a_key_of_its_own_is_nobodys_connected_one(
    gateway: StripeGateway, pool: Pool, platform: Account, caught_up: CatchUps
) -> None:
    made = await _sells(gateway)
    await caught_up()
    async with pool.connection() as connection:
        await connection.execute("update payment_kit.accounts set platform = null where account_id = %s", [made])
    await caught_up()
    assert await connected(pool, platform) == []


async def test_accounts_of_the_other_mode_are_left_alone(
    gateway: StripeGateway, pool: Pool, platform: Account, caught_up: CatchUps
) -> None:
    await _sells(gateway)
    await caught_up()
    live = Account(platform.id, livemode=True)
    assert await connected(pool, live) == []


async def test_what_an_account_that_left_is_owed_is_let_go(
    gateway: StripeGateway, pool: Pool, platform: Account, sandbox: Sandbox, caught_up: CatchUps
) -> None:
    left = await _sells(gateway)
    await caught_up()
    await _control(sandbox, f"accounts/{left}/deauthorize")
    async with pool.connection() as connection:
        await owe(connection, platform.id, left, False, [Debt("customer", "cus_1", "", "version", sandbox.now)])
    await Worker(pool, gateway, platform.id).drain()
    async with pool.connection() as connection:
        assert await (await connection.execute("select 1 from payment_kit.owed")).fetchall() == []


async def test_a_backfill_of_the_platform_finds_that_an_account_has_left(
    gateway: StripeGateway, pool: Pool, platform: Account, sandbox: Sandbox, caught_up: CatchUps
) -> None:
    left, stays = [await _sells(gateway) for _ in range(2)]
    await caught_up()
    await _control(sandbox, f"accounts/{left}/deauthorize")
    sandbox.advance_to(sandbox.now + DAY)
    done = await backfill(gateway, pool, platform, objects=["account"])
    assert (done["accounts"].refused, done["accounts"].finished) == (None, True)
    assert list((await _mirrored(pool, platform.id))["account"]) == [stays]
