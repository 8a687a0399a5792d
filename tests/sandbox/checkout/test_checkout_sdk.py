"""Checkout through the unmodified SDK: what is sold, how it is paid, what is left of it."""

import pytest
import stripe

from payment_kit.sandbox import Sandbox
from tests.sandbox.tools.desk import Desk


async def test_a_session_is_sold_completed_and_read_back(stripe_client: stripe.StripeClient, sandbox: Sandbox) -> None:
    v1 = stripe_client.v1
    session = await v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "success_url": "https://shop.test/thanks",
            "line_items": [
                {
                    "price_data": {"currency": "jpy", "unit_amount": 100 + at, "product_data": {"name": "Tea"}},
                    "quantity": 1,
                }
                for at in range(12)
            ],
            "expand": ["line_items"],
        }
    )
    assert session.line_items is not None
    assert (session.amount_total, session.line_items.has_more) == (1266, True)
    lines = [line async for line in (await v1.checkout.sessions.line_items.list_async(session.id)).auto_paging_iter()]
    assert [line.amount_total for line in lines] == list(range(100, 112))
    await Desk(sandbox).order(f"checkout/sessions/{session.id}/complete", email="ada@example.com")
    done = await v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert isinstance(done.payment_intent, stripe.PaymentIntent)
    charge = done.payment_intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (done.payment_status, charge.amount, charge.billing_details.email) == ("paid", 1266, "ada@example.com")
    with pytest.raises(stripe.InvalidRequestError):
        await v1.checkout.sessions.expire_async(session.id)


async def test_a_quote_becomes_a_subscription(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1
    customer = await v1.customers.create_async({"email": "ada@example.com"})
    price = await v1.prices.create_async(
        {"currency": "kwd", "unit_amount": 5000, "recurring": {"interval": "month"}, "product_data": {"name": "Tea"}}
    )
    quote = await v1.quotes.create_async({"customer": customer.id, "line_items": [{"price": price.id, "quantity": 2}]})
    await v1.quotes.finalize_quote_async(quote.id)
    accepted = await v1.quotes.accept_async(quote.id, {"expand": ["subscription"]})
    assert isinstance(accepted.subscription, stripe.Subscription)
    assert (accepted.status, accepted.amount_total, accepted.subscription.status) == ("accepted", 10_000, "active")
