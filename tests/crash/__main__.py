"""Kill processes and PostgreSQL again and again, and prove the mirror after each.

python -m tests.crash --trials 2000 --seed 1

Ends with what was killed where; at the first failure with the seed of its field, what is wrong, and exit code 1.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from payment_kit.database.embedded import wait_until_gone
from tests.crash import points
from tests.crash.field import field
from tests.crash.postgres import Postgres, fresh, postgres
from tests.crash.trials import Trials

KILLS_A_FIELD = 50


def main() -> int:
    """Run the command line; 0 when nothing was ever lost or repeated."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--trials", type=int, default=200, help="how many kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no new field after so long")
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="payment-kit-crash-"))
    home.chmod(0o755)  # as root the server runs as another account, which has to get in
    try:
        with postgres(home) as server:
            return asyncio.run(_run(server, given.trials, given.seed, given.seconds))
    finally:
        wait_until_gone(home)
        shutil.rmtree(home)


async def _run(server: Postgres, trials: int, seed: int, seconds: float) -> int:
    began, met, done = time.monotonic(), Counter[str](), 0
    for number in range(0, trials, KILLS_A_FIELD):
        if time.monotonic() - began > seconds:
            break
        count = min(KILLS_A_FIELD, trials - number)
        kills, wrong = await _field(server, seed + number, count, met)
        done += kills
        print(f"{done} kills, {time.monotonic() - began:.0f} s", flush=True)
        if wrong:
            print(f"field {seed + number}: {wrong}")
            return 1
    for what, times in sorted(met.items()):
        print(f"{times:6} {what}")
    missed = {name for name, point in points.POINTS.items() if point.door != "service"} - met.keys()
    print(f"{done} kills: nothing lost, nothing repeated; points never met: {', '.join(sorted(missed)) or 'none'}")
    return 0


async def _field(server: Postgres, seed: int, count: int, met: Counter[str]) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder, fresh(server, f"crash_{seed}") as dsn:
        async with field(dsn, Path(folder), seed) as place:
            try:
                await Trials(place, server, seed, met).run(count)
            except (AssertionError, TimeoutError) as failed:
                return place.kills, f"{failed!r}\n{_said(Path(folder))}"
            return place.kills, ""


def _said(folder: Path) -> str:
    """The last words of the last processes."""
    logs = sorted(folder.glob("*.log"))[-3:]
    return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs)


if __name__ == "__main__":
    sys.exit(main())
