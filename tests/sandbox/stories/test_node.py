"""The story with the unmodified Node SDK, installed from node/package-lock.json into the virtual environment."""

import subprocess
from pathlib import Path

from payment_kit.sandbox import Sandbox
from tests import node
from tests.sandbox.stories.conftest import OPERATIONS, used

HERE = Path(__file__).parent / "node"
CHAPTERS = 12
STORY_SECONDS = 120


def test_the_story(served: Sandbox) -> None:
    modules = node.packages(HERE) / "node_modules"
    environment = {"NODE_PATH": str(modules), "SANDBOX_URL": served.url, "SANDBOX_KEY": served.api_key}
    told = subprocess.run(
        ["node", HERE / "story.cjs"],
        env=node.environment() | environment,
        capture_output=True,
        text=True,
        timeout=STORY_SECONDS,
    )
    assert (told.returncode, told.stdout.split()[CHAPTERS:]) == (0, []), f"after {told.stdout.split()}: {told.stderr}"
    assert len(told.stdout.split()) == CHAPTERS
    assert used() == OPERATIONS.read_text().splitlines()
