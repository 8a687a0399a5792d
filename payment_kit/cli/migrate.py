"""`payment-kit migrate`: bring the database to this version."""

import click

from payment_kit import config


@click.command("migrate")
def command() -> None:
    """Apply the migrations the database does not have yet.

    Safe to repeat and to run from several machines at once. The role needs CREATE on the database.
    """
    from payment_kit import wiring
    from payment_kit.database.migrations import migrate

    with wiring.database(config.load(), migrated=False) as dsn:
        applied = migrate(dsn)
    for name in applied:
        click.echo(f"✓ {name}")
    click.echo(f"{len(applied)} migrations applied." if applied else "Nothing to do: the database is up to date.")
