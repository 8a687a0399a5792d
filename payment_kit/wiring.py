"""Builds what a door needs from the settings; the only module that knows everything.

With DATABASE_URL unset the database is a private PostgreSQL; with STRIPE_API_KEY unset Stripe is the sandbox
(`sandbox_process`). Neither is used when its variable is set.
"""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
import structlog
import uvloop
from pydantic import SecretStr

from payment_kit.access.door import Door
from payment_kit.access.tokens import Tokens
from payment_kit.addresses import is_loopback, listening, require_free, shown
from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.certificates import Certificates
from payment_kit.config import Settings
from payment_kit.database.connection import Pool, open_pool
from payment_kit.database.connection import problem as database_problem
from payment_kit.database.embedded import embedded
from payment_kit.database.migrations import ensure_migrated, migrate
from payment_kit.errors import Problem, UsageProblem
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.catch_up import CatchUp
from payment_kit.mirror.catch_up import catch_up as catch_up_once
from payment_kit.mirror.connect import Done, for_each_account
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.mirror.worker import Worker
from payment_kit.payments.desk import open_desk
from payment_kit.sandbox_process import endpoint_secret, sandbox
from payment_kit.stripe_gateway.gateway import StripeGateway, default_budget
from payment_kit.webhooks.receiver import PATH, receiver
from payment_kit.webhooks.server import WebhookServer

GC_ALLOCATIONS = 20_000
STOP_SECONDS = 10.0
T = TypeVar("T")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StripeAccess:
    """Where Stripe is and how to be let in: keys of one mode; `sandbox` tells whether it is ours."""

    base: str
    api_keys: tuple[SecretStr, ...]
    sandbox: bool

    @property
    def api_key(self) -> SecretStr:
        """The first key, with which the service acts."""
        return self.api_keys[0]


@dataclass(frozen=True, slots=True)
class Platform:
    """One key: the account it belongs to, what asks Stripe with it, where its events go, and who may sign them."""

    gateway: StripeGateway
    account: Account
    inbox: Inbox
    secrets: list[SecretStr]


@dataclass(frozen=True, slots=True)
class Installation:
    """An open installation: database, Stripe and the platforms mirrored in the one from the other.

    `gateway`, `account` and `inbox` are the first platform's, with which the service acts.
    """

    settings: Settings
    dsn: str
    stripe: StripeAccess
    pool: Pool
    platforms: tuple[Platform, ...]

    @property
    def gateway(self) -> StripeGateway:
        """What the service asks Stripe with."""
        return self.platforms[0].gateway

    @property
    def account(self) -> Account:
        """The account the service acts for."""
        return self.platforms[0].account

    @property
    def inbox(self) -> Inbox:
        """The inbox of that account."""
        return self.platforms[0].inbox


@contextmanager
def database(settings: Settings, *, migrated: bool = True) -> Iterator[str]:
    """The DSN of the installation's database; the embedded one is kept migrated, an external one must be already."""
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        if migrated:
            ensure_migrated(dsn)
        yield dsn
        return
    with embedded(settings.home, binaries=settings.postgres_bin) as dsn:
        if migrated:
            migrate(dsn)
        yield dsn


@contextmanager
def stripe(settings: Settings) -> Iterator[StripeAccess]:
    """Stripe by the settings' key, or the sandbox of this installation."""
    if settings.stripe_api_keys:
        yield StripeAccess(settings.stripe_api_base, settings.stripe_api_keys, sandbox=False)
        return
    with sandbox(settings.home) as address:
        yield StripeAccess(address.url, (address.api_key,), sandbox=True)


@asynccontextmanager
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Everything open and checked; raises `Problem` when the database or Stripe cannot be used."""
    async with AsyncExitStack() as stack:
        dsn = await asyncio.to_thread(stack.enter_context, database(settings))
        access = await asyncio.to_thread(stack.enter_context, stripe(settings))
        stack.enter_context(_database_named(dsn))
        pool = await open_pool(dsn, max_size=settings.database_pool_max, name="payment-kit")
        stack.push_async_callback(pool.close)
        platforms = tuple([await _platform(settings, access, pool, key, stack) for key in access.api_keys])
        _check_platforms(settings, platforms)
        yield Installation(settings, dsn, access, pool, platforms)


async def _platform(
    settings: Settings, access: StripeAccess, pool: Pool, key: SecretStr, stack: AsyncExitStack
) -> Platform:
    gateway = await stack.enter_async_context(open_gateway(settings, access, key))
    account = await identify(gateway, pool)
    is_first = key is access.api_key
    secrets = [*settings.signing_secrets.get(account.id, ()), *(settings.signing_secrets.get("", ()) * is_first)]
    return Platform(gateway, account, Inbox(pool, account.id), [] if access.sandbox else secrets)


def _check_platforms(settings: Settings, platforms: Sequence[Platform]) -> None:
    """Raises `UsageProblem` SETTING_INVALID when keys, accounts and secrets do not belong together."""
    ids = [platform.account.id for platform in platforms]
    for named, found in zip(settings.accounts, ids, strict=False):
        if named != found:
            raise UsageProblem("SETTING_INVALID", f"PAYMENT_KIT_ACCOUNT is {named}, but the key belongs to {found}.")
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise UsageProblem("SETTING_INVALID", f"STRIPE_API_KEY holds two keys of {twice}.")
    stranger = next((one for one in settings.signing_secrets if one and one not in ids), None)
    if stranger is not None and settings.stripe_api_keys:
        what = f"STRIPE_WEBHOOK_SECRET has a secret of {stranger}, to which no key of STRIPE_API_KEY belongs."
        raise UsageProblem("SETTING_INVALID", what)


@contextmanager
def _database_named(dsn: str) -> Iterator[None]:
    """A connection lost in the middle of the work is said as one refused at its start."""
    try:
        yield
    except psycopg.OperationalError as error:
        found = database_problem(error, dsn)
        if found is None:
            raise
        raise found from None


async def for_accounts(
    kit: Installation, work: Callable[[Platform, Account], Awaitable[T]], only: str | None = None
) -> list[Done[T]]:
    """Do `work` for every account the keys reach, or `only` for that one; one account's `Problem` stops no other.

    Raises the problem of the only key there is, and `UsageProblem` ACCOUNT_UNKNOWN for an account no key reaches.
    """
    done: list[Done[T]] = []
    for platform in kit.platforms:
        try:
            done += await for_each_account(kit.pool, platform.account, partial(work, platform), only=only)
        except Problem as problem:
            if len(kit.platforms) == 1:
                raise
            done.append(Done(platform.account, None, problem))
    if only is not None and not done:
        raise UsageProblem("ACCOUNT_UNKNOWN", f"No key of STRIPE_API_KEY is known to reach {only}.")
    return done


def open_gateway(settings: Settings, access: StripeAccess, key: SecretStr | None = None) -> StripeGateway:
    """A gateway to be entered with ``async with``; `key` is the first one by default."""
    return StripeGateway(
        key or access.api_key,
        base=access.base,
        timeout_seconds=settings.stripe_timeout_seconds,
        retries=settings.stripe_retries,
        budget=default_budget(
            access.base,
            livemode=settings.livemode,
            account_per_second=settings.stripe_requests_per_second,
            endpoint_per_second=settings.stripe_endpoint_requests_per_second,
        ),
    )


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it on uvloop; Ctrl-C ends it.

    What is loaded by now stays, so the collector need not look through it again, nor as often as CPython's default
    wants it for payloads that parse into hundreds of containers each and are gone at once.
    """
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)
    return uvloop.run(coroutine)


def check_doors(settings: Settings, parts: Collection[str]) -> None:
    """What `open_doors` would refuse, said before anything is started or asked.

    Raises `UsageProblem` WEBHOOK_SECRET_MISSING when the receiver could verify nothing, PORT_TAKEN, BIND_INSECURE,
    AUTHENTICATION_OFF and SETTING_INVALID.
    """
    if "webhooks" in parts and settings.stripe_api_key is not None and not settings.stripe_webhook_secrets:
        raise UsageProblem("WEBHOOK_SECRET_MISSING", "STRIPE_WEBHOOK_SECRET is not set.")
    protected = certificates(settings) is not None
    if "service" in parts:
        asks_who_calls(settings)
        _tokens(settings)
    for part, port in (("service", settings.port), ("webhooks", settings.webhook_port)):
        if part in parts:
            require_free(listening(settings.host, protected=protected), port, shared=settings.share_ports)


def asks_who_calls(settings: Settings) -> bool:
    """Whether the service lets nobody in unknown: always, but on loopback without a live key, where it may be off.

    Raises `UsageProblem` AUTHENTICATION_OFF when it is switched off elsewhere.
    """
    harmless = is_loopback(settings.host) and not settings.livemode
    if settings.authentication == "off" and not harmless:
        where = "with a live key" if settings.livemode else f"at {settings.host}"
        raise UsageProblem("AUTHENTICATION_OFF", f"PAYMENT_KIT_AUTHENTICATION is off {where}.")
    return settings.authentication == "required" or not harmless


def certificates(settings: Settings) -> Certificates | None:
    """What the servers show, if that is set; raises `UsageProblem` SETTING_INVALID when it cannot be used."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


def _tokens(settings: Settings) -> Tokens | None:
    if settings.jwt_issuer is None or settings.jwt_audience is None or settings.jwt_keys is None:
        return None
    return Tokens(settings.jwt_issuer, settings.jwt_audience, settings.jwt_keys)


async def open_doors(kit: Installation, parts: Collection[str], stack: AsyncExitStack) -> dict[str, int]:
    """Opens the gRPC service and the webhook receiver, as `parts` asks, until `stack` closes; returns their ports.

    Both accept webhooks by the same rule. Raises `UsageProblem` PORT_TAKEN and BIND_INSECURE.
    """
    settings, ports = kit.settings, dict[str, int]()
    intakes = {platform.account.id: _intake(settings, platform) for platform in kit.platforms}
    intake = intakes[kit.account.id]
    tls = certificates(settings)
    if "webhooks" in parts:
        app = receiver(intake, intakes)
        where: dict[str, Any] = {"host": settings.host, "shared": settings.share_ports, "certificates": tls}
        server = await stack.enter_async_context(WebhookServer(app, port=settings.webhook_port, **where))
        ports["webhook_port"] = server.port
        if kit.stripe.sandbox:
            url = f"{'https' if tls else 'http'}://{shown(server.host, server.port)}{PATH}"
            secret = await endpoint_secret(kit.gateway, settings.home.resolve(), url)
            kit.platforms[0].secrets.append(secret)
        for platform in kit.platforms:
            if not platform.secrets:
                _log.warning("no signing secret: the webhooks of this account are refused", account=platform.account.id)
    if "service" in parts:
        desk = open_desk(kit.pool, kit.gateway, account=kit.account.id, livemode=kit.account.livemode)
        services = Services(desk, intake)
        door = Door(
            kit.pool,
            kit.account.id,
            livemode=kit.account.livemode,
            tokens=_tokens(settings),
            asks=asks_who_calls(settings),
        )
        service = GrpcServer(
            services,
            host=settings.host,
            port=settings.port,
            shared=settings.share_ports,
            door=await stack.enter_async_context(door),
            certificates=tls,
        )
        await stack.enter_async_context(service)
        ports["grpc_port"] = service.port
    return ports


def _intake(settings: Settings, platform: Platform) -> Intake:
    return Intake(
        platform.inbox,
        platform.secrets,
        platform.account.livemode,
        tolerance_seconds=settings.webhook_tolerance_seconds,
        body_bytes_max=settings.webhook_body_bytes_max,
    )


async def work(kit: Installation, stop: asyncio.Event, *, catch_up: bool) -> None:
    """Of each platform a worker, and beside it the catch-up every few minutes, until `stop` is set.

    A batch under way may end within `STOP_SECONDS`. A catch-up is broken off: it may have hours to go, and the next one
    goes on behind it.
    """
    async with asyncio.TaskGroup() as group:
        running, catching_up = set[asyncio.Task[None]](), set[asyncio.Task[None]]()
        for one in kit.platforms:
            worker = Worker(kit.pool, one.gateway, one.account.id, arrived=one.inbox.arrived)
            running.add(group.create_task(worker.run(stop)))
            if catch_up:
                catching_up.add(group.create_task(_catch_up_regularly(kit, one, stop)))
        await stop.wait()
        for task in catching_up:
            task.cancel()
        await asyncio.wait(running, timeout=STOP_SECONDS)
        for task in running:
            task.cancel()


async def unless(stop: asyncio.Event, task: asyncio.Task[Any]) -> bool:
    """Wait for `task`; true when it is done, false when `stop` was set first and `task` has been broken off.

    Raises what `task` raises.
    """
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        await task
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


async def _catch_up_regularly(kit: Installation, platform: Platform, stop: asyncio.Event) -> None:
    """Until `stop` is set. A cancellation alone is not enough: one that comes as an answer arrives can get lost."""

    async def catch_up(account: Account) -> CatchUp:
        return await catch_up_once(platform.gateway, kit.pool, account)

    while not stop.is_set():
        try:
            for done in await for_each_account(kit.pool, platform.account, catch_up):
                if done.result is not None:
                    found = done.result
                    _log.info("caught up", account=done.account.id, seen=found.seen, missing=found.missing)
        except (Problem, psycopg.Error) as error:
            _log.warning("catch-up will be repeated", account=platform.account.id, error=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), kit.settings.catch_up_interval_seconds)
