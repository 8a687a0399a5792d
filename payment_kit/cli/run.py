"""`payment-kit run`: a notebook with parameters, executed into a folder that holds its whole result."""

import importlib.util
from pathlib import Path

import click
import orjson

from payment_kit import config, runs
from payment_kit.cli.demo_report import break_line, panel
from payment_kit.cli.screen import Screen
from payment_kit.errors import UsageProblem
from payment_kit.runs import RunResult

JUPYTER = ("papermill", "ipykernel", "duckdb", "adbc_driver_postgresql")


@click.command("run")
@click.argument("notebook", required=False)
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON on stdout; everything else on stderr.")
@click.option("--list", "list_", is_flag=True, help="List the notebooks.")
@click.option("--help-parameters", is_flag=True, help="Show what the notebook takes.")
def command(
    *, notebook: str | None, parameters: tuple[str, ...], as_json: bool, list_: bool, help_parameters: bool
) -> int:
    """Run NOTEBOOK, e.g. reconcile/payouts, and keep its result under var/runs/.

    The folder holds the executed notebook, report.html (one file, opens from an e-mail), checks.json and the tables.

    \b
      payment-kit run reconcile/payouts -p period=2026-08
      payment-kit run reconcile/payouts -p period=2026-Q3 -p currency=jpy

    Exit code: 0 every control passes, 1 a control says FAIL or PENDING, 2 it could not run.
    """
    if list_:
        for one in runs.list_notebooks():
            click.echo(f"{one.name}\n    {one.description}")
        return 0
    if notebook is None:
        raise click.UsageError("Name a notebook; `payment-kit run --list` shows them.")
    if help_parameters:
        for parameter in runs.parameters_of(notebook):
            click.echo(f"{parameter.name}: {parameter.type} = {parameter.default!r}\n    {parameter.help}")
        return 0
    values = _parsed(parameters)
    for package in JUPYTER:
        if importlib.util.find_spec(package) is None:
            raise UsageProblem("EXTRA_MISSING", f"{package} is not installed.")
    screen = Screen(to_stderr=as_json)
    with screen.progress(notebook, "cells") as advance:
        result = runs.run(
            notebook, values, config.load(), progress=lambda step: advance(step.done, step.total, step.label)
        )
    _show(screen, result, values)
    if as_json:
        click.echo(orjson.dumps(result.summary))
    return result.exit_code


def _parsed(parameters: tuple[str, ...]) -> dict[str, object]:
    values: dict[str, object] = {}
    for word in parameters:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageProblem("PARAMETER_INVALID", f"-p {word!r}: write NAME=VALUE.")
        if name in values:
            raise UsageProblem("PARAMETER_INVALID", f"{name} is given twice.", field=name)
        values[name] = value
    return values


def _show(screen: Screen, result: RunResult, values: dict[str, object]) -> None:
    period = values.get("period", "")
    screen.result(result.exit_code == 0, f"{result.notebook} {period}: {result.status}", f"{result.seconds:.0f} s")
    checks = result.summary.get("checks", ())
    if checks:
        currencies, rows = panel(checks)
        screen.table(["", *(currency.upper() for currency in currencies)], rows)
    for one in result.summary.get("breaks", ())[:10]:
        screen.note(break_line(one))
    screen.note(f"report: {_relative(result.report)}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
