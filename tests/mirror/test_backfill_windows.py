"""Windows cover everything once: whatever the pages, the cuts, and the moments of a kill."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import NotFound
from payment_kit.mirror import stream, windows
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.backfill import Progress, backfill
from payment_kit.mirror.windows import Range, Window
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import Page, StripeGateway
from payment_kit.stripe_gateway import gateway as gateway_module
from tests.mirror.business import Business, mirrored
from tests.waiting import until

PAGE = 4


class Killed(BaseException):
    """The process is gone: nothing is caught, nothing is tidied up."""


@pytest.fixture
async def account(gateway: StripeGateway, pool: Pool) -> Account:
    return await identify(gateway, pool)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few objects fill a page, a page is worth a save, and two pages are worth a cut."""
    monkeypatch.setattr(gateway_module, "PAGE_SIZE", PAGE)
    monkeypatch.setattr(stream, "STATES_AT_ONCE", 1)
    monkeypatch.setattr(windows, "SPLIT_OBJECTS_LEAST", 2 * PAGE)


async def customers(business: Business, count: int, *, seconds: int = 3600) -> set[str]:
    made = set()
    for number in range(count):
        made.add((await business.post("customers", name=f"c{number}"))["id"])
        business.pass_time(seconds)
    return made


@pytest.fixture
def business(gateway: StripeGateway, sandbox: Sandbox) -> Business:
    return Business(gateway, sandbox)


def objects(*seconds: int) -> list[dict[str, Any]]:
    return [{"id": f"x{number}", "created": second} for number, second in enumerate(seconds)]


def test_a_page_covers_all_before_its_last_second() -> None:
    window = Window(1, "/v1/x", first=10, before=100)
    assert window.follow(objects(90, 70, 70), more=True, first=10) == Range(71, 99, ())


def test_a_second_that_goes_on_is_covered_by_the_pages_that_share_it() -> None:
    window = Window(1, "/v1/x", first=10, before=100)
    window.follow(objects(90, 70, 70), more=True, first=10)
    assert window.follow(objects(70, 60), more=True, first=10) == Range(61, 70, ("x1", "x2"))


def test_a_page_within_one_second_covers_nothing() -> None:
    window = Window(1, "/v1/x")
    window.follow(objects(70, 70), more=True, first=0)
    assert window.follow(objects(70, 70), more=True, first=0) is None
    assert window.boundary == ("x0", "x1", "x0", "x1")


def test_the_last_page_covers_down_to_what_was_asked_for() -> None:
    window = Window(1, "/v1/x", first=10, before=100)
    window.first = 50
    assert window.follow(objects(90, 70), more=False, first=10) == Range(10, 99, ())
    assert window.finished


def test_a_second_with_too_many_ids_to_keep_is_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "BOUNDARY_MAX", 2)
    window = Window(1, "/v1/x", before=100)
    window.follow(objects(70, 70, 70), more=True, first=0)
    assert window.follow(objects(70, 60, 50), more=True, first=0) == Range(51, 69, ())


def test_a_window_that_was_cut_ends_where_it_was_cut() -> None:
    window = Window(1, "/v1/x")
    window.follow(objects(90, 80), more=True, first=0)
    window.first = 70
    window.follow(objects(79, 60), more=True, first=0)
    assert window.finished


async def test_a_long_window_is_cut_while_readers_are_idle(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, small_pages: None, asked: list[Any]
) -> None:
    made = await customers(business, 60)
    await backfill(gateway, pool, account, objects=["customer"])
    assert {one["created"]["gte"] for one in asked if "gte" in one.get("created", {})}, "nothing was cut"
    assert set((await mirrored(pool))["customer"]) == made


@pytest.fixture
def asked(gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The parameters of every page of customers that was asked for."""
    found: list[Any] = []
    ask = gateway.page

    async def page(path: str, params: Any = None, **options: Any) -> Page:
        if path == "/v1/customers":
            found.append(params or {})
        return await ask(path, params, **options)

    monkeypatch.setattr(gateway, "page", page)
    return found


def kill(patched: pytest.MonkeyPatch, saves: int, moment: str) -> None:
    """The process dies with its so-many-th save: in the middle of its transaction, or right after the commit."""
    advance, save, left = windows.advance, stream.Stream._save, saves

    async def dies_within(*given: Any) -> None:
        nonlocal left
        left -= 1
        await advance(*given)
        if left == 0:
            raise Killed

    async def dies_behind(self: Any, parts: Any) -> None:
        nonlocal left
        left -= 1
        await save(self, parts)
        if left == 0:
            raise Killed

    if moment == "within":
        patched.setattr(windows, "advance", dies_within)
    else:
        patched.setattr(stream.Stream, "_save", dies_behind)


async def until_done(pool: Pool, gateway: StripeGateway, account: Account, saves: int, moment: str) -> Progress:
    """Killed with every so-many-th save and started again, until it gets to its end."""
    for _ in range(100):
        with pytest.MonkeyPatch.context() as patched:
            kill(patched, saves, moment)
            try:
                return (await backfill(gateway, pool, account, objects=["product"]))["products"]
            except Killed:
                continue
    raise AssertionError("it never got to its end")


async def products(business: Business, count: int) -> set[str]:
    made = set()
    for number in range(count):
        made.add((await business.post("products", name=f"p{number}"))["id"])
        business.pass_time(3600)
    return made


KILLS = [(1, "behind"), (2, "behind"), (2, "within"), (3, "within")]


@pytest.mark.parametrize(("saves", "moment"), KILLS)
async def test_a_backfill_killed_at_every_page_repeats_no_page_it_saved(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    business: Business,
    small_pages: None,
    monkeypatch: pytest.MonkeyPatch,
    saves: int,
    moment: str,
) -> None:
    monkeypatch.setattr(stream, "READERS", 1)
    made = await products(business, 5 * PAGE + 1)
    done = await until_done(pool, gateway, account, saves, moment)
    assert (done.objects, done.finished, set((await mirrored(pool))["product"])) == (len(made), True, made)


@pytest.mark.parametrize(("saves", "moment"), KILLS)
async def test_a_backfill_in_many_windows_killed_at_any_page_is_complete_in_the_end(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    business: Business,
    small_pages: None,
    saves: int,
    moment: str,
) -> None:
    made = await products(business, 40)
    await until_done(pool, gateway, account, saves, moment)
    assert set((await mirrored(pool))["product"]) == made


async def test_nothing_is_saved_behind_a_save_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STATES_AT_ONCE", 0)
    fails, saved = asyncio.Event(), list[int]()

    async def save(parts: Any) -> None:
        saved.append(len(parts))
        await fails.wait()
        raise ConnectionError("the database is away")

    batch, part = stream._Batch(save), stream._Part((), Window(1, "/v1/x").place(0))
    readers = [asyncio.create_task(batch.add(part)) for _ in range(4)]
    await until(lambda: bool(saved))
    fails.set()
    ended = await asyncio.gather(*readers, return_exceptions=True)
    assert [type(one) for one in ended[1:]] == [ConnectionError] * 3
    with pytest.raises(ConnectionError):
        await batch.flush()
    assert saved == [1]


async def test_a_finished_stream_leaves_no_windows(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, small_pages: None
) -> None:
    await customers(business, 30)
    await backfill(gateway, pool, account, objects=["customer"])
    async with pool.connection() as connection:
        rows = await (await connection.execute("select id from payment_kit.backfill_windows")).fetchall()
    assert rows == []


async def test_pages_go_on_where_the_object_behind_which_they_go_on_is_gone(
    gateway: StripeGateway,
    pool: Pool,
    account: Account,
    business: Business,
    small_pages: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = await customers(business, 3 * PAGE, seconds=1)
    ask, gone = gateway.page, Counter[str]()

    async def page(path: str, params: Any = None, **options: Any) -> Page:
        after = (params or {}).get("starting_after")
        if after and not gone:
            gone[after] += 1
            raise NotFound("RESOURCE_NOT_FOUND", f"No such customer: {after}", field="starting_after")
        return await ask(path, params, **options)

    monkeypatch.setattr(gateway, "page", page)
    await backfill(gateway, pool, account, objects=["customer"])
    assert gone.total() == 1
    assert set((await mirrored(pool))["customer"]) == made


async def test_a_few_objects_cost_one_request(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, asked: list[Any]
) -> None:
    await customers(business, 5)
    await backfill(gateway, pool, account, objects=["customer"])
    assert len(asked) == 1


async def test_the_progress_estimates_how_much_there_is(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, small_pages: None
) -> None:
    began = business.sandbox.now
    await products(business, 40)
    told: list[Progress] = []
    known = Account(account.id, account.livemode, created=began)
    await backfill(gateway, pool, known, objects=["product"], progress=told.append)
    halfway = [one.total for one in told if 16 <= one.objects <= 32]
    assert halfway
    assert all(total and 30 <= total <= 60 for total in halfway), halfway


async def test_no_total_is_told_when_the_beginning_is_unknown(
    gateway: StripeGateway, pool: Pool, account: Account, business: Business, small_pages: None
) -> None:
    await products(business, 3 * PAGE)
    told: list[Progress] = []
    known = Account(account.id, account.livemode, created=None)
    await backfill(gateway, pool, known, objects=["product"], progress=told.append)
    assert {one.total for one in told if not one.finished} == {None}
