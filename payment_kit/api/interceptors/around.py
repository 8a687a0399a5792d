"""Wrapping methods of every kind: to whoever wraps, a stream is one call that ends when its last answer is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]
Wrap = Callable[[str, Handler], Handler]
"""From a method's full name, ``/payment_kit.v1.CustomerService/GetCustomer``, and its handler to another handler."""
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts `wrap` around every method, once per call."""

    def __init__(self, wrap: Wrap) -> None:
        self._wrap = wrap

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The method's handler, wrapped; None for a method nobody answers."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        kind = _KINDS[handler.request_streaming, handler.response_streaming]
        inner: Any = getattr(handler, kind)
        wrapped = self._wrap(handler_call_details.method, _sent(inner) if handler.response_streaming else inner)
        made: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        found: grpc.RpcMethodHandler[Any, Any] = made(
            wrapped,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return found


_KINDS = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}


def _sent(inner: Callable[[Any, Context], AsyncIterator[Any] | Awaitable[Any]]) -> Handler:
    """A handler of a stream that sends its answers itself, as grpc.aio allows."""

    async def call(request: Any, context: Context) -> None:
        answers = inner(request, context)
        if isinstance(answers, Awaitable):
            await answers
            return
        async for answer in answers:
            await context.write(answer)

    return call
