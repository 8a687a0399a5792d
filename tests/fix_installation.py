"""What commands of the command line are tested with: a clean environment, and a Stripe that is not our own sandbox."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from payment_kit.cli import main
from payment_kit.config import names
from payment_kit.sandbox import Sandbox
from tests.apart import served_apart

Called = Callable[..., tuple[int, Any]]


@pytest.fixture
def clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No setting comes from outside; state is kept in the returned folder of this test."""
    for name in names().values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAYMENT_KIT_HOME", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str]) -> Called:
    """Calls a command with ``--json`` in this process: exit code and what stdout says."""

    def call(*words: str) -> tuple[int, Any]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, orjson.loads(captured.out) if captured.out else captured.err

    return call


@pytest.fixture
def stripe_elsewhere() -> Iterator[Sandbox]:
    """A sandbox that plays the real Stripe: served by a thread of its own, reached by STRIPE_API_BASE."""
    with served_apart(Sandbox(now=int(time.time()))) as sandbox:
        yield sandbox


@pytest.fixture
def against_stripe(
    monkeypatch: pytest.MonkeyPatch, clean_settings: Path, database: str, stripe_elsewhere: Sandbox
) -> Sandbox:
    """An installation on `database` with the key of `stripe_elsewhere`, which is returned."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("STRIPE_API_BASE", stripe_elsewhere.url)
    monkeypatch.setenv("STRIPE_API_KEY", stripe_elsewhere.api_key)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_test")
    return stripe_elsewhere
