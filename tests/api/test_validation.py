"""Every rule of the contract answers INVALID_ARGUMENT, names the field, and nothing happens."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr

from payment_kit.database.connection import open_pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import open_desk
from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.customer_pb2 import CreateCustomerRequest, Customer, GetCustomerRequest, UpdateCustomerRequest
from payment_kit.v1.payment_intent_pb2 import (
    CancelPaymentIntentRequest,
    ConfirmPaymentIntentRequest,
    GetPaymentIntentRequest,
)
from payment_kit.v1.payment_method_pb2 import (
    Card,
    CreatePaymentMethodRequest,
    DeletePaymentMethodRequest,
    GetPaymentMethodRequest,
    ListPaymentMethodsRequest,
    PaymentMethod,
    UpdatePaymentMethodRequest,
)
from payment_kit.v1.price_pb2 import CreatePriceRequest, ListPricesRequest, Price, Recurring, UpdatePriceRequest
from payment_kit.v1.product_pb2 import CreateProductRequest, ListProductsRequest, Product, UpdateProductRequest
from payment_kit.v1.refund_pb2 import CreateRefundRequest, GetRefundRequest

from ..fix_database import database_named
from ..fix_service import Service, failure, new_id, running
from . import calls

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = new_id()
PAN = "4242 4242 4242 4242"
USD = Money(amount_minor=500, currency="usd")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(cluster: str, template: str) -> AsyncIterator[Service]:
    """One service for all: every test shows that nothing happened."""
    sandbox, key = Sandbox(), secrets.token_hex(8)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(SandboxServer(sandbox))
        dsn = stack.enter_context(database_named(cluster, f"payment_kit_test_{key}", template))
        pool = await stack.enter_async_context(await open_pool(dsn, max_size=2, name="test"))
        gateway = await stack.enter_async_context(StripeGateway(SecretStr(sandbox.api_key), base=sandbox.url))
        desk = open_desk(pool, gateway, account=sandbox.account_id, livemode=False)
        inbox = Inbox(pool, sandbox.account_id)
        yield await stack.enter_async_context(running(desk, inbox, sandbox, pool))


def mask(*paths: str) -> FieldMask:
    return FieldMask(paths=paths)


CASES: list[tuple[str, str, Callable[[Service], Any]]] = [
    # request_id
    ("request_id", "missing", lambda s: s.customers.CreateCustomer(CreateCustomerRequest())),
    ("request_id", "no uuid", lambda s: s.customers.CreateCustomer(CreateCustomerRequest(request_id="1"))),
    # ids
    ("id", "empty", lambda s: s.customers.GetCustomer(GetCustomerRequest())),
    ("id", "other kind", lambda s: s.payment_intents.GetPaymentIntent(GetPaymentIntentRequest(id="cus_1"))),
    ("id", "path", lambda s: s.refunds.GetRefund(GetRefundRequest(id="re_1/../x"))),
    ("id", "pm", lambda s: s.payment_methods.GetPaymentMethod(GetPaymentMethodRequest(id="x_1"))),
    ("id", "delete", lambda s: s.payment_methods.DeletePaymentMethod(DeletePaymentMethodRequest(request_id=ID))),
    (
        "id",
        "confirm",
        lambda s: s.payment_intents.ConfirmPaymentIntent(ConfirmPaymentIntentRequest(request_id=ID, id="in_1")),
    ),
    (
        "customer.id",
        "update",
        lambda s: s.customers.UpdateCustomer(UpdateCustomerRequest(request_id=ID, customer=Customer(name="x"))),
    ),
    ("customer", "payment", lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(customer="pi_1"))),
    ("customer", "list", lambda s: s.payment_methods.ListPaymentMethods(ListPaymentMethodsRequest())),
    ("product", "price", lambda s: s.prices.CreatePrice(CreatePriceRequest(request_id=ID, unit_amount=USD))),
    ("payment_intent", "refund", lambda s: s.refunds.CreateRefund(CreateRefundRequest(request_id=ID))),
    (
        "customer.default_payment_method",
        "other kind",
        lambda s: s.customers.UpdateCustomer(
            UpdateCustomerRequest(request_id=ID, customer=Customer(id="cus_1", default_payment_method="tok_1"))
        ),
    ),
    # money
    ("amount.amount_minor", "zero", lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(0))),
    ("amount.amount_minor", "negative", lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(-1))),
    ("amount.currency", "upper case", lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(5, "USD"))),
    ("amount.currency", "none", lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(5, ""))),
    (
        "unit_amount.amount_minor",
        "negative",
        lambda s: s.prices.CreatePrice(
            CreatePriceRequest(request_id=ID, product="prod_1", unit_amount=Money(amount_minor=-1, currency="usd"))
        ),
    ),
    (
        "amount.amount_minor",
        "refund",
        lambda s: s.refunds.CreateRefund(
            CreateRefundRequest(request_id=ID, payment_intent="pi_1", amount=Money(currency="usd"))
        ),
    ),
    # metadata
    (
        "metadata",
        "too many",
        lambda s: s.customers.CreateCustomer(
            CreateCustomerRequest(request_id=ID, metadata={f"k{n}": "v" for n in range(51)})
        ),
    ),
    (
        "metadata",
        "long key",
        lambda s: s.products.CreateProduct(CreateProductRequest(request_id=ID, name="x", metadata={"k" * 41: "v"})),
    ),
    (
        "metadata.k",
        "long value",
        lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(metadata={"k": "v" * 501})),
    ),
    # masks
    (
        "update_mask",
        "unknown path",
        lambda s: s.customers.UpdateCustomer(
            UpdateCustomerRequest(request_id=ID, customer=Customer(id="cus_1"), update_mask=mask("create_time"))
        ),
    ),
    (
        "update_mask",
        "nothing",
        lambda s: s.products.UpdateProduct(UpdateProductRequest(request_id=ID, product=Product(id="prod_1"))),
    ),
    (
        "update_mask",
        "amount of a price",
        lambda s: s.prices.UpdatePrice(
            UpdatePriceRequest(request_id=ID, price=Price(id="price_1"), update_mask=mask("unit_amount"))
        ),
    ),
    (
        "product.name",
        "unset",
        lambda s: s.products.UpdateProduct(
            UpdateProductRequest(request_id=ID, product=Product(id="prod_1"), update_mask=mask("name"))
        ),
    ),
    # pages
    ("page_size", "negative", lambda s: s.products.ListProducts(ListProductsRequest(page_size=-1))),
    ("page_token", "invented", lambda s: s.prices.ListPrices(ListPricesRequest(page_token="abc"))),
    # one field and another
    ("name", "missing", lambda s: s.products.CreateProduct(CreateProductRequest(request_id=ID))),
    (
        "payment_method",
        "confirm without",
        lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(payment_method="")),
    ),
    (
        "off_session",
        "not confirmed",
        lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(confirm=False, off_session=True)),
    ),
    (
        "return_url",
        "not confirmed",
        lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(confirm=False, return_url="https://a.example")),
    ),
    (
        "source",
        "missing",
        lambda s: s.payment_methods.CreatePaymentMethod(CreatePaymentMethodRequest(request_id=ID, customer="cus_1")),
    ),
    (
        "recurring.interval",
        "missing",
        lambda s: s.prices.CreatePrice(
            CreatePriceRequest(request_id=ID, product="prod_1", unit_amount=USD, recurring=Recurring())
        ),
    ),
    (
        "recurring.interval_count",
        "negative",
        lambda s: s.prices.CreatePrice(
            CreatePriceRequest(
                request_id=ID,
                product="prod_1",
                unit_amount=USD,
                recurring=Recurring(interval=Recurring.INTERVAL_DAY, interval_count=-1),
            )
        ),
    ),
    (
        "payment_method.card.exp_month",
        "13",
        lambda s: s.payment_methods.UpdatePaymentMethod(
            UpdatePaymentMethodRequest(request_id=ID, payment_method=PaymentMethod(id="pm_1", card=Card(exp_month=13)))
        ),
    ),
    (
        "payment_method.card.exp_year",
        "34",
        lambda s: s.payment_methods.UpdatePaymentMethod(
            UpdatePaymentMethodRequest(request_id=ID, payment_method=PaymentMethod(id="pm_1", card=Card(exp_year=34)))
        ),
    ),
    (
        "reason",
        "unknown to a cancellation",
        lambda s: s.payment_intents.CancelPaymentIntent(
            CancelPaymentIntentRequest(request_id=ID, id="pi_1", reason=99)  # type: ignore[arg-type]
        ),
    ),
    (
        "reason",
        "unknown to a refund",
        lambda s: s.refunds.CreateRefund(
            CreateRefundRequest(request_id=ID, payment_intent="pi_1", reason=99)  # type: ignore[arg-type]
        ),
    ),
    # card numbers
    ("name", "card", lambda s: s.customers.CreateCustomer(CreateCustomerRequest(request_id=ID, name=PAN))),
    (
        "metadata",
        "card in a value",
        lambda s: s.payment_intents.CreatePaymentIntent(calls.payment(metadata={"note": f"paid with {PAN}"})),
    ),
    (
        "metadata",
        "card as a key",
        lambda s: s.customers.CreateCustomer(CreateCustomerRequest(request_id=ID, metadata={"4242424242424242": "x"})),
    ),
    (
        "card_token",
        "card",
        lambda s: s.payment_methods.CreatePaymentMethod(
            CreatePaymentMethodRequest(request_id=ID, customer="cus_1", card_token="4242424242424242")
        ),
    ),
    (
        "customer.description",
        "card",
        lambda s: s.customers.UpdateCustomer(
            UpdateCustomerRequest(request_id=ID, customer=Customer(id="cus_1", description=PAN))
        ),
    ),
]


@pytest.mark.parametrize(
    ("field", "call"), [(field, call) for field, _, call in CASES], ids=[f"{f}: {n}" for f, n, _ in CASES]
)
async def test_what_breaks_the_contract_is_refused_before_anything_happens(
    service: Service, field: str, call: Callable[[Service], Any]
) -> None:
    failed = await failure(call(service))

    assert failed.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failed.reason in ("FIELD_INVALID", "REQUEST_ID_MISSING")
    assert failed.fields == (field,)
    assert PAN not in failed.text
    assert await service.rows("select * from payment_kit.requests") == []
    assert list(service.sandbox.store.rows("event")) == []
