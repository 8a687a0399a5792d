"""`verify` compares the mirror with Stripe: equal is COMPLETE, different is named, what is under way is waited for."""

import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.evidence import Sample
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.verification import Report
from payment_kit.mirror.verify import STREAM, verify
from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.stripe_gateway import StripeGateway
from tests.convergence.actors import watched_pool
from tests.mirror import clean_cycles
from tests.mirror.business import Business
from tests.mirror.damage import found_by, mirror_everything, round_of
from tests.mirror.everything import everything

CASES = 200
CYCLES = 10
MINUTE = 60


@pytest.fixture(scope="module")
def rich() -> Sandbox:
    return everything()


@pytest.fixture
async def to_rich(rich: Sandbox) -> AsyncIterator[StripeGateway]:
    async with SandboxServer(rich), StripeGateway(SecretStr(rich.api_key), base=rich.url, retries=0) as gateway:
        yield gateway


@pytest.fixture
async def shop(gateway: StripeGateway, sandbox: Sandbox, pool: Pool) -> tuple[Business, Account]:
    """A small business, mirrored; a minute later."""
    business = Business(gateway, sandbox)
    for name in "abc":
        await business.post("customers", name=name)
    await business.post("products", name="Tea")
    account = await mirror_everything(gateway, pool)
    business.pass_time(MINUTE)
    return business, account


async def _verify(gateway: StripeGateway, pool: Pool, account: Account, **options: Any) -> Report:
    return await verify(gateway, pool, account, patience_seconds=0, **options)


async def _do(pool: Pool, statement: str, *given: Any) -> None:
    async with pool.connection() as connection:
        await connection.execute(statement.encode(), given)


def _told(report: Report) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(one.object, one.what, one.fields) for account in report.accounts for one in account.differences}


async def _customer(pool: Pool) -> str:
    async with pool.connection() as connection:
        row = await (await connection.execute(b"select min(id) from stripe.customers")).fetchone()
    assert row
    return str(row[0])


# ---- the whole ------------------------------------------------------------------------------------------------------


async def test_a_mirror_of_everything_is_complete_for_every_account(
    to_rich: StripeGateway, rich: Sandbox, pool: Pool
) -> None:
    account = await mirror_everything(to_rich, pool)
    report = await _verify(to_rich, pool, account)
    assert [one.differences + one.pending for one in report.accounts] == [[]] * len(report.accounts)
    assert report.verdict == "COMPLETE"
    assert len(report.accounts) == 1 + len(rich.store.connected)
    counted = {name for name, kind in report.accounts[0].kinds.items() if kind.stripe}
    assert {"discount", "item", "mandate", "line_item", "tax_id", "payment_method", "fee_refund"} <= counted


async def test_silent_damage_is_found_by_one_verification_and_repaired(
    to_rich: StripeGateway, rich: Sandbox, pool: Pool, database: str
) -> None:
    account = await mirror_everything(to_rich, pool)
    missed, wrong, _ = await round_of(to_rich, pool, database, account, rich.now, seed=4, count=CASES)
    assert (missed, wrong) == ([], [])


async def test_no_cycle_of_disorder_and_catch_up_gives_an_alarm(database: str) -> None:
    async with watched_pool(database) as pool:
        found = [clean_cycles.alarms(await clean_cycles.cycle(pool, seed)) for seed in range(CYCLES)]
    assert found == [[]] * CYCLES


# ---- what is told ---------------------------------------------------------------------------------------------------


async def test_names_of_differing_fields_are_told_and_no_value(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    await _do(
        pool,
        'update stripe.customers set raw = raw || \'{"email": "planted@x.y"}\' where id = %s',
        await _customer(pool),
    )
    report = await _verify(gateway, pool, shop[1])
    assert ("customer", "differs", ("email",)) in _told(report)
    assert "planted" not in json.dumps(report.as_json())


async def test_an_event_that_never_came_is_told(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    business, account = shop
    await business.post("customers", name="lost")
    business.pass_time(MINUTE)
    report = await _verify(gateway, pool, account)
    assert {(kind, what) for kind, what, _ in _told(report)} == {("event", "event"), ("customer", "missing")}


async def test_an_event_that_comes_in_time_is_no_alarm(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    business, account = shop
    await business.post(f"customers/{await _customer(pool)}", name="changed")
    pauses: list[float] = []

    async def arrives(seconds: float) -> None:
        pauses.append(seconds)
        await catch_up(gateway, pool, account)

    report = await verify(gateway, pool, account, patience_seconds=MINUTE, sleep=arrives)
    assert (report.verdict, len(pauses)) == ("COMPLETE", 1)


async def test_what_waits_in_the_inbox_is_applied_and_no_alarm(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    business, account = shop
    await business.post(f"customers/{await _customer(pool)}", name="changed")
    page = await gateway.page("/v1/events")
    bodies = [orjson.dumps(one) for one in page.data]
    await Inbox(pool, account.id).store_missing([envelope(body) for body in bodies], "webhook")
    assert (await _verify(gateway, pool, account)).verdict == "COMPLETE"


async def test_a_read_that_is_owed_is_pending(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    later = "now() + interval '1 day'"
    await _do(
        pool,
        "insert into payment_kit.owed (platform, account_id, object, id, livemode, reason, since, available_at)"
        f" values (%s, %s, 'customer', 'cus_x', false, 'tie', now(), {later})",
        shop[1].id,
        shop[1].id,
    )
    report = await _verify(gateway, pool, shop[1])
    assert (report.verdict, report.accounts[0].pending) == ("PENDING", ["1 reads of Stripe are owed"])


async def test_without_a_catch_up_nothing_is_complete(gateway: StripeGateway, sandbox: Sandbox, pool: Pool) -> None:
    account = await identify(gateway, pool)
    report = await _verify(gateway, pool, account)
    assert report.verdict == "PENDING"
    assert "run a catch-up" in report.accounts[0].pending[0]


# ---- buckets --------------------------------------------------------------------------------------------------------


async def test_a_bucket_counts_both_sides_and_its_hash_tells_a_difference(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    (before,) = (await _verify(gateway, pool, shop[1])).accounts[0].kinds["customer"].stripe.values()
    await _do(pool, 'update stripe.customers set raw = raw || \'{"name": "x"}\' where id = %s', await _customer(pool))
    kind = (await _verify(gateway, pool, shop[1])).accounts[0].kinds["customer"]
    assert list(kind.stripe.values()) == [before]
    (mirror,) = kind.mirror.values()
    assert (mirror.count, mirror.sha256 != before.sha256, kind.status) == (3, True, "FAIL")


async def test_a_sample_compares_the_fields_of_some_and_the_ids_of_all(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    one = await _customer(pool)
    sample = next(found for found in (Sample(0.3, seed) for seed in range(99)) if not found.takes("customer", one))
    await _do(pool, 'update stripe.customers set raw = raw || \'{"name": "x"}\' where id = %s', one)
    assert (await _verify(gateway, pool, shop[1], sample=sample)).verdict == "COMPLETE"
    await _do(pool, "delete from stripe.customers where id = %s", one)
    assert ("customer", one) in found_by(await _verify(gateway, pool, shop[1], sample=sample))


async def test_a_whole_pass_is_remembered_and_a_sample_is_not(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    query = b"select extract(epoch from complete_through)::bigint from payment_kit.sync_state where stream = %s"
    found = []
    for options in ({"sample": Sample(0.5, 1)}, {}):
        report = await _verify(gateway, pool, shop[1], **options)
        async with pool.connection() as connection:
            row = await (await connection.execute(query, [STREAM])).fetchone()
        found.append(row[0] if row else None)
    assert found == [None, report.accounts[0].began]
