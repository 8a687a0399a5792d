"""The shortest history that still fails: moves are taken out, halves first, as long as something is still wrong."""

from collections import Counter
from collections.abc import Sequence

import psycopg

from payment_kit.database.connection import Pool
from payment_kit.mirror.catalogue import CATALOGUE
from tests.convergence import run
from tests.convergence.history import Move, history

PLAYS_MAX = 300


async def shortest(pool: Pool, failed: run.Played) -> Sequence[Move]:
    """The moves that are left of a failing seed; its differences may differ from the first ones."""
    moves, plays, size = list(history(failed.seed)), 0, 0
    size = len(moves) // 2
    while size and plays < PLAYS_MAX:
        at = 0
        while at < len(moves) and plays < PLAYS_MAX:
            fewer = moves[:at] + moves[at + size :]
            await forget(pool)
            plays += 1
            if (await run.play(pool, failed.seed, Counter(), fewer)).differences:
                moves = fewer
            else:
                at += size
        size //= 2
    await forget(pool)
    final = await run.play(pool, failed.seed, Counter(), moves)
    failed.differences[:] = final.differences  # type: ignore[index]
    return moves


async def forget(pool: Pool) -> None:
    """An empty mirror again: the same account is played anew."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set local payment_kit.may_change_history = 'yes'")
        tables = await (await connection.execute(_TABLES)).fetchall()
        names = psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(*row) for row in tables)
        await connection.execute(psycopg.sql.SQL("truncate {}").format(names))


_TABLES = """
select schemaname, tablename from pg_tables
where schemaname in ('stripe', 'payment_kit') and tablename not like '%migration%'
"""
assert CATALOGUE
