"""Prices: create, read, change what may change, list."""

from collections.abc import Mapping
from typing import Any

from payment_kit.money import Money
from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload, given, replaced_metadata
from payment_kit.payments.idempotency import Attempt, Request
from payment_kit.payments.reading import Page

PATH = "/v1/prices"
CHANGEABLE = ("active", "nickname", "lookup_key", "metadata")
INTERVALS = ("day", "week", "month", "year")


async def create(
    desk: Desk,
    request: Request,
    *,
    product: str,
    unit_amount: Money,
    interval: str | None,
    interval_count: int,
    nickname: str,
    lookup_key: str,
    metadata: Mapping[str, str],
) -> Payload:
    """A new price of a product; recurring when `interval` (one of `INTERVALS`) is not None, `interval_count` 0 is 1."""
    rules.id_of("product", "product", product)
    rules.money("unit_amount", unit_amount.minor, unit_amount.currency, zero_allowed=True)
    rules.metadata("metadata", metadata)
    params = given(
        product=product,
        unit_amount=unit_amount.minor,
        currency=unit_amount.currency,
        recurring=_recurring(interval, interval_count),
        nickname=nickname,
        lookup_key=lookup_key,
        metadata=dict(metadata),
    )

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(PATH, params)

    return (await desk.writes.once(request, work)).payload


async def get(desk: Desk, id_: str) -> Payload:
    """The mirrored price."""
    return await desk.reader.get("price", rules.id_of("price", "id", id_))


async def update(desk: Desk, request: Request, id_: str, changes: Mapping[str, Any]) -> Payload:
    """Change the fields in `changes` (names in `CHANGEABLE`); an empty value unsets, metadata is replaced."""
    path = f"{PATH}/{rules.id_of('price', 'price.id', id_)}"
    rules.metadata("price.metadata", changes.get("metadata", {}))
    params: Payload = {name: value for name, value in changes.items() if name != "metadata"}

    async def work(attempt: Attempt) -> Payload:
        if "metadata" in changes:
            params["metadata"] = await replaced_metadata(attempt, path, changes["metadata"])
        return await attempt.post(path, params, changes=("price", id_))

    return (await desk.writes.once(request, work)).payload


async def list_(desk: Desk, *, product: str, active: bool | None, page_size: int, page_token: str) -> Page:
    """One page of the mirrored prices, newest first; `product` empty and `active` None mean all."""
    filters = {"product": rules.optional_id("product", "product", product) or None, "active": active}
    return await desk.reader.list("price", filters, page_size=page_size, page_token=page_token)


def _recurring(interval: str | None, count: int) -> Payload:
    if interval is None:
        return {}
    if interval not in INTERVALS:
        rules.invalid("recurring.interval", "recurring.interval must be day, week, month or year.")
    if count < 0:
        rules.invalid("recurring.interval_count", "recurring.interval_count must not be negative.")
    return {"interval": interval, "interval_count": count or 1}
