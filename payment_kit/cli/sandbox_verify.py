"""`payment-kit sandbox verify`: is the sandbox like Stripe, by the user's own test key?"""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson

from payment_kit import config
from payment_kit.errors import Unavailable, UsageProblem
from payment_kit.sandbox import verify
from payment_kit.sandbox.contract.client import Remote, Unreachable

_TEST_KEYS = ("sk_test_", "rk_test_")


@click.command("verify")
@click.option("--against", type=click.Choice(["stripe"]), required=True, help="The other side.")
@click.option("--snapshot", type=click.Path(dir_okay=False, path_type=Path), help="Where the record of the run goes.")
@click.option("--yes", is_flag=True, help="Do not ask before the first request.")
def command(*, against: str, snapshot: Path | None, yes: bool) -> int:
    """Run the sandbox's contract suite here and against Stripe, and show the difference.

    Uses STRIPE_API_KEY, which has to be a test key. Ids, times and addresses are masked before the comparison; wording
    of messages is not compared. Exit code 0: no difference; 1: differences; 2: could not run.
    """
    what = "verify needs a test key in STRIPE_API_KEY and refuses every other one."
    refused = UsageProblem("SETTING_INVALID", what, next_step="Set it to a key that begins with sk_test_ or rk_test_.")
    try:
        settings = config.load()
    except UsageProblem as problem:
        raise (refused if problem.reason == "LIVE_MODE_NEEDS_DATABASE" else problem) from None
    key = settings.stripe_api_key.get_secret_value() if settings.stripe_api_key else ""
    if not key.startswith(_TEST_KEYS):
        raise refused
    base = settings.stripe_api_base
    click.echo(verify.announcement(base))
    if not yes:
        click.confirm("Go on?", abort=True)
    try:
        outcome = verify.verify(Remote(base, key), f"pk{secrets.token_hex(4)}", click.echo)
    except Unreachable as error:
        raise Unavailable("STRIPE_UNREACHABLE", str(error), next_step="Check the key and the network.") from None
    now = datetime.now(UTC)
    file = snapshot or settings.home / "verify" / f"{now:%Y-%m-%d-%H%M%S}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(verify.snapshot(outcome, base, now), option=orjson.OPT_INDENT_2))
    for line in verify.shown(outcome):
        click.echo(line)
    click.echo(f"{len(outcome.differences)} differences; the record is {file}.")
    return 1 if outcome.differences else 0
