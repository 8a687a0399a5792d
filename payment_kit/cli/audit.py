"""`payment-kit audit`: what callers did and were refused, and whether the record is whole."""

import re
from typing import Any

import click
import orjson

from payment_kit import config, wiring
from payment_kit.access import audit
from payment_kit.access.audit import Head, Verdict
from payment_kit.cli.screen import Screen
from payment_kit.errors import UsageProblem

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")


@click.group("audit")
def command() -> None:
    """See every write and every refusal of the service, and prove that nobody changed the record."""


@command.command("list")
@click.option("--caller", help="Only of this caller.")
@click.option("--refused", is_flag=True, help="Only what did not succeed.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
def list_command(*, caller: str | None, refused: bool, limit: int, as_json: bool) -> int:
    """Show the newest entries first."""
    found = wiring.run(_list(caller, refused, limit))
    if as_json:
        click.echo(orjson.dumps(found))
        return 0
    names = ("at", "caller", "method", "object_id", "code", "times")
    rows = [[f"{one['at']:%Y-%m-%d %H:%M:%S}", *(str(one[name]) for name in names[1:])] for one in found]
    Screen().table(names, rows, left=len(names) - 1)
    return 0


@command.command("verify")
@click.option("--head", metavar="POSITION:HASH", help="A head this command printed before, kept somewhere else.")
@json_option
def verify_command(*, head: str | None, as_json: bool) -> int:
    """Compute the chain again, from its first row, and name every row that was changed, deleted or inserted.

    The head it prints stands for everything before it. Keep it outside the database: with --head it proves that the end
    was not cut off since, nor everything written anew. Exit code: 0 the record is whole, 1 it is not.
    """
    found = wiring.run(_verify(_read(head)))
    if as_json:
        click.echo(orjson.dumps({"head": str(found.head), "unsealed": found.unsealed, "wrong": found.wrong}))
    else:
        screen = Screen()
        for sentence in found.wrong:
            screen.fail(sentence)
        if not found.wrong:
            screen.done(f"{found.head.position:,} entries, none changed, deleted or inserted.")
        screen.note(f"{found.unsealed} not in the chain yet. Head: {found.head}")
    return 1 if found.wrong else 0


def _read(head: str | None) -> Head | None:
    if head is None:
        return None
    parts = _HEAD.fullmatch(head)
    if parts is None:
        raise UsageProblem("SETTING_INVALID", "--head is not one this command prints.", next_step="Give POSITION:HASH.")
    return Head(int(parts[1]), bytes.fromhex(parts[2]))


async def _list(caller: str | None, refused: bool, limit: int) -> list[dict[str, Any]]:
    async with wiring.installation(config.load()) as kit, kit.pool.connection() as connection:
        return await audit.listing(connection, kit.account.id, caller=caller, refused=refused, limit=limit)


async def _verify(head: Head | None) -> Verdict:
    async with wiring.installation(config.load()) as kit, kit.pool.connection() as connection:
        return await audit.verify(connection, kit.account.id, head)
