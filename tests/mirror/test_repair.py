"""`repair` puts right what a verification named, keeps no damaged state as history, and disturbs nobody."""

from collections.abc import Sequence
from typing import Any

import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.compare import Difference
from payment_kit.mirror.order import State
from payment_kit.mirror.repair import plan, repair
from payment_kit.mirror.verification import Report
from payment_kit.mirror.verify import verify
from payment_kit.mirror.writer import write
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import Business
from tests.mirror.damage import differences_in, mirror_everything

MINUTE = 60


@pytest.fixture
async def shop(gateway: StripeGateway, sandbox: Sandbox, pool: Pool) -> tuple[Business, Account]:
    """Three customers, one of them changed later and one deleted, all by events."""
    business = Business(gateway, sandbox)
    ids = [(await business.post("customers", name=name))["id"] for name in "abc"]
    business.pass_time(MINUTE)
    await business.post(f"customers/{ids[0]}", name="A")
    await gateway.request("delete", f"/v1/customers/{ids[1]}")
    account = await mirror_everything(gateway, pool)
    business.pass_time(MINUTE)
    return business, account


async def _rows(pool: Pool, query: str, *given: Any) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(query.encode(), given)
        return await cursor.fetchall() if cursor.description else []


async def _id(pool: Pool, name: str) -> str:
    return str((await _rows(pool, "select id from stripe.customers where raw->>'name' = %s", name))[0][0])


async def _verify(gateway: StripeGateway, pool: Pool, account: Account) -> Report:
    return await verify(gateway, pool, account, patience_seconds=0)


async def _heal(gateway: StripeGateway, pool: Pool, account: Account) -> tuple[Report, Report]:
    before = await _verify(gateway, pool, account)
    await repair(gateway, pool, account, differences_in(before))
    return before, await _verify(gateway, pool, account)


LIVING, DELETED = "A", "b"
NAMED = 'update stripe.customers set raw = raw || \'{"name": "x"}\' where id = %s'
LATER = "update stripe.customers set source_time = source_time + interval '1 year' where id = %s"
CAUSELESS = "update stripe.customers set source_event = 'evt_nobody' where id = %s"
MOVED = "update stripe.customers set account_id = 'acct_nobody' where id = %s"
GONE = "delete from stripe.customers where id = %s"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *[(name, damage) for name in (LIVING, DELETED) for damage in (NAMED, LATER, GONE)],
        (LIVING, "update stripe.customers set deleted_at = source_time where id = %s"),
        (DELETED, "update stripe.customers set deleted_at = null where id = %s"),
        (LIVING, CAUSELESS),
        (DELETED, MOVED),
    ],
)
async def test_damage_that_the_triggers_saw_is_repaired_too(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool, name: str, damage: str
) -> None:
    id_, query = await _id(pool, name), "select raw, name, deleted_at is null from stripe.customers where id = %s"
    good = await _rows(pool, query, id_)
    await _rows(pool, damage, id_)
    before, after = await _heal(gateway, pool, shop[1])
    assert (before.verdict, after.verdict) == ("DIFFERENT", "COMPLETE")
    assert await _rows(pool, query, id_) == good


async def test_a_damaged_state_is_no_history(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    id_ = await _id(pool, "A")
    await _rows(pool, 'update stripe.customers set raw = raw || \'{"name": "planted"}\' where id = %s', id_)
    await _heal(gateway, pool, shop[1])
    names = await _rows(pool, "select raw->>'name' from payment_kit.versions where id = %s order by 1", id_)
    assert ("planted",) not in names
    assert {("A",), ("a",)} <= set(names)


async def test_an_event_that_never_came_is_fetched_and_applied(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    business, account = shop
    await business.post("customers", name="late")
    business.pass_time(MINUTE)
    _, after = await _heal(gateway, pool, account)
    assert after.verdict == "COMPLETE"
    rows = await _rows(pool, "select outcome from payment_kit.inbox order by created desc, event_id limit 1")
    assert rows[0][0] in ("applied", "stale")


async def test_a_row_that_stripe_does_not_have_becomes_a_tombstone(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    raw = {"id": "cus_made_up", "object": "customer", "name": "nobody"}
    async with pool.connection() as connection, connection.transaction():
        await write(connection, shop[1].id, False, [State("customer", "cus_made_up", raw, 1, (1,), "read:req_1")])
    before, after = await _heal(gateway, pool, shop[1])
    assert [(one.id, one.what) for one in before.accounts[0].differences] == [("cus_made_up", "not_in_stripe")]
    assert after.verdict == "COMPLETE"
    assert await _rows(pool, "select deleted_at is null from stripe.customers where id = 'cus_made_up'") == [(False,)]


async def test_a_row_written_meanwhile_is_left_alone(pool: Pool, sandbox: Sandbox) -> None:
    raw = {"id": "cus_1", "object": "customer", "name": "new"}
    async with pool.connection() as connection:
        newer = State("customer", "cus_1", raw, 9, (1,), "evt_new")
        await write(connection, "acct_1", False, [newer])
        stale = State("customer", "cus_1", raw | {"name": "old"}, 5, (1,), "read:req_1", after="evt_old")
        written = await write(connection, "acct_1", False, [stale], repair=True)
    assert written.outcomes == ("stale",)
    assert await _rows(pool, "select name from stripe.customers") == [("new",)]


async def test_a_repair_of_nothing_does_nothing(
    shop: tuple[Business, Account], gateway: StripeGateway, pool: Pool
) -> None:
    count = "select count(*) from payment_kit.changes"
    before = await _rows(pool, count)
    assert await repair(gateway, pool, shop[1], {shop[1].id: []}) == {}
    assert await _rows(pool, count) == before


@pytest.mark.parametrize(
    ("whats", "actions"),
    [
        (["digest", "columns"], {"rebuild": 1}),
        (["columns", "differs"], {"rewrite": 1}),
        (["stray", "missing"], {"remove": 1, "rewrite": 1}),
        (["itemisation"], {"itemise": 1}),
    ],
)
def test_the_plan_says_what_would_be_done_once_per_object(whats: Sequence[str], actions: dict[str, int]) -> None:
    assert plan(Difference("payout", "po_1", what) for what in whats) == {"payout": actions}
