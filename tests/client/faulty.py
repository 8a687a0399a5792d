"""A gRPC server between a client and the service that passes every call on, and loses what it is told to lose."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

HANG_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What one call meets: after the service has answered or instead of it; `code` None hangs."""

    code: grpc.StatusCode | None
    after: bool = False
    retry_seconds: float | None = None
    reason: str = ""


@dataclass(slots=True)
class Way:
    """Where the client dials, what the next calls meet, and what has come by: method, request, metadata."""

    address: str = ""
    faults: list[Fault] = field(default_factory=list)
    calls: list[tuple[str, bytes, dict[str, Any]]] = field(default_factory=list)


class _Passing(grpc.GenericRpcHandler):
    def __init__(self, way: Way, behind: grpc.aio.Channel) -> None:
        self._way = way
        self._behind = behind

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        method = handler_call_details.method

        async def call(request: bytes, context: Any) -> bytes:
            self._way.calls.append((method, request, dict(context.invocation_metadata())))
            fault = self._way.faults.pop(0) if self._way.faults else None
            if fault is not None and not fault.after:
                await _fail(context, fault)
            passed: Any = self._behind.unary_unary(method)
            try:
                answer: bytes = await passed(request)
            except grpc.aio.AioRpcError as refused:
                context.set_trailing_metadata(refused.trailing_metadata())
                await context.abort(refused.code(), refused.details())
            if fault is not None:
                await _fail(context, fault)
            return answer

        return grpc.unary_unary_rpc_method_handler(call)


async def _fail(context: Any, fault: Fault) -> None:
    if fault.code is None:
        await asyncio.sleep(HANG_SECONDS)
        return
    details: list[any_pb2.Any] = []
    if fault.retry_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(fault.retry_seconds * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    if fault.reason:
        details.append(_packed(error_details_pb2.ErrorInfo(reason=fault.reason, domain="payment_kit")))
    number: int = fault.code.value[0]
    status: Any = rpc_status.to_status(status_pb2.Status(code=number, message="lost", details=details))
    await context.abort_with_status(status)


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


@asynccontextmanager
async def between(
    address: str, faults: Sequence[Fault] = (), credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Way]:
    """A way to the service at `address`; with `credentials` through TLS."""
    way = Way(faults=list(faults))
    async with grpc.aio.insecure_channel(address) as behind:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_Passing(way, behind),))
        here = "127.0.0.1:0"
        port = server.add_secure_port(here, credentials) if credentials else server.add_insecure_port(here)
        way.address = f"127.0.0.1:{port}"
        await server.start()
        try:
            yield way
        finally:
            await server.stop(None)
