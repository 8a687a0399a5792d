"""`payment-kit sync changes`: what changed in the mirror, one line each, for people and for programs."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import asdict

import click
import orjson

from payment_kit import config, wiring
from payment_kit.database.connection import Pool, open_pool
from payment_kit.mirror import changes
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.changes import Change

Write = Callable[[Change], None]


@click.command("changes")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--from", "start", default="beginning", show_default=True, help="A cursor, `beginning` or `now`.")
@click.option("--name", help="Go on where this follower stopped; what was shown is acknowledged.")
@click.option("--object", "objects", type=click.Choice(list(CATALOGUE)), multiple=True, help="Only this; repeatable.")
@click.option(
    "--json", "as_json", is_flag=True, help="Each change as one line of JSON, with what was before and after."
)
def command(*, follow: bool, start: str, name: str | None, objects: tuple[str, ...], as_json: bool) -> None:
    """Show what changed in the mirror, in order and without loss.

    With --name the place is remembered in the database, and --from counts only the first time. A change is acknowledged
    after it was written to stdout: after a crash the last ones may come again. The cursor to go on from is shown on
    stderr at the end.
    """
    settings = config.load()
    with wiring.database(settings) as dsn:
        wiring.run(_run(dsn, start, name, follow, frozenset(objects), _json if as_json else _line))


async def _run(dsn: str, start: str, name: str | None, follow: bool, objects: Collection[str], write: Write) -> None:
    async with await open_pool(dsn, max_size=2, name="payment-kit changes") as pool:
        cursor = await _begin(pool, start, name)
        following = changes.pages(pool, cursor, stop=asyncio.Event()) if follow else _once(pool, cursor)
        async with aclosing(following) as pages:
            async for page, cursor in pages:
                for change in page:
                    if not objects or change.object in objects:
                        write(change)
                if name is not None:
                    async with pool.connection() as connection:
                        await changes.acknowledge(connection, name, cursor)
    click.echo(f"Go on with --from {cursor}", err=True)


async def _begin(pool: Pool, start: str, name: str | None) -> str:
    cursor = await changes.now(pool) if start == "now" else changes.BEGINNING if start == "beginning" else start
    if name is None:
        return cursor
    async with pool.connection() as connection:
        return await changes.resume(connection, name, start=cursor)


async def _once(pool: Pool, cursor: str) -> AsyncGenerator[tuple[list[Change], str], None]:
    """What is final now."""
    found: list[Change] = []
    while True:
        async with pool.connection() as connection:
            found, cursor = await changes.read(connection, cursor)
        if not found:
            return
        yield found, cursor


def _json(change: Change) -> None:
    click.echo(orjson.dumps({**asdict(change), "cursor": change.cursor}))


def _line(change: Change) -> None:
    when = change.recorded_at.strftime("%Y-%m-%d %H:%M:%S")
    click.echo(f"{change.position}  {when}  {change.operation:<6}  {change.object} {change.id}  by {change.event}")
