"""PriceService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.api import messages
from payment_kit.api.requests import changes, write_request
from payment_kit.money import Money
from payment_kit.payments import prices
from payment_kit.payments.desk import Desk
from payment_kit.v1 import price_pb2 as v1
from payment_kit.v1.price_pb2_grpc import PriceServiceServicer


class Prices(PriceServiceServicer):
    """Prices of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreatePrice(self, request: v1.CreatePriceRequest, context: Any) -> v1.CreatePriceResponse:
        """See price.proto."""
        write = write_request(request, "CreatePrice", context.time_remaining())
        recurring = request.HasField("recurring")
        payload = await prices.create(
            self._desk,
            write,
            product=request.product,
            unit_amount=Money(request.unit_amount.amount_minor, request.unit_amount.currency),
            interval=(messages.name_of(request.recurring.interval, messages.INTERVALS) or "") if recurring else None,
            interval_count=request.recurring.interval_count,
            nickname=request.nickname,
            lookup_key=request.lookup_key,
            metadata=request.metadata,
        )
        return v1.CreatePriceResponse(price=messages.price(payload))

    async def GetPrice(self, request: v1.GetPriceRequest, _context: Any) -> v1.GetPriceResponse:
        """See price.proto."""
        return v1.GetPriceResponse(price=messages.price(await prices.get(self._desk, request.id)))

    async def UpdatePrice(self, request: v1.UpdatePriceRequest, context: Any) -> v1.UpdatePriceResponse:
        """See price.proto."""
        write = write_request(request, "UpdatePrice", context.time_remaining())
        changed = changes(request.price, request.update_mask, prices.CHANGEABLE, "price")
        payload = await prices.update(self._desk, write, request.price.id, changed)
        return v1.UpdatePriceResponse(price=messages.price(payload))

    async def ListPrices(self, request: v1.ListPricesRequest, _context: Any) -> v1.ListPricesResponse:
        """See price.proto."""
        page = await prices.list_(
            self._desk,
            product=request.product,
            active=request.active if request.HasField("active") else None,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        found = [messages.price(payload) for payload in page.payloads]
        return v1.ListPricesResponse(prices=found, next_page_token=page.next_page_token)
