"""What the tests of writes ask for, as the handlers of the contract would."""

from typing import Any

from payment_kit.money import Money
from payment_kit.payments import intents, payment_methods, refunds, resources
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Request
from payment_kit.payments.resources import Target


async def create(desk: Desk, asked: Request, name: str = "Jo", **params: Any) -> Payload:
    """A new customer."""
    target = Target("customer", "", "/v1/customers")
    return (await resources.write(desk, asked, target, {"name": name, **params})).payload


async def update(desk: Desk, asked: Request, customer: str, params: Payload) -> Payload:
    """A customer changed."""
    target = Target("customer", customer, f"/v1/customers/{customer}")
    return (await resources.update(desk, asked, target, params)).payload


async def get(desk: Desk, customer: str) -> Payload:
    """A customer of the mirror."""
    return await desk.reader.get("customer", customer)


async def pay(desk: Desk, asked: Request, amount: Money, **params: Any) -> Payload:
    """A new payment intent, confirmed when it has a payment method."""
    given = {"amount": amount.minor, "currency": amount.currency, "expand": ["latest_charge"], **params}
    given |= {"confirm": True} if "payment_method" in params else {}
    target = Target("payment_intent", "", "/v1/payment_intents")
    return (await intents.create(desk, asked, target, given)).payload


async def refund(desk: Desk, asked: Request, payment_intent: str, amount: Money) -> Payload:
    """A part of a payment given back."""
    given = {"payment_intent": payment_intent, "amount": amount.minor, "currency": amount.currency}
    return (
        await refunds.create(desk, asked, Target("refund", "", "/v1/refunds"), given | {"expand": ["charge"]})
    ).payload


async def save_card(desk: Desk, asked: Request, customer: str) -> Payload:
    """A card that a token stands for, saved to a customer."""
    target = Target("payment_method", "", "/v1/payment_methods")
    given = {"customer": customer, "card_token": "tok_visa"}
    return (await payment_methods.create(desk, asked, target, given)).payload
