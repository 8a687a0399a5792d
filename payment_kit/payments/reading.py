"""Reads from the mirror: one object by its key, or one page of a list; a single statement each, no transaction."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, NamedTuple

import psycopg

from payment_kit.database.connection import Pool, translated
from payment_kit.database.queries import sql
from payment_kit.errors import NotFound, Problem
from payment_kit.payments import pages

Payload = dict[str, Any]

GET: Mapping[str, LiteralString] = {
    "customer": sql("payments.customer"),
    "product": sql("payments.product"),
    "price": sql("payments.price"),
    "payment_method": sql("payments.payment_method"),
    "payment_intent": sql("payments.payment_intent"),
    "refund": sql("payments.refund"),
    "charge": sql("payments.charge"),
}
"""The kinds that are read one by one, and the query of each."""
_LIST: Mapping[str, LiteralString] = {
    "product": sql("payments.list_products"),
    "price": sql("payments.list_prices"),
    "payment_method": sql("payments.list_payment_methods"),
}


class Found(NamedTuple):
    """A mirrored object, the event (or read) that brought its state, and that state's order time."""

    payload: Payload
    event: str
    time: int


class Page(NamedTuple):
    """One page of a list and the token of the next; the token of the last page is empty."""

    payloads: list[Payload]
    next_page_token: str


class Reader:
    """Reads the mirror of one account. Raises `Unavailable` DATABASE_UNREACHABLE when PostgreSQL is away."""

    def __init__(self, pool: Pool, account: str) -> None:
        self.account = account
        self._pool = pool
        self._dsn = pool.conninfo if isinstance(pool.conninfo, str) else ""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection of the pool in autocommit."""
        with translated(self._dsn):
            async with self._pool.connection() as connection:
                yield connection

    async def check(self) -> None:
        """Ask PostgreSQL for anything; raises what any read would raise."""
        async with self.connection() as connection:
            await connection.execute("select 1")

    async def find(self, kind: str, id_: str) -> Found | None:
        """The object as the mirror has it; None when it is not there or was deleted."""
        async with self.connection() as connection:
            cursor = await connection.execute(GET[kind], {"account_id": self.account, "id": id_})
            row = await cursor.fetchone()
        return Found(*row) if row else None

    async def get(self, kind: str, id_: str) -> Payload:
        """The payload of an object; raises `NotFound`."""
        found = await self.find(kind, id_)
        if found is None:
            raise NotFound("RESOURCE_NOT_FOUND", f"There is no {kind.replace('_', ' ')} {id_}.", field="id")
        return found.payload

    async def list(self, kind: str, filters: Mapping[str, Any], *, page_size: int, page_token: str) -> Page:
        """One page, newest first. A filter that is None is not applied; sizes and tokens as in pages.py."""
        size = pages.size(page_size)
        query = {**filters, "list": kind, "account": self.account}
        start = pages.position(page_token, query)
        parameters = {**filters, **start._asdict(), "account_id": self.account, "limit": size + 1}
        async with self.connection() as connection:
            cursor = await connection.execute(_LIST[kind], parameters)
            rows = await cursor.fetchall()
        more = len(rows) > size
        last = pages.Position(*rows[size - 1][1:]) if more else None
        return Page([row[0] for row in rows[:size]], pages.token(last, query) if last else "")


def reason_of(trouble: Exception) -> str:
    """What went wrong, in a word for the log; never the database's own text, which may quote a row."""
    if isinstance(trouble, psycopg.Error):
        return f"SQLSTATE {trouble.sqlstate}"
    return trouble.reason if isinstance(trouble, Problem) else type(trouble).__name__
