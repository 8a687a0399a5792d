"""`payment-kit sync backfill`: every object from Stripe's lists, with how fast it goes and how long it takes."""

from collections.abc import Callable, Sequence

import click
import orjson

from payment_kit import config, wiring
from payment_kit.cli.screen import Report, Screen
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.backfill import Progress, backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.connect import Done
from payment_kit.mirror.settlement import pull_settlement

Streams = dict[str, Progress]


@click.command("backfill")
@click.option("--account", metavar="acct_…", help="Only this account. [default: all the keys reach]")
@click.option("--object", "objects", type=click.Choice(list(CATALOGUE)), multiple=True, help="Only this; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
def command(*, account: str | None, objects: tuple[str, ...], as_json: bool) -> int:
    """List every object from Stripe into the mirror.

    For the first copy, after a gap longer than Stripe keeps events, and to find what was deleted unseen. Several
    readers share each list and leave live requests the first place in Stripe's rate limits (set them with
    PAYMENT_KIT_STRIPE_REQUESTS_PER_SECOND). Safe beside live webhooks: a newer row is never overwritten, an unchanged
    one is not touched. Interrupted or killed, the next one goes on where it stopped, within a week.

    A list this key may not read, or an account does not have, is named and stops no other. Exit code: 0 everything
    was read, 1 something was refused.

    \b
    payment-kit sync backfill
    payment-kit sync backfill --object charge --object refund
    """
    screen = Screen(to_stderr=as_json)

    async def run() -> list[Done[Streams]]:
        async with wiring.installation(config.load()) as kit:
            with screen.progress("Backfill", "objects") as advance:
                report = listed(advance)

                async def one(platform: wiring.Platform, account: Account) -> Streams:
                    done = await backfill(
                        platform.gateway, kit.pool, account, objects=objects or None, progress=report(account)
                    )
                    if not objects:
                        await pull_settlement(platform.gateway, kit.pool, account)
                    return done

                return await wiring.for_accounts(kit, one, account)

    done = wiring.run(run())
    if as_json:
        click.echo(orjson.dumps({"accounts": [_told(one) for one in done]}))
    else:
        for one in done:
            _show(screen, one, alone=len(done) == 1)
    refused = any(stream.refused for one in done for stream in (one.result or {}).values())
    return 1 if refused or any(one.problem for one in done) else 0


def listed(advance: Report) -> Callable[[Account], Callable[[Progress], None]]:
    """Shows what all streams of all accounts have listed so far, added up, and of how many when all of them know."""
    known: dict[tuple[str, str], Progress] = {}

    def of(account: Account) -> Callable[[Progress], None]:
        def report(progress: Progress) -> None:
            known[account.id, progress.stream] = progress
            totals = [one.total for one in known.values()]
            total = sum(total or 0 for total in totals) if None not in totals else 0
            advance(sum(one.objects for one in known.values()), total, progress.stream)

        return report

    return of


def _told(done: Done[Streams]) -> dict[str, object]:
    streams = {
        name: {"objects": one.objects, "written": one.written} | ({"refused": one.refused} if one.refused else {})
        for name, one in (done.result or {}).items()
    }
    told: dict[str, object] = {"account": done.account.id, "platform": done.account.platform, "streams": streams}
    return {**told, "problem": str(done.problem)} if done.problem else told


def _show(screen: Screen, done: Done[Streams], *, alone: bool) -> None:
    if not alone:
        screen.title(done.account.id)
    if done.problem:
        screen.fail(done.problem.what, done.problem.code)
        return
    streams: Sequence[Progress] = sorted((done.result or {}).values(), key=lambda one: one.stream)
    total, written = sum(one.objects for one in streams), sum(one.written for one in streams)
    screen.done(f"{total:,} objects listed", f"{written:,} rows changed")
    screen.table(["", "listed", "changed"], [[one.stream, f"{one.objects:,}", f"{one.written:,}"] for one in streams])
    for one in streams:
        if one.refused:
            screen.fail(f"{one.stream} is not complete: Stripe refused the list", one.refused)
