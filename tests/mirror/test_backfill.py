"""The first copy is complete, survives a kill, and never undoes a newer event."""

from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import Unavailable
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import Progress, backfill
from payment_kit.mirror.backfill import streams as names
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.status import status
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Page, StripeGateway
from tests.mirror.business import Business, different, mirrored
from tests.mirror.events import event


async def test_a_backfilled_mirror_equals_stripe_field_by_field(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.trade(105)
    done = await backfill(gateway, pool, account)
    assert different(await mirrored(pool), await business.truth()) == []
    assert done["payment_intents"] == Progress("payment_intents", 105, 105, finished=True, total=105)


async def test_archived_prices_are_read_too(gateway: StripeGateway, pool: Pool, account: Account) -> None:
    product = (await gateway.request("post", "/v1/products", {"name": "Tea"})).body["id"]
    asked = {"product": product, "currency": "jpy", "unit_amount": 500}
    made = [(await gateway.request("post", "/v1/prices", asked)).body["id"] for _ in range(3)]
    await gateway.request("post", f"/v1/prices/{made[1]}", {"active": False})
    done = await backfill(gateway, pool, account, objects=["price"])
    assert {id_: row["active"] for id_, row in (await mirrored(pool))["price"].items()} == {
        made[0]: True,
        made[1]: False,
        made[2]: True,
    }
    assert done["prices"].objects == 3


async def test_a_second_backfill_changes_no_row(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.trade(20)
    await backfill(gateway, pool, account)
    again = await backfill(gateway, pool, account)
    assert sum(stream.written for stream in again.values()) == 0


async def test_a_killed_backfill_goes_on_behind_its_last_page(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(110):
        await gateway.request("post", "/v1/customers", {"name": f"c{number}"})
    ask = gateway.page

    async def ends(path: str, params: Any = None, **options: Any) -> Page:
        if "starting_after" in (params or {}):
            raise Unavailable("STRIPE_UNREACHABLE", "gone")
        return await ask(path, params, **options)

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "page", ends)
        with pytest.raises(Unavailable):
            await backfill(gateway, pool, account, objects=["customer"])
    seen: list[Progress] = []
    done = await backfill(gateway, pool, account, objects=["customer"], progress=seen.append)
    first = next(one for one in seen if one.stream == "customers")
    assert (first.objects, done["customers"].objects, done["customers"].written) == (110, 110, 10)


async def test_a_page_older_than_an_event_does_not_overwrite_it(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox, worker: Worker, inbox: Inbox
) -> None:
    made = (await gateway.request("post", "/v1/customers", {"name": "on the page"})).body
    newer = event(made | {"name": "newer"}, created=sandbox.now + 60)
    await inbox.store(envelope(orjson.dumps(newer)), "webhook")
    await worker.drain()
    await backfill(gateway, pool, account, objects=["customer"])
    assert (await mirrored(pool))["customer"][made["id"]]["name"] == "newer"


async def test_a_finished_stream_is_complete_through_its_start(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox
) -> None:
    await backfill(gateway, pool, account)
    streams = (await status(pool, account.id)).streams
    assert {stream.running for stream in streams} == {False}
    through = [stream.complete_through for stream in streams if stream.complete_through]
    assert all(0 <= sandbox.now - moment.timestamp() <= 2 for moment in through)
    assert {stream.name for stream in streams} == set(names())
    assert len(through) == len(streams)
