"""Runs: a notebook executed with strict parameters into a folder that holds its whole result."""

from payment_kit.runs.notebooks import Notebook, Parameter, list_notebooks, parameters_of
from payment_kit.runs.run import Progress, RunResult, run

__all__ = ["Notebook", "Parameter", "Progress", "RunResult", "list_notebooks", "parameters_of", "run"]
