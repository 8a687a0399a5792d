"""The gateway over real HTTP, against a small server that answers as it is told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from payment_kit.errors import Broken, Busy, Unavailable
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.stripe_gateway.gateway import API_VERSION, RATE_LIMIT_RETRIES

KEY = SecretStr("sk_test_gateway")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers each request with the next of `answers`, the last one for ever, and keeps what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []
        self.asked: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


@pytest.fixture
async def server(unused_tcp_port: int) -> AsyncIterator[Server]:
    server = Server(f"http://127.0.0.1:{unused_tcp_port}")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    yield server
    await runner.cleanup()


@pytest.fixture
async def gateway(server: Server) -> AsyncIterator[StripeGateway]:
    async with StripeGateway(KEY, base=server.url, retries=0, timeout_seconds=60, sleep=_no_wait) as gateway:
        yield gateway


async def _no_wait(_seconds: float) -> None:
    return None


def _json(body: object, status: int = 200, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


async def test_every_request_asks_for_the_pinned_version(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({})]
    await gateway.request("get", "/v1/account")
    assert server.asked[0].headers["Stripe-Version"] == API_VERSION


async def test_a_write_carries_the_callers_idempotency_key(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({})]
    await gateway.request("post", "/v1/customers", {"name": "x"}, idempotency_key="key-1")
    assert server.asked[0].headers["Idempotency-Key"] == "key-1"


async def test_a_connected_account_is_named_in_the_header(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({})]
    await gateway.request("get", "/v1/customers", account="acct_2")
    assert server.asked[0].headers["Stripe-Account"] == "acct_2"


async def test_no_telemetry_leaves_the_machine(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({})]
    await gateway.request("get", "/v1/a")
    await gateway.request("get", "/v1/b")
    assert "X-Stripe-Client-Telemetry" not in server.asked[1].headers


async def test_the_order_time_is_stripes_clock_before_the_request(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({}, Date="Wed, 01 Jul 2026 00:00:10 GMT")]
    reply = await gateway.request("get", "/v1/account")
    assert reply.server_time == 1782864009


async def test_an_answer_stripe_only_repeats_has_no_time(server: Server, gateway: StripeGateway) -> None:
    headers: dict[str, Any] = {"Date": "Wed, 01 Jul 2026 00:00:10 GMT", "Idempotent-Replayed": "true"}
    server.answers = [_json({}, **headers)]
    reply = await gateway.request("post", "/v1/customers", idempotency_key="key-1")
    assert (reply.replayed, reply.server_time) == (True, 0)


async def test_a_body_with_a_nul_is_readable(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({"name": "a\0b"})]
    assert (await gateway.request("get", "/v1/x")).body == {"name": "a\ufffdb"}


async def test_a_list_is_read_to_its_end(server: Server, gateway: StripeGateway) -> None:
    server.answers = [
        _json({"data": [{"id": "a"}, {"id": "b"}], "has_more": True}),
        _json({"data": [{"id": "c"}], "has_more": False}),
    ]
    pages = [[row["id"] for row in page.data] async for page in gateway.list("/v1/charges", {"customer": "cus_1"})]
    assert pages == [["a", "b"], ["c"]]
    assert dict(server.asked[1].query) == {"limit": "100", "customer": "cus_1", "starting_after": "b"}


async def test_a_rate_limited_read_is_repeated(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({"error": {"code": "rate_limit"}}, 429), _json({"ok": 1})]
    assert (await gateway.request("get", "/v1/x")).body == {"ok": 1}


async def test_a_rate_limited_read_gives_up_after_a_bound(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({"error": {"code": "rate_limit"}}, 429)]
    with pytest.raises(Busy):
        await gateway.request("get", "/v1/x")
    assert len(server.asked) == RATE_LIMIT_RETRIES + 1


async def test_a_rate_limited_write_is_the_callers_to_repeat(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({"error": {"code": "rate_limit"}}, 429)]
    with pytest.raises(Busy):
        await gateway.request("post", "/v1/x")
    assert len(server.asked) == 1


async def test_a_server_error_is_retried_with_the_same_key(server: Server) -> None:
    server.answers = [_json({"error": {}}, 500), _json({"ok": 1})]
    async with StripeGateway(KEY, base=server.url, retries=1) as gateway:
        await gateway.request("post", "/v1/x", idempotency_key="k")
    assert [request.headers["Idempotency-Key"] for request in server.asked] == ["k", "k"]


@pytest.mark.parametrize(("method", "reason"), [("get", "STRIPE_UNREACHABLE"), ("post", "STRIPE_OUTCOME_UNKNOWN")])
async def test_an_answer_that_breaks_off_is_no_answer(
    server: Server, gateway: StripeGateway, method: Any, reason: str
) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return response

    server.answers = [broken]
    with pytest.raises(Unavailable) as caught:
        await gateway.request(method, "/v1/x")
    assert caught.value.reason == reason


async def test_an_answer_that_is_no_json_is_no_answer_and_not_shown(server: Server, gateway: StripeGateway) -> None:
    async def html(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>private</html>")

    server.answers = [html]
    with pytest.raises(Unavailable) as caught:
        await gateway.request("get", "/v1/x")
    assert "private" not in str(caught.value)


async def test_a_wrong_key_says_so(server: Server, gateway: StripeGateway) -> None:
    server.answers = [_json({"error": {"type": "invalid_request_error"}}, 401)]
    with pytest.raises(Broken) as caught:
        await gateway.request("get", "/v1/account")
    assert caught.value.reason == "STRIPE_KEY_REFUSED"


async def test_nobody_listening_is_one_sentence(unused_tcp_port: int) -> None:
    async with StripeGateway(KEY, base=f"http://127.0.0.1:{unused_tcp_port}", retries=0) as gateway:
        with pytest.raises(Unavailable) as caught:
            await gateway.request("get", "/v1/account")
    assert caught.value.reason == "STRIPE_UNREACHABLE"
