"""`payment-kit serve`: the service, the webhook receiver and the worker in one process."""

import asyncio
import signal
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Any

import click
import orjson
import structlog

from payment_kit import config, wiring
from payment_kit.config import Settings
from payment_kit.telemetry.logs import configure

PARTS = ("service", "webhooks", "worker")
_log = structlog.get_logger()


@click.command("serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the gRPC service; 0 takes a free one. [$PORT, 8080]"
)
@click.option("--webhook-port", type=click.IntRange(0, 65535), help="Port of the webhook receiver. [8081]")
@click.option("--host", help="Address to listen on. [127.0.0.1]")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Run only this part; repeatable.")
@click.option(
    "--catch-up/--no-catch-up", default=True, help="Compare with Stripe's events list now and every 5 minutes."
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option("--ready-json", is_flag=True, help="Print one JSON line with the ports when ready.")
def command(
    *,
    port: int | None,
    webhook_port: int | None,
    host: str | None,
    only: tuple[str, ...],
    catch_up: bool,
    log_level: str,
    ready_json: bool,
) -> None:
    """Serve apps over gRPC, receive Stripe's webhooks over HTTP, and keep the mirror up to date.

    Ctrl-C or SIGTERM stops it gracefully; after a SIGKILL the next start loses nothing. Several may run over one
    PostgreSQL. Webhooks go to http://…:8081/webhooks/stripe; without STRIPE_API_KEY the sandbox is told so by itself.
    """
    given = {"port": port, "webhook_port": webhook_port, "host": host}
    settings = config.load(**{name: value for name, value in given.items() if value is not None})
    configure(log_level)
    wiring.check_doors(settings, only or PARTS)
    wiring.run(_serve(settings, only or PARTS, catch_up=catch_up, ready_json=ready_json))


async def _serve(settings: Settings, parts: Collection[str], *, catch_up: bool, ready_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(_open(settings, parts, stack))
        if not await wiring.unless(stop, opening):
            return
        kit, ports = opening.result()
        tasks = [asyncio.create_task(wiring.work(kit, stop, catch_up=catch_up))] if "worker" in parts else []
        _say_ready(kit, ports, parts, ready_json=ready_json)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.gather(*tasks)


async def _open(
    settings: Settings, parts: Collection[str], stack: AsyncExitStack
) -> tuple[wiring.Installation, dict[str, int]]:
    kit = await stack.enter_async_context(wiring.installation(settings))
    return kit, await wiring.open_doors(kit, parts, stack)


def _say_ready(kit: wiring.Installation, ports: dict[str, int], parts: Collection[str], *, ready_json: bool) -> None:
    if ready_json:
        line: dict[str, Any] = {"account": kit.account.id, **ports}
        click.echo(orjson.dumps(line))
    stripe = "the sandbox" if kit.stripe.sandbox else ("live mode" if kit.account.livemode else "test mode")
    _log.info("ready", account=kit.account.id, stripe=stripe, parts=sorted(parts), **ports)
