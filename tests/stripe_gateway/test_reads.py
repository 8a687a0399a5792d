"""Reads: every failure is the right problem, what may pass is repeated, and lists are read to their end."""

import asyncio
import contextlib
from typing import Any

import pytest
import stripe
from aiohttp import web

from payment_kit import errors
from payment_kit.stripe_gateway import StripeGateway, reader
from payment_kit.stripe_gateway.gateway import READ_AHEAD
from payment_kit.stripe_gateway.patience import BUSY_REPEATS_MAX, REPEATS_MAX

from .answering import Answer, Server, Waits, breaks_off, drops, html, json, limited, named
from .conftest import KEY

PASSING = [
    pytest.param(limited(), id="429"),
    pytest.param(json({"error": {"code": "lock_timeout"}}, 429), id="lock"),
    pytest.param(json({"error": {}}, 409), id="409"),
    pytest.param(json({"error": {}}, 500), id="500"),
    pytest.param(json([], 503), id="503"),
    pytest.param(breaks_off, id="broken off"),
    pytest.param(drops, id="dropped"),
    pytest.param(html, id="no JSON"),
    pytest.param(json([1]), id="no object"),
]


@pytest.mark.parametrize(
    ("status", "details", "kind", "reason"),
    [
        (400, {"param": "limit"}, errors.UsageProblem, "STRIPE_REFUSED_PARAMETER"),
        (401, {}, errors.Broken, "STRIPE_KEY_REFUSED"),
        (402, {"code": "card_declined"}, errors.Declined, "CARD_DECLINED"),
        (403, {}, errors.Refused, "STRIPE_PERMISSION_DENIED"),
        (404, {"code": "resource_missing"}, errors.NotFound, "RESOURCE_NOT_FOUND"),
        (409, {}, errors.Conflict, "STRIPE_BUSY"),
        (429, {"code": "rate_limit"}, errors.Busy, "STRIPE_RATE_LIMITED"),
        (429, {"code": "lock_timeout"}, errors.Conflict, "STRIPE_BUSY"),
        (302, {}, errors.Unavailable, "STRIPE_UNREACHABLE"),
        (500, {}, errors.Unavailable, "STRIPE_UNREACHABLE"),
        (503, {}, errors.Unavailable, "STRIPE_UNREACHABLE"),
    ],
)
async def test_a_refused_read_is_the_problem_of_the_table(
    server: Server, gateway: StripeGateway, status: int, details: dict[str, Any], kind: type, reason: str
) -> None:
    hints = {"Location": "/v1/y", "Request-Id": "req_1"}
    server.answers = [json({"error": details}, status, **hints)]
    with pytest.raises(errors.Problem) as caught:
        await gateway.request("get", "/v1/x", patience_seconds=0)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert caught.value.metadata["stripe_request_id"] == "req_1"
    assert len(server.asked) == 1


@pytest.mark.parametrize("failure", PASSING)
async def test_what_may_pass_is_repeated_until_it_has(server: Server, gateway: StripeGateway, failure: Answer) -> None:
    server.answers = [failure, failure, json({"ok": 1})]
    assert (await gateway.request("get", "/v1/x", bulk=True)).body == {"ok": 1}


@pytest.mark.parametrize("failure", PASSING)
async def test_patience_ends(server: Server, gateway: StripeGateway, waits: Waits, failure: Answer) -> None:
    server.answers = [failure]
    with pytest.raises(errors.Problem):
        await gateway.request("get", "/v1/x", patience_seconds=120)
    assert 100 < sum(waits.seconds) <= 120


async def test_minutes_of_failure_are_waited_out_by_bulk_reads(
    server: Server, gateway: StripeGateway, waits: Waits
) -> None:
    failures = [limited(), json({"error": {}}, 500), drops] * 20
    server.answers = [*failures, json({"ok": 1})]
    assert (await gateway.request("get", "/v1/x", bulk=True)).body == {"ok": 1}
    assert sum(waits.seconds) > 180


async def test_a_live_read_is_repeated_as_often_as_the_setting_says(server: Server, waits: Waits) -> None:
    server.answers = [json({}, 500)]
    async with StripeGateway(KEY, base=server.url, retries=2, sleep=waits) as gateway:
        with pytest.raises(errors.Unavailable):
            await gateway.request("get", "/v1/x")
    assert len(server.asked) == 3


async def test_a_rate_limited_live_read_gives_up_after_a_bound(server: Server, gateway: StripeGateway) -> None:
    server.answers = [limited()]
    with pytest.raises(errors.Busy):
        await gateway.request("get", "/v1/x")
    assert len(server.asked) == BUSY_REPEATS_MAX + 1


async def test_tries_are_bounded_whatever_the_patience(server: Server, gateway: StripeGateway) -> None:
    server.answers = [limited()]
    with pytest.raises(errors.Busy):
        await gateway.request("get", "/v1/x", patience_seconds=10**9)
    assert len(server.asked) == REPEATS_MAX + 1


async def test_an_answer_that_does_not_come_is_no_answer(server: Server) -> None:
    go_on = asyncio.Event()

    async def hangs(_request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response()

    server.answers = [hangs]
    async with StripeGateway(KEY, base=server.url, retries=0, timeout_seconds=0.1) as gateway:
        with pytest.raises(errors.Unavailable):
            await gateway.request("get", "/v1/x")
    go_on.set()


async def test_a_redirect_takes_the_key_nowhere(server: Server, gateway: StripeGateway) -> None:
    server.answers = [json({}, 302, Location="/v1/elsewhere"), json({})]
    with pytest.raises(errors.Unavailable):
        await gateway.request("get", "/v1/x")
    assert [request.path for request in server.asked] == ["/v1/x"]


async def test_an_answer_over_the_bound_is_not_read(
    server: Server, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BODY_BYTES_MAX", 1000)
    server.answers = [json({"name": "x" * 1000})]
    with pytest.raises(errors.Unavailable):
        await gateway.request("get", "/v1/x")


@pytest.mark.parametrize("path", ["@elsewhere/v1/x", "//elsewhere/v1/x", "v1/x"])
async def test_a_path_never_changes_the_host(gateway: StripeGateway, path: str) -> None:
    with pytest.raises(ValueError, match="slash"):
        await gateway.request("get", path)


async def test_parameters_arrive_as_the_sdk_sends_them(server: Server, gateway: StripeGateway) -> None:
    params = {"created": {"gte": 1, "lt": 2}, "expand": ["data.source"], "active": True, "email": "a+b&c@x.de"}
    server.answers = [json({})]
    http = stripe.AIOHTTPClient()
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": server.url}, http_client=http)
    await client.raw_request_async("get", "/v1/x", **params)
    await http.close_async()  # type: ignore[no-untyped-call]
    await gateway.request("get", "/v1/x", params)
    assert server.asked[0].raw_path == server.asked[1].raw_path


async def test_a_list_is_read_to_its_end(server: Server, gateway: StripeGateway) -> None:
    server.answers = [named(ids="ab", has_more=True), named(ids="c")]
    window = {"created": {"gte": 5}, "expand": ["data.customer"]}
    pages = [[row["id"] for row in page.data] async for page in gateway.list("/v1/charges", window)]
    assert pages == [["a", "b"], ["c"]]
    assert dict(server.asked[1].query) == {
        "limit": "100",
        "created[gte]": "5",
        "expand[0]": "data.customer",
        "starting_after": "b",
    }


async def test_a_list_that_is_none_is_no_answer(server: Server, gateway: StripeGateway) -> None:
    server.answers = [json({"ok": True})]
    with pytest.raises(errors.Unavailable):
        await gateway.page("/v1/charges")


async def test_the_next_page_is_read_while_the_caller_has_this_one(server: Server, gateway: StripeGateway) -> None:
    asked = asyncio.Event()

    async def second(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await named(ids="b")(request)

    server.answers = [named(ids="a", has_more=True), second]
    pages = gateway.list("/v1/charges", ahead=1)
    await anext(pages)
    async with asyncio.timeout(30):
        await asked.wait()
    assert [row["id"] async for page in pages for row in page.data] == ["b"]


async def test_leaving_a_list_ends_the_read_ahead(server: Server, gateway: StripeGateway) -> None:
    server.answers = [named(ids="a", has_more=True), limited()]
    async with contextlib.aclosing(gateway.list("/v1/charges", ahead=1)) as pages:
        await anext(pages)
        (ahead,) = (task for task in asyncio.all_tasks() if task.get_name() == READ_AHEAD)
    assert ahead.cancelled()


async def test_a_page_read_ahead_that_fails_fails_the_list(server: Server, gateway: StripeGateway) -> None:
    server.answers = [named(ids="a", has_more=True), json({"error": {}}, 500)]
    pages = gateway.list("/v1/charges", ahead=1)
    await anext(pages)
    with pytest.raises(errors.Unavailable):
        await anext(pages)
