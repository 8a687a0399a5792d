"""Being woken by another process: LISTEN, kept up for as long as somebody waits."""

import asyncio

import psycopg

from payment_kit.database.connection import Pool, connect_async
from payment_kit.errors import Problem

LISTEN_SECONDS = 30.0
RECONNECT_SECONDS = 1.0


async def listen(pool: Pool, channel: str, woken: asyncio.Event, *, name: str) -> None:
    """Set `woken` at every NOTIFY on `channel`, and whenever one may have been missed; ends when it is cancelled.

    A database that is away is tried again: whoever is woken so also looks by itself now and then.
    """
    while True:
        try:
            async with await connect_async(str(pool.conninfo), name=name) as connection:
                await connection.execute(f"listen {channel}".encode())
                woken.set()
                while True:
                    async for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                        woken.set()
        except (psycopg.Error, Problem):
            await asyncio.sleep(RECONNECT_SECONDS)
