"""Renders the documents that repeat the code: errors, settings, commands, and what the sandbox does and does not.

`make docs` writes them; a test renders them again and compares, so they never disagree with the program.
"""

import sys
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path

import click
from pydantic_core import PydanticUndefined

from payment_kit.cli import COMMANDS, group
from payment_kit.config import Settings, names
from payment_kit.errors import REASONS
from payment_kit.sandbox.differences import DIFFERENCES

FOLDER = Path(__file__).resolve().parent
WIDTH = 100


def errors() -> str:
    """Every error code, when it is given, and the next step."""
    lines = [
        "# Errors",
        "",
        "Every error has a stable code. On the command line it is printed as `PK-…`; over gRPC it is the `reason` of",
        "`google.rpc.ErrorInfo` (without `PK-`), with Stripe's own `code` and `decline_code` in the metadata.",
        "",
    ]
    for reason, (cause, next_step) in sorted(REASONS.items()):
        lines += [f"## PK-{reason}", "", cause, "", f"*Next step:* {next_step}", ""]
    return "\n".join(lines)


def settings() -> str:
    """Every setting with its default."""
    lines = [
        "# Settings",
        "",
        "From the environment, or from a file named `.env` in the project folder.",
        "A name that starts with `PAYMENT_KIT_` and is not in this list is refused.",
        "",
        "| setting | default | meaning |",
        "| --- | --- | --- |",
    ]
    shown = names()
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, (), PydanticUndefined) else f"`{field.default}`"
        lines.append(f"| `{shown[name]}` | {default} | {field.description} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """The help of every command."""
    lines = ["# Commands", ""]
    context = click.Context(group, info_name="payment-kit", terminal_width=WIDTH, **group.context_settings)
    lines += ["```", group.get_help(context), "```", ""]
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        lines += _help(command, click.Context(command, parent=context, info_name=name, terminal_width=WIDTH))
    return "\n".join(lines)


def _help(command: click.Command, context: click.Context) -> list[str]:
    lines = [f"## {context.command_path}", "", "```", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            lines += _help(child, click.Context(child, parent=context, info_name=name, terminal_width=WIDTH))
    return lines


def sandbox_coverage() -> str:
    """Every operation of Stripe's specification, and what the sandbox does with it."""
    sys.path.insert(0, str(FOLDER.parent))  # the judge lives with the tests
    from tests.sandbox import coverage

    return coverage.page()


def sandbox_differences() -> str:
    """What the sandbox does in another way than Stripe, by topic."""
    lines = [
        "# Known differences between the sandbox and Stripe",
        "",
        "For deciding whether the sandbox is enough for your tests. What it refuses as a whole stands in",
        "[the coverage page](sandbox-coverage.md); here stands what one could otherwise take for Stripe's behaviour.",
        "The list is not known to be complete: `payment-kit sandbox verify --against stripe` compares with your own",
        "test key, and what it finds belongs here.",
        "",
    ]
    for topic, found in groupby(DIFFERENCES, key=lambda one: one.topic):
        lines += [f"## {topic}", "", "| Stripe | the sandbox | so |", "| --- | --- | --- |"]
        lines += [f"| {one.stripe} | {one.sandbox} | {one.so} |" for one in found]
        lines.append("")
    return "\n".join(lines)


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "errors.md": errors,
    "settings.md": settings,
    "commands.md": commands,
    "sandbox-coverage.md": sandbox_coverage,
    "sandbox-differences.md": sandbox_differences,
}


def main() -> None:
    """Writes them all."""
    for name, render in DOCUMENTS.items():
        (FOLDER / name).write_text(render())


if __name__ == "__main__":
    main()
