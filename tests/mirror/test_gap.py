"""An outage heals from the events list; one longer than Stripe keeps events is PENDING until everything was listed."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import Unavailable
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.status import Status, status
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Page, StripeGateway
from payment_kit.stripe_gateway import gateway as gateway_module
from tests.mirror.business import DAY, Business, different, mirrored

GONE = "are gone from Stripe's list; deletions in the gap are looked for by the backfill"


async def _outage(pool: Pool, account: Account, business: Business, days: int) -> None:
    """A mirror that was complete, then days in which nothing is delivered; a customer is deleted on the first."""
    await business.trade(10, days=1)
    gone = await business.post("customers", name="Gone in the outage")
    await catch_up(business.gateway, pool, account)
    await business.gateway.request("delete", f"/v1/customers/{gone['id']}")
    await business.trade(10, days=1)
    for passed in range(1, days, 15):
        business.pass_time(min(15, days - passed) * DAY)


def _stopped(monkeypatch: pytest.MonkeyPatch, gateway: StripeGateway, when: Callable[[str, Any], bool]) -> None:
    """The process ends at a request."""
    ask = gateway.page

    async def ends(path: str, params: Any = None, **options: Any) -> Page:
        if when(path, params or {}):
            raise Unavailable("STRIPE_UNREACHABLE", "stopped")
        return await ask(path, params, **options)

    monkeypatch.setattr(gateway, "page", ends)


async def _stopped_catch_up(
    pool: Pool, account: Account, gateway: StripeGateway, when: Callable[[str, Any], bool]
) -> Status:
    with pytest.MonkeyPatch.context() as patched:
        _stopped(patched, gateway, when)
        with pytest.raises(Unavailable):
            await catch_up(gateway, pool, account)
    return await status(pool, account.id)


async def test_an_outage_of_four_days_heals_from_the_events_alone(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await _outage(pool, account, business, 4)
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, (await status(pool, account.id)).state) == (False, "COMPLETE")
    assert different(await mirrored(pool), await business.truth()) == []


async def test_after_thirty_one_days_everything_is_listed_and_a_deletion_nobody_told_of_is_found(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await _outage(pool, account, business, 31)
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, (await status(pool, account.id)).reasons) == (True, ())
    assert different(await mirrored(pool), await business.truth()) == []


async def test_until_then_it_is_pending_and_claims_nothing_new(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await _outage(pool, account, business, 31)
    before = (await status(pool, account.id)).complete_through
    found = await _stopped_catch_up(pool, account, gateway, lambda path, _: path == "/v1/refunds")
    assert (found.state, found.complete_through) == ("PENDING", before)
    assert [reason for reason in found.reasons if reason.startswith("events of 2026-07-02") and reason.endswith(GONE)]
    await catch_up(gateway, pool, account)
    assert (await status(pool, account.id)).state == "COMPLETE"


async def test_the_first_copy_is_pending_too(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business
) -> None:
    await business.trade(10)
    found = await _stopped_catch_up(pool, account, gateway, lambda path, _: path == "/v1/refunds")
    assert (found.state, found.complete_through) == ("PENDING", None)
    assert "the first copy is not complete" in found.reasons


async def test_who_is_stopped_after_the_listing_does_not_list_again(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, sandbox: Sandbox
) -> None:
    await _outage(pool, account, business, 31)
    found = await _stopped_catch_up(pool, account, gateway, lambda path, given: "gte" in given.get("created", {}))
    assert [reason for reason in found.reasons if reason.endswith(GONE)]
    sandbox.worlds.default.seen.clear()
    done = await catch_up(gateway, pool, account)
    assert (done.backfilled, sandbox.worlds.default.seen.listed(path="/v1/customers")) == (True, [])
    assert different(await mirrored(pool), await business.truth()) == []


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's pages hold five objects."""
    monkeypatch.setattr(gateway_module, "PAGE_SIZE", 5)


async def test_who_is_stopped_within_a_window_claims_nothing_of_it(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, small_pages: None
) -> None:
    await catch_up(gateway, pool, account)
    before = (await status(pool, account.id)).complete_through
    await business.trade(10, days=2)
    found = await _stopped_catch_up(
        pool, account, gateway, lambda path, given: path == "/v1/events" and "starting_after" in given
    )
    assert (found.complete_through, found.lag.waiting) == (before, 5)
    await catch_up(gateway, pool, account)
    assert different(await mirrored(pool), await business.truth()) == []


async def test_a_window_is_stored_page_by_page_however_many_there_are(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    business: Business,
    small_pages: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await catch_up(gateway, pool, account)
    await business.trade(10, days=2)
    listing, stored = gateway.list, list[int]()

    async def watched(path: str, params: Any = None, **options: Any) -> AsyncGenerator[Page, None]:
        async for page in listing(path, params, **options):
            yield page
            if path == "/v1/events":
                async with pool.connection() as connection:
                    row = await (await connection.execute("select count(*) from payment_kit.inbox")).fetchone()
                stored.append(row[0] if row else 0)

    monkeypatch.setattr(gateway, "list", watched)
    await catch_up(gateway, pool, account)
    steps = [after - before for before, after in zip([0, *stored], stored, strict=False)]
    assert len(steps) > 10
    assert max(steps) <= 5
