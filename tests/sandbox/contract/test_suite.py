"""The contract suite sees every planted difference and nothing between two sandboxes that are alike."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.contract import scenarios
from payment_kit.sandbox.contract.client import Answer, InProcess
from payment_kit.sandbox.contract.compare import Difference, compare
from payment_kit.sandbox.contract.scenarios import SCENARIOS, Scenario
from payment_kit.sandbox.contract.steps import Ended, Step, Steps


class Bent(InProcess):
    """A sandbox that answers some requests in another way."""

    def __init__(self, sandbox: Sandbox, bend: Callable[[str, Answer], Answer]) -> None:
        super().__init__(sandbox)
        self._bend = bend

    def ask(self, method: str, path: str, form: str, key: str | None) -> Answer:
        return self._bend(f"{method} {path}", super().ask(method, path, form, key))


def taken(scenario: Scenario, client: InProcess | None = None) -> list[Step]:
    steps = Steps(client or InProcess(Sandbox()), "run7", 0)
    scenario(steps)
    return steps.taken


def difference(scenario: Scenario, bend: Callable[[str, Answer], Answer]) -> list[Difference]:
    """What is found when the other side bends its answers."""
    steps = Steps(Bent(Sandbox(seed=2), bend), "other", 0)
    with suppress(Ended):
        scenario(steps)
    return compare(scenario.__name__, taken(scenario), steps.taken)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_sandbox_of_another_seed_and_time_does_the_same_to_the_end(scenario: Scenario) -> None:
    other = Steps(InProcess(Sandbox(seed=99, now=1_700_000_000)), "run8", 0)
    scenario(other)
    assert compare(scenario.__name__, taken(scenario), other.taken) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_what_a_run_made_is_deleted_where_it_can_be(scenario: Scenario) -> None:
    sandbox = Sandbox()
    steps = Steps(InProcess(sandbox), "run7", 0)
    scenario(steps)
    steps.clean_up()
    left = [row["id"] for kind in ("customer", "coupon", "webhook_endpoint") for row in sandbox.store.rows(kind)]
    assert [id_ for id_ in left if "deleted" not in (sandbox.store.get(_kind(id_), id_) or {})] == []


def _kind(id_: str) -> str:
    return {"cus": "customer", "we": "webhook_endpoint"}.get(id_.partition("_")[0], "coupon")


def body(answer: Answer, **changes: Any) -> Answer:
    return Answer(answer.status, {**answer.body, **changes})


BENT: list[tuple[Scenario, Callable[[str, Answer], Answer], tuple[str, Any, Any]]] = [
    (
        scenarios.customers,
        lambda asked, answer: body(answer, metadata={}) if asked == "POST customers" else answer,
        ("customer.metadata.a", "1", "<absent>"),
    ),
    (
        scenarios.customers,
        lambda asked, answer: body(answer, oddity=None) if asked == "POST customers" else answer,
        ("customer.oddity", "<absent>", None),
    ),
    (
        scenarios.refunds,
        lambda _, answer: Answer(402, answer.body) if answer.status == 400 else answer,
        ("status", 400, 402),
    ),
    (
        scenarios.errors,
        lambda _, answer: (
            body(answer, error={**answer.body["error"], "param": "it"}) if "error" in answer.body else answer
        ),
        ("error.param", "emial", "it"),
    ),
    (
        scenarios.pages,
        lambda asked, answer: body(answer, data=answer.body["data"][::-1]) if asked[:3] == "GET" else answer,
        ("customer.name", "three", "two"),
    ),
    (
        scenarios.idempotency,
        lambda asked, answer: body(answer, id="cus_Another00000") if asked == "POST customers" else answer,
        ("status", 200, 404),
    ),
    (
        scenarios.payment,
        lambda asked, answer: Answer(400, {"error": {}}) if asked == "POST payment_intents" else answer,
        ("step", 200, "<absent>"),
    ),
]


@pytest.mark.parametrize(("scenario", "bend", "expected"), BENT, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_difference_is_found(
    scenario: Scenario, bend: Callable[[str, Answer], Answer], expected: tuple[str, Any, Any]
) -> None:
    found = [(one.path, one.ours, one.theirs) for one in difference(scenario, bend)]
    assert expected in found
