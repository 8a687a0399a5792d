"""A backfill of real size: a million objects in pages of the sandbox, into a private PostgreSQL, in bounded memory.

``python -m benchmarks.size [OBJECTS]`` records a business in the sandbox, serves it many times over (peers/stripe.py)
from another process, backfills it twice, catches up, verifies every field, and prints objects per second, the peak
memory of this process, and whether every row is there. Exit code 1 when rows are missing, verify is not content or
memory grew with their number.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import uvloop
from pydantic import SecretStr

from benchmarks.peers.recording import Recording, record
from payment_kit.database.connection import open_pool
from payment_kit.database.embedded import throwaway
from payment_kit.database.migrations import migrate
from payment_kit.mirror.accounts import identify
from payment_kit.mirror.backfill import Progress, backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.verify import verify
from payment_kit.stripe_gateway import StripeGateway

OBJECTS = 1_000_000
KINDS = ("product", "price", "customer", "subscription", "invoice", "charge", "payment_intent", "balance_transaction",
         "invoice_payment")  # fmt: skip
GROWTH_MAX = 1.2
"""Peak memory at the end to that at a tenth."""
POOL = 8
ROOT = Path(__file__).parents[1]


def main(objects: int) -> int:
    """Run it; returns the exit code."""
    recording = record()
    copies = max(1, round(objects / sum(len(recording.objects[kind]) for kind in KINDS)))
    with served(recording, copies) as base, throwaway() as dsn:
        migrate(dsn)
        return uvloop.run(measure(dsn, base, recording, copies))


@contextmanager
def served(recording: Recording, copies: int) -> Iterator[str]:
    """The address of a fake Stripe with that many copies of the business."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.json"
        recording.save(path)
        command = [sys.executable, "-m", "benchmarks.peers.stripe", str(path), str(copies)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None, "it was opened as a pipe"
            yield f"http://127.0.0.1:{orjson.loads(process.stdout.readline())['port']}"
            process.terminate()


async def measure(dsn: str, base: str, recording: Recording, copies: int) -> int:
    """Backfill, compare the numbers of rows, and print what was measured."""
    expected = {CATALOGUE[kind].table: len(recording.objects[kind]) * copies for kind in KINDS}
    total, reached, early = sum(expected.values()), dict[str, int](), 0.0

    def report(progress: Progress) -> None:
        nonlocal early
        reached[progress.stream] = progress.objects
        if not early and sum(reached.values()) >= total / 10:
            early = peak_mib()

    key = SecretStr("sk_test_size")
    async with await open_pool(dsn, max_size=POOL, name="size") as pool, StripeGateway(key, base=base) as gateway:
        account = await identify(gateway, pool)
        seconds, used = [], []
        for _ in ("first", "again"):
            began, cpu = time.perf_counter(), time.process_time()
            done = await backfill(gateway, pool, account, objects=KINDS, progress=report)
            seconds.append(time.perf_counter() - began)
            used.append(time.process_time() - cpu)
            late = peak_mib()
        began = time.perf_counter()
        await catch_up(gateway, pool, account)
        verdict = (await verify(gateway, pool, account, objects=KINDS)).verdict
        seconds.append(time.perf_counter() - began)
        verified = peak_mib()
        async with pool.connection() as connection:
            rows = {
                table: (await (await connection.execute(f"select count(*) from stripe.{table}".encode())).fetchall())[
                    0
                ][0]
                for table in expected
            }
    print(
        f"{total:,} objects in {len(expected)} tables; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    for name, took, cpu in zip(("first", "again"), seconds, used, strict=False):
        print(f"{name}: {total / took:,.0f} objects/s ({took:.0f} s; {cpu / total * 1e6:.0f} µs of CPU here for each)")
    print(f"verify: {verdict}, {total / seconds[2]:,.0f} objects/s ({seconds[2]:.0f} s)")
    print(f"peak memory: {early:.0f} MiB at a tenth, {late:.0f} MiB after the second, {verified:.0f} MiB after verify")
    missing = {table: (count, rows[table]) for table, count in expected.items() if rows[table] != count}
    print(f"rows missing or too many: {missing}" if missing else "every row is there")
    finished = all(one.finished for one in done.values())
    return 0 if not missing and finished and verdict == "COMPLETE" and verified <= early * GROWTH_MAX else 1


def peak_mib() -> float:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS))
