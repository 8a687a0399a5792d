"""How much and how often: limits hold in every currency, and nothing reaches Stripe before."""

from typing import Any

import grpc
import pytest

from payment_kit.access.callers import ROLES, Caller
from payment_kit.access.rate import Rate
from payment_kit.api import contract
from payment_kit.database.connection import Pool
from payment_kit.errors import Busy
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import Desk
from payment_kit.payments.limits import MOVES
from payment_kit.sandbox import Sandbox
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.payment_intent_pb2 import ConfirmPaymentIntentRequest
from payment_kit.v1.payment_intent_pb2_grpc import PaymentIntentServiceStub
from payment_kit.v1.refund_pb2 import CreateRefundRequest
from payment_kit.v1.refund_pb2_grpc import RefundServiceStub

from ..api.calls import payment
from ..fix_service import failure, new_id
from .guarded import guarded, headers

AMOUNTS = {"usd": 50_00, "jpy": 5_000, "kwd": 15_000}


def _refund(intent: str, minor: int = 0, currency: str = "") -> CreateRefundRequest:
    amount = Money(amount_minor=minor, currency=currency) if minor else None
    return CreateRefundRequest(request_id=new_id(), payment_intent=intent, amount=amount)


def test_every_method_that_a_limit_binds_says_what_it_moves() -> None:
    roles = {ROLES["payments"], ROLES["refunds"]}
    methods = [method for service in contract.services() for method in contract.methods(service)]
    assert {method.name for method in methods if method.role in roles} == MOVES.keys()


@pytest.mark.parametrize("currency", AMOUNTS)
async def test_a_payment_may_be_as_large_as_its_limit(
    desk: Desk, inbox: Inbox, pool: Pool, sandbox: Sandbox, currency: str
) -> None:
    most = AMOUNTS[currency]
    async with guarded(desk, inbox, pool) as opened:
        key = headers(await opened.key("till", "payments", max_amounts={"payments": AMOUNTS}))
        stub: Any = PaymentIntentServiceStub(opened.channel)
        await stub.CreatePaymentIntent(payment(most, currency), **key)
        above = await failure(stub.CreatePaymentIntent(payment(most + 10, currency), **key))
        unnamed = await failure(stub.CreatePaymentIntent(payment(100, "eur"), **key))
    assert (above.code, above.reason) == (grpc.StatusCode.PERMISSION_DENIED, "AMOUNT_OVER_LIMIT")
    assert above.metadata["max_amount_minor"] == str(most)
    assert above.metadata["currency"] == currency
    assert unnamed.reason == "AMOUNT_OVER_LIMIT"
    assert len(list(sandbox.store.rows("payment_intent"))) == 1


@pytest.mark.parametrize("currency", AMOUNTS)
async def test_a_refund_of_what_is_left_counts_as_that_much(
    desk: Desk, inbox: Inbox, pool: Pool, sandbox: Sandbox, currency: str
) -> None:
    most = AMOUNTS[currency]
    async with guarded(desk, inbox, pool) as opened:
        till = headers(await opened.key("till", "payments"))
        key = headers(await opened.key("support", "refunds", max_amounts={"refunds": AMOUNTS}))
        payments: Any = PaymentIntentServiceStub(opened.channel)
        refunds: Any = RefundServiceStub(opened.channel)
        paid = (await payments.CreatePaymentIntent(payment(most + 1000, currency), **till)).payment_intent
        assert (await failure(refunds.CreateRefund(_refund(paid.id), **key))).reason == "AMOUNT_OVER_LIMIT"
        assert (await failure(refunds.CreateRefund(_refund(paid.id, most + 10, currency), **key))).reason == (
            "AMOUNT_OVER_LIMIT"
        )
        assert not list(sandbox.store.rows("refund"))
        await refunds.CreateRefund(_refund(paid.id, 1000, currency), **key)
        left = (await refunds.CreateRefund(_refund(paid.id), **key)).refund
    assert left.amount.amount_minor == most


async def test_confirming_and_capturing_are_bound_too(desk: Desk, inbox: Inbox, pool: Pool) -> None:
    async with guarded(desk, inbox, pool) as opened:
        free = headers(await opened.key("till", "payments"))
        bound = headers(await opened.key("small", "payments", max_amounts={"payments": {"usd": 100}}))
        stub: Any = PaymentIntentServiceStub(opened.channel)
        made = (await stub.CreatePaymentIntent(payment(2000, confirm=False), **free)).payment_intent
        request = ConfirmPaymentIntentRequest(request_id=new_id(), id=made.id)
        assert (await failure(stub.ConfirmPaymentIntent(request, **bound))).reason == "AMOUNT_OVER_LIMIT"


async def test_calls_per_second_are_bound_and_retry_info_says_when(desk: Desk, inbox: Inbox, pool: Pool) -> None:
    async with guarded(desk, inbox, pool) as opened:
        key = f"Bearer {await opened.key('slow', 'reader', calls_per_second=0.1)}"
        name = "/payment_kit.v1.CustomerService/GetCustomer"
        assert (await failure(opened.call(name, authorization=key))).reason == "FIELD_INVALID"
        failed = await failure(opened.call(name, authorization=key))
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_RATE_LIMITED")
    assert failed.retry


def test_the_bucket_fills_again_and_never_above_a_second() -> None:
    now = [0.0]
    rate, caller = Rate(lambda: now[0]), Caller("shop", frozenset(), 2.0)
    rate.take(caller)
    rate.take(caller)
    with pytest.raises(Busy) as caught:
        rate.take(caller)
    assert caught.value.retry_after_seconds == pytest.approx(0.5)
    now[0] = 100.0
    for _ in range(2):
        rate.take(caller)
    with pytest.raises(Busy):
        rate.take(caller)
