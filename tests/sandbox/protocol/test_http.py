"""What HTTP itself asks of the door: methods, headers, errors whole, and many worlds over one port."""

import asyncio
from typing import Any

import orjson
import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.protocol.visitor import ask
from tests.sandbox.receiver import Receiver
from tests.sandbox.wire import ask as over_http


def test_a_browser_may_ask_before_it_calls_the_api_and_read_the_answer() -> None:
    sandbox = Sandbox()
    asked = ask(sandbox, "OPTIONS", "/v1/payment_methods", authorization="")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, "*")
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    assert ask(sandbox, "GET", "/v1/balance").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in ask(sandbox, "GET", "/_sandbox/stats").headers


def test_head_is_get_without_the_body() -> None:
    sandbox = Sandbox()
    head, get = ask(sandbox, "HEAD", "/v1/balance"), ask(sandbox, "GET", "/v1/balance")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"address[planet]": "x"}, "address[planet]"),
        ({"invoice_settings[custom_fields][0][colour]": "x"}, "invoice_settings[custom_fields][0][colour]"),
        ({"shipping[address][planet]": "x"}, "shipping[address][planet]"),
        ({"expand[0][x]": "y"}, "expand[0]"),
    ],
)
def test_an_unknown_parameter_is_named_with_its_whole_path(data: dict[str, str], param: str) -> None:
    answer = ask(Sandbox(), "POST", "/v1/customers", data)
    assert (answer.status, answer.body["error"]["param"]) == (400, param)


def test_an_error_tells_its_type_code_documents_and_request() -> None:
    sandbox = Sandbox()
    answer = ask(sandbox, "GET", "/v1/customers/cus_nobody")
    request = answer.headers["request-id"]
    assert answer.body["error"] == {
        "message": "No such customer: 'cus_nobody'",
        "type": "invalid_request_error",
        "code": "resource_missing",
        "doc_url": "https://docs.stripe.com/error-codes/resource-missing",
        "param": "id",
        "request_log_url": f"https://dashboard.stripe.com/{sandbox.account_id}/test/workbench/logs?object={request}",
    }


def test_a_path_with_an_empty_id_is_not_taken_for_the_list() -> None:
    answer = ask(Sandbox(), "GET", "/v1/customers/")
    assert answer.status == 404
    assert "remove the trailing slash" in answer.body["error"]["message"]


async def test_worlds_are_served_and_delivered_to_side_by_side(sandbox: Sandbox) -> None:
    receivers = [Receiver() for _ in range(4)]

    async def played(number: int) -> Any:
        bearer = {"Authorization": f"Bearer sk_test_sandbox_worker{number}"}
        async with receivers[number].listening():
            hook = {"url": receivers[number].url, "enabled_events[]": "customer.created"}
            secret = (await over_http(sandbox, "POST", "/v1/webhook_endpoints", hook, headers=bearer)).body["secret"]
            for _ in range(5):
                await over_http(sandbox, "POST", "/v1/customers", {"name": str(number)}, headers=bearer)
            done = await over_http(
                sandbox, "POST", "/_sandbox/delivery/flush", orjson.dumps({"timeout_seconds": 30}), headers=bearer
            )
            assert done.body["flushed"] is True
            return len(set(receivers[number].ids(secret)))

    assert await asyncio.gather(*(played(number) for number in range(4))) == [5] * 4


async def test_a_connected_accounts_event_is_delivered_with_its_account(sandbox: Sandbox) -> None:
    receiver = Receiver()
    async with receiver.listening():
        hook = {"url": receiver.url, "enabled_events[]": "customer.created", "connect": "true"}
        await over_http(sandbox, "POST", "/v1/webhook_endpoints", hook)
        account = (await over_http(sandbox, "POST", "/v1/accounts", {"type": "custom"})).body["id"]
        await over_http(sandbox, "POST", "/v1/customers", {}, headers={"Stripe-Account": account})
        await over_http(sandbox, "POST", "/v1/customers", {})
        done = await over_http(sandbox, "POST", "/_sandbox/delivery/flush", b'{"timeout_seconds": 30}')
        assert done.body["flushed"] is True
    assert [orjson.loads(body)["account"] for body, _ in receiver.got] == [account]


async def test_a_webhook_comes_in_the_version_of_its_endpoint(sandbox: Sandbox) -> None:
    receiver = Receiver()
    async with receiver.listening():
        hook = {"url": receiver.url, "enabled_events[]": "product.created", "api_version": "2023-10-16"}
        await over_http(sandbox, "POST", "/v1/webhook_endpoints", hook)
        await over_http(sandbox, "POST", "/v1/products", {"name": "Tea"})
        await over_http(sandbox, "POST", "/_sandbox/delivery/flush", b'{"timeout_seconds": 30}')
    ((body, _),) = receiver.got
    event = orjson.loads(body)
    assert (event["api_version"], event["data"]["object"]["features"]) == ("2023-10-16", [])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("rebound.evil.com", 403),
        ("rebound.evil.com.:80", 403),
        ("[", 403),
        ("localhost:12111", 200),
        ("127.0.0.1", 200),
        ("[::1]:12111", 200),
        ("sandbox:12111", 200),
        ("host.docker.internal:12111", 200),
    ],
)
async def test_the_control_api_is_not_there_under_a_name_of_the_public_dns(
    sandbox: Sandbox, host: str, status: int
) -> None:
    for path in ("/_sandbox/stats", "/_sandbox/"):
        answer = await over_http(sandbox, "GET", path, headers={"Host": host})
        assert answer.status == status, answer.body


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.com", 403),
        ("https://203.0.113.7.evil.com", 403),
        ("https://8.8.8.8", 403),
        ("null", 403),
        ("http://localhost:3000", 200),
        ("http://shop.test", 200),
        ("http://192.168.1.5:8080", 200),
    ],
)
def test_a_page_of_the_public_web_may_bring_a_publishable_key_only(origin: str, status: int) -> None:
    sandbox = Sandbox()
    assert ask(sandbox, "GET", "/v1/balance", origin=origin).status == status
    assert ask(sandbox, "POST", "/_sandbox/reset", b"{}", origin=origin).status == status
    intent = ask(sandbox, "POST", "/v1/payment_intents", {"amount": "1000", "currency": "usd"}).body
    asked = {"client_secret": intent["client_secret"]}
    path = f"/v1/payment_intents/{intent['id']}"
    assert ask(sandbox, "GET", path, asked, sandbox.publishable_key, origin=origin).status == 200
