"""The live page in a real browser, and what the server says with it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from payment_kit.sandbox import Sandbox
from tests.sandbox.page.browser import Page, browsing
from tests.sandbox.receiver import Receiver, flush, register
from tests.sandbox.wire import ask, control, pay

DAY = 86_400


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browsing(tmp_path) as one:
        yield one


async def shown(page: Page, table: str) -> str:
    """The text of a table."""
    return str(await page.value(f"document.getElementById({table!r}).textContent"))


async def stats(sandbox: Sandbox) -> dict[str, Any]:
    return (await ask(sandbox, "GET", "/_sandbox/stats")).body


async def test_people_see_the_account_and_move_it_from_the_page(sandbox: Sandbox, page: Page) -> None:
    receiver = Receiver()
    async with receiver.listening():
        endpoint = await register(sandbox, receiver.url, "customer.created")
        await ask(sandbox, "POST", "/v1/customers", {"name": "<b id=injected>Ada</b>"})
        await pay(sandbox, 12_340, "kwd", card="bypassPending")
        await pay(sandbox, 5000, "jpy")
        await flush(sandbox)
        await page.open(f"{sandbox.url}/_sandbox/#key={sandbox.api_key}")
        await page.until("document.getElementById('account').textContent !== ''")

        assert await page.value("location.hash") == "", "the key does not stay in the address"
        assert "<b id=injected>Ada</b>" in await shown(page, "customers")
        assert await page.value("document.getElementById('injected')") is None
        assert "12.340 KWD" in await shown(page, "payments")
        assert "5,000 JPY" in await shown(page, "payments")

        start = sandbox.now
        await page.click("[data-do=day]")
        await page.until("document.getElementById('now').textContent.startsWith('2026-07-02')")
        assert sandbox.now == start + DAY
        await page.click("[data-do=month]")
        await page.until("document.getElementById('now').textContent.startsWith('2026-08-02')")

        await page.click("[data-do=fail]")
        await page.until("document.getElementById('planned').textContent.includes('generic_decline')")
        assert (await pay(sandbox))["error"]["decline_code"] == "generic_decline"
        await page.until("document.getElementById('planned').textContent === ''")

        await page.value("document.getElementById('recipe').value = 'customer.created'")
        await page.click("[data-do=trigger]")
        await page.until("document.getElementById('customers').textContent.includes('Jenny Rosen')")

        await flush(sandbox)
        before = len(receiver.got)
        await page.until("document.querySelectorAll('#deliveries button').length === 2")
        await page.click("#deliveries button")
        await page.until("document.querySelector('#deliveries tbody td.number').textContent === '2'")
        assert len(receiver.ids(endpoint["secret"])) == before + 1

        await page.value("document.querySelector('[name=drop]').value = 25")
        await page.click("#plan button")
        await page.until("state.plan.drop === 0.25")
        assert sandbox.delivery.plan.drop == 0.25

    assert await page.nameless() == []
    assert page.errors == []
    assert [url for url in page.urls if not url.startswith((sandbox.url, "data:"))] == []


async def test_focus_stays_where_it_is_while_the_page_renews_itself(sandbox: Sandbox, page: Page) -> None:
    await ask(sandbox, "POST", "/v1/customers", {"name": "Ada"})
    await page.open(f"{sandbox.url}/_sandbox/#key={sandbox.api_key}")
    await page.until("document.querySelector('#customers button') !== null")
    await page.value("document.querySelector('#customers button').focus()")
    await ask(sandbox, "POST", "/v1/customers", {"name": "Eva"})
    await page.until("document.getElementById('customers').textContent.includes('Eva')")
    assert "Ada" in await page.value("document.activeElement.getAttribute('aria-label')")


async def test_without_the_right_key_the_page_asks_for_it_and_says_why(sandbox: Sandbox, page: Page) -> None:
    await page.open(f"{sandbox.url}/_sandbox/#key=sk_test_wrong")
    await page.until("!document.getElementById('gate').hidden")
    assert "Invalid API Key" in await page.value("document.getElementById('message').textContent")
    await page.value(f"document.getElementById('key').value = {sandbox.api_key!r}")
    await page.click("#gate button")
    await page.until("!document.getElementById('page').hidden")
    assert await page.nameless() == []


async def test_the_page_needs_no_key_and_holds_none(sandbox: Sandbox) -> None:
    answer = await ask(sandbox, "GET", "/_sandbox/", headers={"Authorization": ""})
    assert (answer.status, sandbox.api_key.encode() in answer.raw) == (200, False)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert b"http" not in answer.raw.replace(b"application/x-www", b"")


async def test_other_sites_may_not_read_the_control_api(sandbox: Sandbox) -> None:
    answer = await ask(sandbox, "GET", "/_sandbox/stats")
    assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET", "Authorization": ""}
    assert (await ask(sandbox, "OPTIONS", "/_sandbox/stats", headers=asked)).status == 401


async def test_the_overview_is_bounded_and_shows_nothing_private(sandbox: Sandbox) -> None:
    for number in range(30):
        await ask(sandbox, "POST", "/v1/customers", {"name": str(number)})
    await control(sandbox, "payments/fail_next")
    found = (await ask(sandbox, "GET", "/_sandbox/overview")).body
    assert [row["name"] for row in found["customers"]] == [str(number) for number in range(29, 4, -1)]
    assert found["fail_next"] == [{"customer": None, "decline": "generic_decline", "count": 1}]
    assert "whsec_" not in str(found)


async def test_the_overview_is_there_after_a_subscription_was_taken_back(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {"payment_method": "pm_card_visa"})).body["id"]
    method = next(sandbox.store.rows("payment_method"))["id"]
    product = (await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})).body["id"]
    price = {"product": product, "currency": "usd", "unit_amount": "500", "recurring[interval]": "month"}
    price = (await ask(sandbox, "POST", "/v1/prices", price)).body["id"]
    asked = {"customer": customer, "default_payment_method": method, "items[0][price]": price}
    await pay(sandbox)  # falls due before the renewal would have
    fault = {"Sandbox-Fault": "error_during"}
    assert (await ask(sandbox, "POST", "/v1/subscriptions", asked, headers=fault)).status == 500
    found = await ask(sandbox, "GET", "/_sandbox/overview")
    assert (found.status, found.body["next_renewal"]) == (200, None)
