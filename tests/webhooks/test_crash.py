"""SIGKILL of a real serving process at any moment loses nothing that was acknowledged, and applies nothing twice."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from payment_kit.database.connection import Pool
from payment_kit.mirror.signature import sign
from payment_kit.webhooks.receiver import PATH
from tests.mirror.events import NOON, customer, event
from tests.waiting import until_found

SECRET = "whsec_crash"
CUSTOMERS, CHANGES = 20, 30


@contextmanager
def _serving(dsn: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.webhooks.serving", dsn, str(port), SECRET]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _deliver(session: aiohttp.ClientSession, url: str, bodies: list[bytes]) -> set[str]:
    """Deliver like Stripe: several at once, each until it is acknowledged or the server is gone; returns the ids."""
    gate, acknowledged = asyncio.Semaphore(16), set[str]()

    async def one(body: bytes) -> None:
        async with gate:
            headers = {"Stripe-Signature": sign(body, SECRET, int(time.time()))}
            try:
                async with session.post(url + PATH, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        acknowledged.add((await answer.json())["received"])
            except aiohttp.ClientError:
                return

    await asyncio.gather(*map(one, bodies))
    return acknowledged


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    async def answers() -> bool:
        try:
            async with session.get(url + "/healthz"):
                return True
        except aiohttp.ClientError:
            return False

    await until_found(answers)


async def _rows(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_acknowledged_event_is_applied_exactly_once(
    database: str, pool: Pool, unused_tcp_port: int, seed: int
) -> None:
    rng, url = random.Random(seed), f"http://127.0.0.1:{unused_tcp_port}"
    events = [
        event(customer(f"n{change}", id=f"cus_{number}"), id=f"evt_{number}_{change}", created=NOON + change)
        for number in range(CUSTOMERS)
        for change in range(CHANGES)
    ]
    bodies = [orjson.dumps(one) for one in events]
    rng.shuffle(bodies)
    acknowledged: set[str] = set()
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            with _serving(database, unused_tcp_port) as process:
                await _ready(session, url)
                delivering = asyncio.create_task(_deliver(session, url, bodies))
                await asyncio.sleep(rng.uniform(0.05, 0.4))
                process.kill()
                acknowledged |= await delivering
        stored = {row[0] for row in await _rows(pool, "select event_id from payment_kit.inbox")}
        assert acknowledged <= stored
        with _serving(database, unused_tcp_port):
            await _ready(session, url)

            async def all_acknowledged() -> bool:
                acknowledged.update(await _deliver(session, url, bodies))
                return acknowledged == {one["id"] for one in events}

            async def all_applied() -> bool:
                return not await _rows(pool, "select 1 from payment_kit.inbox where outcome is null limit 1")

            await until_found(all_acknowledged)
            await until_found(all_applied)
    assert await _rows(pool, "select distinct name from stripe.customers") == [(f"n{CHANGES - 1}",)]
    assert await _rows(pool, "select count(*) from payment_kit.versions") == [(len(events) - CUSTOMERS,)]
