"""A full disk under the embedded PostgreSQL: nothing is acknowledged, the error says so, and room is all it needs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from payment_kit.database.embedded import wait_until_gone
from tests.crash.field import SERVE, field
from tests.crash.postgres import fresh, postgres
from tests.waiting import until_found

DISK = "400m"
AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A home on a file system of its own. Only root may mount one, or who may become root without being asked."""
    if AS_ROOT and not shutil.which("sudo"):
        pytest.skip("no file system may be mounted here: only root may, and there is no sudo")
    folder = Path(tempfile.mkdtemp(prefix="payment-kit-disk-"))
    owner = f"uid={os.geteuid()},gid={os.getegid()}"
    options = f"size={DISK},mode=755,{owner}"
    mounted = subprocess.run(
        [*AS_ROOT, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    wait_until_gone(folder)
    subprocess.run([*AS_ROOT, "umount", str(folder)], check=True)
    shutil.rmtree(folder)


async def test_a_full_disk_loses_nothing_and_the_work_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    with postgres(small_disk) as server, fresh(server, "full") as dsn:
        async with field(dsn, tmp_path, seed=13) as place:
            place.bounds["payment_kit.database.connection:POOL_WAIT_SECONDS"] = 1.0
            serving = await place.start(SERVE)
            await place.stripe.do_business(10)
            await place.recover()
            place.stripe.answers.clear()
            ballast = _fill(small_disk)

            async def refused() -> bool:
                await place.stripe.do_business(10)
                await place.stripe.deliver()
                return 503 in place.stripe.answers

            await until_found(refused)
            assert set(place.stripe.answers) <= {200, 503}
            assert "PK-DATABASE_FULL" in " ".join(place.stripe.refusals)
            ballast.unlink()
            await place.recover()
            await place.proved()
            assert serving.code is None
            assert "Traceback" not in serving.said


def _fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    assert shutil.disk_usage(disk).free < 1 << 16
    return ballast
