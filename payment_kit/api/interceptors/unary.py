"""Wrapping unary methods; streams (health watches, reflection) pass untouched."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]
Wrap = Callable[[str, Handler], Handler]
"""From a method's full name, ``/payment_kit.v1.CustomerService/GetCustomer``, and its handler to another handler."""
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


class UnaryInterceptor(grpc.aio.ServerInterceptor):
    """Puts `wrap` around every unary method, once per call."""

    def __init__(self, wrap: Wrap) -> None:
        self._wrap = wrap

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The method's handler, wrapped when it is unary."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        inner: Any = handler.unary_unary
        wrapped: Any = self._wrap(handler_call_details.method, inner)
        return grpc.unary_unary_rpc_method_handler(
            wrapped,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
