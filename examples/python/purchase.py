"""A customer, a card, a payment, a refund, a list: ``python purchase.py 127.0.0.1:8080``.

API_KEY and CA_FILE in the environment are for a service that asks for a key and has a certificate of its own.
"""

import os
import sys

from payment_kit.client import Client, FailedPrecondition, Tls
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.payment_intent_pb2 import PaymentIntent
from payment_kit.v1.refund_pb2 import Refund


def main(target: str) -> None:
    """Tells the story on stdout, one line for each thing that happened."""
    ca = os.environ.get("CA_FILE")
    with Client(target, key=os.environ.get("API_KEY"), tls=Tls(ca=ca) if ca else None) as client:
        customer = client.customers.create_customer(name="Ada", email="ada@example.com").customer
        card = client.payment_methods.create_payment_method(customer=customer.id, payment_method="pm_card_visa")

        # A write without a request_id gets one, and keeps it over every retry: it happens once.
        payment = client.payment_intents.create_payment_intent(
            amount=Money(amount_minor=1999, currency="usd"),
            customer=customer.id,
            payment_method=card.payment_method.id,
            metadata={"order": "1001"},
            confirm=True,
        ).payment_intent
        amount, state = payment.amount, PaymentIntent.State.Name(payment.state)
        print(f"{amount.amount_minor} {amount.currency} {state}, order {payment.metadata['order']}")

        refund = client.refunds.create_refund(
            payment_intent=payment.id, amount=Money(amount_minor=500, currency="usd")
        ).refund
        print(f"{refund.amount.amount_minor} {refund.amount.currency} back: {Refund.State.Name(refund.state)}")

        try:
            client.payment_intents.create_payment_intent(
                amount=Money(amount_minor=500, currency="jpy"),
                customer=customer.id,
                payment_method="pm_card_chargeDeclined",
                confirm=True,
            )
        except FailedPrecondition as error:
            print(f"{error.reason}: {error.metadata['decline_code']}")

        for one in client.payment_intents.list_payment_intents(customer=customer.id):
            print(f"listed {one.amount.amount_minor} {one.amount.currency}")


if __name__ == "__main__":
    main(sys.argv[1])
