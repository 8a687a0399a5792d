"""Faults on demand: by header, one after the other, by a seeded plan; and what idempotency makes of them."""

import asyncio
import time
from collections import Counter

import aiohttp
import pytest
import stripe

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.faults import Dropped, Faults
from payment_kit.sandbox.rates import Rates
from tests.sandbox.protocol.visitor import Answer, ask, control, send
from tests.sandbox.wire import ask as over_http

PATH = "/v1/customers"


def _asked(sandbox: Sandbox, fault: str, key: str | None = None) -> Answer:
    headers = {"sandbox_fault": fault} | ({"idempotency_key": key} if key else {})
    return ask(sandbox, "POST", PATH, {"name": "Ada"}, None, **headers)


def _customers(sandbox: Sandbox) -> int:
    return len(ask(sandbox, "GET", PATH).body["data"])


@pytest.mark.parametrize(
    ("fault", "status", "code", "left"),
    [
        ("rate_limit", 429, "rate_limit", 0),
        ("lock_timeout", 429, "lock_timeout", 0),
        ("conflict", 409, None, 0),
        ("error_before", 500, None, 0),
        ("error_during", 500, None, 0),
        ("error_after", 500, None, 1),
    ],
)
def test_a_fault_answers_as_stripe_and_does_or_does_not_the_work(
    fault: str, status: int, code: str | None, left: int
) -> None:
    sandbox = Sandbox()
    answer = _asked(sandbox, fault)
    assert (answer.status, answer.body["error"].get("code")) == (status, code)
    assert _customers(sandbox) == left
    assert control(sandbox, "stats")["faults"][fault] == 1


def test_a_rate_limit_carries_the_hints_it_is_given() -> None:
    headers = _asked(Sandbox(), "rate_limit; retry_after=2; reason=endpoint-rate; should_retry=true").headers
    assert (headers["retry-after"], headers["stripe-rate-limited-reason"]) == ("2", "endpoint-rate")
    assert headers["stripe-should-retry"] == "true"
    assert "retry-after" not in _asked(Sandbox(), "rate_limit").headers


def test_the_same_key_after_a_fault_does_what_stripe_does() -> None:
    sandbox = Sandbox()
    assert _asked(sandbox, "error_before", "a").status == 500
    assert _asked(sandbox, "slow; seconds=0", "a").status == 200
    lost = _asked(sandbox, "error_after", "b")
    found = ask(sandbox, "POST", PATH, {"name": "Ada"}, idempotency_key="b")
    assert (lost.status, found.status, found.headers["idempotent-replayed"]) == (500, 200, "true")
    kept = _asked(sandbox, "error_during", "c")
    again = ask(sandbox, "POST", PATH, {"name": "Ada"}, idempotency_key="c")
    assert (kept.status, again.status, again.headers["idempotent-replayed"]) == (500, 500, "true")
    assert again.headers["original-request"] == kept.headers["request-id"]
    assert _customers(sandbox) == 2


@pytest.mark.parametrize(("fault", "left"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_raises_in_process(fault: str, left: int) -> None:
    sandbox = Sandbox()
    with pytest.raises(Dropped):
        _asked(sandbox, fault)
    assert _customers(sandbox) == left


@pytest.mark.parametrize(("fault", "left"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_closes_over_http_and_the_server_lives_on(
    sandbox: Sandbox, fault: str, left: int
) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await over_http(sandbox, "POST", PATH, {"name": "Ada"}, headers={"Sandbox-Fault": fault})
    assert len((await over_http(sandbox, "GET", PATH)).body["data"]) == left


async def test_a_truncated_body_ends_early_and_the_server_lives_on(sandbox: Sandbox) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await over_http(sandbox, "POST", PATH, {"name": "Ada"}, headers={"Sandbox-Fault": "truncate"})
    assert len((await over_http(sandbox, "GET", PATH)).body["data"]) == 1


async def test_the_sdks_retry_of_a_lost_answer_makes_one_object(sandbox: Sandbox) -> None:
    await over_http(sandbox, "POST", "/_sandbox/faults", b'{"next": ["error_after", "drop_after"]}')
    http = stripe.AIOHTTPClient()
    client = stripe.StripeClient(
        sandbox.api_key, base_addresses={"api": sandbox.url}, http_client=http, max_network_retries=3
    )
    made = await client.v1.customers.create_async({"name": "Ada"})
    await http.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    assert [row["id"] for row in (await over_http(sandbox, "GET", PATH)).body["data"]] == [made.id]


async def test_slow_answers_and_slow_pages_wait_and_hold_up_nobody_else() -> None:
    sandbox = Sandbox()
    slow = asyncio.create_task(send(sandbox, "GET", PATH, headers={"Sandbox-Fault": "slow_page; seconds=120"}))
    await asyncio.sleep(0)
    assert (await send(sandbox, "GET", PATH)).status == 200
    assert not slow.done()
    slow.cancel()
    started = time.monotonic()
    for fault in ("slow", "slow_page"):
        assert (await send(sandbox, "GET", PATH, headers={"Sandbox-Fault": f"{fault}; seconds=0.1"})).status == 200
    assert time.monotonic() - started >= 0.2


def test_a_plan_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def played(seed: int) -> list[int]:
        sandbox = Sandbox()
        control(sandbox, "faults", {"seed": seed, "rate_limit": 0.2, "error_after": 0.2, "methods": ["POST"]})
        return [ask(sandbox, "POST", PATH, {}).status for _ in range(40)]

    assert played(7) == played(7) != played(8)
    counts = Counter(played(7))
    assert counts[200] > counts[429] > 0
    assert counts[500] > 0


def test_each_try_of_a_key_meets_dice_of_its_own() -> None:
    sandbox = Sandbox()
    control(sandbox, "faults", {"error_before": 0.5})
    tries = [ask(sandbox, "POST", PATH, {}, idempotency_key="k").status for _ in range(12)]
    assert set(tries) == {200, 500}


def test_a_plan_names_the_requests_it_means() -> None:
    sandbox = Sandbox()
    control(sandbox, "faults", {"error_before": 1.0, "methods": ["POST"], "path": "products"})
    assert ask(sandbox, "GET", PATH).status == 200
    assert ask(sandbox, "POST", PATH, {}).status == 200
    assert ask(sandbox, "POST", "/v1/products", {"name": "Tea"}).status == 500
    control(sandbox, "faults", {})
    assert ask(sandbox, "POST", "/v1/products", {"name": "Tea"}).status == 200


def test_rate_limits_count_per_endpoint_and_in_all_by_the_second_of_their_clock() -> None:
    sandbox = Sandbox()
    control(sandbox, "faults", {"per_second": 5, "per_endpoint": 3, "rate_clock": "sandbox", "retry_after": 1})
    asked = [ask(sandbox, "GET", path) for path in [PATH] * 4 + ["/v1/products"] * 3]
    assert [answer.status for answer in asked] == [200, 200, 200, 429, 200, 429, 429]
    reasons = [answer.headers.get("stripe-rate-limited-reason") for answer in asked]
    assert (reasons[3], reasons[6]) == ("endpoint-rate", "global-rate")
    control(sandbox, "clock", {"advance_seconds": 1})
    assert ask(sandbox, "GET", PATH).status == 200


def test_rate_limits_count_each_account_for_itself() -> None:
    sandbox = Sandbox()
    account = ask(sandbox, "POST", "/v1/accounts", {"type": "custom"}).body["id"]
    control(sandbox, "faults", {"per_second": 1, "rate_clock": "sandbox"})
    asked = [ask(sandbox, "GET", PATH), ask(sandbox, "GET", PATH)]
    asked += [ask(sandbox, "GET", PATH, stripe_account=account) for _ in range(2)]
    assert [answer.status for answer in asked] == [200, 429, 200, 429]


def test_a_limit_lets_through_what_comes_evenly_and_no_more_in_any_second() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])

    def passed(requests: int, apart: float) -> int:
        count = 0
        for _ in range(requests):
            count += rates.take("acct", "", 25)
            now[0] += apart
        return count

    assert passed(250, 1 / 25) == 250
    now[0] += 1
    assert passed(100, 0.0) == 25
    now[0] += 0.25
    assert passed(100, 0.0) == 6


def test_every_answer_is_429_with_its_hints_until_it_is_switched_off() -> None:
    sandbox = Sandbox()
    control(sandbox, "faults", {"rate_limit": 1, "retry_after": 3, "reason": "global-rate", "path": "customers"})
    for _ in range(3):
        answer = ask(sandbox, "GET", PATH)
        assert (answer.status, answer.headers["retry-after"]) == (429, "3")
        assert answer.headers["stripe-rate-limited-reason"] == "global-rate"
    assert ask(sandbox, "GET", "/v1/products").status == 200
    control(sandbox, "faults", {})
    assert ask(sandbox, "GET", PATH).status == 200


async def test_what_hangs_does_nothing_and_is_let_go_when_the_plan_changes(sandbox: Sandbox) -> None:
    await over_http(sandbox, "POST", "/_sandbox/faults", b'{"hang": 1, "seconds": 100, "path": "customers"}')
    hanging = asyncio.create_task(over_http(sandbox, "POST", PATH, {"name": "Ada"}))
    assert (await over_http(sandbox, "GET", "/v1/products")).status == 200
    assert not hanging.done()
    await over_http(sandbox, "POST", "/_sandbox/faults", b"{}")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await asyncio.wait_for(hanging, 10)
    assert (await over_http(sandbox, "GET", PATH)).body["data"] == []


async def test_what_hangs_ends_by_itself(sandbox: Sandbox) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await over_http(sandbox, "GET", PATH, headers={"Sandbox-Fault": "hang; seconds=0.05"})


def test_the_wall_clock_of_a_rate_limit_can_be_given() -> None:
    now = [0.0]
    faults = Faults(Sandbox().store, clock=lambda: now[0])
    faults.configure({"per_endpoint": 1})
    chosen = [faults.chosen(None, "GET", "customers", None) for _ in range(2)]
    now[0] = 1.0
    assert [fault and fault.name for fault in [*chosen, faults.chosen(None, "GET", "customers", None)]] == [
        None,
        "rate_limit",
        None,
    ]


@pytest.mark.parametrize(
    "fault", ["nonsense", "rate_limit; reason=bad", "slow; seconds=1e9", "slow; seconds=x", "slow; colour=red"]
)
def test_a_fault_that_is_none_is_refused_by_name(fault: str) -> None:
    answer = _asked(Sandbox(), fault)
    assert (answer.status, answer.body["error"]["param"]) == (400, "Sandbox-Fault")


@pytest.mark.parametrize(
    "plan", [b'{"x": 1}', b'{"slow": 2}', b'{"slow": 0.6, "conflict": 0.6}', b'{"next": "slow"}', b'{"next": ["x"]}',
             b'{"seed": true}', b'{"rate_clock": "moon"}', b'{"methods": "POST"}', b'{"reason": "bad"}'],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(plan: bytes) -> None:
    sandbox = Sandbox()
    assert ask(sandbox, "POST", "/_sandbox/faults", plan).status == 400
    assert ask(sandbox, "GET", PATH).status == 200
