"""The Python client against the real service: what it answers, pages, sends along and raises."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sized
from pathlib import Path
from typing import Any, assert_type

import grpc
import pytest
from grpc_health.v1 import health_pb2

from payment_kit import client as client_package
from payment_kit.client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Patience,
    Tls,
    Unavailable,
)
from payment_kit.client.calls import AsyncMethod, BlockingMethod
from payment_kit.client.channel import credentials, is_local
from payment_kit.descriptors import plural, services, snake
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.customer_pb2 import CreateCustomerResponse, Customer
from payment_kit.v1.payment_intent_pb2 import PaymentIntent
from tests.fix_service import Service, new_id

from .faulty import between


@pytest.fixture
async def client(service: Service) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(service.server.address) as opened:
        yield opened


async def test_a_write_needs_no_request_id_of_its_own(client: AsyncClient, service: Service) -> None:
    answer = await client.customers.create_customer(email="ada@example.com")

    assert_type(answer, CreateCustomerResponse)
    assert [row["id"] for row in service.made("customer")] == [answer.customer.id]


async def test_a_request_id_of_the_caller_s_is_kept(client: AsyncClient, service: Service) -> None:
    request_id = new_id()

    first = await client.customers.create_customer(request_id=request_id)
    again = await client.customers.create_customer(request_id=request_id)

    assert first.customer.id == again.customer.id
    assert len(service.made("customer")) == 1


async def test_the_blocking_client_does_the_same(service: Service) -> None:
    def story() -> tuple[PaymentIntent, list[Customer]]:
        with Client(service.server.address) as client:
            customer = client.customers.create_customer(name="Ada").customer
            amount = Money(amount_minor=1500, currency="kwd")
            paid = client.payment_intents.create_payment_intent(
                amount=amount, customer=customer.id, payment_method="pm_card_visa", confirm=True
            ).payment_intent
            found = client.customers.list_customers()
            assert_type(found, Iterator[Customer])
            return paid, list(found)

    paid, found = await asyncio.to_thread(story)

    assert (paid.state, paid.amount.amount_minor) == (PaymentIntent.STATE_SUCCEEDED, 1500)
    assert [customer.name for customer in found] == ["Ada"]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_list_asks_for_the_next_page_when_it_is_needed(service: Service, *, blocking: bool) -> None:
    async with AsyncClient(service.server.address) as client, between(service.server.address) as way:
        for number in range(5):
            await client.customers.create_customer(name=f"{number}")
        if blocking:
            first, all_names = await asyncio.to_thread(_names, way.address, way.calls)
        else:
            async with AsyncClient(way.address) as other:
                some = other.customers.list_customers(page_size=2)
                assert_type(some, AsyncIterator[Customer])
                first = [(await anext(some)).name, (await anext(some)).name, len(way.calls)]
                all_names = [*first[:2], *[one.name async for one in some]]

    assert first[2] == 1
    assert sorted(map(str, all_names)) == ["0", "1", "2", "3", "4"]
    assert len(way.calls) == 3


def _names(address: str, calls: Sized) -> tuple[list[object], list[object]]:
    with Client(address) as client:
        some = client.customers.list_customers(page_size=2)
        first: list[object] = [next(some).name, next(some).name, len(calls)]
        return first, [*first[:2], *[one.name for one in some]]


async def test_a_stream_is_an_iterator_whose_errors_are_ours(service: Service) -> None:
    watch: Any = health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name["Watch"]
    streamed = AsyncMethod(watch, service.channel, (), Patience())
    async for answer in streamed(service="payment_kit.v1.CustomerService"):
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        break
    with pytest.raises(DeadlineExceeded):
        _ = [answer async for answer in streamed(timeout_seconds=0.2)]

    def blocking() -> None:
        with grpc.insecure_channel(service.server.address) as channel:
            streamed = BlockingMethod(watch, channel, (), Patience())
            assert next(streamed()).status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(DeadlineExceeded):
                list(streamed(timeout_seconds=0.2))

    await asyncio.to_thread(blocking)


async def test_the_key_goes_with_every_call(service: Service) -> None:
    async with between(service.server.address) as way, AsyncClient(way.address, key="pk_test_1") as client:
        await client.customers.create_customer()
        assert [one async for one in client.customers.list_customers()]

    assert [metadata["authorization"] for _, _, metadata in way.calls] == ["Bearer pk_test_1"] * 2


async def test_a_declined_card_says_how(client: AsyncClient) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        await client.payment_intents.create_payment_intent(
            amount=Money(amount_minor=500, currency="jpy"), payment_method="pm_card_chargeDeclined", confirm=True
        )

    error = caught.value
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARD_DECLINED")
    assert error.metadata["decline_code"] == "generic_decline"
    assert (error.outcome_unknown, error.request_id) == (False, error.metadata["request_id"])
    assert str(error).startswith("FAILED_PRECONDITION CARD_DECLINED: ")


async def test_a_wrong_field_is_named(client: AsyncClient) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await client.payment_intents.create_payment_intent(amount=Money(amount_minor=0, currency="usd"))

    (violation,) = caught.value.field_violations
    assert (violation.field, violation.reason) == ("amount.amount_minor", "FIELD_INVALID")


async def test_what_is_not_there_is_not_found(client: AsyncClient) -> None:
    with pytest.raises(NotFound) as caught:
        await client.customers.get_customer(id="cus_none")

    assert (caught.value.request_id, caught.value.outcome_unknown) == ("", False)


async def test_a_name_that_is_no_field_is_refused_before_anything_is_sent(client: AsyncClient) -> None:
    with pytest.raises(ValueError, match="emial"):
        await client.customers.create_customer(emial="x")  # type: ignore[call-arg]


async def test_nobody_there_is_said_within_the_time(unused_tcp_port: int) -> None:
    async with AsyncClient(f"127.0.0.1:{unused_tcp_port}", patience=Patience(tries=2)) as client:
        with pytest.raises(Unavailable) as caught:
            await client.customers.create_customer()

    assert caught.value.outcome_unknown


async def test_a_client_s_attributes_are_all_there_and_none_of_them_twice() -> None:
    assert len({plural(service.name) for service in services()}) == len(services())
    async with AsyncClient("127.0.0.1:1") as client:
        for service in services():
            for method in service.methods:
                assert callable(getattr(getattr(client, plural(service.name)), snake(method.name)))
                assert "timeout_seconds" not in method.input_type.fields_by_name


@pytest.mark.parametrize(
    ("target", "plain"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:8080", True),
        ("[::1]:8080", True),
        ("unix:/run/payment.sock", True),
        ("payments:8080", False),
        ("10.0.0.1:8080", False),
        ("dns:///127.0.0.1.example.com:443", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_tls(target: str, *, plain: bool) -> None:
    assert is_local(target) == plain
    assert (credentials(target, None) is None) == plain
    assert credentials(target, Tls()) is not None


def test_half_a_client_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="certificate"):
        Tls(key=tmp_path / "key.pem").credentials()


def test_importing_it_brings_no_part_of_the_server() -> None:
    program = (
        "import sys, payment_kit.client\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))\n"
        "print(*sorted(name for name in sys.modules if name.count('.') == 1 and name.startswith('payment_kit.')))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    packages, ours = (set(line.split()) for line in said.splitlines())

    servers = {"psycopg", "psycopg_pool", "stripe", "duckdb", "pyarrow", "aiohttp", "pydantic", "structlog", "uvicorn"}
    assert not packages & servers
    assert ours == {"payment_kit.client", "payment_kit.descriptors", "payment_kit.v1"}


def test_every_error_is_exported() -> None:
    kinds = {kind.__name__ for kind in client_package.PaymentKitError.__subclasses__()}
    assert kinds | {"PaymentKitError"} <= set(client_package.__all__)


def test_patience_has_bounds() -> None:
    for wrong in ({"tries": 0}, {"timeout_seconds": 0.0}, {"try_seconds": -1.0}):
        with pytest.raises(ValueError, match="at least 1"):
            Patience(**wrong)
