"""What asking who calls costs: GetCustomer with authentication, authorisation and audit, and without, in one run.

python -m benchmarks.access [SECONDS]
"""

import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import grpc
import uvloop
from pydantic import SecretStr

from payment_kit.access import callers
from payment_kit.access.callers import Wanted
from payment_kit.access.door import Door
from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.database.connection import open_pool
from payment_kit.database.embedded import throwaway
from payment_kit.database.migrations import migrate
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import open_desk
from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.v1.customer_pb2 import CreateCustomerRequest, GetCustomerRequest
from payment_kit.v1.customer_pb2_grpc import CustomerServiceStub

ROUNDS = 7
AT_ONCE = 16


async def measure(seconds: float) -> None:
    """Rounds of both by turns, so that what else the machine does meets both."""
    async with AsyncExitStack() as stack:
        dsn = stack.enter_context(throwaway())
        migrate(dsn)
        sandbox = Sandbox()
        await stack.enter_async_context(SandboxServer(sandbox))
        pool = await stack.enter_async_context(await open_pool(dsn, max_size=16, name="benchmark"))
        gateway = await stack.enter_async_context(StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url))
        account = sandbox.account_id
        desk = open_desk(pool, gateway, account=account, livemode=False)
        async with pool.connection() as connection:
            await callers.save(connection, account, "shop", Wanted(["customers"], calls_per_second=1e6))
            key = await callers.add_key(connection, account, "shop", livemode=False)
        door = await stack.enter_async_context(Door(pool, account, livemode=False))
        services = Services(desk, Intake(Inbox(pool, account), (), livemode=False))
        found: dict[str, list[tuple[float, float]]] = {"off": [], "on": []}
        stubs: dict[str, Any] = {}
        for name, given in (("off", None), ("on", door)):
            server = await stack.enter_async_context(GrpcServer(services, door=given))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
            stubs[name] = CustomerServiceStub(channel)
        metadata = (("authorization", f"Bearer {key}"),)
        request = CreateCustomerRequest(request_id="0b5d1a66-31a6-4a0c-8c6e-1f3b1f0d8a11", name="Ada")
        made = (await stubs["on"].CreateCustomer(request, metadata=metadata)).customer
        for _ in range(ROUNDS):
            for name, stub in stubs.items():
                found[name].append(await _rate(stub, made.id, metadata, seconds))
    off, on = ([statistics.median(column) for column in zip(*found[name], strict=True)] for name in ("off", "on"))
    print(f"GetCustomer, medians of {ROUNDS} rounds of {seconds:g} s, client in the same process")
    print(f"by the clock   off {off[0]:,.0f} calls/s   on {on[0]:,.0f} calls/s   added {off[0] / on[0] - 1:.1%}")
    print(f"by CPU time    off {off[1]:,.0f} us/call   on {on[1]:,.0f} us/call   added {on[1] / off[1] - 1:.1%}")


async def _rate(stub: Any, id_: str, metadata: Any, seconds: float) -> tuple[float, float]:
    """Calls a second, and microseconds of this process's CPU for each, client and server together."""
    until, done, used = time.perf_counter() + seconds, 0, time.process_time()

    async def call() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await stub.GetCustomer(GetCustomerRequest(id=id_), metadata=metadata)
            done += 1

    await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    return done / seconds, (time.process_time() - used) / done * 1e6


if __name__ == "__main__":
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    uvloop.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0))
