"""PaymentIntentService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.api import messages
from payment_kit.api.requests import write_request
from payment_kit.money import Money
from payment_kit.payments import payment_intents
from payment_kit.payments.desk import Desk
from payment_kit.v1 import payment_intent_pb2 as v1
from payment_kit.v1.payment_intent_pb2_grpc import PaymentIntentServiceServicer


class PaymentIntents(PaymentIntentServiceServicer):
    """Payment intents of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreatePaymentIntent(
        self, request: v1.CreatePaymentIntentRequest, context: Any
    ) -> v1.CreatePaymentIntentResponse:
        """See payment_intent.proto."""
        write = write_request(request, "CreatePaymentIntent", context.time_remaining())
        draft = payment_intents.Draft(
            amount=Money(request.amount.amount_minor, request.amount.currency),
            customer=request.customer,
            payment_method=request.payment_method,
            confirm=request.confirm,
            off_session=request.off_session,
            save_payment_method=request.save_payment_method,
            capture_manually=request.capture_manually,
            description=request.description,
            receipt_email=request.receipt_email,
            return_url=request.return_url,
            metadata=request.metadata,
        )
        payload = await payment_intents.create(self._desk, write, draft)
        return v1.CreatePaymentIntentResponse(payment_intent=messages.payment_intent(payload))

    async def GetPaymentIntent(self, request: v1.GetPaymentIntentRequest, _context: Any) -> v1.GetPaymentIntentResponse:
        """See payment_intent.proto."""
        payload = await payment_intents.get(self._desk, request.id)
        return v1.GetPaymentIntentResponse(payment_intent=messages.payment_intent(payload))

    async def ConfirmPaymentIntent(
        self, request: v1.ConfirmPaymentIntentRequest, context: Any
    ) -> v1.ConfirmPaymentIntentResponse:
        """See payment_intent.proto."""
        write = write_request(request, "ConfirmPaymentIntent", context.time_remaining())
        payload = await payment_intents.confirm(
            self._desk,
            write,
            request.id,
            payment_method=request.payment_method,
            off_session=request.off_session,
            return_url=request.return_url,
        )
        return v1.ConfirmPaymentIntentResponse(payment_intent=messages.payment_intent(payload))

    async def CancelPaymentIntent(
        self, request: v1.CancelPaymentIntentRequest, context: Any
    ) -> v1.CancelPaymentIntentResponse:
        """See payment_intent.proto."""
        write = write_request(request, "CancelPaymentIntent", context.time_remaining())
        reason = messages.name_of(request.reason, messages.CANCEL_REASONS)
        payload = await payment_intents.cancel(self._desk, write, request.id, reason=reason)
        return v1.CancelPaymentIntentResponse(payment_intent=messages.payment_intent(payload))
