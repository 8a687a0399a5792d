"""PostgreSQL or Stripe away for minutes: nothing is lost or claimed, and work goes on by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from payment_kit.database.connection import Pool, open_pool
from payment_kit.errors import Problem, Unavailable
from payment_kit.mirror.accounts import Account, identify
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.inbox import Inbox, envelope
from payment_kit.mirror.status import status
from payment_kit.mirror.worker import Worker
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import DAY, Business, different, mirrored
from tests.mirror.events import customer, event
from tests.stripe_gateway.answering import Waits
from tests.waiting import until_found

POOL_WAIT_SECONDS = 1.0


# ---- Stripe ---------------------------------------------------------------------------------------------------------


class Minutes(Waits):
    """A sleep that returns at once; after so many seconds of it Stripe answers again."""

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        super().__init__()
        self._sandbox, self._until = sandbox, seconds

    async def __call__(self, seconds: float) -> None:
        await super().__call__(seconds)
        if sum(self.seconds) >= self._until:
            self._sandbox.worlds.default.faults.configure({})


@pytest.mark.parametrize(
    "fault", [{"rate_limit": 1.0}, {"error_before": 1.0}, {"drop_before": 1.0}], ids=["429", "500", "lost"]
)
async def test_minutes_of_failure_are_waited_out_by_a_catch_up(
    pool: Pool, account: Account, business: Business, sandbox: Sandbox, gateway: StripeGateway, fault: dict[str, Any]
) -> None:
    await catch_up(gateway, pool, account)
    await business.trade(10, days=1)
    sandbox.worlds.default.faults.configure(fault)
    waits = Minutes(sandbox, 180)
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url, retries=0, sleep=waits) as patient:
        done = await catch_up(patient, pool, account)
    assert (sum(waits.seconds) >= 180, done.backfilled) == (True, False)
    assert different(await mirrored(pool), await business.truth()) == []


async def test_answers_that_never_come_are_waited_out_too(
    pool: Pool, account: Account, business: Business, sandbox: Sandbox, gateway: StripeGateway
) -> None:
    await catch_up(gateway, pool, account)
    await business.trade(5, days=1)
    sandbox.worlds.default.faults.configure({"next": ["hang; seconds=60"] * 3})
    waits = Waits()
    key = SecretStr(sandbox.api_key)
    async with StripeGateway(key, base=sandbox.url, retries=0, sleep=waits, timeout_seconds=0.2) as patient:
        await catch_up(patient, pool, account)
    assert len(waits.seconds) == 3
    assert different(await mirrored(pool), await business.truth()) == []


async def test_a_failure_without_end_claims_nothing_and_the_next_catch_up_goes_on(
    pool: Pool, account: Account, business: Business, sandbox: Sandbox, gateway: StripeGateway
) -> None:
    await catch_up(gateway, pool, account)
    before = (await status(pool, account.id)).complete_through
    await business.trade(10, days=2)
    sandbox.worlds.default.faults.configure({"error_before": 1.0, "path": "events"})
    async with StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url, retries=0, sleep=Waits()) as patient:
        with pytest.raises(Unavailable):
            await catch_up(patient, pool, account)
    assert (await status(pool, account.id)).complete_through == before
    sandbox.worlds.default.faults.configure({})
    await catch_up(gateway, pool, account)
    assert different(await mirrored(pool), await business.truth()) == []


# ---- PostgreSQL -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def hasty(database: str) -> AsyncIterator[Pool]:
    """A pool that waits a second for a connection, not half a minute."""
    async with await open_pool(database, max_size=4, name="hasty") as opened:
        opened.timeout = POOL_WAIT_SECONDS
        yield opened


async def _postgresql(cluster: str, pool: Pool, *, away: bool) -> None:
    """Let nobody into the database, and throw out who is in; or let them in again."""
    name = psycopg.conninfo.conninfo_to_dict(str(pool.conninfo))["dbname"]
    async with await psycopg.AsyncConnection.connect(cluster, autocommit=True) as connection:
        allowed = sql.SQL("alter database {} allow_connections {}")
        await connection.execute(allowed.format(sql.Identifier(str(name)), sql.Literal(not away)))
        if away:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )


async def test_postgresql_goes_away_and_comes_back(
    cluster: str, hasty: Pool, gateway: StripeGateway, business: Business
) -> None:
    account = await identify(gateway, hasty)
    inbox = Inbox(hasty, account.id)
    worker = Worker(hasty, gateway, account.id, arrived=inbox.arrived)
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(stop))
    await catch_up(gateway, hasty, account)
    before = (await status(hasty, account.id)).complete_through
    await _postgresql(cluster, hasty, away=True)
    with pytest.raises(Unavailable):
        await inbox.store(envelope(orjson.dumps(event(customer(), id="evt_refused"))), "webhook")
    await business.trade(10, days=1)
    with pytest.raises((psycopg.Error, Problem)):
        await catch_up(gateway, hasty, account)
    await _postgresql(cluster, hasty, away=False)
    business.pass_time(DAY)

    async def caught_up() -> bool:
        with suppress(psycopg.Error, Problem):
            await catch_up(gateway, hasty, account)
            return True
        return False

    await until_found(caught_up)
    stop.set()
    await working
    assert different(await mirrored(hasty), await business.truth()) == []
    after = (await status(hasty, account.id)).complete_through
    assert before is not None
    assert after is not None
    assert after > before
