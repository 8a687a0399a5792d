"""The files that say what is installed agree with pyproject.toml."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).resolve().parents[1]


def _project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return loaded


def test_environment_yml_lists_what_pyproject_asks_for() -> None:
    project = _project()
    wanted = sorted(project["dependencies"] + project["optional-dependencies"]["notebooks"])

    conda = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))

    assert pip == [*wanted, "--editable=."]
    assert f"python{project['requires-python']}" in conda["dependencies"]


def test_constraints_pin_every_requirement_exactly() -> None:
    project = _project()
    requirements = project["dependencies"] + [
        requirement for extra in project["optional-dependencies"].values() for requirement in extra
    ]
    lines = [line for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if not line.startswith("#")]

    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^=@ ]+", line) for line in lines)
    pinned = {_normal(line.split("==")[0]) for line in lines}
    assert {_normal(re.split(r"[\[<>=; ]", requirement)[0]) for requirement in requirements} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pinned_version_runs_on_the_oldest_python_we_promise() -> None:
    oldest = _project()["requires-python"].removeprefix(">=") + ".0"
    pins = [line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line]

    too_young = [
        f"{name} {version} wants Python {needed}"
        for name, version in pins
        if (needed := _requires_python(name, version)) and not SpecifierSet(needed).contains(oldest)
    ]

    assert too_young == []


def _requires_python(name: str, version: str) -> str | None:
    """What the installed distribution asks for; None when this platform does not have it."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    assert found.version == version, f"{name} {found.version} is installed, constraints.txt says {version}"
    return found.metadata["Requires-Python"]
