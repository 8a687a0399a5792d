"""`payment-kit sandbox`: the stateful Stripe that runs offline."""

import asyncio
import signal
from contextlib import ExitStack

import click
import orjson

from payment_kit import config, lease
from payment_kit.addresses import port_taken
from payment_kit.cli import sandbox_verify
from payment_kit.sandbox import Sandbox, StateInUse, serve_until
from payment_kit.sandbox_process import SandboxFiles, in_use, write_private

UNUSED_POLL_SECONDS = 0.5


@click.group("sandbox", invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 12111]")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of a new sandbox's ids and account.")
@click.option("--memory", is_flag=True, help="Keep nothing on disk.")
@click.option("--until-unused", is_flag=True, hidden=True, help="Leave when no payment-kit process uses it.")
@click.option("--ready-json", is_flag=True, help="Print one JSON line with url, account and api_key when ready.")
@click.pass_context
def command(
    context: click.Context, *, port: int | None, seed: int, memory: bool, until_unused: bool, ready_json: bool
) -> None:
    """Run the sandbox: Stripe's API with state, signed webhooks, payouts and a clock you move.

    Point any Stripe SDK at the printed address with the printed key. State is kept in var/sandbox and shared by every
    command that runs without STRIPE_API_KEY.
    """
    if context.invoked_subcommand is None:
        _serve(port, seed, memory=memory, until_unused=until_unused, ready_json=ready_json)


def _serve(port: int | None, seed: int, *, memory: bool, until_unused: bool, ready_json: bool) -> None:
    settings = config.load()
    files = SandboxFiles(settings.home.resolve())
    chosen = settings.sandbox_port if port is None else port
    try:
        sandbox = Sandbox(seed=seed, state_dir=None if memory else files.state)
    except StateInUse:
        raise in_use(files) from None

    # Left last: whoever gets the start mutex next must find the sandbox gone, not about to go.
    with ExitStack() as until_gone, ExitStack() as stack:

        def ready(url: str) -> None:
            address = {"url": url, "account": sandbox.account_id, "api_key": sandbox.api_key}
            if not memory:
                write_private(files.address, orjson.dumps(address))
                stack.enter_context(lease.use(files.alive))
            if ready_json:
                click.echo(orjson.dumps(address))
            elif not until_unused:
                click.echo(f"The sandbox listens on {url}; the key is {sandbox.api_key}. Ctrl-C stops it.")

        async def run() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop.set)
            watch = asyncio.create_task(_stop_when_unused(files, stop, until_gone)) if until_unused else None
            try:
                await serve_until(sandbox, "127.0.0.1", chosen, stop, ready)
            finally:
                if watch is not None:
                    watch.cancel()

        try:
            asyncio.run(run())
        except OSError as error:
            raise port_taken("127.0.0.1", chosen, error) from None


command.add_command(sandbox_verify.command)


async def _stop_when_unused(files: SandboxFiles, stop: asyncio.Event, until_gone: ExitStack) -> None:
    """Holds the start mutex from the decision until this process is gone, so nobody meets a half-stopped sandbox."""
    while True:
        await asyncio.sleep(UNUSED_POLL_SECONDS)
        if not lease.unused(files.users):
            continue
        with ExitStack() as deciding:
            await asyncio.to_thread(deciding.enter_context, lease.exclusive(files.start))
            if lease.unused(files.users):
                until_gone.push(deciding.pop_all())
                stop.set()
                return
