"""What a gateway asks of its budget, and what it tells it."""

import contextlib
from typing import Any

import pytest
from pydantic import SecretStr

from payment_kit.errors import Problem
from payment_kit.stripe_gateway import Budget, StripeGateway
from payment_kit.stripe_gateway.gateway import default_budget

from .answering import Answer, Server, Waits, json, limited
from .conftest import KEY


class Asked(Budget):
    """A budget that lets everything through and remembers what it was asked and told."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, str, bool]] = []
        self.told: list[tuple[str, str, str | None]] = []

    async def take(self, account: str, endpoint: str, *, bulk: bool = False) -> None:
        self.taken.append((account, endpoint, bulk))

    def refused(self, account: str, endpoint: str, reason: str | None = None) -> None:
        self.told.append((account, endpoint, reason))


async def _ask(server: Server, answer: Answer, method: Any, path: str, **options: Any) -> Asked:
    budget, server.answers = Asked(), [answer]
    async with StripeGateway(KEY, base=server.url, budget=budget, sleep=Waits()) as gateway:
        with contextlib.suppress(Problem):
            await gateway.request(method, path, **options)
    return budget


@pytest.mark.parametrize(
    ("method", "options", "taken"),
    [
        ("get", {}, ("", "GET charges/*", False)),
        ("get", {"bulk": True}, ("", "GET charges/*", True)),
        ("get", {"account": "acct_2"}, ("acct_2", "GET charges/*", False)),
        ("post", {}, ("", "POST charges/*", False)),
        ("delete", {}, ("", "DELETE charges/*", False)),
    ],
)
async def test_every_request_takes_its_share(server: Server, method: str, options: Any, taken: Any) -> None:
    assert (await _ask(server, json({}), method, "/v1/charges/ch_1", **options)).taken == [taken]


async def test_a_repeated_read_takes_a_share_each_time(server: Server) -> None:
    budget = await _ask(server, json({}, 500), "get", "/v1/charges", patience_seconds=10)
    assert len(budget.taken) == len(server.asked) > 3


@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_refusal_for_its_rate_is_told_with_its_reason(server: Server, method: str) -> None:
    answer = limited(**{"Stripe-Rate-Limited-Reason": "endpoint-rate"})
    budget = await _ask(server, answer, method, "/v1/charges")
    assert set(budget.told) == {("", f"{method.upper()} charges", "endpoint-rate")}


async def test_a_locked_object_says_nothing_about_rates(server: Server) -> None:
    budget = await _ask(server, json({"error": {"code": "lock_timeout"}}, 429), "get", "/v1/charges")
    assert budget.told == []


@pytest.mark.parametrize(
    ("key", "base", "limits"),
    [
        ("sk_live_x", "https://api.stripe.com", (100, 25)),
        ("rk_test_x", "https://api.stripe.com", (25, 25)),
        ("sk_test_x", "http://127.0.0.1:12111", (float("inf"), float("inf"))),
        ("sk_test_x", "http://localhost:12111", (float("inf"), float("inf"))),
    ],
)
def test_the_limits_are_stripes_for_the_keys_mode(key: str, base: str, limits: tuple[float, float]) -> None:
    gateway = StripeGateway(SecretStr(key), base=base)
    assert gateway.budget.per_second("", "GET charges") == limits


def test_a_limit_that_is_set_holds_on_this_machine_too() -> None:
    budget = default_budget("http://127.0.0.1:12111", livemode=False, account_per_second=10)
    assert budget.per_second("", "GET charges") == (10, 25)
