"""WatchChanges: nothing is lost, whatever ends the stream, and each object's changes come in their order."""

import asyncio
from collections import defaultdict
from contextlib import aclosing
from typing import Any

import grpc
import orjson
import pytest

from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.mirror import changes, watching
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import Desk
from payment_kit.v1.change_pb2 import Change, WatchChangesRequest, WatchChangesResponse
from payment_kit.v1.change_pb2_grpc import ChangeServiceStub
from payment_kit.v1.customer_pb2 import Customer, UpdateCustomerRequest

from ..fix_service import Service, new_id, running
from ..waiting import SECONDS_MAX, until, until_found
from . import calls

CHANGES = 1000
OBJECTS = 20
READS_AT_ONCE = 37
LISTENERS = "select count(*) from pg_stat_activity where application_name = 'payment-kit watchers'"


def watch(service: Service, cursor: str = "", *objects: str) -> Any:
    return service.changes.WatchChanges(WatchChangesRequest(cursor=cursor, objects=objects))


async def told(stream: Any, count: int) -> list[WatchChangesResponse]:
    """The next messages that hold a change."""
    found: list[WatchChangesResponse] = []
    async with asyncio.timeout(SECONDS_MAX):
        while len(found) < count:
            message = await stream.read()
            assert message is not grpc.aio.EOF
            if message.HasField("change"):
                found.append(message)
    return found


async def rename(service: Service, id_: str, name: str) -> None:
    await service.customers.UpdateCustomer(
        UpdateCustomerRequest(request_id=new_id(), customer=Customer(id=id_, name=name))
    )


async def test_a_stream_tells_what_happens_from_now_on(service: Service) -> None:
    await calls.customer(service, name="before")
    stream = watch(service)
    first = await stream.read()
    assert first.cursor
    assert not first.HasField("change")

    made = await calls.customer(service, name="Ada")
    await rename(service, made.id, "Eve")

    new, renamed = [message.change for message in await told(stream, 2)]
    assert (new.object, new.id, new.operation) == ("customer", made.id, Change.OPERATION_INSERT)
    assert renamed.operation == Change.OPERATION_UPDATE
    names = [orjson.loads(text)["name"] for text in (new.after_json, renamed.before_json, renamed.after_json)]
    assert names == ["Ada", "Ada", "Eve"]
    assert new.before_json == ""
    assert renamed.record_time.seconds
    stream.cancel()


async def test_only_the_kinds_that_were_asked_for_are_told(service: Service) -> None:
    stream = watch(service, "0", "product")
    await calls.customer(service)
    tea = await calls.product(service)

    assert [message.change.id for message in await told(stream, 1)] == [tea.id]
    stream.cancel()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (WatchChangesRequest(cursor="none"), "CURSOR_INVALID"),
        (WatchChangesRequest(cursor="99999999"), "CURSOR_INVALID"),
        (WatchChangesRequest(objects=["nobody"]), "FIELD_INVALID"),
    ],
    ids=["no cursor", "ahead", "unknown kind"],
)
async def test_what_cannot_be_watched_is_refused(service: Service, request_: WatchChangesRequest, reason: str) -> None:
    await calls.customer(service)
    stream: Any = service.changes.WatchChanges(request_)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stream:
            pass
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    details = dict(caught.value.trailing_metadata() or ())
    assert reason.encode() in bytes(details["grpc-status-details-bin"])


async def test_a_silent_stream_tells_where_it_is(service: Service) -> None:
    service.desk.watching._heartbeat_seconds = 0.1
    stream = watch(service, "0", "product")
    await stream.read()
    for _ in range(3):
        await calls.customer(service)

    async with asyncio.timeout(SECONDS_MAX):
        cursor = "0"
        while int(cursor.partition(".")[0]) < 3:
            message = await stream.read()
            assert not message.HasField("change")
            cursor = message.cursor
    stream.cancel()


async def test_many_watchers_share_one_listening_connection_and_leave_none_behind(service: Service) -> None:
    streams = [watch(service) for _ in range(20)]
    for stream in streams:
        await stream.read()
    await until_found(lambda: service.rows(LISTENERS))
    made = await calls.customer(service)

    for stream in streams:
        assert (await told(stream, 1))[0].change.id == made.id
    assert await service.rows(LISTENERS) == [(1,)]
    for stream in streams:
        stream.cancel()
    bell = service.desk.watching._bell
    await until(lambda: bell._listening is None and service.desk.watching._watchers == 0)


async def test_more_watchers_than_allowed_are_told_to_come_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCHERS_MAX", 1)
    first = watch(service)
    await first.read()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watch(service).read()

    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    first.cancel()


async def test_a_server_that_stops_ends_its_streams_at_once_and_well(
    desk: Desk, inbox: Inbox, sandbox: Any, pool: Any
) -> None:
    async with running(desk, inbox, sandbox, pool) as service:
        stream = watch(service)
        await stream.read()
        async with asyncio.timeout(5.0):
            await service.server.stop()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() == grpc.StatusCode.OK


# ---- nothing is lost ------------------------------------------------------------------------------------------------


async def act(service: Service) -> list[str]:
    """A thousand changes of twenty customers; each name says how many changes its customer has seen."""
    ids = [(await calls.customer(service, name="0", description="x" * 400)).id for _ in range(OBJECTS)]
    for number in range(1, CHANGES // OBJECTS):
        await asyncio.gather(*(rename(service, id_, str(number)) for id_ in ids))
    return ids


def names_of(messages: list[WatchChangesResponse]) -> dict[str, list[str]]:
    """Of each customer the names it took, as they were told."""
    found = defaultdict[str, list[str]](list)
    for message in messages:
        found[message.change.id].append(orjson.loads(message.change.after_json)["name"])
    return found


async def test_a_thousand_changes_survive_kills_of_the_stream_and_of_the_server(service: Service, inbox: Inbox) -> None:
    acting, seen, cursor = asyncio.create_task(act(service)), list[WatchChangesResponse](), "0"
    intake = Intake(inbox, [], livemode=False)
    servers = 0
    async with asyncio.timeout(2 * SECONDS_MAX):
        while len(seen) < CHANGES:
            server = GrpcServer(Services(service.desk, intake))
            await server.start()
            servers += 1
            async with grpc.aio.insecure_channel(server.address) as channel:
                for last in (False, False, True):
                    stream: Any = ChangeServiceStub(channel).WatchChanges(WatchChangesRequest(cursor=cursor))
                    for _ in range(READS_AT_ONCE):
                        if len(seen) == CHANGES:
                            break
                        message = await stream.read()
                        cursor = message.cursor
                        if message.HasField("change"):
                            seen.append(message)
                    if last:
                        # In the middle of a stream, with no time to say good-bye.
                        await server._server.stop(None)
                    else:
                        stream.cancel()
            await server.stop(0)
    ids = await acting

    assert names_of(seen) == {id_: [str(number) for number in range(CHANGES // OBJECTS)] for id_ in ids}
    assert servers > CHANGES // (4 * READS_AT_ONCE)


async def test_nothing_is_read_ahead_of_a_slow_reader_but_the_page_he_is_in(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PAGE_MAX", 5)
    read, pages = changes.read, list[int]()

    async def counted(*arguments: Any) -> Any:
        found = await read(*arguments)
        pages.append(len(found[0]))
        return found

    monkeypatch.setattr(changes, "read", counted)
    made = [(await calls.customer(service)).id for _ in range(20)]
    seen = service.desk.watching.watch("0", [], stop=asyncio.Event())
    async with aclosing(seen):
        taken = list[str]()
        for number in range(21):
            change, _ = await anext(seen)
            taken += [change.id] if change else []
            # The first tells only where the stream begins.
            assert sum(pages) == -(-number // 5) * 5

    assert taken == made
