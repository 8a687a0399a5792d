"""What a list should have shown and did not is asked for by itself, and becomes a tombstone only when it is gone."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror import missed, stream, windows
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.stripe_gateway import Page, Reply, StripeGateway
from payment_kit.stripe_gateway import gateway as gateway_module
from tests.mirror.business import Business, different, mirrored

Make = Callable[[Business], Awaitable[tuple[str, str]]]
"""Makes an object; returns its id and the path that deletes it."""


@pytest.fixture
def reads(gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths below which single objects were asked for."""
    found: list[str] = []
    ask = gateway.request

    async def request(method: Any, path: str, params: Any = None, **options: Any) -> Reply:
        if method == "get" and "limit" not in (params or {}) and path != "/v1/account":
            found.append(path)
        return await ask(method, path, params, **options)

    monkeypatch.setattr(gateway, "request", request)
    return found


async def customer(business: Business) -> tuple[str, str]:
    id_ = (await business.post("customers", name="Ada"))["id"]
    return id_, f"customers/{id_}"


async def product(business: Business) -> tuple[str, str]:
    id_ = (await business.post("products", name="Tea"))["id"]
    return id_, f"products/{id_}"


async def coupon(business: Business) -> tuple[str, str]:
    id_ = (await business.post("coupons", percent_off=10, duration="once"))["id"]
    return id_, f"coupons/{id_}"


async def invoice(business: Business) -> tuple[str, str]:
    owner = (await business.post("customers"))["id"]
    id_ = (await business.post("invoices", customer=owner))["id"]
    return id_, f"invoices/{id_}"


async def invoiceitem(business: Business) -> tuple[str, str]:
    owner = (await business.post("customers"))["id"]
    id_ = (await business.post("invoiceitems", customer=owner, amount=1200, currency="jpy"))["id"]
    return id_, f"invoiceitems/{id_}"


async def tax_id(business: Business) -> tuple[str, str]:
    id_ = (await business.post("tax_ids", type="eu_vat", value="DE123456789"))["id"]
    return id_, f"tax_ids/{id_}"


async def clock(business: Business) -> tuple[str, str]:
    id_ = (await business.post("test_helpers/test_clocks", frozen_time=business.sandbox.now))["id"]
    return id_, f"test_helpers/test_clocks/{id_}"


KINDS: dict[str, Make] = {
    "customer": customer,
    "product": product,
    "coupon": coupon,
    "invoice": invoice,
    "invoiceitem": invoiceitem,
    "tax_id": tax_id,
    "test_helpers.test_clock": clock,
}


async def deleted(pool: Pool, kind: str) -> set[str]:
    async with pool.connection() as connection:
        query = f"select id from stripe.{CATALOGUE[kind].table} where deleted_at is not null"
        return {row[0] for row in await (await connection.execute(query.encode())).fetchall()}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_object_deleted_unseen_becomes_a_tombstone(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, kind: str
) -> None:
    id_, path = await KINDS[kind](business)
    await KINDS[kind](business)
    business.pass_time(60)
    await backfill(gateway, pool, account, objects=[kind])
    await gateway.request("delete", f"/v1/{path}")
    business.pass_time(60)
    done = await backfill(gateway, pool, account, objects=[kind])
    assert (await deleted(pool, kind), done[CATALOGUE[kind].table].written) == ({id_}, 1)


async def test_a_tombstone_keeps_what_the_object_was(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    id_, path = await customer(business)
    await backfill(gateway, pool, account, objects=["customer"])
    await gateway.request("delete", f"/v1/{path}")
    business.pass_time(60)
    await backfill(gateway, pool, account, objects=["customer"])
    async with pool.connection() as connection:
        row = await (await connection.execute("select name, source_event from stripe.customers")).fetchone()
    assert row is not None
    assert (row[0], row[1].startswith("read:")) == ("Ada", True)
    assert id_ in await deleted(pool, "customer")


async def test_no_object_is_deleted_on_the_word_of_one_page(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, _ = await customer(business)
    await backfill(gateway, pool, account, objects=["customer"])
    business.pass_time(60)
    ask = gateway.page

    async def forgets(path: str, params: Any = None, **options: Any) -> Page:
        page = await ask(path, params, **options)
        data = [one for one in page.data if one["id"] != id_]
        return Page(data, page.has_more, page.server_time, page.request_id)

    monkeypatch.setattr(gateway, "page", forgets)
    await backfill(gateway, pool, account, objects=["customer"])
    assert await deleted(pool, "customer") == set()


async def test_a_payment_method_that_left_its_customer_is_read_again(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    owner, _ = await customer(business)
    method = (await business.post("payment_methods/pm_card_visa/attach", customer=owner))["id"]
    await backfill(gateway, pool, account, objects=["payment_method"])
    business.pass_time(60)
    await business.post(f"payment_methods/{method}/detach")
    business.pass_time(60)
    await backfill(gateway, pool, account, objects=["payment_method"])
    assert (await mirrored(pool))["payment_method"][method]["customer"] is None


async def test_payment_methods_of_a_deleted_customer_are_read_again(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    owner, path = await customer(business)
    method = (await business.post("payment_methods/pm_card_visa/attach", customer=owner))["id"]
    await backfill(gateway, pool, account, objects=["payment_method"])
    business.pass_time(60)
    await gateway.request("delete", f"/v1/{path}")
    business.pass_time(60)
    await backfill(gateway, pool, account, objects=["payment_method"])
    assert (await mirrored(pool))["payment_method"][method]["customer"] is None


async def test_customers_of_a_test_clock_are_not_missed_in_the_list_that_never_has_them(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, reads: list[str]
) -> None:
    ticking, _ = await clock(business)
    await business.post("customers", test_clock=ticking)
    for _ in range(2):
        business.pass_time(60)
        await backfill(gateway, pool, account, objects=["customer"])
    assert reads == []


async def test_customers_of_a_deleted_test_clock_become_tombstones(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    ticking, path = await clock(business)
    gone = (await business.post("customers", test_clock=ticking))["id"]
    await backfill(gateway, pool, account, objects=["customer"])
    business.pass_time(60)
    await gateway.request("delete", f"/v1/{path}")
    business.pass_time(60)
    await backfill(gateway, pool, account, objects=["customer"])
    assert await deleted(pool, "customer") == {gone}


async def test_deletions_are_found_across_pages_that_share_a_second(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "PAGE_SIZE", 3)
    monkeypatch.setattr(stream, "STATES_AT_ONCE", 1)
    monkeypatch.setattr(windows, "SPLIT_OBJECTS_LEAST", 6)
    made = []
    for number in range(40):
        made.append((await customer(business))[0])
        business.pass_time(1 if number % 8 == 7 else 0)
    await backfill(gateway, pool, account, objects=["customer"])
    business.pass_time(60)
    gone = set(made[::5])
    for id_ in gone:
        await gateway.request("delete", f"/v1/customers/{id_}")
    business.pass_time(60)
    await backfill(gateway, pool, account, objects=["customer"])
    assert await deleted(pool, "customer") == gone


async def test_nothing_that_is_there_is_asked_for_by_itself(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, reads: list[str]
) -> None:
    await business.trade(20)
    await backfill(gateway, pool, account)
    business.pass_time(60)
    reads.clear()
    await backfill(gateway, pool, account)
    assert reads == []
    assert different(await mirrored(pool), await business.truth()) == []


async def test_suspicions_outlive_a_kill(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def dies(*_: Any, **__: Any) -> int:
        raise Killed

    id_, path = await customer(business)
    await backfill(gateway, pool, account, objects=["customer"])
    business.pass_time(60)
    await gateway.request("delete", f"/v1/{path}")
    with monkeypatch.context() as patched:
        patched.setattr(missed, "settle", dies)
        with pytest.raises(Killed):
            await backfill(gateway, pool, account, objects=["customer"])
    assert await deleted(pool, "customer") == set()
    await backfill(gateway, pool, account, objects=["customer"])
    assert await deleted(pool, "customer") == {id_}
