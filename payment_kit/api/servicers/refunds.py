"""RefundService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.api import messages
from payment_kit.api.requests import write_request
from payment_kit.money import Money
from payment_kit.payments import refunds
from payment_kit.payments.desk import Desk
from payment_kit.v1 import refund_pb2 as v1
from payment_kit.v1.refund_pb2_grpc import RefundServiceServicer


class Refunds(RefundServiceServicer):
    """Refunds of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateRefund(self, request: v1.CreateRefundRequest, context: Any) -> v1.CreateRefundResponse:
        """See refund.proto."""
        write = write_request(request, "CreateRefund", context.time_remaining())
        amount = request.amount if request.HasField("amount") else None
        payload = await refunds.create(
            self._desk,
            write,
            payment_intent=request.payment_intent,
            amount=Money(amount.amount_minor, amount.currency) if amount else None,
            reason=messages.name_of(request.reason, messages.REFUND_REASONS),
            metadata=request.metadata,
        )
        return v1.CreateRefundResponse(refund=messages.refund(payload))

    async def GetRefund(self, request: v1.GetRefundRequest, _context: Any) -> v1.GetRefundResponse:
        """See refund.proto."""
        return v1.GetRefundResponse(refund=messages.refund(await refunds.get(self._desk, request.id)))
