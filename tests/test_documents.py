"""The documents that repeat the code are rendered from it, and the README's promises hold."""

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from payment_kit.sandbox.handle import StripeSandbox
from tests.fix_service import Service

DOCS = Path(__file__).resolve().parents[1] / "docs"


def _render() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", DOCS / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _block(word: str) -> str:
    """The README's piece of Python that holds `word`."""
    blocks = (DOCS.parent / "README.md").read_text().split("```python\n")[1:]
    (found,) = (block.partition("```")[0] for block in blocks if word in block.partition("```")[0])
    return found


async def test_the_readme_s_app_prints_what_it_says(service: Service) -> None:
    program = _block("payment_kit.client").replace("127.0.0.1:8080", service.server.address)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()

    assert process.returncode == 0
    assert f"```\n{said.decode()}```" in (DOCS.parent / "README.md").read_text()


def test_the_readme_s_test_passes(stripe_sandbox: StripeSandbox) -> None:
    names: dict[str, Any] = {}
    exec(_block("test_a_renewal_is_paid"), names)
    names["test_a_renewal_is_paid"](stripe_sandbox)


@pytest.mark.parametrize(
    "name",
    [
        *("errors.md", "settings.md", "commands.md", "service.md"),
        *("sandbox-coverage.md", "sandbox-differences.md", "sandbox-in-tests.md"),
    ],
)
def test_a_rendered_document_says_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == _render().DOCUMENTS[name](), "run `make docs`"
