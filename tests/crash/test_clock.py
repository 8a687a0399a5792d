"""A clock that is ten minutes wrong, here or at Stripe, loses nothing and puts nothing in another order."""

from pathlib import Path

import pytest

from tests.crash import judge
from tests.crash.field import CATCH_UP, SERVE, field

TEN_MINUTES = 600


@pytest.mark.parametrize("skew", [-TEN_MINUTES, TEN_MINUTES])
async def test_what_a_wrong_clock_of_ours_refuses_is_healed_by_catch_up(
    database: str, tmp_path: Path, skew: int
) -> None:
    async with field(database, tmp_path, seed=6) as place:
        place.processes.skew_seconds = skew
        await place.run(CATCH_UP)
        serving = await place.start(SERVE)
        await place.stripe.do_business(20)
        await place.stripe.deliver()
        assert set(place.stripe.answers) == {400}
        assert all("TIMESTAMP_OUT_OF_TOLERANCE" in refusal for refusal in place.stripe.refusals)
        await place.run(CATCH_UP)
        assert await judge.waiting(place.dsn) == (0, 0)
        await place.proved()
        stored = await judge.asked(place.dsn, "select event_id from payment_kit.inbox")
        assert {row[0] for row in stored} == place.stripe.events.keys()
        assert "Traceback" not in serving.said


async def test_order_follows_stripe_s_time_alone(database: str, tmp_path: Path) -> None:
    async with field(database, tmp_path, seed=7) as place:
        for skew in (0, TEN_MINUTES, -TEN_MINUTES):
            place.processes.skew_seconds = place.stripe.ahead_seconds = skew
            serving = await place.start(SERVE)
            await place.stripe.do_business(12)
            await place.recover()
            await place.proved()
            await place.kill(serving)
