"""Requests most tests begin with."""

from collections.abc import Awaitable, Callable
from typing import Any

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.customer_pb2 import CreateCustomerRequest, Customer
from payment_kit.v1.payment_intent_pb2 import CreatePaymentIntentRequest, PaymentIntent
from payment_kit.v1.payment_method_pb2 import CreatePaymentMethodRequest, PaymentMethod
from payment_kit.v1.product_pb2 import CreateProductRequest, Product

from ..fix_service import Service, new_id


async def customer(service: Service, **fields: str) -> Customer:
    """A new customer."""
    answer = await service.customers.CreateCustomer(CreateCustomerRequest(request_id=new_id(), **fields))  # type: ignore[arg-type]
    return answer.customer


async def product(service: Service, name: str = "Tea") -> Product:
    """A new product."""
    return (await service.products.CreateProduct(CreateProductRequest(request_id=new_id(), name=name))).product


async def card(service: Service, owner: str, payment_method: str = "pm_card_visa") -> PaymentMethod:
    """A card saved to a customer."""
    request = CreatePaymentMethodRequest(request_id=new_id(), customer=owner, payment_method=payment_method)
    return (await service.payment_methods.CreatePaymentMethod(request)).payment_method


def payment(minor: int = 2000, currency: str = "usd", **fields: object) -> CreatePaymentIntentRequest:
    """A request to pay at once with a card that works."""
    values = {"request_id": new_id(), "payment_method": "pm_card_visa", "confirm": True, **fields}
    return CreatePaymentIntentRequest(amount=Money(amount_minor=minor, currency=currency), **values)  # type: ignore[arg-type]


async def paid(service: Service, minor: int = 2000, currency: str = "usd") -> PaymentIntent:
    """A payment that succeeded."""
    return (await service.payment_intents.CreatePaymentIntent(payment(minor, currency))).payment_intent


async def mirrored(service: Service, kind: str) -> list[str]:
    """Bring everything of a kind that happened at Stripe alone into the mirror; the ids, oldest first."""
    ids = [str(row["id"]) for row in service.made(kind)]
    await service.desk.writes.mirror.read_again([(kind, id_) for id_ in ids])
    return ids


async def pages(list_: Callable[[Any], Awaitable[Any]], request: Any, field: str) -> list[list[str]]:
    """The ids on each page of a list, by two."""
    found: list[list[str]] = []
    request.page_size = 2
    while not found or request.page_token:
        page = await list_(request)
        found.append([one.id for one in getattr(page, field)])
        request.page_token = page.next_page_token
    return found
