"""`payment-kit sync`: bring the mirror up to Stripe and see how it stands."""

from collections.abc import Callable

import click
import orjson

from payment_kit import config, wiring
from payment_kit.cli import sync_backfill, sync_changes, sync_endpoint
from payment_kit.cli.screen import Report, Screen
from payment_kit.cli.sync_shown import caught_up, show_caught_up, show_standing, standing
from payment_kit.cli.sync_verify import repair_command, reproject_command, verify_command
from payment_kit.errors import UsageProblem
from payment_kit.mirror.accounts import Account, connected
from payment_kit.mirror.backfill import Progress
from payment_kit.mirror.catch_up import CatchUp, catch_up
from payment_kit.mirror.connect import Done
from payment_kit.mirror.status import Status, status

account_option = click.option("--account", metavar="acct_…", help="Only this account. [default: all the keys reach]")


@click.group("sync")
def command() -> None:
    """Bring the mirror up to Stripe, and see how it stands."""


for _command in (verify_command, repair_command, reproject_command):
    command.add_command(_command)


command.add_command(sync_backfill.command)
command.add_command(sync_changes.command)
command.add_command(sync_endpoint.command)


@command.command("catch-up")
@account_option
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
def catch_up_command(*, account: str | None, as_json: bool) -> int:
    """Fetch what webhooks did not bring, from Stripe's events list, and read again what has no events.

    Of every account: those the keys belong to and those connected to them. Goes back to the last catch-up; when that is
    longer ago than Stripe keeps events (30 days), everything is listed anew. Exit code: 0 done, 1 an account could not
    be read.
    """

    async def run(screen: Screen) -> list[Done[CatchUp]]:
        async with wiring.installation(config.load()) as kit:
            with screen.progress("Catch-up", "events") as advance:
                report = listed(advance)

                async def one(platform: wiring.Platform, account: Account) -> CatchUp:
                    def compared(seen: int) -> None:
                        advance(seen, 0, "events compared")

                    return await catch_up(platform.gateway, kit.pool, account, progress=report, seen_so_far=compared)

                return await wiring.for_accounts(kit, one, account)

    screen = Screen(to_stderr=as_json)
    done = wiring.run(run(screen))
    if as_json:
        click.echo(orjson.dumps(caught_up(done)))
    else:
        show_caught_up(screen, done)
    return 1 if any(one.problem for one in done) else 0


@command.command("status")
@account_option
@click.option("--json", "as_json", is_flag=True, help="The status as JSON on stdout.")
def status_command(*, account: str | None, as_json: bool) -> int:
    """Show of every account whether the mirror is complete, or what it waits for, and how much it holds.

    COMPLETE: everything of Stripe before the time shown is in the mirror. PENDING: not yet, and why. Exit code: 0
    nothing was given up, 1 the inbox of an account holds dead events.
    """

    async def run() -> list[tuple[Account, Status]]:
        async with wiring.installation(config.load()) as kit:
            known = [platform.account for platform in kit.platforms]
            known += [one for platform in known for one in await connected(kit.pool, platform)]
            chosen = [one for one in known if account in (None, one.id)]
            if not chosen:
                raise UsageProblem("ACCOUNT_UNKNOWN", f"No key of STRIPE_API_KEY is known to reach {account}.")
            return [(one, await status(kit.pool, one.id)) for one in chosen]

    found = wiring.run(run())
    if as_json:
        click.echo(orjson.dumps({"accounts": [standing(one, now) for one, now in found]}))
    else:
        screen = Screen()
        for one, now in found:
            show_standing(screen, one, now)
    return 1 if any(now.lag.dead for _, now in found) else 0


def listed(advance: Report) -> Callable[[Progress], None]:
    """Shows what all streams have listed so far, added up."""
    objects: dict[str, int] = {}

    def report(progress: Progress) -> None:
        objects[progress.stream] = progress.objects
        advance(sum(objects.values()), 0, progress.stream)

    return report
