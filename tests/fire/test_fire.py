"""A write repeated by many callers, through kills at its every step, happens once, and all are told the same."""

from collections import Counter
from pathlib import Path

from tests.crash.field import field
from tests.fire.wave import Fire, service_points


async def test_a_server_killed_at_every_step_of_a_write_repeats_nothing(database: str, tmp_path: Path) -> None:
    async with field(database, tmp_path, seed=7) as place:
        met = Counter[str]()
        fire = Fire(place, 7, met)
        await fire.open()
        for number, point in enumerate(service_points()):
            assert await fire.wave(point, 1 + number % 4) == []
        assert {name.removeprefix("killed ") for name in met if name.startswith("killed")} == set(service_points())
