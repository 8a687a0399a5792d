"""The gRPC service on a real port, over a real database and the sandbox as its Stripe."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status._async import from_call
from pydantic import SecretStr

from payment_kit.api.server import GrpcServer
from payment_kit.api.services import Services
from payment_kit.database.connection import Pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.mirror.intake import Intake
from payment_kit.mirror.signature import sign
from payment_kit.payments.desk import Desk, open_desk
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway
from payment_kit.v1.balance_pb2_grpc import BalanceServiceStub
from payment_kit.v1.balance_transaction_pb2_grpc import BalanceTransactionServiceStub
from payment_kit.v1.change_pb2_grpc import ChangeServiceStub
from payment_kit.v1.charge_pb2_grpc import ChargeServiceStub
from payment_kit.v1.checkout_session_pb2_grpc import CheckoutSessionServiceStub
from payment_kit.v1.coupon_pb2_grpc import CouponServiceStub
from payment_kit.v1.customer_pb2_grpc import CustomerServiceStub
from payment_kit.v1.dispute_pb2_grpc import DisputeServiceStub
from payment_kit.v1.event_pb2_grpc import EventServiceStub
from payment_kit.v1.invoice_pb2_grpc import InvoiceServiceStub
from payment_kit.v1.line_item_pb2_grpc import LineItemServiceStub
from payment_kit.v1.payment_intent_pb2_grpc import PaymentIntentServiceStub
from payment_kit.v1.payment_link_pb2_grpc import PaymentLinkServiceStub
from payment_kit.v1.payment_method_pb2_grpc import PaymentMethodServiceStub
from payment_kit.v1.payout_pb2_grpc import PayoutServiceStub
from payment_kit.v1.price_pb2_grpc import PriceServiceStub
from payment_kit.v1.product_pb2_grpc import ProductServiceStub
from payment_kit.v1.promotion_code_pb2_grpc import PromotionCodeServiceStub
from payment_kit.v1.purchase_pb2_grpc import PurchaseServiceStub
from payment_kit.v1.quote_pb2_grpc import QuoteServiceStub
from payment_kit.v1.refund_pb2_grpc import RefundServiceStub
from payment_kit.v1.review_pb2_grpc import ReviewServiceStub
from payment_kit.v1.setup_intent_pb2_grpc import SetupIntentServiceStub
from payment_kit.v1.subscription_pb2_grpc import SubscriptionServiceStub
from payment_kit.v1.subscription_schedule_pb2_grpc import SubscriptionScheduleServiceStub
from payment_kit.v1.tax_rate_pb2_grpc import TaxRateServiceStub
from payment_kit.v1.webhook_pb2_grpc import WebhookServiceStub
from tests.waiting import SECONDS_MAX

if TYPE_CHECKING:
    # The asynchronous stubs are types only.
    from payment_kit.v1.balance_pb2_grpc import BalanceServiceAsyncStub
    from payment_kit.v1.balance_transaction_pb2_grpc import BalanceTransactionServiceAsyncStub
    from payment_kit.v1.change_pb2_grpc import ChangeServiceAsyncStub
    from payment_kit.v1.charge_pb2_grpc import ChargeServiceAsyncStub
    from payment_kit.v1.checkout_session_pb2_grpc import CheckoutSessionServiceAsyncStub
    from payment_kit.v1.coupon_pb2_grpc import CouponServiceAsyncStub
    from payment_kit.v1.customer_pb2_grpc import CustomerServiceAsyncStub
    from payment_kit.v1.dispute_pb2_grpc import DisputeServiceAsyncStub
    from payment_kit.v1.event_pb2_grpc import EventServiceAsyncStub
    from payment_kit.v1.invoice_pb2_grpc import InvoiceServiceAsyncStub
    from payment_kit.v1.line_item_pb2_grpc import LineItemServiceAsyncStub
    from payment_kit.v1.payment_intent_pb2_grpc import PaymentIntentServiceAsyncStub
    from payment_kit.v1.payment_link_pb2_grpc import PaymentLinkServiceAsyncStub
    from payment_kit.v1.payment_method_pb2_grpc import PaymentMethodServiceAsyncStub
    from payment_kit.v1.payout_pb2_grpc import PayoutServiceAsyncStub
    from payment_kit.v1.price_pb2_grpc import PriceServiceAsyncStub
    from payment_kit.v1.product_pb2_grpc import ProductServiceAsyncStub
    from payment_kit.v1.promotion_code_pb2_grpc import PromotionCodeServiceAsyncStub
    from payment_kit.v1.purchase_pb2_grpc import PurchaseServiceAsyncStub
    from payment_kit.v1.quote_pb2_grpc import QuoteServiceAsyncStub
    from payment_kit.v1.refund_pb2_grpc import RefundServiceAsyncStub
    from payment_kit.v1.review_pb2_grpc import ReviewServiceAsyncStub
    from payment_kit.v1.setup_intent_pb2_grpc import SetupIntentServiceAsyncStub
    from payment_kit.v1.subscription_pb2_grpc import SubscriptionServiceAsyncStub
    from payment_kit.v1.subscription_schedule_pb2_grpc import SubscriptionScheduleServiceAsyncStub
    from payment_kit.v1.tax_rate_pb2_grpc import TaxRateServiceAsyncStub
    from payment_kit.v1.webhook_pb2_grpc import WebhookServiceAsyncStub

WEBHOOK_SECRET = "whsec_service_tests"


@dataclass(frozen=True, slots=True)
class Service:
    """A client's view of a running service, and what stands behind it."""

    server: GrpcServer
    channel: grpc.aio.Channel
    desk: Desk
    sandbox: Sandbox
    pool: Pool

    @property
    def customers(self) -> "CustomerServiceAsyncStub":
        return CustomerServiceStub(self.channel)

    @property
    def products(self) -> "ProductServiceAsyncStub":
        return ProductServiceStub(self.channel)

    @property
    def prices(self) -> "PriceServiceAsyncStub":
        return PriceServiceStub(self.channel)

    @property
    def payment_methods(self) -> "PaymentMethodServiceAsyncStub":
        return PaymentMethodServiceStub(self.channel)

    @property
    def payment_intents(self) -> "PaymentIntentServiceAsyncStub":
        return PaymentIntentServiceStub(self.channel)

    @property
    def refunds(self) -> "RefundServiceAsyncStub":
        return RefundServiceStub(self.channel)

    @property
    def subscriptions(self) -> "SubscriptionServiceAsyncStub":
        return SubscriptionServiceStub(self.channel)

    @property
    def invoices(self) -> "InvoiceServiceAsyncStub":
        return InvoiceServiceStub(self.channel)

    @property
    def webhooks(self) -> "WebhookServiceAsyncStub":
        return WebhookServiceStub(self.channel)

    @property
    def setup_intents(self) -> "SetupIntentServiceAsyncStub":
        return SetupIntentServiceStub(self.channel)

    @property
    def coupons(self) -> "CouponServiceAsyncStub":
        return CouponServiceStub(self.channel)

    @property
    def promotion_codes(self) -> "PromotionCodeServiceAsyncStub":
        return PromotionCodeServiceStub(self.channel)

    @property
    def tax_rates(self) -> "TaxRateServiceAsyncStub":
        return TaxRateServiceStub(self.channel)

    @property
    def checkout_sessions(self) -> "CheckoutSessionServiceAsyncStub":
        return CheckoutSessionServiceStub(self.channel)

    @property
    def payment_links(self) -> "PaymentLinkServiceAsyncStub":
        return PaymentLinkServiceStub(self.channel)

    @property
    def line_items(self) -> "LineItemServiceAsyncStub":
        return LineItemServiceStub(self.channel)

    @property
    def quotes(self) -> "QuoteServiceAsyncStub":
        return QuoteServiceStub(self.channel)

    @property
    def disputes(self) -> "DisputeServiceAsyncStub":
        return DisputeServiceStub(self.channel)

    @property
    def reviews(self) -> "ReviewServiceAsyncStub":
        return ReviewServiceStub(self.channel)

    @property
    def charges(self) -> "ChargeServiceAsyncStub":
        return ChargeServiceStub(self.channel)

    @property
    def balance(self) -> "BalanceServiceAsyncStub":
        return BalanceServiceStub(self.channel)

    @property
    def balance_transactions(self) -> "BalanceTransactionServiceAsyncStub":
        return BalanceTransactionServiceStub(self.channel)

    @property
    def payouts(self) -> "PayoutServiceAsyncStub":
        return PayoutServiceStub(self.channel)

    @property
    def changes(self) -> "ChangeServiceAsyncStub":
        return ChangeServiceStub(self.channel)

    @property
    def events(self) -> "EventServiceAsyncStub":
        return EventServiceStub(self.channel)

    @property
    def purchases(self) -> "PurchaseServiceAsyncStub":
        return PurchaseServiceStub(self.channel)

    @property
    def schedules(self) -> "SubscriptionScheduleServiceAsyncStub":
        return SubscriptionScheduleServiceStub(self.channel)

    def made(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind that the sandbox has."""
        return list(self.sandbox.store.rows(kind))

    async def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """What the database answers."""
        async with self.pool.connection() as connection:
            return await (await connection.execute(query.encode(), parameters)).fetchall()


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a client reads it: the code and each detail of google.rpc.Status."""

    code: grpc.StatusCode
    text: str
    reason: str
    metadata: dict[str, str]
    fields: tuple[str, ...]
    retry: bool


def new_id() -> str:
    """A fresh request_id."""
    return str(uuid.uuid4())


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> str:
    """Stripe's signature header for `body`."""
    return sign(body, secret, int(time.time() if at is None else at))


async def failure(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> Failure:
    """How `call` failed; a test fails when it succeeds or when its status has no details."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status: Any = await from_call(call)
    assert status is not None, caught.value
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    retries = [detail.Unpack(retry) for detail in status.details if detail.Is(retry.DESCRIPTOR)]
    assert [detail.Unpack(info) for detail in status.details if detail.Is(info.DESCRIPTOR)] == [True]
    for detail in status.details:
        if detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
    assert info.domain == "payment_kit"
    return Failure(
        caught.value.code(),
        status.message,
        info.reason,
        dict(info.metadata),
        tuple(violation.field for violation in bad.field_violations),
        bool(retries),
    )


@pytest.fixture
async def desk(pool: Pool, gateway: StripeGateway, sandbox: Sandbox) -> AsyncIterator[Desk]:
    """A desk of the sandbox's account."""
    opened = open_desk(pool, gateway, account=sandbox.account_id, livemode=False)
    yield opened
    assert await opened.writes.settle(SECONDS_MAX)


@pytest.fixture
async def service(pool: Pool, desk: Desk, sandbox: Sandbox, inbox: Inbox) -> AsyncIterator[Service]:
    """A running service and a channel to it."""
    async with running(desk, inbox, sandbox, pool) as opened:
        yield opened


@asynccontextmanager
async def running(desk: Desk, inbox: Inbox, sandbox: Sandbox, pool: Pool) -> AsyncIterator[Service]:
    """The same for a test that brings its own parts."""
    intake = Intake(inbox, [SecretStr(WEBHOOK_SECRET)], livemode=False, body_bytes_max=64 << 10)
    async with (
        GrpcServer(Services(desk, intake)) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield Service(server, channel, desk, sandbox, pool)
