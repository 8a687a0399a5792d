"""A served sandbox for a client that blocks, and the list of the operations a story has to use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from payment_kit.sandbox import Sandbox, registry
from tests.apart import served_apart
from tests.fix_spec import heard

OPERATIONS = Path(__file__).parent / "operations.txt"


@pytest.fixture
def served() -> Iterator[Sandbox]:
    """A sandbox on 2026-07-01, served by a thread of its own."""
    with served_apart(Sandbox()) as sandbox:
        yield sandbox


def used() -> list[str]:
    """The operations of this test's story, as operations.txt lists them."""
    asked = {(method, path.removeprefix("/v1/")) for method, path, status, _ in heard() if status == 200}
    found = [registry.match(*one)[0] for one in asked]
    return sorted({f"{endpoint.method} {endpoint.path}" for endpoint in found})
