"""Every event five times over eight connections, while workers are killed, is one event."""

import asyncio
from pathlib import Path

from tests.crash import judge
from tests.crash.field import SERVE, WORK, field
from tests.crash.stripe import CONNECTIONS

COPIES = 5
_COUNTS = "select (select count(*) from payment_kit.versions), (select count(*) from payment_kit.changes)"
_DELIVERIES = "select min(deliveries) from payment_kit.inbox"


async def test_five_copies_over_eight_connections_leave_no_extra_version_or_change(
    database: str, tmp_path: Path
) -> None:
    assert CONNECTIONS == 8
    async with field(database, tmp_path, seed=8) as place:
        await place.start(SERVE)
        await place.stripe.do_business(60)
        delivering = asyncio.create_task(place.stripe.deliver(copies=COPIES))
        while not delivering.done():
            worker = await place.start(WORK)
            await asyncio.wait({delivering}, timeout=place.rng.uniform(0.05, 0.4))
            await place.kill(worker)
        await place.recover()
        await place.proved()
        counts = await judge.asked(place.dsn, _COUNTS)
        await place.stripe.deliver(copies=COPIES, again=True)
        await place.recover()
        assert await judge.asked(place.dsn, _COUNTS) == counts
        assert (await judge.asked(place.dsn, _DELIVERIES))[0][0] >= COPIES
        assert place.kills
