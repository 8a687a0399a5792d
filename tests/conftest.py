"""Registers the fixture files beside this one; each is one small plugin."""

import signal
from pathlib import Path

pytest_plugins = [f"tests.{path.stem}" for path in sorted(Path(__file__).parent.glob("fix_*.py"))]


def pytest_configure() -> None:
    """A background job ignores Ctrl-C and its children inherit that; the tests of Ctrl-C need it heard."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
