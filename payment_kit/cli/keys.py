"""`payment-kit keys`: who may call the service, by which key or certificate, and how much he may move."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import orjson

from payment_kit import config, wiring
from payment_kit.access import callers
from payment_kit.access.callers import ROLES, Wanted
from payment_kit.access.directory import REFRESH_SECONDS
from payment_kit.cli.screen import Screen
from payment_kit.errors import UsageProblem

_AMOUNT = re.compile(r"(payments|refunds):([a-z]{3})=(\d{1,15})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:/-]{0,99}")
json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")


@click.group("keys")
def command() -> None:
    """Say who may call the service, what he may do and how much he may move.

    A caller is a program: it has roles, and proves who it is by an API key or a client certificate. To rotate a key,
    create a second one, let the program use it, then revoke the first: two are valid at once, never three.
    """


@command.command("create")
@click.option("--caller", required=True, metavar="NAME", help="Whose key it is; made if it is new.")
@click.option("--role", "roles", multiple=True, type=click.Choice(list(ROLES)), help="What it may do; repeatable.")
@click.option("--expires-days", type=click.IntRange(1, 3650), help="The key ends after so many days. [default: never]")
@click.option("--calls-per-second", type=click.FloatRange(0, min_open=True), help="Calls taken from it in a second.")
@click.option(
    "--max-amount", "amounts", multiple=True, metavar="ROLE:CURRENCY=MINOR",
    help="The largest amount of one payment or refund, in minor units: refunds:usd=50000. Repeatable; then every "
    "currency that is not named is refused.",
)  # fmt: skip
@json_option
def create_command(
    *,
    caller: str,
    roles: tuple[str, ...],
    expires_days: int | None,
    calls_per_second: float | None,
    amounts: tuple[str, ...],
    as_json: bool,
) -> int:
    """Make an API key, and its caller if there is none yet. The key is shown once, here, and stored nowhere.

    For a caller that is there already, what is given replaces what it had, for all of its keys.

    \b
    payment-kit keys create --caller shop --role payments --role customers
    payment-kit keys create --caller support --role refunds --max-amount refunds:usd=50000
    """
    wanted = Wanted(list(roles) or None, calls_per_second, _amounts(amounts))
    expires = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    key = wiring.run(_create(_named(caller), wanted, expires))
    if as_json:
        click.echo(orjson.dumps({"caller": caller, "key": key}))
        return 0
    click.echo(key)
    screen = Screen(to_stderr=True)
    screen.note("This key is not shown again. The program sends it as metadata: authorization: Bearer pk_…")
    return 0


@command.command("list")
@json_option
def list_command(*, as_json: bool) -> int:
    """Show every caller with its keys and certificates; never a secret."""
    found = wiring.run(_list())
    if as_json:
        click.echo(orjson.dumps(found))
        return 0
    columns = ("caller", "roles", "key or certificate", "created", "last used", "state")
    Screen().table(columns, [_row(one) for one in found], left=len(columns))
    return 0


@command.command("revoke")
@click.argument("key_id", metavar="ID")
@json_option
def revoke_command(*, key_id: str, as_json: bool) -> int:
    """Refuse a key from now on. ID is the part of it that `keys list` shows, pk_test_ID_…; running servers know
    within three seconds."""
    caller = wiring.run(_revoke(key_id))
    if as_json:
        click.echo(orjson.dumps({"id": key_id, "caller": caller, "effective_seconds": REFRESH_SECONDS + 1}))
    else:
        Screen().done(f"Key {key_id} of {caller} is revoked; every server refuses it within three seconds.")
    return 0


@command.command("allow-certificate")
@click.option("--caller", required=True, metavar="NAME", help="Whose certificates they are; `keys create` makes it.")
@click.argument("identity")
@json_option
def allow_certificate_command(*, caller: str, identity: str, as_json: bool) -> int:
    """Let client certificates with IDENTITY stand for a caller (mutual TLS, PAYMENT_KIT_TLS_CLIENT_CA).

    IDENTITY is the certificate's SPIFFE id; of one that has none its DNS name; of one without either its common name.
    """
    wiring.run(_allow(caller, identity))
    if as_json:
        click.echo(orjson.dumps({"caller": caller, "identity": identity}))
    else:
        Screen().done(f"Certificates of {identity} stand for {caller}.")
    return 0


def _amounts(given: Sequence[str]) -> callers.Amounts | None:
    found: dict[str, dict[str, int]] = {}
    for one in given:
        parts = _AMOUNT.fullmatch(one)
        if parts is None:
            what = f"--max-amount {one[:50]} is not like refunds:usd=50000 (payments or refunds, minor units)."
            raise UsageProblem("SETTING_INVALID", what, next_step="Correct the option; see --help.")
        found.setdefault(parts[1], {})[parts[2]] = int(parts[3])
    return found or None


def _named(caller: str) -> str:
    if not _NAME.fullmatch(caller):
        what = "--caller must be a name of 1 to 100 letters, digits and . _ @ : / -"
        raise UsageProblem("SETTING_INVALID", what, next_step="Choose another name.")
    return caller


async def _create(caller: str, wanted: Wanted, expires: datetime | None) -> str:
    async with wiring.installation(config.load()) as kit, kit.pool.connection() as connection, connection.transaction():
        await callers.save(connection, kit.account.id, caller, wanted)
        livemode = kit.account.livemode
        return await callers.add_key(connection, kit.account.id, caller, livemode=livemode, expires=expires)


async def _list() -> list[dict[str, Any]]:
    async with wiring.installation(config.load()) as kit, kit.pool.connection() as connection:
        return await callers.listing(connection, kit.account.id)


async def _revoke(id_: str) -> str:
    async with wiring.installation(config.load()) as kit, kit.pool.connection() as connection:
        return await callers.revoke(connection, kit.account.id, id_)


async def _allow(caller: str, identity: str) -> None:
    async with wiring.installation(config.load()) as kit, kit.pool.connection() as connection:
        await callers.allow_certificate(connection, kit.account.id, caller, identity)


def _row(one: dict[str, Any]) -> list[str]:
    times = [one[name].strftime("%Y-%m-%d %H:%M") if one[name] else "" for name in ("created_at", "last_used_at")]
    ended = one["expires_at"] is not None and one["expires_at"] <= datetime.now(UTC)
    state = "revoked" if one["revoked_at"] else "expired" if ended else "valid" if one["created_at"] else "no key"
    return [one["name"], " ".join(one["roles"]), one["id"] or one["identity"] or "", *times, state]
