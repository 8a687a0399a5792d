"""The command line: one file per command, each loaded only when it is called.

Exit codes everywhere: 0 done, 1 a check failed, 2 could not run. An error is one sentence with its code and the next
step on stderr; `--debug` adds the traceback.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from payment_kit.errors import Broken, Problem, first_problem

COMMANDS = {
    "demo": "Watch the whole loop, offline, ending in a tied-out report.",
    "serve": "Serve apps over gRPC, receive webhooks, keep the mirror up to date.",
    "run": "Run a notebook and keep its report.",
    "sync": "Bring the mirror up to Stripe, and see how it stands.",
    "keys": "Say who may call the service, what and how much.",
    "audit": "See what callers did, and that nobody changed the record.",
    "migrate": "Bring the database to this version.",
    "doctor": "See what is set, what is missing, and what fixes it.",
    "health": "Ask whether the service is serving.",
    "certificate": "Make a self-signed certificate for trying TLS.",
    "sandbox": "Run the stateful Stripe that works offline.",
    "lab": "Open the notebooks in JupyterLab.",
}


class Commands(click.Group):
    """Finds a command in the module of its name, so `--help` and quick commands stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"payment_kit.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without loading the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="payment-kit", prog_name="payment-kit")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def group(*, debug: bool) -> None:
    """Stripe in your own PostgreSQL: a payment service, a mirror you can prove, books that tie out.

    Without settings everything runs offline on a private PostgreSQL and a sandbox in the place of Stripe. Set
    DATABASE_URL and STRIPE_API_KEY, in the environment or in a file named .env, to run on the real ones.

    \b
    First steps:
      payment-kit demo                                     watch the whole loop, offline
      payment-kit run reconcile/payouts -p period=2026-08  tie out a month
      payment-kit doctor                                   see what is set and what is missing
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        code = _called(words)
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        code = 130
    except Problem as problem:
        if debug:
            raise
        show(problem)
        code = problem.exit_code
    except BrokenPipeError:
        code = 0
    except Exception as error:
        if debug:
            raise
        show(Broken("INTERNAL", f"{type(error).__name__} in payment-kit.", next_step="Repeat with --debug."))
        code = 2
    sys.exit(code or 0)


def _called(words: Sequence[str]) -> int | None:
    """The command's exit code. What failed in several tasks at once is raised as the one thing to read."""
    try:
        code: int | None = group.main(args=list(words), prog_name="payment-kit", standalone_mode=False)
    except BaseExceptionGroup as failed:
        raise first_problem(failed) from failed
    return code


def show(problem: Problem) -> None:
    """One sentence with its next step, on stderr."""
    click.echo(f"{click.style('✗', fg='red')} {problem}", err=True)
