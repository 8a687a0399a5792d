"""Reads from the mirror: one object by its key, or one page of a list; a single statement each, no transaction."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Literal, NamedTuple

import orjson
import psycopg
from psycopg import sql

from payment_kit.database.connection import Pool, translated
from payment_kit.errors import NotFound, Problem
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.payments import pages

Payload = dict[str, Any]
Match = Literal["same", "any_case", "prefix", "contains"]

_LIKE: Mapping[Match, str] = {
    "same": "{column} = {value}",
    "any_case": "lower({column}) = lower({value}::text)",
    "prefix": "starts_with(lower({column}), lower({value}::text))",
    "contains": "{column} @> {value}::jsonb",
}


class Found(NamedTuple):
    """A mirrored object, the event (or read) that brought its state, and that state's order time."""

    payload: Payload
    event: str
    time: int


class Filter(NamedTuple):
    """What a column has to be like; `value` None: anything."""

    value: Any
    match: Match = "same"


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
            cursor = await connection.execute(_get_sql(kind), {"account_id": self.account, "id": id_})
            row = await cursor.fetchone()
        return Found(*row) if row else None

    async def get(self, kind: str, id_: str) -> Payload:
        """The payload of an object; raises `NotFound`."""
        found = await self.find(kind, id_)
        if found is None:
            raise NotFound("RESOURCE_NOT_FOUND", f"There is no {kind.replace('_', ' ')} {id_}.", field="id")
        return found.payload

    async def list(self, kind: str, filters: Mapping[str, Filter], *, page_size: int, page_token: str) -> Page:
        """One page, in the order of `_list_sql`. `filters` are by column; the rest as in pages.py."""
        size = pages.size(page_size)
        wanted = {name: one.match for name, one in filters.items() if one.value is not None}
        applied = {name: _plain(one.value) for name, one in filters.items()}
        query = {**applied, "list": kind, "account": self.account}
        start = pages.position(page_token, query)
        # Named apart from the filters: an object's `created` is one of them.
        parameters = {**{name: applied[name] for name in wanted}, "after": start.created, "behind": start.id}
        parameters |= {"account_id": self.account, "limit": size + 1}
        async with self.connection() as connection:
            cursor = await connection.execute(_list_sql(kind, tuple(wanted.items())), parameters)
            rows = await cursor.fetchall()
        more = len(rows) > size
        last = pages.Position(*rows[size - 1][1:]) if more else None
        return Page([row[0] for row in rows[:size]], pages.token(last, query) if last else "")


def _plain(value: Any) -> Any:
    """As PostgreSQL and a page token take it: keys and values as JSON in one order."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if isinstance(value, Mapping) else value


@cache
def _get_sql(kind: str) -> bytes:
    text = sql.SQL(
        "select raw, source_event, extract(epoch from source_time)::bigint from stripe.{table}"
        " where account_id = %(account_id)s and id = %(id)s and deleted_at is null"
    )
    return text.format(table=sql.Identifier(CATALOGUE[kind].table)).as_bytes()


_NEWEST_FIRST = "(created, id) < (to_timestamp(%(after)s), %(behind)s) order by created desc, id desc"
_BY_ID = "id > %(behind)s order by id"


@cache
def _list_sql(kind: str, filters: tuple[tuple[str, Match], ...]) -> bytes:
    """What comes after (created, id). Only filters that are applied stand in it, so that an index can serve them.

    Of a kind whose objects do not say when they were created, what comes after the id, in the order of the ids.
    """
    wanted = [
        sql.SQL(f" and {_LIKE[match]}").format(column=sql.Identifier(name), value=sql.Placeholder(name))
        for name, match in filters
    ]
    dated = any(column.name == "created" for column in CATALOGUE[kind].columns)
    text = sql.SQL(
        "select raw, {created}, id from stripe.{table}"
        " where account_id = %(account_id)s and deleted_at is null{wanted} and {behind} limit %(limit)s"
    )
    return text.format(
        created=sql.SQL("extract(epoch from created)::bigint" if dated else "0::bigint"),
        table=sql.Identifier(CATALOGUE[kind].table),
        wanted=sql.Composed(wanted),
        behind=sql.SQL(_NEWEST_FIRST if dated else _BY_ID),
    ).as_bytes()


def reason_of(trouble: Exception) -> str:
    """What went wrong, in a word for the log; never the database's own text, which may quote a row."""
    if isinstance(trouble, psycopg.Error):
        return f"SQLSTATE {trouble.sqlstate}"
    return trouble.reason if isinstance(trouble, Problem) else type(trouble).__name__
