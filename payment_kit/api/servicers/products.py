"""ProductService."""

# ruff: noqa: N802 - the contract names the methods

from typing import Any

from payment_kit.api import messages
from payment_kit.api.requests import changes, write_request
from payment_kit.payments import products
from payment_kit.payments.desk import Desk
from payment_kit.v1 import product_pb2 as v1
from payment_kit.v1.product_pb2_grpc import ProductServiceServicer


class Products(ProductServiceServicer):
    """Products of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateProduct(self, request: v1.CreateProductRequest, context: Any) -> v1.CreateProductResponse:
        """See product.proto."""
        write = write_request(request, "CreateProduct", context.time_remaining())
        payload = await products.create(
            self._desk, write, name=request.name, description=request.description, metadata=request.metadata
        )
        return v1.CreateProductResponse(product=messages.product(payload))

    async def GetProduct(self, request: v1.GetProductRequest, _context: Any) -> v1.GetProductResponse:
        """See product.proto."""
        return v1.GetProductResponse(product=messages.product(await products.get(self._desk, request.id)))

    async def UpdateProduct(self, request: v1.UpdateProductRequest, context: Any) -> v1.UpdateProductResponse:
        """See product.proto."""
        write = write_request(request, "UpdateProduct", context.time_remaining())
        changed = changes(request.product, request.update_mask, products.CHANGEABLE, "product")
        payload = await products.update(self._desk, write, request.product.id, changed)
        return v1.UpdateProductResponse(product=messages.product(payload))

    async def ListProducts(self, request: v1.ListProductsRequest, _context: Any) -> v1.ListProductsResponse:
        """See product.proto."""
        active = request.active if request.HasField("active") else None
        page = await products.list_(
            self._desk, active=active, page_size=request.page_size, page_token=request.page_token
        )
        found = [messages.product(payload) for payload in page.payloads]
        return v1.ListProductsResponse(products=found, next_page_token=page.next_page_token)
