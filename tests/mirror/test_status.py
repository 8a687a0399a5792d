"""The status says in words whether the mirror is complete and why not, and counts what nobody looked at."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.status import Unmapped, status
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.events import customer, event


@pytest.fixture
async def account(gateway: StripeGateway, pool: Pool) -> Account:
    return await identify(gateway, pool)


async def _run(pool: Pool, query: str, *given: Any) -> None:
    async with pool.connection() as connection:
        await connection.execute(query.encode(), given)


async def _arrives(inbox: Inbox, *events: dict[str, Any]) -> None:
    for one in events:
        await inbox.store(envelope(orjson.dumps(one)), "webhook")


async def test_before_the_first_catch_up_it_is_pending(pool: Pool, account: Account) -> None:
    found = await status(pool, account.id)
    assert (found.state, found.complete_through) == ("PENDING", None)
    assert found.reasons == ("nothing was compared with Stripe yet; run `payment-kit sync catch-up`",)


async def test_what_waits_is_owed_or_was_given_up_keeps_it_pending_up_to_the_oldest(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox, inbox: Inbox
) -> None:
    await catch_up(gateway, pool, account)
    assert (await status(pool, account.id)).state == "COMPLETE"
    oldest = sandbox.now - 5000
    await _arrives(inbox, event(customer(), created=sandbox.now), event(customer(), id="evt_2", created=oldest + 9))
    await _run(pool, "update payment_kit.inbox set outcome = 'dead' where event_id = 'evt_2'")
    await _run(
        pool,
        "insert into payment_kit.owed (platform, account_id, object, id, livemode, reason, since)"
        " values (%s, %s, 'customer', 'cus_1', false, 'tie', to_timestamp(%s))",
        account.id,
        account.id,
        oldest,
    )
    found = await status(pool, account.id)
    assert [reason.partition(":")[0] for reason in found.reasons] == [
        "events wait to be applied",
        "events were given up",
        "reads of Stripe are owed",
    ]
    assert (found.lag.waiting, found.lag.dead, found.lag.owed) == (1, 1, 1)
    assert found.complete_through == found.lag.owed_since == datetime.fromtimestamp(oldest, UTC)


async def test_streams_that_were_never_listed_are_named(gateway: StripeGateway, pool: Pool, account: Account) -> None:
    await catch_up(gateway, pool, account)
    await _run(pool, "delete from payment_kit.sync_state where stream in ('reviews', 'topups')")
    found = await status(pool, account.id)
    assert found.reasons == ("never listed: reviews, topups; run `payment-kit sync backfill`",)
    await backfill(gateway, pool, account, objects=["review", "topup"])
    assert (await status(pool, account.id)).reasons == ()


async def test_a_catch_up_longer_ago_than_stripe_keeps_events_is_said_by_our_own_clock(
    gateway: StripeGateway, pool: Pool, account: Account
) -> None:
    await catch_up(gateway, pool, account)
    await _run(pool, "update payment_kit.sync_state set finished_at = now() - interval '30 days'")
    (reason,) = (await status(pool, account.id)).reasons
    assert reason.endswith("longer ago than Stripe keeps events; the next one lists everything anew")


async def test_events_that_brought_no_row_are_counted_by_type_with_the_reason(
    gateway: StripeGateway, pool: Pool, account: Account, inbox: Inbox, worker: Worker
) -> None:
    ship = {"object": "starship", "id": "ss_1"}
    balance = {"object": "balance", "available": []}
    await _arrives(
        inbox,
        event(ship, "starship.launched"),
        event(ship, "starship.landed", id="evt_2"),
        event(ship, "starship.landed", id="evt_3"),
        event(balance, "balance.available", id="evt_4"),
        event(customer(), id="evt_5"),
        event(customer(), "customer.promoted", id="evt_6", created=event(customer())["created"] + 1),
    )
    await worker.drain()
    found = {one.type: one for one in (await status(pool, account.id)).unmapped}
    assert found.keys() == {"starship.launched", "starship.landed", "balance.available", "customer.promoted"}
    assert found["starship.landed"] == Unmapped("starship.landed", 2, False, "nobody has looked at this type")
    assert (found["balance.available"].looked_at, found["customer.promoted"].looked_at) == (True, False)


async def test_rows_of_another_api_version_are_counted(
    gateway: StripeGateway, pool: Pool, account: Account, inbox: Inbox, worker: Worker
) -> None:
    await _arrives(inbox, event(customer(), api_version="2024-06-20"), event(customer(id="cus_2"), id="evt_2"))
    await worker.step()
    found = await status(pool, account.id)
    assert (found.versions, found.rows["customers"]) == ({"customers": {"2024-06-20": 1}}, 2)
