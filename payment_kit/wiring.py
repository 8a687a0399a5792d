"""Builds what a door needs from the settings; the only module that knows everything.

With DATABASE_URL unset the database is a private PostgreSQL; with STRIPE_API_KEY unset Stripe is the sandbox
(`sandbox_process`). Neither is used when its variable is set.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import structlog
import uvloop
from pydantic import SecretStr

from payment_kit.addresses import loopback, require_free, shown
from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.config import Settings
from payment_kit.database.connection import Pool, open_pool
from payment_kit.database.connection import problem as database_problem
from payment_kit.database.embedded import embedded
from payment_kit.database.migrations import ensure_migrated, migrate
from payment_kit.errors import Problem, UsageProblem
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.catch_up import catch_up as catch_up_once
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.mirror.worker import Worker
from payment_kit.payments.desk import open_desk
from payment_kit.sandbox_process import endpoint_secret, sandbox
from payment_kit.stripe_gateway.gateway import StripeGateway, default_budget
from payment_kit.webhooks.receiver import PATH, receiver
from payment_kit.webhooks.server import WebhookServer

STOP_SECONDS = 10.0
T = TypeVar("T")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StripeAccess:
    """Where Stripe is and how to be let in; `sandbox` tells whether it is ours."""

    base: str
    api_key: SecretStr
    webhook_secrets: tuple[SecretStr, ...]
    sandbox: bool


@dataclass(frozen=True, slots=True)
class Installation:
    """An open installation: database, Stripe and the account both belong to."""

    settings: Settings
    dsn: str
    stripe: StripeAccess
    pool: Pool
    gateway: StripeGateway
    account: Account
    inbox: Inbox


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
    if settings.stripe_api_key is not None:
        yield StripeAccess(
            settings.stripe_api_base, settings.stripe_api_key, settings.stripe_webhook_secrets, sandbox=False
        )
        return
    with sandbox(settings.home) as address:
        yield StripeAccess(address.url, address.api_key, (), sandbox=True)


@asynccontextmanager
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Everything open and checked; raises `Problem` when the database or Stripe cannot be used."""
    async with AsyncExitStack() as stack:
        dsn = await asyncio.to_thread(stack.enter_context, database(settings))
        access = await asyncio.to_thread(stack.enter_context, stripe(settings))
        stack.enter_context(_database_named(dsn))
        pool = await open_pool(dsn, max_size=settings.database_pool_max, name="payment-kit")
        stack.push_async_callback(pool.close)
        gateway = await stack.enter_async_context(open_gateway(settings, access))
        account = await identify(gateway, pool)
        if settings.account is not None and settings.account != account.id:
            raise UsageProblem(
                "SETTING_INVALID", f"PAYMENT_KIT_ACCOUNT is {settings.account}, but the key belongs to {account.id}."
            )
        yield Installation(settings, dsn, access, pool, gateway, account, Inbox(pool, account.id))


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


def open_gateway(settings: Settings, access: StripeAccess) -> StripeGateway:
    """A gateway to be entered with ``async with``."""
    return StripeGateway(
        access.api_key,
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
    """Runs it on uvloop; Ctrl-C ends it."""
    return uvloop.run(coroutine)


def check_doors(settings: Settings, parts: Collection[str]) -> None:
    """What `open_doors` would refuse, said before anything is started or asked.

    Raises `UsageProblem` WEBHOOK_SECRET_MISSING when the receiver could verify nothing, PORT_TAKEN and BIND_INSECURE.
    """
    if "webhooks" in parts and settings.stripe_api_key is not None and not settings.stripe_webhook_secrets:
        raise UsageProblem("WEBHOOK_SECRET_MISSING", "STRIPE_WEBHOOK_SECRET is not set.")
    for part, port in (("service", settings.port), ("webhooks", settings.webhook_port)):
        if part in parts:
            require_free(loopback(settings.host), port)


async def open_doors(kit: Installation, parts: Collection[str], stack: AsyncExitStack) -> dict[str, int]:
    """Opens the gRPC service and the webhook receiver, as `parts` asks, until `stack` closes; returns their ports.

    Both accept webhooks by the same rule. Raises `UsageProblem` PORT_TAKEN and BIND_INSECURE.
    """
    settings, ports = kit.settings, dict[str, int]()
    known: list[SecretStr] = list(kit.stripe.webhook_secrets)
    intake = Intake(
        kit.inbox,
        known,
        kit.account.livemode,
        tolerance_seconds=settings.webhook_tolerance_seconds,
        body_bytes_max=settings.webhook_body_bytes_max,
    )
    if "webhooks" in parts:
        app = receiver(intake)
        server = await stack.enter_async_context(WebhookServer(app, host=settings.host, port=settings.webhook_port))
        ports["webhook_port"] = server.port
        if kit.stripe.sandbox:
            url = f"http://{shown(server.host, server.port)}{PATH}"
            known.append(await endpoint_secret(kit.gateway, settings.home.resolve(), url))
    if "service" in parts:
        desk = open_desk(kit.pool, kit.gateway, account=kit.account.id, livemode=kit.account.livemode)
        service = GrpcServer(Services(desk, intake), host=settings.host, port=settings.port)
        await stack.enter_async_context(service)
        ports["grpc_port"] = service.port
    return ports


async def work(kit: Installation, stop: asyncio.Event, *, catch_up: bool) -> None:
    """The worker, and beside it the catch-up every few minutes, until `stop` is set.

    A batch under way may end within `STOP_SECONDS`. A catch-up is broken off: it may have hours to go, and the next one
    goes on behind it.
    """
    worker = Worker(kit.pool, kit.gateway, kit.account.id, arrived=kit.inbox.arrived)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run(stop))
        catching_up = group.create_task(_catch_up_regularly(kit, stop)) if catch_up else None
        await stop.wait()
        if catching_up is not None:
            catching_up.cancel()
        await asyncio.wait({running}, timeout=STOP_SECONDS)
        running.cancel()


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


async def _catch_up_regularly(kit: Installation, stop: asyncio.Event) -> None:
    """Until `stop` is set. A cancellation alone is not enough: one that comes as an answer arrives can get lost."""
    while not stop.is_set():
        try:
            found = await catch_up_once(kit.gateway, kit.pool, kit.account)
            _log.info("caught up", seen=found.seen, missing=found.missing)
        except (Problem, psycopg.Error) as error:
            _log.warning("catch-up will be repeated", error=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), kit.settings.catch_up_interval_seconds)
