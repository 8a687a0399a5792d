"""The findings of `payment-kit doctor`, in the order in which one trouble causes the next."""

import asyncio
import importlib.util
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, NamedTuple

from payment_kit import config, wiring
from payment_kit.addresses import listening
from payment_kit.config import Settings
from payment_kit.database.connection import connect, open_pool
from payment_kit.database.migrations import pending
from payment_kit.errors import Problem
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.endpoint import survey
from payment_kit.mirror.status import Status, status
from payment_kit.stripe_gateway.gateway import StripeGateway

CLOCK_SKEW_SECONDS_MAX = 30
LAG_SECONDS_MAX = 60.0
CATCH_UP_AGE_SECONDS_MAX = 86_400
_CLOSED_TABLES = """
select schemaname, tablename
from pg_tables
where
    (schemaname = 'stripe' or (schemaname = 'payment_kit' and tablename <> 'schema_migrations'))
    and not case
        when has_schema_privilege(schemaname, 'usage')
            then (
                select bool_and(has_table_privilege(format('%I.%I', schemaname, tablename), needed))
                from unnest(array['select', 'insert', 'update']) as needed
            )
        else false
    end
order by 1, 2
"""
Mark = Literal["ok", "warn", "fail", "skip"]


class Finding(NamedTuple):
    """One line: the mark, what was looked at, what was found, and the command or setting that fixes it."""

    mark: Mark
    name: str
    detail: str
    fix: str = ""


def examine() -> list[Finding]:
    """Every finding; never raises for a trouble it can name."""
    try:
        settings = config.load()
    except Problem as problem:
        return [Finding("fail", "settings", problem.what, problem.next_step)]
    findings = [
        Finding("ok", "settings", f"home {settings.home.resolve()}"),
        _mode(settings),
        _webhook_secret(settings),
    ]
    findings += [_notebooks(), *_ports(settings)]
    state = _home(settings.home)
    findings.append(state)
    if state.mark == "fail" and (settings.database_url is None or settings.stripe_api_key is None):
        return findings  # the private PostgreSQL and the sandbox would only fail for the same reason
    with ExitStack() as stack:
        try:
            dsn = stack.enter_context(wiring.database(settings, migrated=settings.database_url is None))
        except Problem as problem:
            return [*findings, Finding("fail", "PostgreSQL", problem.what, problem.next_step)]
        found = list(_database(dsn, embedded=settings.database_url is None))
        findings += found
        if any(one.mark == "fail" for one in found):
            return findings
        try:
            access = stack.enter_context(wiring.stripe(settings))
            findings += asyncio.run(_stripe(settings, dsn, access))
        except Problem as problem:
            findings.append(Finding("fail", "Stripe", problem.what, problem.next_step))
    return findings


def _mode(settings: Settings) -> Finding:
    if settings.stripe_api_key is None:
        return Finding("ok", "Stripe key", "not set: the sandbox is the Stripe")
    kind = "restricted" if settings.stripe_api_key.get_secret_value().startswith("rk_") else "secret"
    return Finding("ok", "Stripe key", f"{'live' if settings.livemode else 'test'} mode, {kind} key")


def _webhook_secret(settings: Settings) -> Finding:
    count = len(settings.stripe_webhook_secrets)
    if count:
        return Finding("ok", "webhook secret", f"{count} set" + (" (rotation)" if count > 1 else ""))
    if settings.stripe_api_key is None:
        return Finding("ok", "webhook secret", "the sandbox gives its own")
    fix = "set STRIPE_WEBHOOK_SECRET to the endpoint's signing secret"
    return Finding("fail", "webhook secret", "not set: no webhook can be verified", fix)


def _home(home: Path) -> Finding:
    try:
        config.require_writable(home)
    except Problem as problem:
        return Finding("fail", "state folder", problem.what, problem.next_step)
    return Finding("ok", "state folder", f"{home.resolve()} can be written")


def _notebooks() -> Finding:
    missing = [name for name in ("papermill", "duckdb", "jupyterlab") if importlib.util.find_spec(name) is None]
    if not missing:
        return Finding("ok", "notebooks", "installed")
    return Finding("warn", "notebooks", f"{', '.join(missing)} missing", "pip install 'payment-kit[notebooks]'")


def _ports(settings: Settings) -> Iterator[Finding]:
    try:
        wiring.asks_who_calls(settings)
        host = listening(settings.host, protected=wiring.certificates(settings) is not None)
    except Problem as problem:
        yield Finding("fail", "address", problem.what, problem.next_step)
        return
    for name, setting, port in (
        ("service port", "PORT", settings.port),
        ("webhook port", "PAYMENT_KIT_WEBHOOK_PORT", settings.webhook_port),
    ):
        if _answers(host, port):
            yield Finding("warn", name, f"{port} is in use", f"fine if it is payment-kit serve; else set {setting}")
        else:
            yield Finding("ok", name, f"{port} is free")


def _answers(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return port != 0 and probe.connect_ex((host, port)) == 0


def _database(dsn: str, *, embedded: bool) -> Iterator[Finding]:
    try:
        missing = pending(dsn)
        with connect(dsn, name="payment-kit doctor") as connection:
            version = str(connection.info.parameter_status("server_version")).split(" ")[0]
            row = connection.execute("select has_database_privilege(current_database(), 'create')").fetchone()
            tables = connection.execute(_CLOSED_TABLES).fetchall()
    except Problem as problem:
        yield Finding("fail", "PostgreSQL", problem.what, problem.next_step)
        return
    yield Finding("ok", "PostgreSQL", f"{version}, {'private server' if embedded else 'DATABASE_URL'}")
    if missing and not (row and row[0]):
        yield Finding("fail", "rights", "the role may not create schemas", "run `payment-kit migrate` as the owner")
    if missing:
        yield Finding("fail", "migrations", f"{len(missing)} missing, from {missing[0]} on", "payment-kit migrate")
        return
    yield Finding("ok", "migrations", "up to date")
    closed = [f"{table[0]}.{table[1]}" for table in tables]
    if closed:
        detail = f"the role may not read and write {closed[0]}" + (f" and {len(closed) - 1} more" if closed[1:] else "")
        fix = "grant usage on schemas, and select, insert, update on all tables in schemas stripe and payment_kit"
        yield Finding("fail", "rights", detail, fix)
    else:
        yield Finding("ok", "rights", "the role may read and write every table")


async def _stripe(settings: Settings, dsn: str, access: wiring.StripeAccess) -> list[Finding]:
    pool = await open_pool(dsn, max_size=2, name="payment-kit doctor")
    async with pool, wiring.open_gateway(settings, access) as gateway:
        began = time.time()
        account = await identify(gateway, pool)
        place = "the sandbox" if access.sandbox else access.base
        findings = [Finding("ok", "Stripe", f"{account.id} at {place}")]
        if not access.sandbox:
            now = (await gateway.request("get", "/v1/balance")).server_time
            findings += [_clock(now - began), *await _endpoints(gateway)]
        return [*findings, *_lag(await status(pool, account.id), account, settings)]


def _clock(ahead_seconds: float) -> Finding:
    if abs(ahead_seconds) <= CLOCK_SKEW_SECONDS_MAX:
        return Finding("ok", "clock", f"within {CLOCK_SKEW_SECONDS_MAX} s of Stripe's")
    detail = f"{abs(ahead_seconds):.0f} s {'behind' if ahead_seconds > 0 else 'ahead of'} Stripe's"
    return Finding("fail", "clock", detail, "set this machine's clock (e.g. enable NTP)")


async def _endpoints(gateway: StripeGateway) -> list[Finding]:
    try:
        return [Finding(one.severity, "webhook endpoint", one.what, one.fix) for one in await survey(gateway)]
    except Problem as problem:
        return [Finding("warn", "webhook endpoint", problem.what, problem.next_step)]


def _lag(now: Status, account: Account, settings: Settings) -> Iterator[Finding]:
    lag = now.lag
    if lag.dead:
        yield Finding("fail", "inbox", f"{lag.dead:,} events were given up", "see last_error in payment_kit.inbox")
    elif lag.oldest_seconds > LAG_SECONDS_MAX:
        detail = f"{lag.waiting:,} events wait, the oldest for {lag.oldest_seconds:.0f} s"
        yield Finding("fail", "inbox", detail, "payment-kit serve")
    else:
        yield Finding("ok", "inbox", f"{lag.waiting:,} waiting, {sum(now.events.values()):,} stored")
    through = next((stream.complete_through for stream in now.streams if stream.name == "events"), None)
    if through is None:
        yield Finding("warn", "mirror", f"{account.id} was never compared with Stripe", "payment-kit sync catch-up")
    elif settings.stripe_api_key is not None and time.time() - through.timestamp() > CATCH_UP_AGE_SECONDS_MAX:
        yield Finding("warn", "mirror", f"complete only through {through:%Y-%m-%d %H:%M}", "payment-kit sync catch-up")
    else:
        yield Finding("ok", "mirror", f"complete through {through:%Y-%m-%d %H:%M} of Stripe's time")
