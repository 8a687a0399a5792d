"""The server: loopback only, health, reflection, every method there, calm in trouble."""

import asyncio
import io
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any, cast

import grpc
import psycopg
import pytest
import structlog
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from psycopg.conninfo import conninfo_to_dict

from payment_kit.api import contract
from payment_kit.api.server import NOT_SERVING, SERVING, GrpcServer
from payment_kit.api.services import Services
from payment_kit.errors import UsageProblem
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import Desk
from payment_kit.payments.reading import Reader
from payment_kit.resources import PACKAGE
from payment_kit.telemetry.logs import configure
from payment_kit.v1.customer_pb2 import CreateCustomerRequest, GetCustomerRequest
from payment_kit.v1.customer_pb2_grpc import CustomerServiceStub

from ..fix_service import Service, failure, new_id
from ..waiting import until
from . import calls


@pytest.fixture
def services(desk: Desk, inbox: Inbox) -> Services:
    return Services(desk, Intake(inbox, (), livemode=False))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, stream = list(root.handlers), root.level, io.StringIO()
    configure(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_every_method_of_the_contract_answers(service: Service) -> None:
    described = descriptor_pb2.FileDescriptorSet.FromString((PACKAGE / "v1" / "payment_kit.binpb").read_bytes())
    promised = [
        (f"/{file.package}.{served.name}/{method.name}", method.server_streaming)
        for file in described.file
        if file.package == "payment_kit.v1"
        for served in file.service
        for method in served.method
    ]
    assert promised
    for name, streams in promised:
        if streams:
            stream: Any = service.channel.unary_stream(name)(b"")  # type: ignore[arg-type]
            assert await stream.read() is not grpc.aio.EOF, name
            stream.cancel()
            continue
        call: Any = service.channel.unary_unary(name)(b"")  # type: ignore[arg-type]
        assert await call.code() in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), (name, await call.details())


async def test_health_is_told_per_service(service: Service) -> None:
    health: Any = health_pb2_grpc.HealthStub(service.channel)

    for name in ("", "payment_kit.v1.CustomerService", "payment_kit.v1.WebhookService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == SERVING


async def test_reflection_lists_the_services(service: Service) -> None:
    channel: Any = service.channel
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    stream = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))

    answer = await stream.read()

    names = {found.name for found in answer.list_services_response.service}
    assert {service.full_name for service in contract.services()} | {"grpc.health.v1.Health"} <= names
    stream.cancel()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_it_never_listens_beyond_loopback(host: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        GrpcServer(cast("Services", None), host=host)

    assert caught.value.reason == "BIND_INSECURE"


async def test_a_taken_port_is_said_to_be_taken(services: Services) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageProblem) as caught:
            await GrpcServer(services, port=other.getsockname()[1]).start()

    assert caught.value.reason == "PORT_TAKEN"


async def test_two_servers_cannot_share_a_port(services: Services) -> None:
    async with GrpcServer(services) as first:
        with pytest.raises(UsageProblem) as caught:
            await GrpcServer(services, port=first.port).start()

    assert caught.value.reason == "PORT_TAKEN"


async def test_two_servers_share_a_port_when_both_say_so(services: Services) -> None:
    async with GrpcServer(services, shared=True) as first:
        async with GrpcServer(services, port=first.port, shared=True) as second:
            assert second.port == first.port
        with pytest.raises(UsageProblem) as caught:
            await GrpcServer(services, port=first.port).start()

    assert caught.value.reason == "PORT_TAKEN"


async def test_localhost_and_ipv6_loopback_are_this_machine(services: Services) -> None:
    assert GrpcServer(services, host="localhost", port=1).address == "127.0.0.1:1"
    assert GrpcServer(services, host="::1", port=1).address == "[::1]:1"


async def test_after_a_stop_no_call_is_answered_and_health_says_so_before(services: Services) -> None:
    server = GrpcServer(services)
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service="payment_kit.v1.CustomerService"))
        assert (await watch.read()).status == SERVING
        stopping = asyncio.create_task(server.stop(60))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        await stopping
        with pytest.raises(grpc.aio.AioRpcError):
            await CustomerServiceStub(channel).GetCustomer(GetCustomerRequest(id="cus_1"), timeout=1)


async def test_what_nobody_foresaw_is_internal_and_its_details_stay_in_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    async def broken(_reader: Reader, _kind: str, _id: str) -> None:
        raise RuntimeError("the detail")

    monkeypatch.setattr(Reader, "get", broken)

    failed = await failure(service.customers.GetCustomer(GetCustomerRequest(id="cus_1")))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "detail" not in failed.text
    assert "the detail" in log.getvalue()


async def test_each_call_is_one_line_without_personal_data(service: Service, log: io.StringIO) -> None:
    request_id = new_id()
    await service.customers.CreateCustomer(
        CreateCustomerRequest(request_id=request_id, email="jo@example.com", name="Jo Doe")
    )
    await failure(service.customers.GetCustomer(GetCustomerRequest(id="cus_unknown")))
    await failure(service.customers.CreateCustomer(CreateCustomerRequest(request_id="Jo Doe's first")))

    def lines() -> list[dict[str, Any]]:
        told = [json.loads(line) for line in log.getvalue().splitlines()]
        return [line for line in told if line["event"] == "call"]

    await until(lambda: len(lines()) == 3)  # a line is written after its answer has left
    assert [(line["method"], line["code"], line["request_id"]) for line in lines()] == [
        ("/payment_kit.v1.CustomerService/CreateCustomer", "OK", request_id),
        ("/payment_kit.v1.CustomerService/GetCustomer", "NOT_FOUND", ""),
        ("/payment_kit.v1.CustomerService/CreateCustomer", "INVALID_ARGUMENT", ""),
    ]
    assert all(line["ms"] > 0 for line in lines())
    assert "Jo Doe" not in log.getvalue()
    assert "jo@example.com" not in log.getvalue()


async def test_while_the_database_is_away_reads_are_unavailable(service: Service) -> None:
    created = await calls.customer(service)
    await service.pool.close()

    failed = await failure(service.customers.GetCustomer(GetCustomerRequest(id=created.id)))

    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNREACHABLE")


async def test_health_follows_the_database(services: Services, database: str, cluster: str) -> None:
    name = conninfo_to_dict(database)["dbname"]
    async with (
        GrpcServer(services, health_seconds=0.05) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        watches = [
            health.Watch(health_pb2.HealthCheckRequest(service=of)) for of in ("", "payment_kit.v1.RefundService")
        ]
        assert [(await watch.read()).status for watch in watches] == [SERVING, SERVING]

        with psycopg.connect(cluster, autocommit=True) as admin:
            admin.execute(f'alter database "{name}" allow_connections false'.encode())
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            assert [(await watch.read()).status for watch in watches] == [NOT_SERVING, NOT_SERVING]

            admin.execute(f'alter database "{name}" allow_connections true'.encode())
            assert [(await watch.read()).status for watch in watches] == [SERVING, SERVING]


async def test_a_long_text_in_another_script_still_reaches_the_client(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_reader: Reader, _kind: str, _id: str) -> None:
        metadata = dict.fromkeys(("code", "decline_code", "charge", "payment_intent", "stripe_request_id"), "é" * 300)
        raise UsageProblem("FIELD_INVALID", "名" * 5000, field="id", metadata=metadata)

    monkeypatch.setattr(Reader, "get", refused)

    failed = await failure(service.customers.GetCustomer(GetCustomerRequest(id="cus_1")))

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("id",))
    assert failed.text.endswith("名…")
