"""Every service of the contract, on a server."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from payment_kit.api import contract
from payment_kit.api.handlers import handler
from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import Desk


@dataclass(frozen=True, slots=True)
class Services:
    """What a server needs: the desk of one account and the rule by which webhooks are accepted."""

    desk: Desk
    intake: Intake


def serve(services: Services, server: grpc.aio.Server) -> Sequence[str]:
    """Let `server` answer every method of the contract; returns the full names of the services."""
    names: list[str] = []
    for service in contract.services():
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                handler(method, services.desk, services.intake),
                request_deserializer=method.takes.FromString,
                response_serializer=method.answers.SerializeToString,
            )
            for method in contract.methods(service)
        }
        server.add_registered_method_handlers(service.full_name, handlers)
        names.append(service.full_name)
    return names
