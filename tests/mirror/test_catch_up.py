"""Whatever was not delivered is found in Stripe's lists; what cannot be known is not claimed."""

import random
from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import Unavailable
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.settlement import pull_settlement
from payment_kit.mirror.status import status
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Page, StripeGateway
from tests.mirror.business import DAY, Business, different, mirrored
from tests.mirror.events import customer, event


async def _events(gateway: StripeGateway) -> list[dict[str, Any]]:
    pages = [page.data async for page in gateway.list("/v1/events")]
    return [one for page in reversed(pages) for one in reversed(page)]


async def _deliver(inbox: Inbox, worker: Worker, events: list[dict[str, Any]], rng: random.Random) -> None:
    """A tenth is lost, a tenth comes twice, all in disorder, applied in small lots."""
    arrivals = [one for one in events if rng.random() >= 0.1]
    arrivals += [one for one in arrivals if rng.random() < 0.1]
    rng.shuffle(arrivals)
    for start in range(0, len(arrivals), 40):
        for one in arrivals[start : start + 40]:
            await inbox.store(envelope(orjson.dumps(one)), "webhook")
        await worker.drain()


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_losses_and_disorder_the_mirror_equals_stripe(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, inbox: Inbox, worker: Worker, seed: int
) -> None:
    await catch_up(gateway, pool, account, worker=worker)
    await business.trade(60)
    events = await _events(gateway)
    await _deliver(inbox, worker, events, random.Random(seed))
    done = await catch_up(gateway, pool, account, worker=worker)
    assert different(await mirrored(pool), await business.truth()) == []
    assert (done.backfilled, done.missing > 0) == (False, True)
    print(f"{len(events)} events, {worker.tally.paid} owed reads paid")


async def test_catching_up_again_finds_nothing(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.trade(20)
    await catch_up(gateway, pool, account)
    again = await catch_up(gateway, pool, account)
    assert (again.missing, again.applied.finished, again.settlement.changed, again.settlement.payouts) == (0, 0, 0, 0)


async def test_the_first_catch_up_brings_what_is_older_than_the_events_list(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.trade(10)
    for _ in range(2):
        business.pass_time(20 * DAY)
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, different(await mirrored(pool), await business.truth())) == (True, [])


async def test_a_gap_of_more_than_29_days_is_bridged_by_a_backfill(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await catch_up(gateway, pool, account)
    made = await business.post("customers", name="long ago")
    for _ in range(2):
        business.pass_time(20 * DAY)
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, made["id"] in (await mirrored(pool))["customer"]) == (True, True)


async def test_a_backfill_interrupted_long_ago_is_begun_anew(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await gateway.request("post", "/v1/customers", {"name": f"c{n}"})).body for n in range(101)]
    ask = gateway.page

    async def ends(path: str, params: Any = None, **options: Any) -> Page:
        if "starting_after" in (params or {}):
            raise Unavailable("STRIPE_UNREACHABLE", "gone")
        return await ask(path, params, **options)

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "page", ends)
        with pytest.raises(Unavailable):
            await backfill(gateway, pool, account, objects=["customer"])
    await gateway.request("post", f"/v1/customers/{made[-1]['id']}", {"name": "changed behind the first page"})
    sandbox.advance_to(sandbox.now + 40 * DAY)
    await catch_up(gateway, pool, account)
    assert (await mirrored(pool))["customer"][made[-1]["id"]]["name"] == "changed behind the first page"


async def test_an_outage_of_four_days_needs_no_backfill(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await catch_up(gateway, pool, account)
    made = await business.post("customers", name="in the outage")
    business.pass_time(4 * DAY)
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, made["id"] in (await mirrored(pool))["customer"]) == (False, True)


async def test_completeness_stops_before_an_event_that_could_not_be_applied(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox, inbox: Inbox
) -> None:
    await catch_up(gateway, pool, account)
    poisoned_at = sandbox.now + DAY
    poison = event(customer(balance="a lot"), id="evt_bad", created=poisoned_at)
    await inbox.store(envelope(orjson.dumps(poison)), "webhook")
    sandbox.advance_to(sandbox.now + 2 * DAY)
    assert (await catch_up(gateway, pool, account)).complete_through == poisoned_at


async def test_an_event_that_stays_dead_makes_nobody_list_everything_anew(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox, inbox: Inbox
) -> None:
    await catch_up(gateway, pool, account)
    poisoned_at = sandbox.now
    poison = event(customer(balance="a lot"), id="evt_bad", created=poisoned_at)
    await inbox.store(envelope(orjson.dumps(poison)), "webhook")
    for _ in range(2):
        sandbox.advance_to(sandbox.now + 20 * DAY)
        done = await catch_up(gateway, pool, account)
    assert (done.backfilled, done.complete_through) == (False, poisoned_at)


async def test_a_deletion_that_was_not_delivered_is_caught_up(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    made = await business.post("customers", name="soon gone")
    await catch_up(gateway, pool, account)
    business.pass_time(60)
    await gateway.request("delete", f"/v1/customers/{made['id']}")
    await catch_up(gateway, pool, account)
    assert made["id"] not in (await mirrored(pool))["customer"]


async def test_a_pending_transaction_becomes_available_without_an_event(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.pay("usd")
    business.pass_time(36 * 3600)
    await pull_settlement(gateway, pool, account)
    before = {raw["status"] for raw in (await mirrored(pool))["balance_transaction"].values()}
    business.pass_time(10 * DAY)
    await pull_settlement(gateway, pool, account)
    own = [raw for raw in (await mirrored(pool))["balance_transaction"].values() if raw["type"] == "charge"]
    assert (before, {raw["status"] for raw in own}) == ({"pending"}, {"available"})


async def test_every_completed_payout_is_itemised_to_the_unit(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.trade(40, days=6)
    business.pass_time(8 * DAY)
    done = await catch_up(gateway, pool, account)
    async with pool.connection() as connection:
        rows = await (
            await connection.execute(
                "select p.id, p.amount = sum(t.net) filter (where t.id <> p.balance_transaction), bool_or(t.id ="
                " p.balance_transaction), max(i.items) = count(*) from stripe.payouts p"
                " join stripe.payout_itemisations i on i.payout_id = p.id"
                " join stripe.payout_balance_transactions l on l.payout_id = p.id"
                " join stripe.balance_transactions t on t.id = l.balance_transaction_id group by p.id, p.amount"
            )
        ).fetchall()
    assert len(rows) == done.settlement.payouts > 4
    assert {row[1:] for row in rows} == {(True, True, True)}


async def test_the_status_names_streams_lag_and_rows(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, inbox: Inbox
) -> None:
    await business.trade(10)
    await catch_up(gateway, pool, account)
    await inbox.store(envelope(orjson.dumps(event(customer(), id="evt_waits"))), "webhook")
    found = await status(pool, account.id)
    assert {"events", "balance_transactions", "customers"} <= {stream.name for stream in found.streams}
    assert (found.lag.waiting, found.lag.dead, found.rows["payment_intents"]) == (1, 0, 10)
    assert found.events["waiting"] == 1
