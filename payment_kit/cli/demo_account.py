"""The demo with a Stripe account of your own: mirror it, report its last full month. Nothing is created in Stripe."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from payment_kit import wiring
from payment_kit.cli.demo_report import AFTER_OWN, last_full_month, report
from payment_kit.cli.screen import Screen
from payment_kit.cli.sync import listed
from payment_kit.config import Settings
from payment_kit.database.connection import open_pool
from payment_kit.database.migrations import migrate
from payment_kit.mirror.accounts import identify
from payment_kit.mirror.catch_up import catch_up

POOL_CONNECTIONS = 6


def mirror_and_report(settings: Settings, screen: Screen) -> dict[str, Any]:
    """Reads the account into PostgreSQL and runs the notebook; the summary's status is the report's."""
    screen.title("payment-kit demo: your own Stripe account, read only")
    asyncio.run(_try_key(settings))
    with wiring.database(settings, migrated=False) as dsn:
        applied = migrate(dsn)
        screen.done("PostgreSQL", f"{len(applied)} migrations applied")
        asyncio.run(_mirror(settings, dsn, screen))
        return report(settings, screen, last_full_month(datetime.now(UTC)), AFTER_OWN)


async def _try_key(settings: Settings) -> None:
    """A key that does not work is said before a database is started for it."""
    with wiring.stripe(settings) as stripe:
        async with wiring.open_gateway(settings, stripe) as gateway:
            await gateway.request("get", "/v1/account")


async def _mirror(settings: Settings, dsn: str, screen: Screen) -> None:
    with wiring.stripe(settings) as stripe:
        async with (
            wiring.open_gateway(settings, stripe) as gateway,
            await open_pool(dsn, max_size=POOL_CONNECTIONS, name="payment-kit demo") as pool,
        ):
            account = await identify(gateway, pool)
            screen.done("Stripe", f"{account.id}, {'live' if account.livemode else 'test'} mode")
            with screen.progress("Mirror", "objects") as advance:
                found = await catch_up(gateway, pool, account, progress=listed(advance))
            screen.done("Events and settlement", f"{found.seen:,} events seen, {found.missing:,} missing")
