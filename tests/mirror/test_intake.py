"""A receiver whose clock is off refuses everything, says so once with the measured skew, and loses nothing."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from payment_kit.database.connection import Pool
from payment_kit.errors import UsageProblem
from payment_kit.mirror.accounts import identify
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import ClockAlarm, Intake
from payment_kit.mirror.signature import sign
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.events import NOON, customer, event

SECRET = "whsec_intake"
TEN_MINUTES = 600


def _intake(inbox: Inbox, ahead: int) -> Intake:
    """Of a machine whose clock is so many seconds ahead of Stripe's, at noon."""
    return Intake(inbox, [SecretStr(SECRET)], livemode=False, now=lambda: NOON + ahead)


async def _delivered(intake: Intake, number: int = 1, *, at: int = NOON) -> str:
    """What became of one delivery that Stripe signed at `at`."""
    body = orjson.dumps(event(customer(), id=f"evt_{number}"))
    try:
        return (await intake.accept(body, sign(body, SECRET, at), "webhook")).event_id
    except UsageProblem as problem:
        return problem.reason


def _alarms(logged: list[Any]) -> list[int]:
    return [line["ahead_of_stripe_seconds"] for line in logged if "ahead_of_stripe_seconds" in line]


@pytest.mark.parametrize("ahead", [TEN_MINUTES, -TEN_MINUTES])
async def test_a_clock_that_is_off_is_said_once_with_its_skew(inbox: Inbox, ahead: int) -> None:
    intake = _intake(inbox, ahead)
    with capture_logs() as logged:
        answers = {await _delivered(intake, number) for number in range(20)}
    assert (answers, _alarms(logged)) == ({"TIMESTAMP_OUT_OF_TOLERANCE"}, [ahead])


async def test_it_is_said_again_when_it_was_right_in_between_or_after_an_hour(inbox: Inbox) -> None:
    passed = 0.0
    intake = replace(_intake(inbox, 0), clock=ClockAlarm(lambda: passed))
    with capture_logs() as logged:
        await _delivered(intake, at=NOON - TEN_MINUTES)
        assert await _delivered(intake) == "evt_1"
        await _delivered(intake, at=NOON - 2 * TEN_MINUTES)
        passed = 3599.0
        await _delivered(intake, at=NOON - 3 * TEN_MINUTES)
        passed = 3601.0
        await _delivered(intake, at=NOON - 4 * TEN_MINUTES)
    assert _alarms(logged) == [TEN_MINUTES, 2 * TEN_MINUTES, 4 * TEN_MINUTES]


async def test_a_wrong_signature_says_nothing_about_the_clock(inbox: Inbox) -> None:
    body = orjson.dumps(event(customer()))
    with capture_logs() as logged, pytest.raises(UsageProblem):
        await _intake(inbox, TEN_MINUTES).accept(body, sign(body, "whsec_other", NOON), "webhook")
    assert _alarms(logged) == []


async def test_what_was_refused_for_the_clock_is_caught_up(
    gateway: StripeGateway, pool: Pool, sandbox: Sandbox, inbox: Inbox
) -> None:
    account = await identify(gateway, pool)
    await catch_up(gateway, pool, account)
    made = (await gateway.request("post", "/v1/customers", {"name": "Ada"})).body
    told = (await gateway.page("/v1/events", {"limit": 1})).data[0]
    body = orjson.dumps(told)
    intake = Intake(inbox, [SecretStr(SECRET)], livemode=False, now=lambda: sandbox.now + TEN_MINUTES)
    with pytest.raises(UsageProblem):
        await intake.accept(body, sign(body, SECRET, sandbox.now), "webhook")
    assert (await catch_up(gateway, pool, account)).missing == 1
    async with pool.connection() as connection:
        rows = await (await connection.execute("select id, name from stripe.customers")).fetchall()
    assert rows == [(made["id"], "Ada")]
