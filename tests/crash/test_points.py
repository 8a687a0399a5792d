"""A process killed at any named moment between a webhook's signature and the last commit loses and repeats nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.crash import judge, points
from tests.crash.field import BACKFILL, CATCH_UP, SERVE, field
from tests.crash.stripe import ACTS, OWING


@pytest.mark.parametrize(
    ("door", "acts", "passages"), [("receiver", ACTS, (1, 2, 4)), ("worker", ACTS, (1, 2, 4)), ("owed", OWING, (1, 3))]
)
async def test_a_serving_process_may_die_at_every_point(
    database: str, tmp_path: Path, door: points.Door, acts: Sequence[str], passages: Sequence[int]
) -> None:
    async with field(database, tmp_path, seed=1) as place:
        process = await place.start(SERVE)
        for passage in passages:
            for point in points.of(door):
                paid = await judge.asked(place.dsn, _PAID)
                await place.kill_serving(process, point, passage, acts)
                if door == "owed" and passage == 1 and points.POINTS[point].when != "committed":
                    assert await judge.asked(place.dsn, _PAID) == paid, "who dies before the commit has paid nothing"
                process = await place.start(SERVE)
                await place.recover()
                await place.proved()
        assert place.kills == len(passages) * len(points.of(door))


async def test_a_backfill_may_die_at_every_point_and_goes_on_where_it_was(database: str, tmp_path: Path) -> None:
    async with field(database, tmp_path, seed=2) as place:
        await place.stripe.do_business(40)
        await place.run(BACKFILL)
        undisturbed = await judge.mirrored(place.dsn)
        for passage, point in enumerate(points.of("backfill"), 1):
            await place.empty()
            assert await place.kill_running(BACKFILL, point, 1)
            assert await place.kill_running(BACKFILL, point, 2 * passage)
            await place.run(BACKFILL)
            assert await judge.mirrored(place.dsn) == undisturbed
            assert await judge.asked(place.dsn, _REWRITTEN) == [], "Stripe stood still, so no row was written twice"


async def test_a_catch_up_may_die_at_every_point(database: str, tmp_path: Path) -> None:
    async with field(database, tmp_path, seed=3) as place:
        await place.run(CATCH_UP)
        for point in points.of("catch_up"):
            await place.stripe.do_business(8)
            assert await place.kill_running(CATCH_UP, point, 1)
            await place.run(CATCH_UP)
            place.stripe.told_in_full()
            await place.proved()


_PAID = "select count(*) from crash.paid"
_REWRITTEN = "select object, id from payment_kit.changes group by account_id, object, id having count(*) > 1"
