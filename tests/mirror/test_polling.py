"""What changes without an event is found by the next catch-up, at the price of a few small lists."""

import asyncio
from typing import Any

from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.polling import CHANGING
from payment_kit.mirror.status import status
from payment_kit.sandbox import Sandbox, keys
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import DAY, Business, different, mirrored

SESSION = {"mode": "payment", "success_url": "https://shop.test/thanks"}


async def _shop(business: Business) -> dict[str, Any]:
    """One of everything that changes silently."""
    product = (await business.post("products", name="Tea"))["id"]
    price = (await business.post("prices", product=product, unit_amount=700, currency="usd"))["id"]
    customer = (await business.post("customers", name="Ada"))["id"]
    line = [{"price": price, "quantity": 2}]
    return {
        "customer": customer,
        "quotes": (await business.post("quotes", customer=customer, line_items=line))["id"],
        "invoiceitems": (await business.post("invoiceitems", customer=customer, amount=250, currency="usd"))["id"],
        "checkout/sessions": (await business.post("checkout/sessions", line_items=line, **SESSION))["id"],
        "entitlements/features": (await business.post("entitlements/features", name="Export", lookup_key="x"))["id"],
        "accounts": (await business.post("accounts", type="custom"))["id"],
        "line": line,
    }


def test_every_object_without_enough_events_is_polled() -> None:
    assert CHANGING.keys() == {entry.name for entry in CATALOGUE.values() if entry.polled}


async def test_what_was_made_or_changed_without_an_event_is_caught_up(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    shop = await _shop(business)
    await catch_up(gateway, pool, account)
    business.pass_time(DAY)
    await business.post(f"quotes/{shop['quotes']}", description="as discussed")
    await business.post(f"invoiceitems/{shop['invoiceitems']}", description="Cups", amount=260)
    await business.post(f"checkout/sessions/{shop['checkout/sessions']}", metadata={"cart": "7"})
    await business.post(f"entitlements/features/{shop['entitlements/features']}", name="Export, all of it")
    await business.post(f"accounts/{shop['accounts']}", business_profile={"name": "Partner"})
    await business.post("checkout/sessions", line_items=shop["line"], **SESSION)
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, done.polled.refused) == (False, {})
    assert different(await mirrored(pool), await business.truth()) == []


async def test_what_stands_still_is_not_listed_again(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, sandbox: Sandbox
) -> None:
    shop = await _shop(business)
    paid = await business.post("checkout/sessions", line_items=shop["line"], **SESSION)
    await business.post(f"checkout/sessions/{paid['id']}/expire")
    await catch_up(gateway, pool, account)
    business.pass_time(5 * DAY)
    await catch_up(gateway, pool, account)
    seen = sandbox.worlds.default.seen
    seen.clear()
    done = await catch_up(gateway, pool, account)
    lists = [one["params"] for one in seen.listed(100, path="/v1/checkout/sessions")]
    assert sorted(sorted(set(params) - {"limit", "expand"}) for params in lists) == [["created"], ["status"]]
    assert (done.polled.changed, seen.total <= 15) == (0, True)


async def test_a_list_this_key_may_not_read_holds_up_no_other(
    pool: Pool, gateway: StripeGateway, business: Business, sandbox: Sandbox
) -> None:
    await _shop(business)
    key = keys.make(sandbox.worlds.default, {"permissions": {"*": "read", "quotes": "none"}})["key"]
    async with StripeGateway(SecretStr(key), base=sandbox.url, retries=0) as narrow:
        account = await identify(narrow, pool)
        done = await catch_up(narrow, pool, account)
    assert list(done.polled.refused) == ["quotes"]
    found = await status(pool, account.id)
    assert found.state == "PENDING"
    assert [reason for reason in found.reasons if "quotes" in reason]
    await backfill(gateway, pool, account, objects=["quote"])
    async with pool.connection() as connection:
        await connection.execute("update payment_kit.owed set available_at = now()")
    await catch_up(gateway, pool, account)
    assert (await status(pool, account.id)).reasons == ()
    assert different(await mirrored(pool), await business.truth()) == []


async def test_polling_beside_itself_writes_nothing_twice(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await catch_up(gateway, pool, account)
    await _shop(business)
    await asyncio.gather(*(catch_up(gateway, pool, account) for _ in range(3)))
    assert different(await mirrored(pool), await business.truth()) == []


async def test_a_connected_account_that_was_deleted_is_buried(
    gateway: StripeGateway, pool: Pool, account: Account, sandbox: Sandbox
) -> None:
    made = [(await gateway.request("post", "/v1/accounts", {"type": "custom"})).body["id"] for _ in range(2)]
    await catch_up(gateway, pool, account)
    sandbox.advance_to(sandbox.now + 60)
    await gateway.request("delete", f"/v1/accounts/{made[0]}")
    await catch_up(gateway, pool, account)
    assert set((await mirrored(pool))["account"]) == {made[1]}
