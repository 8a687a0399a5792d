"""PostgreSQL or Stripe goes away and comes back while a receiver and a worker run: they go on by themselves."""

from pathlib import Path

import pytest

from tests.crash import judge
from tests.crash.field import BACKFILL, CATCH_UP, SERVE, Field, field
from tests.crash.postgres import fresh, postgres
from tests.crash.stripe import OWING
from tests.waiting import until, until_found

SERVE_AND_CATCH_UP = tuple(word for word in SERVE if word != "--no-catch-up")
TROUBLES = ("rate_limit", "error_before", "hang")


async def test_while_postgresql_is_away_nothing_is_acknowledged_and_then_all_goes_on(
    open_home: Path, tmp_path: Path
) -> None:
    with postgres(open_home) as server, fresh(server, "away") as dsn:
        async with field(dsn, tmp_path, seed=9) as place:
            place.bounds["payment_kit.database.connection:POOL_WAIT_SECONDS"] = 1.0
            serving = await place.start(SERVE)
            await place.stripe.do_business(10)
            await place.recover()
            with server.away():
                await until(lambda: server.pid is None)
                place.stripe.answers.clear()
                await place.stripe.do_business(10)
                await place.stripe.deliver()
                assert set(place.stripe.answers) == {503}
                assert all("DATABASE_UNREACHABLE" in refusal for refusal in place.stripe.refusals)
                await until(lambda: "worker waits" in serving.said)
                assert "PK-DATABASE_UNREACHABLE" in await _failed(place, CATCH_UP)
            await place.recover()
            await place.proved()
            assert serving.code is None
            assert "Traceback" not in serving.said


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_owed_reads_are_paid_when_stripe_answers_again(database: str, tmp_path: Path, trouble: str) -> None:
    async with field(database, tmp_path, seed=10) as place:
        serving = await place.start(SERVE)
        place.trouble(trouble)
        await place.stripe.do_business(9)
        await place.stripe.do_business(12, OWING)
        await place.stripe.deliver()
        assert not place.stripe.owing, "receiving needs no Stripe"
        await until_found(lambda: _owing_only(place))
        await until(lambda: "owed read failed" in serving.said)
        place.trouble(None)
        await place.recover()
        await place.proved()
        assert "Traceback" not in serving.said


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_backfill_goes_on_when_stripe_answers_again(database: str, tmp_path: Path, trouble: str) -> None:
    async with field(database, tmp_path, seed=11) as place:
        await place.stripe.do_business(15)
        await place.run(BACKFILL)
        undisturbed = await judge.mirrored(place.dsn)
        await place.empty()
        place.trouble(trouble, "customers")
        running = await place.start(BACKFILL)
        await until(lambda: place.met(trouble) >= 3)
        place.trouble(None)
        await running.gone.wait()
        assert running.code == 0, running.said
        assert await judge.mirrored(place.dsn) == undisturbed


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_catch_up_goes_on_when_stripe_answers_again(database: str, tmp_path: Path, trouble: str) -> None:
    async with field(database, tmp_path, seed=12) as place:
        await place.run(CATCH_UP)
        await place.stripe.do_business(15)
        place.trouble(trouble, "events")
        place.environment["PAYMENT_KIT_CATCH_UP_INTERVAL_SECONDS"] = "0.3"
        serving = await place.start(SERVE_AND_CATCH_UP)
        await until(lambda: place.met(trouble) >= 3)
        assert await judge.waiting(place.dsn) == (0, 0), "nothing came, nothing is waiting"
        place.trouble(None)
        await until_found(lambda: _all_there(place))
        place.stripe.told_in_full()
        await place.recover()
        await place.proved()
        assert "Traceback" not in serving.said


async def _failed(place: Field, words: tuple[str, ...]) -> str:
    process = await place.start(words)
    await process.gone.wait()
    assert process.code == 2
    assert "Traceback" not in process.said
    return process.said


async def _owing_only(place: Field) -> bool:
    events, owed = await judge.waiting(place.dsn)
    return events == 0 and owed > 0


async def _all_there(place: Field) -> bool:
    stored = await judge.asked(place.dsn, "select event_id from payment_kit.inbox")
    return {row[0] for row in stored} == place.stripe.events.keys()
