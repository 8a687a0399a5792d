"""What every request has in common, and what a write is, over real HTTP."""

from typing import Any

import pytest

from payment_kit.errors import Broken, Busy, Unavailable
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.stripe_gateway.gateway import API_VERSION, Method

from .answering import Server, breaks_off, html, json, limited
from .conftest import KEY

BOTH = pytest.mark.parametrize("method", ["get", "post"])


@BOTH
async def test_every_request_asks_for_the_pinned_version(
    server: Server, gateway: StripeGateway, method: Method
) -> None:
    server.answers = [json({})]
    await gateway.request(method, "/v1/account")
    assert server.asked[0].headers["Stripe-Version"] == API_VERSION


@BOTH
async def test_every_request_carries_the_key(server: Server, gateway: StripeGateway, method: Method) -> None:
    server.answers = [json({})]
    await gateway.request(method, "/v1/account")
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY.get_secret_value()}"


@BOTH
async def test_a_connected_account_is_named_in_the_header(
    server: Server, gateway: StripeGateway, method: Method
) -> None:
    server.answers = [json({})]
    await gateway.request(method, "/v1/customers", account="acct_2")
    assert server.asked[0].headers["Stripe-Account"] == "acct_2"


@BOTH
async def test_no_telemetry_leaves_the_machine(server: Server, gateway: StripeGateway, method: Method) -> None:
    server.answers = [json({})]
    await gateway.request(method, "/v1/a")
    await gateway.request(method, "/v1/b")
    assert "X-Stripe-Client-Telemetry" not in server.asked[1].headers


@BOTH
async def test_the_order_time_is_stripes_clock_before_the_request(
    server: Server, gateway: StripeGateway, method: Method
) -> None:
    server.answers = [json({}, Date="Wed, 01 Jul 2026 00:00:10 GMT")]
    reply = await gateway.request(method, "/v1/account")
    assert reply.server_time == 1782864009


@BOTH
async def test_a_body_with_a_nul_is_readable(server: Server, gateway: StripeGateway, method: Method) -> None:
    server.answers = [json({"name": "a\0b"})]
    assert (await gateway.request(method, "/v1/x")).body == {"name": "a\ufffdb"}


@pytest.mark.parametrize(("method", "reason"), [("get", "STRIPE_UNREACHABLE"), ("post", "STRIPE_OUTCOME_UNKNOWN")])
async def test_an_answer_that_breaks_off_is_no_answer(
    server: Server, gateway: StripeGateway, method: Any, reason: str
) -> None:
    server.answers = [breaks_off]
    with pytest.raises(Unavailable) as caught:
        await gateway.request(method, "/v1/x")
    assert caught.value.reason == reason


@BOTH
async def test_an_answer_that_is_no_json_is_no_answer_and_not_shown(
    server: Server, gateway: StripeGateway, method: Method
) -> None:
    server.answers = [html]
    with pytest.raises(Unavailable) as caught:
        await gateway.request(method, "/v1/x")
    assert "private" not in str(caught.value)


@BOTH
async def test_a_wrong_key_says_so(server: Server, gateway: StripeGateway, method: Method) -> None:
    server.answers = [json({"error": {"type": "invalid_request_error"}}, 401)]
    with pytest.raises(Broken) as caught:
        await gateway.request(method, "/v1/account")
    assert caught.value.reason == "STRIPE_KEY_REFUSED"


@BOTH
async def test_nobody_listening_is_one_sentence(unused_tcp_port: int, method: Method) -> None:
    async with StripeGateway(KEY, base=f"http://127.0.0.1:{unused_tcp_port}", retries=0) as gateway:
        with pytest.raises(Unavailable):
            await gateway.request(method, "/v1/account")


async def test_a_write_carries_the_callers_idempotency_key(server: Server, gateway: StripeGateway) -> None:
    server.answers = [json({})]
    await gateway.request("post", "/v1/customers", {"name": "x"}, idempotency_key="key-1")
    assert server.asked[0].headers["Idempotency-Key"] == "key-1"


async def test_an_answer_stripe_only_repeats_has_no_time(server: Server, gateway: StripeGateway) -> None:
    headers: dict[str, Any] = {"Date": "Wed, 01 Jul 2026 00:00:10 GMT", "Idempotent-Replayed": "true"}
    server.answers = [json({}, **headers)]
    reply = await gateway.request("post", "/v1/customers", idempotency_key="key-1")
    assert (reply.replayed, reply.server_time) == (True, 0)


async def test_a_rate_limited_write_is_the_callers_to_repeat(server: Server, gateway: StripeGateway) -> None:
    server.answers = [limited()]
    with pytest.raises(Busy):
        await gateway.request("post", "/v1/x")
    assert len(server.asked) == 1


async def test_a_server_error_is_retried_with_the_same_key(server: Server) -> None:
    server.answers = [json({"error": {}}, 500), json({"ok": 1})]
    async with StripeGateway(KEY, base=server.url, retries=1) as gateway:
        await gateway.request("post", "/v1/x", idempotency_key="k")
    assert [request.headers["Idempotency-Key"] for request in server.asked] == ["k", "k"]
