"""Every service of the contract, on a server."""

from collections.abc import Sequence
from typing import Any

import grpc

from payment_kit.api import contract
from payment_kit.api.contract import Method
from payment_kit.api.handlers import handler
from payment_kit.api.own import OWN
from payment_kit.api.services import Services


def serve(services: Services, server: grpc.aio.Server) -> Sequence[str]:
    """Let `server` answer every method of the contract; returns the full names of the services."""
    names: list[str] = []
    for service in contract.services():
        handlers = {method.name: _registered(method, services) for method in contract.methods(service)}
        server.add_registered_method_handlers(service.full_name, handlers)
        names.append(service.full_name)
    return names


def _registered(method: Method, services: Services) -> "grpc.RpcMethodHandler[Any, Any]":
    answer: Any = OWN[method.name](services) if method.kind == "own" else handler(method, services.desk)
    register = grpc.unary_stream_rpc_method_handler if method.streams else grpc.unary_unary_rpc_method_handler
    return register(
        answer,
        request_deserializer=method.takes.FromString,
        response_serializer=method.answers.SerializeToString,
    )
