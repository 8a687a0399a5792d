"""ProductService and PriceService over a real channel."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.price_pb2 import (
    CreatePriceRequest,
    GetPriceRequest,
    ListPricesRequest,
    Price,
    Recurring,
    UpdatePriceRequest,
)
from payment_kit.v1.product_pb2 import GetProductRequest, ListProductsRequest, Product, UpdateProductRequest

from ..fix_service import Service, failure, new_id
from . import calls


async def price(service: Service, product: str, minor: int = 500, currency: str = "usd") -> Price:
    request = CreatePriceRequest(
        request_id=new_id(), product=product, unit_amount=Money(amount_minor=minor, currency=currency)
    )
    return (await service.prices.CreatePrice(request)).price


async def test_a_product_is_created_read_and_changed(service: Service) -> None:
    created = await calls.product(service, "Tea")
    assert created.active

    request = UpdateProductRequest(
        request_id=new_id(),
        product=Product(id=created.id, active=False, description="Green"),
        update_mask=FieldMask(paths=["active", "description"]),
    )
    changed = (await service.products.UpdateProduct(request)).product

    assert (changed.name, changed.description, changed.active) == ("Tea", "Green", False)
    assert (await service.products.GetProduct(GetProductRequest(id=created.id))).product == changed


@pytest.mark.parametrize(("minor", "currency"), [(0, "usd"), (500, "jpy"), (1250, "kwd")])
async def test_a_price_keeps_its_minor_units_in_every_currency(service: Service, minor: int, currency: str) -> None:
    product = await calls.product(service)

    created = await price(service, product.id, minor, currency)

    read = (await service.prices.GetPrice(GetPriceRequest(id=created.id))).price
    assert read == created
    assert read.unit_amount == Money(amount_minor=minor, currency=currency)
    assert not read.HasField("recurring")


async def test_a_recurring_price_has_its_interval(service: Service) -> None:
    product = await calls.product(service)
    request = CreatePriceRequest(
        request_id=new_id(),
        product=product.id,
        unit_amount=Money(amount_minor=900, currency="eur"),
        recurring=Recurring(interval=Recurring.INTERVAL_MONTH),
        lookup_key="gold",
    )

    created = (await service.prices.CreatePrice(request)).price

    assert created.recurring == Recurring(interval=Recurring.INTERVAL_MONTH, interval_count=1)
    assert created.lookup_key == "gold"


async def test_a_price_can_be_taken_off_sale(service: Service) -> None:
    created = await price(service, (await calls.product(service)).id)
    request = UpdatePriceRequest(
        request_id=new_id(),
        price=Price(id=created.id, active=False, nickname="old"),
        update_mask=FieldMask(paths=["active", "nickname"]),
    )

    changed = (await service.prices.UpdatePrice(request)).price

    assert (changed.active, changed.nickname) == (False, "old")


async def test_pages_hold_every_object_once_newest_first(service: Service) -> None:
    made = [await calls.product(service, f"Tea {number}") for number in range(5)]

    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = await service.products.ListProducts(ListProductsRequest(page_size=2, page_token=token))
        found += [product.id for product in page.products]
        token, pages = page.next_page_token, pages + 1

    assert sorted(found) == sorted(product.id for product in made)
    # All of one second: the id decides.
    assert found == sorted(found, reverse=True)
    assert pages == 3


async def test_the_newest_comes_first(service: Service) -> None:
    first = await calls.product(service, "First")
    service.sandbox.advance_to(service.sandbox.now + 60)
    second = await calls.product(service, "Second")

    page = await service.products.ListProducts(ListProductsRequest())

    assert [product.id for product in page.products] == [second.id, first.id]


async def test_prices_are_listed_by_product_and_by_whether_they_are_active(service: Service) -> None:
    tea, milk = (await calls.product(service)).id, (await calls.product(service)).id
    kept, other = await price(service, tea), await price(service, milk)
    gone = await price(service, tea)
    update = UpdatePriceRequest(request_id=new_id(), price=Price(id=gone.id), update_mask=FieldMask(paths=["active"]))
    await service.prices.UpdatePrice(update)

    async def listed(request: ListPricesRequest) -> set[str]:
        return {found.id for found in (await service.prices.ListPrices(request)).prices}

    assert await listed(ListPricesRequest()) == {kept.id, gone.id, other.id}
    assert await listed(ListPricesRequest(product=tea)) == {kept.id, gone.id}
    assert await listed(ListPricesRequest(product=tea, active=True)) == {kept.id}
    assert await listed(ListPricesRequest(active=False)) == {gone.id}


async def test_a_token_of_another_query_is_refused(service: Service) -> None:
    for number in range(2):
        await calls.product(service, f"Tea {number}")
    page = await service.products.ListProducts(ListProductsRequest(page_size=1))

    failed = await failure(
        service.products.ListProducts(ListProductsRequest(page_token=page.next_page_token, active=True))
    )

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("page_token",))
