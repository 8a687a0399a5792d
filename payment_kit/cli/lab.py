"""`payment-kit lab`: the notebooks in JupyterLab."""

import importlib.util
import os
import subprocess
import sys

import click

from payment_kit import config, resources
from payment_kit.errors import UsageProblem


@click.command("lab", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab, connected to the same database as this command line.

    ARGUMENTS go to JupyterLab, e.g. `payment-kit lab --no-browser --port 8889`.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageProblem("EXTRA_MISSING", "JupyterLab is not installed.")
    settings = config.load()
    home = settings.home.resolve()
    environment = os.environ | {"PAYMENT_KIT_HOME": str(home), "JUPYTER_PREFER_ENV_PATH": "1"}
    notebooks = resources.folder("notebooks")
    start = notebooks / "reconcile" / "payouts.ipynb"
    options = [
        "--ServerApp.root_dir",
        str(notebooks),
        "--LabApp.default_url",
        f"/lab/tree/{start.relative_to(notebooks)}",
    ]
    command_line = [sys.executable, "-m", "jupyterlab", *options, *arguments]
    sys.exit(subprocess.run(command_line, env=environment, cwd=config.project_folder(), check=False).returncode)
