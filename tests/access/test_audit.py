"""Every write and every refusal leaves a row, and no row changes unseen."""

import asyncio
from collections import Counter

import psycopg
import pytest

from payment_kit.access import audit
from payment_kit.access.audit import Entry, Head
from payment_kit.database.connection import Pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import Desk
from payment_kit.v1.customer_pb2 import CreateCustomerRequest
from payment_kit.v1.customer_pb2_grpc import CustomerServiceStub

from ..fix_service import failure, new_id
from .guarded import guarded, headers

ACCOUNT = "acct_audited"
UNLOCKED = "set local payment_kit.may_change_history = 'yes';"


async def _rows(pool: Pool, account: str = ACCOUNT, count: int = 6) -> Head:
    async with pool.connection() as connection:
        for number in range(count):
            entry = Entry("shop", "CreateRefund", f"r{number}", f"re_{number}", "OK")
            await audit.add(connection, account, Counter([entry]))
        await audit.seal(connection, account)
        return (await audit.verify(connection, account)).head


async def _wrong(pool: Pool, *statements: str, head: Head | None = None) -> list[str]:
    async with pool.connection() as connection:
        async with connection.transaction():
            for statement in (UNLOCKED, *statements):
                await connection.execute(statement.encode())
        return (await audit.verify(connection, ACCOUNT, head)).wrong


async def test_a_write_its_repetition_and_a_refusal(desk: Desk, inbox: Inbox, pool: Pool) -> None:
    request = CreateCustomerRequest(request_id=new_id(), name="Ada")
    async with guarded(desk, inbox, pool) as opened:
        good, bad = await opened.key("shop", "customers"), await opened.key("viewer", "reader")
        stub = CustomerServiceStub(opened.channel)
        made = (await stub.CreateCustomer(request, **headers(good))).customer
        await stub.CreateCustomer(request, **headers(good))
        await failure(stub.CreateCustomer(request, **headers(bad)))
        await asyncio.gather(*(failure(stub.CreateCustomer(request)) for _ in range(20)))
        account = opened.account
    async with pool.connection() as connection:
        found = await audit.listing(connection, account)
        verdict = await audit.verify(connection, account)
    assert verdict.wrong == []
    assert verdict.unsealed == 0
    told = [(row["caller"], row["method"], row["request_id"], row["object_id"], row["code"]) for row in found]
    assert told[::-1][:2] == [
        ("shop", "CreateCustomer", request.request_id, made.id, "OK"),
        ("viewer", "CreateCustomer", request.request_id, "", "PERMISSION_DENIED"),
    ]
    unknown = [row for row in found if row["code"] == "UNAUTHENTICATED"]
    assert sum(row["times"] for row in unknown) == 20
    assert len(unknown) < 5


@pytest.mark.parametrize("table", ["audit", "audit_seals"])
@pytest.mark.parametrize("statement", ["update payment_kit.{} set account_id = 'x'", "delete from payment_kit.{}",
                                       "truncate payment_kit.{}"])  # fmt: skip
async def test_the_tables_only_grow(pool: Pool, table: str, statement: str) -> None:
    async with pool.connection() as connection:
        with pytest.raises(psycopg.errors.RestrictViolation):
            await connection.execute(statement.format(table).encode())


@pytest.mark.parametrize("column", ["caller", "method", "request_id", "object_id", "code"])
async def test_a_changed_row_is_named_and_no_other(pool: Pool, column: str) -> None:
    await _rows(pool)
    (said,) = await _wrong(pool, f"update payment_kit.audit set {column} = 'x' where id = 3")
    assert "Row 3 was changed" in said


async def test_a_deleted_and_an_inserted_row_are_named(pool: Pool) -> None:
    await _rows(pool)
    (said,) = await _wrong(pool, "delete from payment_kit.audit where id = 2")
    assert "Row 2 was deleted" in said
    columns = "account_id, caller, method, request_id, object_id, code, times"
    values = f"('{ACCOUNT}', 'x', 'x', '', '', 'OK', 1)"
    said = " ".join(await _wrong(pool, f"insert into payment_kit.audit ({columns}) values {values}"))
    assert "Row 7 was inserted" in said


async def test_a_row_deleted_with_its_seal_leaves_a_gap_and_a_cut_end_shows_against_a_kept_head(pool: Pool) -> None:
    head = await _rows(pool)
    gone = "delete from payment_kit.audit{} where {} = {}"
    (said,) = await _wrong(pool, gone.format("", "id", 4), gone.format("_seals", "audit_id", 4))
    assert "Positions 4 to 4" in said
    (gap, cut) = await _wrong(pool, gone.format("", "id", 6), gone.format("_seals", "audit_id", 6), head=head)
    assert "Positions 4 to 4" in gap
    assert "its end was cut off" in cut


async def test_several_sealers_and_writers_make_one_chain(pool: Pool) -> None:
    async def write(number: int) -> None:
        async with pool.connection() as connection:
            await audit.add(connection, ACCOUNT, Counter([Entry("shop", "CreateRefund", "", str(number), "OK")]))
            await audit.seal(connection, ACCOUNT)

    await asyncio.gather(*(write(number) for number in range(60)))
    async with pool.connection() as connection:
        await audit.seal(connection, ACCOUNT)
        verdict = await audit.verify(connection, ACCOUNT)
    assert (verdict.head.position, verdict.unsealed, verdict.wrong) == (60, 0, [])
