"""The documents that repeat the code are rendered from it, and the README's promises hold."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from payment_kit.sandbox.handle import StripeSandbox

DOCS = Path(__file__).resolve().parents[1] / "docs"


def _render() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", DOCS / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_s_test_passes(stripe_sandbox: StripeSandbox) -> None:
    _, _, block = (DOCS.parent / "README.md").read_text().partition("```python\n")
    names: dict[str, Any] = {}
    exec(block.partition("```")[0], names)
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
