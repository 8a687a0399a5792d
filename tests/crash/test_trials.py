"""Processes and PostgreSQL killed at any moment under load lose and repeat nothing, and need no hand to go on."""

from collections import Counter
from pathlib import Path

from tests.crash.field import field
from tests.crash.postgres import fresh, postgres
from tests.crash.trials import Trials


async def test_processes_may_be_killed_at_any_moment_under_load(database: str, tmp_path: Path) -> None:
    async with field(database, tmp_path, seed=4) as place:
        await Trials(place, None, 4, Counter()).run(50, ["any moment"])
        assert place.kills >= 43, "nearly all were killed at work"


async def test_postgresql_may_be_killed_under_load(open_home: Path, tmp_path: Path) -> None:
    with postgres(open_home) as server, fresh(server, "killed") as dsn:
        async with field(dsn, tmp_path, seed=5) as place:
            await Trials(place, server, 5, Counter()).run(5, ["server", "backend"])
