"""Reads of a sandbox that fails as Stripe can: everything is read, and nothing twice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway

from .answering import Waits

CUSTOMERS = 25
SHARES = {
    "rate_limit": 0.1,
    "lock_timeout": 0.1,
    "conflict": 0.1,
    "error_before": 0.1,
    "drop_before": 0.1,
    "drop_after": 0.1,
    "truncate": 0.1,
}


@pytest.fixture
async def patient(sandbox: Sandbox, waits: Waits) -> AsyncIterator[StripeGateway]:
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url, retries=0, sleep=waits) as gateway:
        for number in range(CUSTOMERS):
            await gateway.request("post", "/v1/customers", {"name": f"c{number}"})
        yield gateway


def _fail(sandbox: Sandbox, **plan: Any) -> None:
    sandbox.worlds.default.faults.configure(plan)


async def _names(gateway: StripeGateway, ahead: int) -> list[str]:
    pages = gateway.list("/v1/customers", {"limit": 5}, bulk=True, ahead=ahead)
    return [row["name"] async for page in pages for row in page.data]


@pytest.mark.parametrize("ahead", [0, 1])
async def test_a_list_is_complete_whatever_fails(sandbox: Sandbox, patient: StripeGateway, ahead: int) -> None:
    _fail(sandbox, seed=ahead, **SHARES)
    names = await _names(patient, ahead)
    assert names == [f"c{number}" for number in reversed(range(CUSTOMERS))]
    assert sum(sandbox.worlds.default.faults.counts.values()) > 5


# aiohttp itself asks once more at once when a connection closes, so of dropped connections not each is waited for.
@pytest.mark.parametrize(("fault", "least"), [(fault, 1 if fault.startswith("drop") else 3) for fault in SHARES])
async def test_each_fault_alone_is_waited_out(
    sandbox: Sandbox, patient: StripeGateway, waits: Waits, fault: str, least: int
) -> None:
    _fail(sandbox, next=[fault] * 3)
    page = await patient.page("/v1/customers", bulk=True)
    assert (len(page.data), sandbox.worlds.default.faults.counts[fault]) == (CUSTOMERS, 3)
    assert least <= len(waits.seconds) <= 3


async def test_a_page_that_comes_too_late_is_asked_for_again(sandbox: Sandbox, waits: Waits) -> None:
    _fail(sandbox, next=["slow_page; seconds=1"])
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url, timeout_seconds=0.5, sleep=waits) as gateway:
        assert (await gateway.page("/v1/customers", bulk=True)).data == []
    assert waits.seconds


async def test_test_clocks_are_listed_like_everything(sandbox: Sandbox, patient: StripeGateway) -> None:
    made = await patient.request("post", "/v1/test_helpers/test_clocks", {"frozen_time": sandbox.now})
    pages = [page.data async for page in patient.list("/v1/test_helpers/test_clocks")]
    assert [[clock["id"] for clock in page] for page in pages] == [[made.body["id"]]]


async def test_a_window_of_time_is_listed(sandbox: Sandbox, patient: StripeGateway) -> None:
    sandbox.advance_to(sandbox.now + 100)
    later = await patient.request("post", "/v1/customers", {"name": "later"})
    pages = patient.list("/v1/customers", {"created": {"gte": sandbox.now}}, bulk=True)
    assert [row["id"] async for page in pages for row in page.data] == [later.body["id"]]


async def test_what_a_list_refers_to_can_be_expanded(patient: StripeGateway) -> None:
    product = await patient.request("post", "/v1/products", {"name": "Tea"})
    await patient.request("post", "/v1/prices", {"product": product.body["id"], "currency": "jpy", "unit_amount": 500})
    page = await patient.page("/v1/prices", {"expand": ["data.product"], "active": True})
    assert [price["product"]["name"] for price in page.data] == ["Tea"]
