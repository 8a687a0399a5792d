"""Every role against every method of the contract, and everything that proves nothing."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from payment_kit.access import callers
from payment_kit.access.callers import ROLES
from payment_kit.access.keys import new_key
from payment_kit.api import contract
from payment_kit.api.server import CALLS_AT_ONCE_MAX
from payment_kit.database.connection import Pool
from payment_kit.mirror.concurrently import each
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import Desk
from payment_kit.v1 import options_pb2
from payment_kit.v1.change_pb2 import WatchChangesRequest

from ..fix_service import failure
from .guarded import Guarded, bearer, guarded, key_of

METHODS = [method for service in contract.services() for method in contract.methods(service)]
STREAMS = {method.full_name for method in METHODS if method.streams}
GET = "/payment_kit.v1.CustomerService/GetCustomer"
CLOSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def _allowed(role: str, needed: int) -> bool:
    """The rule as the contract says it, in other words than the program's."""
    words = options_pb2.Role.Name(needed).removeprefix("ROLE_").lower()  # type: ignore[arg-type]
    return words == role or role == "admin" or (words == "reader" and role not in ("events", "nothing"))


async def _code(open_: Guarded, method: str, authorization: str | None) -> grpc.StatusCode:
    # A stream would go on for ever: whoever is let in is told that this is no cursor.
    request = WatchChangesRequest(cursor="none").SerializeToString() if method in STREAMS else b""
    found: grpc.StatusCode = await open_.call(method, request, authorization=authorization).code()
    return found


async def _codes(open_: Guarded, pairs: Sequence[tuple[str | None, str]]) -> list[grpc.StatusCode]:
    """Of calls with these credentials to these methods, no more at once than a server takes."""

    async def ask(pair: tuple[str | None, str]) -> grpc.StatusCode:
        return await _code(open_, pair[1], pair[0])

    return await each(ask, pairs, CALLS_AT_ONCE_MAX // 4)


async def test_every_role_may_call_what_the_contract_opens_to_it_and_nothing_else(
    desk: Desk, inbox: Inbox, pool: Pool
) -> None:
    async with guarded(desk, inbox, pool) as opened:
        keys = {role: await opened.key(role, role) for role in ROLES}
        keys["nothing"] = await opened.key("nothing")
        pairs = [(role, method) for role in keys for method in METHODS]
        codes = await _codes(opened, [(bearer(keys[role]), one.full_name) for role, one in pairs])
    assert len(pairs) == (len(ROLES) + 1) * len(METHODS)
    wrong = [
        (role, method.name, code)
        for (role, method), code in zip(pairs, codes, strict=True)
        if (code != grpc.StatusCode.PERMISSION_DENIED and not _allowed(role, method.role))
        or (code in CLOSED and _allowed(role, method.role))
    ]
    assert wrong == []


async def test_a_refusal_names_the_role_and_not_whether_the_object_exists(desk: Desk, inbox: Inbox, pool: Pool) -> None:
    async with guarded(desk, inbox, pool) as opened:
        key = await opened.key("hooks", "events")
        failed = await failure(opened.call(GET, b"\x0a\x05cus_1", authorization=bearer(key)))
    assert (failed.code, failed.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    assert failed.metadata["role"] == "reader"
    assert "cus_1" not in failed.text


async def test_what_proves_nothing_is_refused_everywhere_in_the_same_words(
    desk: Desk, inbox: Inbox, pool: Pool
) -> None:
    account, past = desk.reader.account, datetime.now(UTC) - timedelta(seconds=1)
    good = await key_of(pool, account, "good", "admin")
    expired = await key_of(pool, account, "late", "admin", key_expires=past)
    ended = await key_of(pool, account, "ended", "admin", expires=past)
    revoked = await key_of(pool, account, "gone", "admin")
    other = await key_of(pool, "acct_other", "good", "admin")
    async with pool.connection() as connection:
        await callers.revoke(connection, account, revoked.split("_")[2])
    bad = {
        "none": None,
        "empty": "",
        "no scheme": good,
        "other scheme": f"Basic {good}",
        "malformed": bearer("pk_test_1"),
        "long": bearer("x" * 6000),
        "unknown": bearer(new_key(livemode=False)),
        "wrong secret": bearer(good[:-1] + ("0" if good[-1] != "0" else "1")),
        "wrong mode": bearer(good.replace("pk_test", "pk_live")),
        "expired": bearer(expired),
        "expired caller": bearer(ended),
        "revoked": bearer(revoked),
        "wrong account": bearer(other),
        "a token where none is configured": bearer("eyJhbGciOiJub25lIn0.e30."),
    }
    async with guarded(desk, inbox, pool) as opened:
        assert await _code(opened, GET, bearer(good)) == grpc.StatusCode.INVALID_ARGUMENT
        said = [await failure(opened.call(GET, authorization=value)) for value in bad.values()]
        pairs = [(value, method.full_name) for value in bad.values() for method in METHODS]
        codes = await _codes(opened, pairs)
        twice = (("authorization", bearer(good)),) * 2
        double: Any = opened.channel.unary_unary(GET)(b"", metadata=twice)  # type: ignore[arg-type]
        assert await double.code() == grpc.StatusCode.UNAUTHENTICATED
    assert set(codes) == {grpc.StatusCode.UNAUTHENTICATED}
    assert {(one.code, one.text, tuple(one.metadata.items())) for one in said} == {
        (said[0].code, said[0].text, tuple(said[0].metadata.items()))
    }


async def test_a_revocation_takes_effect_within_three_seconds_and_a_new_key_soon(
    desk: Desk, inbox: Inbox, pool: Pool
) -> None:
    async with guarded(desk, inbox, pool) as opened:
        key = await opened.key("shop", "reader")
        assert await _code(opened, GET, bearer(key)) == grpc.StatusCode.INVALID_ARGUMENT
        async with pool.connection() as connection:
            await callers.revoke(connection, opened.account, key.split("_")[2])
        began = time.monotonic()
        while await _code(opened, GET, bearer(key)) != grpc.StatusCode.UNAUTHENTICATED:
            pass
        assert time.monotonic() - began < 3.5


async def test_health_is_open_and_reflection_is_for_those_who_are_known(desk: Desk, inbox: Inbox, pool: Pool) -> None:
    async with guarded(desk, inbox, pool) as opened:
        key = await opened.key("hooks", "events")
        channel: Any = opened.channel
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == 1
        watch.cancel()
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        refused = stub.ServerReflectionInfo(iter(asked))
        assert await refused.code() == grpc.StatusCode.UNAUTHENTICATED
        stream = stub.ServerReflectionInfo(iter(asked), metadata=(("authorization", bearer(key)),))
        assert (await stream.read()).list_services_response.service
        stream.cancel()


def test_the_roles_are_the_contracts() -> None:
    assert set(ROLES) == {"reader", "catalog", "customers", "billing", "payments", "refunds", "events", "admin"}
    assert not callers.ANYONE.may(options_pb2.ROLE_UNSPECIFIED)
