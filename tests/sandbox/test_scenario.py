"""The plan of the made-up businesses: repeatable, whole, and with room for everything that goes wrong."""

from collections import Counter
from datetime import UTC, date, datetime
from hashlib import sha256

import pytest

from payment_kit.money import Money, exponent
from payment_kit.sandbox.scenario import Scenario, actions, scenario, totals
from payment_kit.sandbox.scenario.calendar import midnight, month_later

SEEDS = (1, 2, 7)
SMALL = 60
GOLDEN = "3fc2b5f03b2d77fb"


@pytest.fixture(scope="module")
def plan() -> Scenario:
    return scenario(seed=1, payments=2000)


def of(plan: Scenario, kind: type) -> list[actions.Step]:
    return [step for step in plan.steps if isinstance(step.action, kind)]


def test_the_same_seed_gives_the_same_plan(plan: Scenario) -> None:
    assert scenario(seed=1, payments=2000) == plan


def test_the_plan_of_seed_1_is_the_same_on_every_machine() -> None:
    lines = "\n".join(map(repr, scenario(seed=1, payments=SMALL).steps))
    assert sha256(lines.encode()).hexdigest()[:16] == GOLDEN


def test_another_seed_gives_another_plan(plan: Scenario) -> None:
    assert scenario(seed=2, payments=2000).steps != plan.steps


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("payments", [SMALL, 61, 150, 2000])
def test_a_plan_has_exactly_the_payments_asked_for(seed: int, payments: int) -> None:
    assert len(of(scenario(seed, payments), actions.Pay)) == payments


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("payments", [SMALL, 2000])
def test_a_step_refers_only_to_steps_before_it(seed: int, payments: int) -> None:
    seen: set[str] = set()
    for step in scenario(seed, payments).steps:
        assert seen.issuperset(actions.refs(step.action)), step
        assert step.name not in seen
        seen.add(step.name)


def test_steps_are_in_time_order_and_inside_the_period(plan: Scenario) -> None:
    times = [step.at for step in plan.steps]
    assert times == sorted(times)
    assert midnight(plan.start) <= times[0]
    assert times[-1] < midnight(plan.end)


def test_every_step_has_a_request_id_of_its_own(plan: Scenario) -> None:
    assert len({step.request_id for step in plan.steps}) == len(plan.steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_even_a_small_plan_has_every_kind_of_trouble(seed: int) -> None:
    plan = scenario(seed, SMALL)
    answers = {step.action.win for step in plan.steps if isinstance(step.action, actions.AnswerDispute)}
    outcomes = {step.action.outcome for step in plan.steps if isinstance(step.action, actions.Pay)}
    kinds = {type(step.action) for step in plan.steps}
    assert answers == {True, False}
    assert outcomes == {"succeeded", "declined", "requires_action"}
    assert {actions.Refund, actions.FailPayout, actions.GiveUp, actions.PayAgain, actions.Authenticate} <= kinds


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("payments", [SMALL, 2000])
def test_every_currency_is_paid_in(seed: int, payments: int) -> None:
    sums = scenario(seed, payments).totals
    assert sums.keys() == {"usd", "eur", "jpy", "kwd"}
    assert all(of_currency.paid > 0 for of_currency in sums.values())


def test_refunds_are_full_and_partial_and_never_more_than_was_paid(plan: Scenario) -> None:
    paid = {step.name: step.action.amount for step in plan.steps if isinstance(step.action, actions.Pay)}
    refunded: Counter[str] = Counter()
    for step in plan.steps:
        if isinstance(step.action, actions.Refund):
            assert step.action.amount.currency == paid[step.action.payment].currency
            assert step.action.amount.minor > 0
            refunded[step.action.payment] += step.action.amount.minor
    shares = {name: minor / paid[name].minor for name, minor in refunded.items()}
    assert max(shares.values()) == 1.0
    assert min(shares.values()) < 1.0


@pytest.mark.parametrize("currency", ["usd", "eur", "jpy", "kwd"])
def test_in_every_currency_a_refund_crosses_the_end_of_a_month(plan: Scenario, currency: str) -> None:
    paid = {step.name: step for step in of(plan, actions.Pay)}
    assert any(
        _month(step.at) != _month(paid[step.action.payment].at)
        for step in plan.steps
        if isinstance(step.action, actions.Refund) and step.action.amount.currency == currency
    )


def test_amounts_fit_their_currency(plan: Scenario) -> None:
    """Stripe wants the last digit of a three-decimal amount to be 0 (docs.stripe.com/currencies)."""
    for step in plan.steps:
        if isinstance(step.action, actions.Pay | actions.Refund):
            amount = step.action.amount
            assert amount.minor % (10 if exponent(amount.currency) == 3 else 1) == 0


def test_totals_follow_the_tries_of_a_payment() -> None:
    def step(name: str, action: actions.Action) -> actions.Step:
        return actions.Step(0, name, "", action)

    pay = actions.Pay(Money(500, "jpy"), "pm_card_visa", None, False, "", "shop", "declined")
    tries = [
        step("a", pay),
        step("a again", actions.PayAgain("a", "pm_card_visa", False, "succeeded")),
        step("b", pay),
        step("a refund", actions.Refund("a", Money(200, "jpy"))),
    ]
    sums = totals(tries)["jpy"]
    assert (sums.payments, sums.paid_count, sums.paid, sums.refunded) == (2, 1, 500, 200)


def test_the_business_grows(plan: Scenario) -> None:
    months = Counter(_month(step.at) for step in of(plan, actions.Pay))
    assert months[7] < months[8] < months[9]


def test_a_short_period_or_few_payments_are_refused() -> None:
    with pytest.raises(ValueError, match="60 to"):
        scenario(payments=59)
    with pytest.raises(ValueError, match="60 days"):
        scenario(start=date(2026, 7, 1), end=date(2026, 7, 31))


def test_billing_on_the_31st_falls_on_the_last_day_of_a_shorter_month() -> None:
    anchor = int(datetime(2026, 8, 31, 10, 5, tzinfo=UTC).timestamp())
    assert datetime.fromtimestamp(month_later(anchor, 1), UTC) == datetime(2026, 9, 30, 10, 5, tzinfo=UTC)


def _month(at: int) -> int:
    return datetime.fromtimestamp(at, UTC).month
