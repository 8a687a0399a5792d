"""The same with asyncio, ten customers at a time: ``python purchase_async.py 127.0.0.1:8080``."""

import asyncio
import os
import sys

from payment_kit.client import AsyncClient, Tls
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.payment_intent_pb2 import PaymentIntent

CUSTOMERS = 10


async def main(target: str) -> None:
    """Tells the story on stdout."""
    ca = os.environ.get("CA_FILE")
    async with AsyncClient(target, key=os.environ.get("API_KEY"), tls=Tls(ca=ca) if ca else None) as client:
        payments = await asyncio.gather(*(pay(client, number) for number in range(CUSTOMERS)))
        paid = sum(payment.state == PaymentIntent.STATE_SUCCEEDED for payment in payments)
        print(f"{paid} of {CUSTOMERS} paid")

        refunds = await asyncio.gather(*(client.refunds.create_refund(payment_intent=one.id) for one in payments[:3]))
        print(f"{len(refunds)} refunded, {sum(answer.refund.amount.amount_minor for answer in refunds)} fils")

        listed = [one.id async for one in client.payment_intents.list_payment_intents(page_size=4)]
        print(f"all listed: {set(listed) >= {payment.id for payment in payments}}")


async def pay(client: AsyncClient, number: int) -> PaymentIntent:
    """One customer pays 1.500 dinars with a new card."""
    customer = (await client.customers.create_customer(name=f"Customer {number}")).customer
    card = await client.payment_methods.create_payment_method(customer=customer.id, payment_method="pm_card_visa")
    answer = await client.payment_intents.create_payment_intent(
        amount=Money(amount_minor=1500, currency="kwd"),
        customer=customer.id,
        payment_method=card.payment_method.id,
        confirm=True,
    )
    return answer.payment_intent


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
