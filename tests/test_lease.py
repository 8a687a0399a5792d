"""A server is in use for as long as one of its users lives, however that user ends."""

import signal
import subprocess
import sys
from pathlib import Path

from payment_kit import lease

USER = """
import pathlib, sys, time
from payment_kit import lease

with lease.use(pathlib.Path(sys.argv[1])):
    print("in use", flush=True)
    time.sleep(600)
"""


def test_unused_once_every_user_has_left(tmp_path: Path) -> None:
    path = tmp_path / "users"
    with lease.use(path):
        with lease.use(path):
            pass
        assert not lease.unused(path)

    assert lease.unused(path)


def test_a_killed_user_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "users"
    process = subprocess.Popen([sys.executable, "-c", USER, str(path)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        assert not lease.unused(path)

        process.send_signal(signal.SIGKILL)
        process.wait(60)

    assert lease.unused(path)
