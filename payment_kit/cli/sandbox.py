"""`payment-kit sandbox`: the stateful Stripe that runs offline."""

import asyncio
import ipaddress
import signal
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
import orjson

from payment_kit import config, lease
from payment_kit.addresses import port_taken
from payment_kit.cli import sandbox_verify
from payment_kit.cli.screen import Screen
from payment_kit.errors import Conflict, UsageProblem
from payment_kit.sandbox import Sandbox, StateInUse, serve_until
from payment_kit.sandbox import business as businesses
from payment_kit.sandbox.business import Business, BusinessError
from payment_kit.sandbox.server import START
from payment_kit.sandbox_process import SandboxFiles, in_use, write_private

UNUSED_POLL_SECONDS = 0.5


@click.group("sandbox", invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 12111]")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; whoever reaches it needs a key."
)
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Folder to keep the state in.")
@click.option("--memory", is_flag=True, help="Keep nothing on disk.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of a new sandbox's ids, account and key.")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), help="Where a new sandbox's clock starts.  [default: 2026-07-01]"
)
@click.option(
    "--scenario", metavar="NAME|FILE", help="Play a business into a new sandbox: saas, shop, smoke or a .toml file."
)
@click.option("--collect", is_flag=True, help="Send no webhooks: read them from /_sandbox/webhooks.")
@click.option("--isolated", is_flag=True, help="Give every sk_test_… key a world of its own.")
@click.option("--until-unused", is_flag=True, hidden=True, help="Leave when no payment-kit process uses it.")
@click.option("--ready-json", is_flag=True, help="Print one JSON line with url, account, api_key and page when ready.")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Run the sandbox: Stripe's API with state, signed webhooks, payouts and a clock you move.

    Point any Stripe SDK at the printed address with the printed key, and open the printed page to watch it. State is
    kept in var/sandbox and shared by every command that runs without STRIPE_API_KEY. Live keys are refused.

    \b
    A customer, and a month later, with the key in $KEY:
      curl localhost:12111/v1/customers -u $KEY: -d name=Ada
      curl localhost:12111/_sandbox/clock -u $KEY: -d '{"advance_seconds": 2592000}'
      curl localhost:12111/_sandbox/help -u $KEY:        all that can be ordered
    """
    if context.invoked_subcommand is None:
        _serve(Options(**options))


class Options(NamedTuple):
    """What the command line said."""

    port: int | None
    host: str
    state: Path | None
    memory: bool
    seed: int
    start: datetime | None
    scenario: str | None
    collect: bool
    isolated: bool
    until_unused: bool
    ready_json: bool


def _serve(options: Options) -> None:
    settings = config.load()
    files = SandboxFiles(settings.home.resolve())
    chosen = settings.sandbox_port if options.port is None else options.port
    shared = not options.memory and options.state is None
    sandbox = _opened(options, files)

    # Left last: whoever gets the start mutex next must find the sandbox gone, not about to go.
    with ExitStack() as until_gone, ExitStack() as stack:

        def ready(url: str) -> None:
            address = {"url": url, "account": sandbox.account_id, "api_key": sandbox.api_key}
            if shared:
                write_private(files.address, orjson.dumps(address))
                stack.enter_context(lease.use(files.alive))
            if options.ready_json:
                click.echo(orjson.dumps({**address, "page": _page(url, sandbox)}))
            elif not options.until_unused:
                _tell(url, sandbox)

        async def run() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop.set)
            watch = None
            if options.until_unused:
                watch = asyncio.create_task(_stop_when_unused(files, stop, until_gone))
            try:
                await serve_until(sandbox, options.host, chosen, stop, ready)
            finally:
                if watch is not None:
                    watch.cancel()

        try:
            asyncio.run(run())
        except OSError as error:
            raise port_taken(options.host, chosen, error) from None


def _opened(options: Options, files: SandboxFiles) -> Sandbox:
    """The sandbox, with the scenario played when it is new."""
    business = None
    if options.scenario is not None:
        try:
            business = businesses.read(options.scenario)
        except BusinessError as error:
            raise UsageProblem(
                "SETTING_INVALID",
                str(error),
                next_step="See docs/sandbox-in-tests.md, or the ready ones, for what a business is.",
            ) from None
    now = START if business is None else business.start
    if options.start is not None:
        now = int(options.start.replace(tzinfo=UTC).timestamp())
    folder = None if options.memory else options.state or files.state
    if folder is not None:
        config.require_writable(folder, "PAYMENT_KIT_HOME" if options.state is None else "--state")
    try:
        sandbox = Sandbox(seed=options.seed, now=now, state_dir=folder, isolated=options.isolated)
    except StateInUse:
        if options.state is None:
            raise in_use(files) from None
        raise Conflict("STATE_LOCKED", f"Another sandbox uses {options.state}.") from None
    if options.collect:
        sandbox.delivery.set_plan(replace(sandbox.delivery.plan, collect=True))
    if business is not None:
        _play(sandbox, business)
    return sandbox


def _play(sandbox: Sandbox, business: Business) -> None:
    if next(sandbox.store.rows("event"), None) is not None:
        click.echo(f"The state there is kept: {business.title} is played into an empty sandbox only.", err=True)
        return
    try:
        with Screen(to_stderr=True).progress(f"Playing {business.title}", "months") as report:
            told = businesses.play(sandbox, business, lambda done, of: report(done, of, ""))
    except ValueError as error:
        raise UsageProblem("SETTING_INVALID", f"{error}.", next_step="Leave --start out.") from None
    click.echo(f"{business.title}: {sum(told.objects.values()):,} objects.", err=True)


def _page(url: str, sandbox: Sandbox) -> str:
    return f"{url}/_sandbox/#key={sandbox.api_key}"


def _tell(url: str, sandbox: Sandbox) -> None:
    host = urlsplit(url).hostname or ""
    if not ipaddress.ip_address(host).is_loopback:
        click.echo(f"Whoever reaches {host} and knows the seed has the key: it follows from it.", err=True)
    click.echo(f"The sandbox listens on {url}; the key is {sandbox.api_key}. Ctrl-C stops it.")
    click.echo(f"  watch it  {_page(url, sandbox)}")
    click.echo(f"  try it    curl {url}/v1/customers -u {sandbox.api_key}: -d name=Ada")


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
