"""WebhookService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.mirror.intake import Intake
from payment_kit.v1 import webhook_pb2 as v1
from payment_kit.v1.webhook_pb2_grpc import WebhookServiceServicer


class Webhooks(WebhookServiceServicer):
    """Stripe's events, by the same rule as over HTTP."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def HandleWebhook(self, request: v1.HandleWebhookRequest, _context: Any) -> v1.HandleWebhookResponse:
        """See webhook.proto."""
        receipt = await self._intake.accept(request.payload, request.signature, "grpc")
        return v1.HandleWebhookResponse(event_id=receipt.event_id, duplicate=not receipt.new)
