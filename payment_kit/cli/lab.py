"""`payment-kit lab`: the notebooks in JupyterLab."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from payment_kit import config, resources
from payment_kit.errors import UsageProblem


@click.command("lab", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab, connected to the same database as this command line.

    ARGUMENTS go to JupyterLab, e.g. `payment-kit lab --no-browser --port 8889`. An installed package first copies its
    notebooks to ./notebooks, so that what you change is yours; files that are there stay as they are.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageProblem("EXTRA_MISSING", "JupyterLab is not installed.")
    settings = config.load()
    home = settings.home.resolve()
    environment = os.environ | {"PAYMENT_KIT_HOME": str(home), "JUPYTER_PREFER_ENV_PATH": "1"}
    notebooks = _to_work_on(resources.folder("notebooks"))
    start = notebooks / "reconcile" / "payouts.ipynb"
    options = [
        "--ServerApp.root_dir",
        str(notebooks),
        "--LabApp.default_url",
        f"/lab/tree/{start.relative_to(notebooks)}",
    ]
    if os.geteuid() == 0:
        # JupyterLab refuses root otherwise; everything else here works as root too.
        options.append("--allow-root")
    command_line = [sys.executable, "-m", "jupyterlab", *options, *arguments]
    sys.exit(subprocess.run(command_line, env=environment, cwd=config.project_folder(), check=False).returncode)


def _to_work_on(notebooks: Path) -> Path:
    """In a checkout the folder itself; of a package a copy, for nobody should edit what an upgrade replaces."""
    if not notebooks.is_relative_to(resources.PACKAGE):
        return notebooks
    own = config.project_folder() / "notebooks"
    for source in sorted(notebooks.rglob("*.ipynb")):
        target = own / source.relative_to(notebooks)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return own
