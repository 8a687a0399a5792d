"""Customers: create, read, change."""

from collections.abc import Mapping
from typing import Any

from payment_kit.payments import rules
from payment_kit.payments.desk import Desk, Payload, given, replaced_metadata
from payment_kit.payments.idempotency import Attempt, Request

PATH = "/v1/customers"
CHANGEABLE = ("email", "name", "phone", "description", "default_payment_method", "metadata")


async def create(
    desk: Desk, request: Request, *, email: str, name: str, phone: str, description: str, metadata: Mapping[str, str]
) -> Payload:
    """A new customer; empty texts are left unset."""
    rules.metadata("metadata", metadata)
    params = given(email=email, name=name, phone=phone, description=description, metadata=dict(metadata))

    async def work(attempt: Attempt) -> Payload:
        return await attempt.post(PATH, params)

    return (await desk.writes.once(request, work)).payload


async def get(desk: Desk, id_: str) -> Payload:
    """The mirrored customer; `NotFound` after a deletion."""
    return await desk.reader.get("customer", rules.id_of("customer", "id", id_))


async def update(desk: Desk, request: Request, id_: str, changes: Mapping[str, Any]) -> Payload:
    """Change the fields in `changes` (names in `CHANGEABLE`); an empty value unsets, metadata is replaced."""
    path = f"{PATH}/{rules.id_of('customer', 'customer.id', id_)}"
    rules.metadata("customer.metadata", changes.get("metadata", {}))
    params: Payload = {name: value for name, value in changes.items() if name != "metadata"}
    if "default_payment_method" in params:
        method = params.pop("default_payment_method")
        rules.optional_id("payment_method", "customer.default_payment_method", method)
        params["invoice_settings"] = {"default_payment_method": method}

    async def work(attempt: Attempt) -> Payload:
        if "metadata" in changes:
            params["metadata"] = await replaced_metadata(attempt, path, changes["metadata"])
        return await attempt.post(path, params, changes=("customer", id_))

    return (await desk.writes.once(request, work)).payload
