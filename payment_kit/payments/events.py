"""The events of an account that reached its inbox, and applying one again. What they hold stays inside."""

from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from payment_kit.database.queries import sql
from payment_kit.errors import NotFound
from payment_kit.mirror.inbox import CHANNEL
from payment_kit.payments import pages
from payment_kit.payments.reading import Page, Payload, Reader

FILTERS = ("type", "object_id", "outcome", "created_from", "created_before")
_GET = sql("inbox.event")
_LIST = sql("inbox.events")
_REPLAY = sql("inbox.replay")
_NOTIFY = sql("inbox.notify")


async def get(reader: Reader, id_: str) -> Payload:
    """What is known of an event, times in Unix seconds; raises `NotFound`."""
    found = await _rows(reader, _GET, {"event_id": id_})
    if not found:
        raise NotFound("RESOURCE_NOT_FOUND", f"There is no event {id_}.", field="id")
    return found[0]


async def list_(reader: Reader, filters: Mapping[str, Any], *, page_size: int, page_token: str) -> Page:
    """One page, newest first by Stripe's time. `filters` are some of `FILTERS`, times in Unix seconds."""
    size = pages.size(page_size)
    wanted = {name: filters.get(name) for name in FILTERS}
    query = {**wanted, "list": "event", "account": reader.account}
    start = pages.position(page_token, query)
    found = await _rows(reader, _LIST, {**wanted, "after": start.created, "behind": start.id, "limit": size + 1})
    last = found[size - 1] if len(found) > size else None
    token = pages.token(pages.Position(last["created"], last["id"]), query) if last else ""
    return Page(found[:size], token)


async def replay(reader: Reader, id_: str) -> Payload:
    """Let an event that is dead or stale wait for a worker again; any other stays. Raises `NotFound`."""
    if await _rows(reader, _REPLAY, {"event_id": id_}):
        async with reader.connection() as connection:
            await connection.execute(_NOTIFY, {"channel": CHANNEL})
    return await get(reader, id_)


async def _rows(reader: Reader, query: str, parameters: Mapping[str, Any]) -> list[Payload]:
    async with reader.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), {"account_id": reader.account, **parameters})
        return await cursor.fetchall()
