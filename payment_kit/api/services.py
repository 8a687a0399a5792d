"""What the servicers work with, and the list of them: one per service of the contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from payment_kit.api.servicers.customers import Customers
from payment_kit.api.servicers.payment_intents import PaymentIntents
from payment_kit.api.servicers.payment_methods import PaymentMethods
from payment_kit.api.servicers.prices import Prices
from payment_kit.api.servicers.products import Products
from payment_kit.api.servicers.refunds import Refunds
from payment_kit.api.servicers.webhooks import Webhooks
from payment_kit.mirror.intake import Intake
from payment_kit.payments.desk import Desk
from payment_kit.v1 import (
    customer_pb2,
    customer_pb2_grpc,
    payment_intent_pb2,
    payment_intent_pb2_grpc,
    payment_method_pb2,
    payment_method_pb2_grpc,
    price_pb2,
    price_pb2_grpc,
    product_pb2,
    product_pb2_grpc,
    refund_pb2,
    refund_pb2_grpc,
    webhook_pb2,
    webhook_pb2_grpc,
)


@dataclass(frozen=True, slots=True)
class Services:
    """What a server needs: the desk of one account and the rule by which webhooks are accepted."""

    desk: Desk
    intake: Intake


class Service(NamedTuple):
    """One service of the contract with the object that implements it."""

    descriptor: ServiceDescriptor
    servicer: Any
    register: Callable[[Any, grpc.aio.Server], None]


def servicers(services: Services) -> Sequence[Service]:
    """Every service of the contract."""
    desk, intake = services.desk, services.intake
    return (
        Service(_service(customer_pb2), Customers(desk), customer_pb2_grpc.add_CustomerServiceServicer_to_server),
        Service(_service(product_pb2), Products(desk), product_pb2_grpc.add_ProductServiceServicer_to_server),
        Service(_service(price_pb2), Prices(desk), price_pb2_grpc.add_PriceServiceServicer_to_server),
        Service(
            _service(payment_method_pb2),
            PaymentMethods(desk),
            payment_method_pb2_grpc.add_PaymentMethodServiceServicer_to_server,
        ),
        Service(
            _service(payment_intent_pb2),
            PaymentIntents(desk),
            payment_intent_pb2_grpc.add_PaymentIntentServiceServicer_to_server,
        ),
        Service(_service(refund_pb2), Refunds(desk), refund_pb2_grpc.add_RefundServiceServicer_to_server),
        Service(_service(webhook_pb2), Webhooks(intake), webhook_pb2_grpc.add_WebhookServiceServicer_to_server),
    )


def _service(module: Any) -> ServiceDescriptor:
    """The one service of a generated module."""
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()
    found: ServiceDescriptor = descriptor
    return found
