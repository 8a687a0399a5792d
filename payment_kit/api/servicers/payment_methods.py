"""PaymentMethodService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.api import messages
from payment_kit.api.requests import changes, write_request
from payment_kit.payments import payment_methods
from payment_kit.payments.desk import Desk
from payment_kit.v1 import payment_method_pb2 as v1
from payment_kit.v1.payment_method_pb2_grpc import PaymentMethodServiceServicer


class PaymentMethods(PaymentMethodServiceServicer):
    """Payment methods of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreatePaymentMethod(
        self, request: v1.CreatePaymentMethodRequest, context: Any
    ) -> v1.CreatePaymentMethodResponse:
        """See payment_method.proto."""
        write = write_request(request, "CreatePaymentMethod", context.time_remaining())
        payload = await payment_methods.create(
            self._desk,
            write,
            customer=request.customer,
            card_token=request.card_token,
            payment_method=request.payment_method,
            billing_name=request.billing_details.name,
            billing_email=request.billing_details.email,
            metadata=request.metadata,
        )
        return v1.CreatePaymentMethodResponse(payment_method=messages.payment_method(payload))

    async def GetPaymentMethod(self, request: v1.GetPaymentMethodRequest, _context: Any) -> v1.GetPaymentMethodResponse:
        """See payment_method.proto."""
        payload = await payment_methods.get(self._desk, request.id)
        return v1.GetPaymentMethodResponse(payment_method=messages.payment_method(payload))

    async def UpdatePaymentMethod(
        self, request: v1.UpdatePaymentMethodRequest, context: Any
    ) -> v1.UpdatePaymentMethodResponse:
        """See payment_method.proto."""
        write = write_request(request, "UpdatePaymentMethod", context.time_remaining())
        changed = changes(request.payment_method, request.update_mask, payment_methods.CHANGEABLE, "payment_method")
        payload = await payment_methods.update(self._desk, write, request.payment_method.id, changed)
        return v1.UpdatePaymentMethodResponse(payment_method=messages.payment_method(payload))

    async def DeletePaymentMethod(
        self, request: v1.DeletePaymentMethodRequest, context: Any
    ) -> v1.DeletePaymentMethodResponse:
        """See payment_method.proto."""
        write = write_request(request, "DeletePaymentMethod", context.time_remaining())
        payload = await payment_methods.delete(self._desk, write, request.id)
        return v1.DeletePaymentMethodResponse(payment_method=messages.payment_method(payload))

    async def ListPaymentMethods(
        self, request: v1.ListPaymentMethodsRequest, _context: Any
    ) -> v1.ListPaymentMethodsResponse:
        """See payment_method.proto."""
        page = await payment_methods.list_(
            self._desk, customer=request.customer, page_size=request.page_size, page_token=request.page_token
        )
        found = [messages.payment_method(payload) for payload in page.payloads]
        return v1.ListPaymentMethodsResponse(payment_methods=found, next_page_token=page.next_page_token)
