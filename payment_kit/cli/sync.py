"""`payment-kit sync`: bring the mirror up to Stripe and see how it stands."""

from collections.abc import Callable
from datetime import UTC, datetime

import click
import orjson

from payment_kit import config, wiring
from payment_kit.cli.screen import Report, Screen
from payment_kit.mirror.backfill import Progress, backfill
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.settlement import pull_settlement
from payment_kit.mirror.status import Status, Stream, status

OUTCOMES = {
    "applied": "applied",
    "stale": "held nothing newer",
    "unmapped": "of types no table holds",
    "dead": "given up",
    "waiting": "waiting",
}


@click.group("sync")
def command() -> None:
    """Bring the mirror up to Stripe, and see how it stands."""


@command.command("backfill")
@click.option("--object", "objects", type=click.Choice(list(CATALOGUE)), multiple=True, help="Only this; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
def backfill_command(*, objects: tuple[str, ...], as_json: bool) -> None:
    """List every object from Stripe into the mirror.

    Safe beside live webhooks: a newer row is never overwritten. An interrupted backfill goes on where it stopped.
    """

    async def run(screen: Screen) -> dict[str, Progress]:
        async with wiring.installation(config.load()) as kit:
            with screen.progress("Backfill", "objects") as advance:
                done = await backfill(
                    kit.gateway, kit.pool, kit.account, objects=objects or None, progress=listed(advance)
                )
            if not objects:
                await pull_settlement(kit.gateway, kit.pool, kit.account)
            return done

    screen = Screen(to_stderr=as_json)
    done = wiring.run(run(screen))
    if as_json:
        click.echo(orjson.dumps({name: {"objects": one.objects, "written": one.written} for name, one in done.items()}))
        return
    total = sum(one.objects for one in done.values())
    screen.done(f"{total:,} objects listed", f"{sum(one.written for one in done.values()):,} rows changed")
    screen.table(
        ["", "listed", "changed"],
        [[name, f"{one.objects:,}", f"{one.written:,}"] for name, one in sorted(done.items())],
    )


@command.command("catch-up")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
def catch_up_command(*, as_json: bool) -> None:
    """Fetch what webhooks did not bring, from Stripe's events list, and pull what has no webhook.

    Goes back to the last catch-up; when that is longer ago than Stripe keeps events (30 days), everything is listed
    anew.
    """

    async def run(screen: Screen) -> dict[str, object]:
        async with wiring.installation(config.load()) as kit:
            with screen.progress("Catch-up", "events") as advance:
                found = await catch_up(
                    kit.gateway,
                    kit.pool,
                    kit.account,
                    progress=listed(advance),
                    seen_so_far=lambda seen: advance(seen, 0, "events compared"),
                )
        return {
            "seen": found.seen,
            "missing": found.missing,
            "backfilled": found.backfilled,
            "outcomes": dict(found.applied.outcomes),
            "complete_through": datetime.fromtimestamp(found.complete_through, UTC).isoformat(),
        }

    screen = Screen(to_stderr=as_json)
    result = wiring.run(run(screen))
    if as_json:
        click.echo(orjson.dumps(result))
        return
    screen.done(f"{result['seen']:,} events compared", f"{result['missing']:,} had not reached us and are applied now")
    if result["backfilled"]:
        screen.note("The last catch-up was longer ago than Stripe keeps events: every object was listed anew.")
    screen.note(f"The mirror is complete through {result['complete_through']}.")


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="The status as JSON on stdout.")
def status_command(*, as_json: bool) -> int:
    """Show how far each stream has been read, what waits in the inbox, and how much the mirror holds.

    Exit code: 0 nothing was given up, 1 the inbox holds dead events.
    """

    async def run() -> tuple[str, Status]:
        async with wiring.installation(config.load()) as kit:
            return kit.account.id, await status(kit.pool, kit.account.id)

    account, now = wiring.run(run())
    if as_json:
        click.echo(orjson.dumps({"account": account, "status": now}))
    else:
        _show(Screen(), account, now)
    return 1 if now.lag.dead else 0


def _show(screen: Screen, account: str, now: Status) -> None:
    screen.title(f"The mirror of {account}")
    lag = now.lag
    waiting = f"{lag.waiting:,} waiting, oldest {lag.oldest_seconds:.0f} s" if lag.waiting else "nothing waiting"
    screen.result(not lag.dead, f"Inbox: {waiting}", f"{lag.dead:,} given up" if lag.dead else "")
    if lag.owed:
        screen.note(f"{lag.owed:,} objects are still to be read from Stripe; the mirror is complete up to the oldest.")
    outcomes = ", ".join(f"{now.events[name]:,} {said}" for name, said in OUTCOMES.items() if name in now.events)
    screen.note(f"{now.deliveries:,} deliveries; events: {outcomes or 'none yet'}")
    streams = {stream.name: stream for stream in now.streams}
    rows = [
        [name, f"{now.rows.get(name, 0):,}" if name in now.rows else "", _through(streams.get(name))]
        for name in sorted({*now.rows, *streams})
    ]
    screen.table(["", "rows", "complete through"], rows)


def _through(stream: Stream | None) -> str:
    through = stream.complete_through if stream else None
    return through.strftime("%Y-%m-%d %H:%M:%S") if through else "—"


def listed(advance: Report) -> Callable[[Progress], None]:
    """Shows what all streams have listed so far, added up."""
    objects: dict[str, int] = {}

    def report(progress: Progress) -> None:
        objects[progress.stream] = progress.objects
        advance(sum(objects.values()), 0, progress.stream)

    return report
