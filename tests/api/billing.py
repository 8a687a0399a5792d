"""Customers with a card and prices, for the tests of what is billed."""

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.customer_pb2 import Customer, UpdateCustomerRequest
from payment_kit.v1.price_pb2 import CreatePriceRequest, Recurring
from payment_kit.v1.subscription_pb2 import CreateSubscriptionRequest, Subscription

from ..fix_service import Service, new_id
from . import calls

CURRENCIES = [(900, "usd"), (500, "jpy"), (1250, "kwd")]


async def price(service: Service, minor: int = 900, currency: str = "usd", *, monthly: bool = False) -> str:
    """The id of a price, one-time or by the month."""
    request = CreatePriceRequest(
        request_id=new_id(),
        product=(await calls.product(service)).id,
        unit_amount=Money(amount_minor=minor, currency=currency),
        recurring=Recurring(interval=Recurring.INTERVAL_MONTH) if monthly else None,
    )
    return (await service.prices.CreatePrice(request)).price.id


async def payer(service: Service, card: str = "pm_card_visa") -> str:
    """The id of a customer with a saved card that is used by default."""
    owner = await calls.customer(service)
    saved = await calls.card(service, owner.id, card)
    asked = Customer(id=owner.id, default_payment_method=saved.id)
    await service.customers.UpdateCustomer(UpdateCustomerRequest(request_id=new_id(), customer=asked))
    return owner.id


async def subscription(service: Service, customer: str, of: str, quantity: int = 1) -> Subscription:
    """An active subscription."""
    items = [CreateSubscriptionRequest.Item(price=of, quantity=quantity)]
    request = CreateSubscriptionRequest(request_id=new_id(), customer=customer, items=items)
    return (await service.subscriptions.CreateSubscription(request)).subscription
