"""Wrapping methods that take one request, whether they answer one message or write many to their context.

A stream of ours is a coroutine as any other method: it ends when the stream does. Reflection, which takes a stream of
requests, passes untouched.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]
Wrap = Callable[[str, Handler], Handler]
"""From a method's full name, ``/payment_kit.v1.CustomerService/GetCustomer``, and its handler to another handler."""
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


class UnaryInterceptor(grpc.aio.ServerInterceptor):
    """Puts `wrap` around every method of one request, once per call."""

    def __init__(self, wrap: Wrap) -> None:
        self._wrap = wrap

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The method's handler, wrapped when it takes one request."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        inner: Any = handler.unary_stream or handler.unary_unary
        wrapped: Any = self._wrap(handler_call_details.method, inner)
        again: Any = (
            grpc.unary_stream_rpc_method_handler if handler.unary_stream else grpc.unary_unary_rpc_method_handler
        )
        return again(  # type: ignore[no-any-return]
            wrapped,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
