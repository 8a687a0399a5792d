"""Products: create, read, change, list."""

from collections.abc import Mapping
from typing import Any

from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload, given, replaced_metadata
from payment_kit.payments.idempotency import Attempt, Request
from payment_kit.payments.reading import Page

PATH = "/v1/products"
CHANGEABLE = ("name", "description", "active", "metadata")


async def create(desk: Desk, request: Request, *, name: str, description: str, metadata: Mapping[str, str]) -> Payload:
    """A new, active product."""
    rules.text("name", name)
    rules.metadata("metadata", metadata)
    params = given(name=name, description=description, metadata=dict(metadata))

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(PATH, params)

    return (await desk.writes.once(request, work)).payload


async def get(desk: Desk, id_: str) -> Payload:
    """The mirrored product."""
    return await desk.reader.get("product", rules.id_of("product", "id", id_))


async def update(desk: Desk, request: Request, id_: str, changes: Mapping[str, Any]) -> Payload:
    """Change the fields in `changes` (names in `CHANGEABLE`); an empty value unsets, metadata is replaced."""
    path = f"{PATH}/{rules.id_of('product', 'product.id', id_)}"
    if "name" in changes:
        rules.text("product.name", changes["name"])
    rules.metadata("product.metadata", changes.get("metadata", {}))
    params: Payload = {name: value for name, value in changes.items() if name != "metadata"}

    async def work(attempt: Attempt) -> Payload:
        if "metadata" in changes:
            params["metadata"] = await replaced_metadata(attempt, path, changes["metadata"])
        return await attempt.post(path, params, changes=("product", id_))

    return (await desk.writes.once(request, work)).payload


async def list_(desk: Desk, *, active: bool | None, page_size: int, page_token: str) -> Page:
    """One page of the mirrored products, newest first; `active` None means both."""
    return await desk.reader.list("product", {"active": active}, page_size=page_size, page_token=page_token)
