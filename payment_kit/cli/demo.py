"""`payment-kit demo`: the whole loop from one command."""

import asyncio
import signal
from contextlib import ExitStack
from types import FrameType

import click
import orjson

from payment_kit import config
from payment_kit.cli.screen import Screen

PAYMENTS = click.IntRange(60, 20_000)
KILLS = click.IntRange(0, 50)
SHARE = click.FloatRange(0, 0.9)


@click.command("demo")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another business.")
@click.option("--payments", type=PAYMENTS, default=2000, show_default=True, help="How many payments are made.")
@click.option("--kill", type=KILLS, default=0, metavar="N", help="SIGKILL the service N times in mid-call.")
@click.option("--drop", type=SHARE, default=0.0, metavar="SHARE", help="Share of webhooks that never arrive, e.g. 0.1.")
@click.option("--duplicate", type=SHARE, default=0.05, show_default=True, help="Share of webhooks that come twice.")
@click.option("--delay", type=SHARE, default=0.05, show_default=True, help="Share of webhooks that come late.")
@click.option("--reorder", type=SHARE, default=0.05, show_default=True, help="Share of webhooks in the wrong order.")
@click.option("--keep-serving", is_flag=True, help="Leave the service running at the end, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="A summary as JSON on stdout; the stages go to stderr.")
def command(
    *,
    seed: int,
    payments: int,
    kill: int,
    drop: float,
    duplicate: float,
    delay: float,
    reorder: float,
    keep_serving: bool,
    as_json: bool,
) -> int:
    """Watch three months of a business pass through everything, offline, and tie out to the cent.

    A shop and a SaaS pay over gRPC; a stateful sandbox plays Stripe and sends signed webhooks, some twice, late or out
    of order; PostgreSQL mirrors them; a notebook reconciles every payout. The data of an earlier demo is replaced.

    With STRIPE_API_KEY set, your own account is mirrored and its last full month reported; nothing is created there.

    Exit code: 0 everything holds, 1 something does not, 2 it could not run.
    """
    from payment_kit.cli import demo_account, demo_report, demo_stages

    signal.signal(signal.SIGTERM, _as_ctrl_c)
    settings = config.load()
    screen = Screen(to_stderr=as_json)
    if settings.stripe_api_key is not None:
        summary = demo_account.mirror_and_report(settings, screen)
    else:
        options = demo_stages.Options(seed, payments, kill, drop, duplicate, delay, reorder)
        with ExitStack() as stack:
            stage = demo_stages.open_stage(stack, settings, options, screen)
            summary = asyncio.run(demo_stages.play(stage))
            steps = demo_report.AFTER_DROPS if drop else demo_report.AFTER_DEMO
            summary |= demo_report.report(settings, screen, demo_report.PERIOD, steps, breaks=not drop)
            if as_json:
                click.echo(orjson.dumps(summary))
            if keep_serving:
                asyncio.run(demo_stages.keep_serving(stage))
            return 0 if summary["ok"] and summary["status"] == "PASS" else 1
    if as_json:
        click.echo(orjson.dumps(summary))
    return 0 if summary["status"] == "PASS" else 1


def _as_ctrl_c(_number: int, frame: FrameType | None) -> None:
    """SIGTERM ends the demo as Ctrl-C does, so nothing is left behind.

    While asyncio runs, Ctrl-C cancels its main task. A KeyboardInterrupt raised right here could come up inside
    gRPC's own code instead, which does not survive that.
    """
    on_ctrl_c = signal.getsignal(signal.SIGINT)
    if callable(on_ctrl_c):
        on_ctrl_c(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt
