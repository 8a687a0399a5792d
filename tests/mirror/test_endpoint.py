"""The endpoint at Stripe is created, found again, inspected and mended; its secret is shown once."""

from typing import Any

import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror.endpoint import PATH, Mended, health, mend, survey, versions_seen
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.stripe_gateway.gateway import API_VERSION
from tests.mirror.events import customer, event

URL = "https://pay.example.com/webhooks/stripe"
OLD = "2024-06-20"


async def _wrong(gateway: StripeGateway, url: str = URL, **given: Any) -> list[str | None]:
    return [one.wrong for one in await health(gateway, url, **given)]


async def _add(gateway: StripeGateway, **params: Any) -> str:
    params = {"url": URL, "enabled_events": ["*"], "api_version": API_VERSION} | params
    return str((await gateway.request("post", PATH, params)).body["id"])


async def _there(gateway: StripeGateway) -> list[str]:
    return sorted(one["id"] for one in (await gateway.page(PATH)).data)


async def test_without_an_endpoint_one_is_made_and_its_secret_told_once(gateway: StripeGateway) -> None:
    assert await _wrong(gateway) == ["missing"]
    made = await mend(gateway, URL)
    assert made.secret is not None
    assert made.secret.get_secret_value().startswith("whsec_")
    assert "whsec_" not in repr(made)
    assert await _wrong(gateway) == [None]
    assert await mend(gateway, URL) == Mended(made.id)


async def test_what_it_makes_is_pinned_marked_and_hears_everything(gateway: StripeGateway) -> None:
    await mend(gateway, URL)
    one = (await gateway.page(PATH)).data[0]
    assert (one["api_version"], one["enabled_events"], one["metadata"]) == (
        API_VERSION,
        ["*"],
        {"payment_kit": "account"},
    )


async def test_a_deleted_endpoint_is_made_again(gateway: StripeGateway) -> None:
    first = await mend(gateway, URL)
    await gateway.request("delete", f"{PATH}/{first.id}")
    second = await mend(gateway, URL)
    assert second.id != first.id
    assert second.secret is not None
    assert await _there(gateway) == [second.id]


@pytest.mark.parametrize(
    ("params", "wrong"),
    [({"disabled": True}, "disabled"), ({"enabled_events": ["invoice.paid", "charge.succeeded"]}, "events")],
)
async def test_what_can_be_mended_is_mended_in_place(
    gateway: StripeGateway, params: dict[str, Any], wrong: str
) -> None:
    made = await mend(gateway, URL)
    await gateway.request("post", f"{PATH}/{made.id}", params)
    assert await _wrong(gateway) == [wrong]
    mended = await mend(gateway, URL)
    assert (mended.id, mended.secret, len(mended.done)) == (made.id, None, 1)
    assert await _wrong(gateway) == [None]


async def test_one_of_another_version_gets_a_new_one_beside_it_and_goes_when_told(gateway: StripeGateway) -> None:
    old = await _add(gateway, api_version=OLD)
    assert await _wrong(gateway) == ["version"]
    made = await mend(gateway, URL, replace=True)
    assert made.secret is not None
    assert (made.left, await _there(gateway)) == ((old,), sorted([old, made.id]))
    assert await _wrong(gateway) == ["several", "version"]
    assert (await mend(gateway, URL)).left == (old,)
    assert (await mend(gateway, URL, replace=True)).done == (f"{old} was deleted.",)
    assert await _there(gateway) == [made.id]


async def test_the_endpoint_of_connected_accounts_is_another_one(gateway: StripeGateway) -> None:
    account = await mend(gateway, URL)
    assert await _wrong(gateway, connect=True) == ["missing"]
    connect = await mend(gateway, URL, connect=True)
    assert await _there(gateway) == sorted([account.id, connect.id])
    assert [await _wrong(gateway), await _wrong(gateway, connect=True)] == [[None], [None]]
    assert [one.wrong for one in await survey(gateway)] == [None, None]


@pytest.mark.parametrize("url", ["http://pay.example.com/x", "ftp://x", "https://", "pay", "https://u:p@x.com/"])
async def test_a_url_that_will_not_do_is_refused(gateway: StripeGateway, url: str) -> None:
    with pytest.raises(UsageProblem, match="SETTING_INVALID"):
        await mend(gateway, url)


async def test_the_health_of_a_public_http_url_says_so(gateway: StripeGateway) -> None:
    assert await _wrong(gateway, "http://pay.example.com/x") == ["insecure", "missing"]
    assert await _wrong(gateway, "http://localhost:8081/x") == ["missing"]


async def test_the_survey_sees_every_endpoint(gateway: StripeGateway) -> None:
    assert [one.wrong for one in await survey(gateway)] == ["missing"]
    await _add(gateway, api_version=OLD)
    await _add(gateway, url="https://other.example.com", enabled_events=["invoice.paid"])
    await mend(gateway, URL)
    await _add(gateway)
    assert sorted(str(one.wrong) for one in await survey(gateway)) == ["None", "None", "events", "several", "version"]


async def test_versions_of_the_last_day_are_counted(pool: Pool) -> None:
    async with pool.connection() as connection:
        row = await (await connection.execute("select extract(epoch from now())::bigint")).fetchone()
    now = row[0] if row else 0
    box = Inbox(pool, "acct_1")
    for number, (version, age) in enumerate([(API_VERSION, 0), (OLD, 60), (OLD, 120), (OLD, 90_000), (None, 0)]):
        one = event(customer(), id=f"e{number}", created=now - age, api_version=version)
        await box.store(envelope(orjson.dumps(one)), "webhook")
    assert await versions_seen(pool, "acct_1") == {API_VERSION: 1, OLD: 2, "none": 1}
    assert await versions_seen(pool, "acct_2") == {}
