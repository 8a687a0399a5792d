"""Test clocks stand still, go forward as far as Stripe lets them, and take along what lives by them."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.memory import ask, pages

CLOCKS = "/v1/test_helpers/test_clocks"
DAY = 86_400


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


def made(sandbox: Sandbox, frozen: int = 1_800_000_000) -> dict[str, Any]:
    status, body = ask(sandbox, "POST", CLOCKS, {"frozen_time": str(frozen), "name": "Leap"})
    assert status == 200, body
    return dict(body)


def types(sandbox: Sandbox) -> list[str]:
    return [event["type"] for event in reversed(pages(sandbox, "/v1/events"))]


def test_a_clock_stands_where_it_was_set(sandbox: Sandbox) -> None:
    clock = made(sandbox)
    assert (clock["frozen_time"], clock["status"], clock["name"]) == (1_800_000_000, "ready", "Leap")
    assert clock["deletes_after"] == sandbox.now + 30 * DAY
    assert ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[1] == clock
    assert pages(sandbox, CLOCKS) == [clock]


def test_advancing_answers_at_once_and_is_ready_when_asked_again(sandbox: Sandbox) -> None:
    clock, to = made(sandbox), 1_800_000_000 + DAY
    status, begun = ask(sandbox, "POST", f"{CLOCKS}/{clock['id']}/advance", {"frozen_time": str(to)})
    assert (status, begun["status"], begun["frozen_time"]) == (200, "advancing", 1_800_000_000)
    assert begun["status_details"] == {"advancing": {"target_frozen_time": to}}
    now = ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[1]
    assert (now["status"], now["frozen_time"], now["status_details"]) == ("ready", to, {})
    assert types(sandbox) == [f"test_helpers.test_clock.{name}" for name in ("created", "advancing", "ready")]


@pytest.mark.parametrize("to", [1_800_000_000, 1_800_000_000 - 1, 1_800_000_000 + 3 * 366 * DAY])
def test_a_clock_goes_neither_back_nor_further_than_two_years_when_idle(sandbox: Sandbox, to: int) -> None:
    clock = made(sandbox)
    status, body = ask(sandbox, "POST", f"{CLOCKS}/{clock['id']}/advance", {"frozen_time": str(to)})
    assert (status, body["error"]["param"]) == (400, "frozen_time")


def test_a_deleted_clock_is_gone(sandbox: Sandbox) -> None:
    clock = made(sandbox)
    assert ask(sandbox, "DELETE", f"{CLOCKS}/{clock['id']}")[1] == {
        "id": clock["id"], "object": "test_helpers.test_clock", "deleted": True,
    }  # fmt: skip
    assert ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[0] == 404
    assert pages(sandbox, CLOCKS) == []
    assert types(sandbox)[-1] == "test_helpers.test_clock.deleted"


def test_a_clock_deletes_itself_after_thirty_days_of_the_account(sandbox: Sandbox) -> None:
    clock = made(sandbox)
    sandbox.advance_to(sandbox.now + 30 * DAY)
    assert ask(sandbox, "GET", f"{CLOCKS}/{clock['id']}")[0] == 404
