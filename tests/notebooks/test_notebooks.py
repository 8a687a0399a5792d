"""The committed notebooks: one task each, the same sections, no output to run; those for reading are true."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from payment_kit import resources

FOLDER = resources.folder("notebooks")
ALL = sorted(
    path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
TOOLS = [name for name in ALL if not name.startswith("docs/")]
DOCS = [name for name in ALL if name.startswith("docs/")]
LINES_MAX = 12


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_text("utf-8"))["cells"]
    return found


def code(name: str) -> list[dict[str, Any]]:
    return [cell for cell in cells(name) if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_committed_without_outputs(name: str) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code(name))


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_what_for_and_has_input_model_and_output(name: str) -> None:
    text = "\n".join("".join(cell["source"]) for cell in cells(name) if cell["cell_type"] == "markdown")
    assert text.startswith("# ")
    places = [text.index(f"## {heading}") for heading in ("What for", "Input", "Model", "Output")]
    assert places == sorted(places)


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_has_one_cell_of_parameters_and_thin_cells(name: str) -> None:
    assert sum("parameters" in cell["metadata"].get("tags", ()) for cell in code(name)) == 1
    assert max(len(cell["source"]) for cell in code(name)) <= LINES_MAX


@pytest.mark.parametrize("name", ALL)
def test_a_notebook_runs_on_the_kernel_everybody_has(name: str) -> None:
    assert json.loads((FOLDER / name).read_text("utf-8"))["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("name", DOCS)
def test_a_notebook_for_reading_shows_what_it_computed(name: str) -> None:
    """nbval passes a notebook without outputs, whatever it does."""
    assert all(cell["execution_count"] for cell in code(name))
    assert any(cell["outputs"] for cell in code(name))


def test_the_notebooks_for_reading_are_true() -> None:
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command += ["--rootdir", str(FOLDER), "--nbval", "--nbval-current-env", "-q", str(FOLDER / "docs")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(FOLDER).parent, timeout=200)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout
