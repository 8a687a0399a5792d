"""Repeat writes through kills, drops, deadlines and Stripe's faults, and prove that each happened exactly once.

python -m tests.fire --writes 1000 --seed 1

Ends with what was met; at the first failure with what is wrong, and exit code 1.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

from tests.crash.field import field
from tests.crash.postgres import fresh, postgres
from tests.fire.wave import CALLERS, CALLERS_A_WRITE, Fire, service_points

PASSAGES = (1, 2, 5, 9)


def main() -> int:
    """Run the command line; 0 when every write happened once and everybody was told the same."""
    parser = argparse.ArgumentParser(prog="python -m tests.fire")
    parser.add_argument("--writes", type=int, default=160, help="how many request_ids")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="payment-kit-fire-") as home:
        Path(home).chmod(0o755)  # as root the server runs as another account, which has to get in
        with postgres(Path(home)) as server, fresh(server, "fire") as dsn:
            return asyncio.run(_run(dsn, Path(home), given.writes, given.seed))


async def _run(dsn: str, home: Path, writes: int, seed: int) -> int:
    began, met, done = time.monotonic(), Counter[str](), 0
    folder = home / "fire"
    folder.mkdir()
    kills = cycle((point, passage) for passage in PASSAGES for point in [*service_points(), None])
    async with field(dsn, folder, seed) as place:
        fire = Fire(place, seed, met)
        await fire.open()
        while done < writes:
            wrong = await fire.wave(*next(kills))
            done += CALLERS // CALLERS_A_WRITE
            print(f"{done} writes, {place.kills} kills, {time.monotonic() - began:.0f} s", flush=True)
            if wrong:
                print("\n".join(wrong))
                return 1
    for what, times in sorted(met.items()):
        print(f"{times:6} {what}")
    fate = f"{CALLERS_A_WRITE} callers each, {place.kills} kills: each happened once, all were told the same"
    print(f"{done} writes, {fate}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
