"""When a call is repeated: never twice in effect, never without bound, never where it cannot help."""

import asyncio
import time

import grpc
import pytest
from grpc import StatusCode as Code

from payment_kit.client import AsyncClient, Client, Patience, PaymentKitError
from payment_kit.client.errors import DeadlineExceeded, Details, ResourceExhausted, Unavailable
from payment_kit.client.tries import PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX, Tries
from payment_kit.v1.customer_pb2 import CreateCustomerRequest
from tests.fix_service import Service

from .faulty import Fault, between

UNAVAILABLE = Fault(Code.UNAVAILABLE)
LOST = Fault(Code.UNAVAILABLE, after=True)
HANGS = Fault(None)
HANGS_AFTER = Fault(None, after=True)


@pytest.mark.parametrize("faults", [(UNAVAILABLE, LOST), (LOST, LOST, UNAVAILABLE), (HANGS,), (HANGS_AFTER,)])
@pytest.mark.parametrize("blocking", [False, True])
async def test_a_write_is_repeated_with_the_same_request_id_and_happens_once(
    service: Service, faults: tuple[Fault, ...], *, blocking: bool
) -> None:
    patience = Patience(try_seconds=1)
    async with between(service.server.address, faults) as way:
        if blocking:
            await asyncio.to_thread(_create, way.address, patience)
        else:
            async with AsyncClient(way.address, patience=patience) as client:
                await client.customers.create_customer()

    sent = [CreateCustomerRequest.FromString(request).request_id for _, request, _ in way.calls]
    assert (len(sent), len(set(sent))) == (len(faults) + 1, 1)
    assert len(service.made("customer")) == 1


def _create(address: str, patience: Patience) -> None:
    with Client(address, patience=patience) as client:
        client.customers.create_customer()


async def test_a_read_is_repeated(service: Service) -> None:
    async with (
        between(service.server.address, [UNAVAILABLE, HANGS]) as way,
        AsyncClient(way.address, patience=Patience(try_seconds=0.5)) as client,
    ):
        assert [one async for one in client.customers.list_customers()] == []

    assert len(way.calls) == 3


@pytest.mark.parametrize(
    "code", [Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.ABORTED, Code.INTERNAL, Code.UNAUTHENTICATED]
)
async def test_an_answer_is_not_repeated(service: Service, code: grpc.StatusCode) -> None:
    async with between(service.server.address, [Fault(code)]) as way, AsyncClient(way.address) as client:
        with pytest.raises(PaymentKitError) as caught:
            await client.customers.create_customer()

    assert (caught.value.code, len(way.calls)) == (code, 1)
    assert caught.value.outcome_unknown == (code == Code.INTERNAL)


async def test_a_limit_is_waited_for_as_long_as_the_service_says(service: Service) -> None:
    limit = Fault(Code.RESOURCE_EXHAUSTED, retry_seconds=0.4)
    began = time.monotonic()
    async with between(service.server.address, [limit]) as way, AsyncClient(way.address) as client:
        await client.customers.create_customer()

    assert len(way.calls) == 2
    assert time.monotonic() - began >= 0.4


async def test_a_limit_without_a_time_is_not_repeated(service: Service) -> None:
    limit = Fault(Code.RESOURCE_EXHAUSTED)
    async with between(service.server.address, [limit]) as way, AsyncClient(way.address) as client:
        with pytest.raises(ResourceExhausted) as caught:
            await client.customers.create_customer()

    assert (len(way.calls), caught.value.retry_delay_seconds) == (1, None)
    assert not caught.value.outcome_unknown


async def test_our_own_earlier_try_is_waited_for(service: Service) -> None:
    busy = Fault(Code.ABORTED, reason="REQUEST_IN_PROGRESS", retry_seconds=0.05)
    async with between(service.server.address, [LOST, busy]) as way, AsyncClient(way.address) as client:
        await client.customers.create_customer()
        way.faults.append(busy)
        with pytest.raises(PaymentKitError) as caught:
            await client.customers.create_customer()

    assert (len(way.calls), caught.value.outcome_unknown) == (4, True)


async def test_a_write_whose_outcome_stays_unknown_says_so(service: Service) -> None:
    async with (
        between(service.server.address, [LOST, Fault(Code.PERMISSION_DENIED)]) as way,
        AsyncClient(way.address) as client,
    ):
        with pytest.raises(PaymentKitError) as caught:
            await client.customers.create_customer()
        error = caught.value
        assert (error.code, error.outcome_unknown) == (Code.PERMISSION_DENIED, True)
        known = await client.customers.create_customer(request_id=error.request_id)

    assert [row["id"] for row in service.made("customer")] == [known.customer.id]


async def test_an_outcome_the_service_will_never_learn_is_unknown(service: Service) -> None:
    forgotten = Fault(Code.FAILED_PRECONDITION, reason="STRIPE_OUTCOME_UNKNOWN")
    async with between(service.server.address, [forgotten]) as way, AsyncClient(way.address) as client:
        with pytest.raises(PaymentKitError) as caught:
            await client.customers.create_customer()

    assert (len(way.calls), caught.value.outcome_unknown) == (1, True)


async def test_the_number_of_tries_is_bounded(service: Service) -> None:
    async with (
        between(service.server.address, [UNAVAILABLE] * 9) as way,
        AsyncClient(way.address, patience=Patience(tries=3)) as client,
    ):
        with pytest.raises(Unavailable):
            await client.customers.get_customer(id="cus_1")

    assert len(way.calls) == 3


async def test_the_time_of_all_tries_is_bounded(service: Service) -> None:
    async with between(service.server.address, [HANGS] * 9) as way, AsyncClient(way.address) as client:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            await client.customers.create_customer(timeout_seconds=0.5)

    assert time.monotonic() - began < 5
    assert (len(way.calls), caught.value.outcome_unknown) == (1, True)


def _error(code: grpc.StatusCode, retry_seconds: float | None = None) -> PaymentKitError:
    return PaymentKitError(code, "", Details(retry_delay_seconds=retry_seconds))


def test_pauses_double_up_to_a_bound_and_are_spread_from_nothing() -> None:
    error = _error(Code.UNAVAILABLE)
    longest = Tries(Patience(tries=9), "", clock=lambda: 0.0, dice=lambda: 1.0)
    shortest = Tries(Patience(tries=9), "", clock=lambda: 0.0, dice=lambda: 0.0)
    pauses: list[tuple[float, float]] = []
    for _ in range(7):
        longest.begin()
        shortest.begin()
        pauses.append((shortest.pause(error), longest.pause(error)))

    expected = [min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_FIRST * 2**number) for number in range(7)]
    assert pauses == [(0.0, pause) for pause in expected]


def test_a_pause_that_would_outlast_the_call_is_not_begun() -> None:
    tries = Tries(Patience(timeout_seconds=10), "", clock=lambda: 0.0, dice=lambda: 0.0)
    tries.begin()

    with pytest.raises(PaymentKitError):
        tries.pause(_error(Code.RESOURCE_EXHAUSTED, retry_seconds=11))


def test_a_try_takes_no_more_than_what_is_left() -> None:
    now = [0.0]
    tries = Tries(Patience(timeout_seconds=10, try_seconds=7), "", clock=lambda: now[0], dice=lambda: 0.0)

    assert tries.begin() == 7
    now[0] = 8.0
    assert tries.begin() == 2
