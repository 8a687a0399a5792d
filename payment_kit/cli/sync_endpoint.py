"""`payment-kit sync endpoint`: the webhook endpoint at Stripe, created, inspected or repaired."""

import os
from pathlib import Path

import click
import orjson

from payment_kit import config, wiring
from payment_kit.cli.screen import Screen
from payment_kit.errors import UsageProblem
from payment_kit.mirror.endpoint import Finding, Mended, health, mend

VARIABLE = "STRIPE_WEBHOOK_SECRET"
PRIVATE = 0o600


@click.command("endpoint")
@click.option("--url", required=True, help="Where Stripe is to deliver, e.g. https://pay.example.com/webhooks/stripe.")
@click.option("--connect", is_flag=True, help="The endpoint for events of connected accounts.")
@click.option("--check", is_flag=True, help="Only look; exit code 1 when something is wrong.")
@click.option("--replace", is_flag=True, help="Delete other endpoints to this URL, once a right one is there.")
@click.option("--write-env", is_flag=True, help="Put the signing secret of a new endpoint into .env (mode 0600).")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout, without the secret.")
def command(*, url: str, connect: bool, check: bool, replace: bool, write_env: bool, as_json: bool) -> int:
    """Create the webhook endpoint at Stripe, or repair it.

    The signing secret is shown once, here, when an endpoint is created: Stripe never tells it again, and it is stored
    nowhere unless --write-env says so. An endpoint that sends another API version cannot be changed: a new one is
    created beside it, and the old one stays until a later call with --replace, when the new secret is in use.

    Exit code: 0 all is well, 1 with --check something is wrong.
    """
    screen = Screen(to_stderr=as_json)
    if check:
        findings = wiring.run(_look(url, connect))
        if as_json:
            click.echo(orjson.dumps(findings))
        else:
            _show(screen, findings)
        return 1 if any(one.severity != "ok" for one in findings) else 0
    if as_json and not write_env:
        raise UsageProblem("SETTING_INVALID", "--json shows no secret: add --write-env, or --check to only look.")
    mended = wiring.run(_mend(url, connect, replace))
    _say(screen, mended, write_env=write_env)
    if as_json:
        click.echo(orjson.dumps({"id": mended.id, "done": mended.done, "left": mended.left}))
    return 0


def append_secret(secret: str, env: Path) -> None:
    """Add a signing secret to the settings file: the newest first, older ones stay beside it, separated by commas.

    The file is replaced as a whole and only its owner can read it.
    """
    lines = env.read_text(encoding="utf-8").splitlines() if env.exists() else []
    at = next((i for i, line in enumerate(lines) if line.partition("=")[0].strip() == VARIABLE), None)
    if at is None:
        lines.append(f"{VARIABLE}={secret}")
    else:
        known = lines[at].partition("=")[2].strip().strip("\"'")
        lines[at] = f"{VARIABLE}={','.join([secret, *(one for one in known.split(',') if one)])}"
    draft = env.with_name(f".{env.name.lstrip('.')}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), PRIVATE)
        file.write("\n".join(lines) + "\n")
    draft.replace(env)


async def _look(url: str, connect: bool) -> list[Finding]:
    settings = config.load()
    with wiring.stripe(settings) as access:
        async with wiring.open_gateway(settings, access) as gateway:
            return await health(gateway, url, connect=connect)


async def _mend(url: str, connect: bool, replace: bool) -> Mended:
    settings = config.load()
    with wiring.stripe(settings) as access:
        async with wiring.open_gateway(settings, access) as gateway:
            return await mend(gateway, url, connect=connect, replace=replace)


def _show(screen: Screen, findings: list[Finding]) -> None:
    for one in findings:
        {"ok": screen.done, "warn": screen.warn, "fail": screen.fail}[one.severity](one.what)
        if one.fix:
            screen.note(f"→ {one.fix}")


def _say(screen: Screen, mended: Mended, *, write_env: bool) -> None:
    for sentence in mended.done or (f"{mended.id} is as it should be.",):
        screen.done(sentence)
    if mended.secret is not None and write_env:
        env = config.project_folder() / ".env"
        append_secret(mended.secret.get_secret_value(), env)
        screen.note(f"Its signing secret is in {env} now. Restart what receives webhooks.")
    elif mended.secret is not None:
        # Once, and only here: Stripe does not show it again.
        click.echo(mended.secret.get_secret_value())
        screen.note(f"This signing secret is not shown again. Set {VARIABLE} to it;")
        screen.note("while an older endpoint still delivers, set both secrets, separated by a comma.")
    if mended.left:
        screen.warn(f"{', '.join(mended.left)} still delivers to the same URL.")
        screen.note("Once the new secret is in use, repeat this command with --replace to delete it.")
