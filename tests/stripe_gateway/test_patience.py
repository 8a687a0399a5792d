"""What is repeated, how long it is waited for, and by which hints."""

import pytest

from payment_kit.stripe_gateway.patience import DELAY_SECONDS_MAX, RETRY_AFTER_SECONDS_MAX, Patience
from payment_kit.stripe_gateway.reader import Answer


def _wait(patience: Patience, status: int, took: float = 0.0, **headers: str) -> float | None:
    answer = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, {}, 0, took)
    problem = answer.problem()
    assert problem is not None
    return patience.wait_seconds(answer, problem)


@pytest.mark.parametrize("status", [0, 409, 429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_repeated(status: int) -> None:
    assert _wait(Patience.minutes(600), status) is not None


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_what_does_not_pass_is_not_repeated(status: int) -> None:
    assert _wait(Patience.minutes(600), status) is None


@pytest.mark.parametrize(
    ("status", "hint", "repeated"),
    [(500, "false", False), (500, "true", True), (400, "true", True), (409, "false", False), (429, "false", True)],
)
def test_stripe_knows_better_except_about_rates(status: int, hint: str, repeated: bool) -> None:
    assert (_wait(Patience.minutes(600), status, Stripe_Should_Retry=hint) is not None) == repeated


def test_waits_double_up_to_a_bound_and_are_jittered() -> None:
    patience = Patience.minutes(10_000)
    waits = [_wait(patience, 500) or 0 for _ in range(8)]
    ceilings = [0.5, 1, 2, 4, *[DELAY_SECONDS_MAX] * 4]
    assert all(ceiling / 2 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))
    assert len(set(waits)) == 8


@pytest.mark.parametrize(
    ("hint", "least"),
    [
        ("20", 20),
        ("Wed, 01 Jul 2026 00:00:30 GMT", 20),
        ("9999", RETRY_AFTER_SECONDS_MAX),
        ("0", 0.25),
        ("-5", 0.25),
        ("soon", 0.25),
        ("nan", 0.25),
    ],
)
def test_retry_after_is_the_least_wait_within_a_bound(hint: str, least: float) -> None:
    wait = _wait(Patience.minutes(600), 503, Retry_After=hint, Date="Wed, 01 Jul 2026 00:00:10 GMT")
    assert wait is not None
    assert least <= wait <= max(least, 0.5)


def test_a_wait_beyond_the_patience_is_not_begun() -> None:
    assert _wait(Patience.minutes(15), 429, Retry_After="20") is None


def test_the_time_tries_take_uses_patience_up() -> None:
    patience = Patience.minutes(60)
    assert (_wait(patience, 0, took=30) is not None, _wait(patience, 0, took=30)) == (True, None)
