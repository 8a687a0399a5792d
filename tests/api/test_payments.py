"""PaymentIntentService and RefundService over a real channel."""

import asyncio
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from payment_kit.database.connection import Pool
from payment_kit.mirror.inbox import Inbox
from payment_kit.payments.desk import open_desk
from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.stripe_gateway import Reply, StripeGateway
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.payment_intent_pb2 import (
    CancelPaymentIntentRequest,
    CapturePaymentIntentRequest,
    ConfirmPaymentIntentRequest,
    GetPaymentIntentRequest,
    ListPaymentIntentsRequest,
    PaymentIntent,
)
from payment_kit.v1.refund_pb2 import (
    CancelRefundRequest,
    CreateRefundRequest,
    GetRefundRequest,
    ListRefundsRequest,
    Refund,
)

from ..fix_service import Service, failure, new_id, running
from ..waiting import SECONDS_MAX
from . import calls


async def read(service: Service, id_: str) -> PaymentIntent:
    return (await service.payment_intents.GetPaymentIntent(GetPaymentIntentRequest(id=id_))).payment_intent


@pytest.mark.parametrize(("minor", "currency"), [(1999, "usd"), (500, "jpy"), (12_340, "kwd")])
async def test_a_payment_keeps_its_minor_units_in_every_currency(service: Service, minor: int, currency: str) -> None:
    made = await calls.paid(service, minor, currency)

    assert made.state == PaymentIntent.STATE_SUCCEEDED
    assert made.amount == made.amount_received == Money(amount_minor=minor, currency=currency)
    assert made.latest_charge.startswith("ch_")
    assert service.made("charge")[0]["amount"] == minor


async def test_a_payment_is_read_back_without_its_secret(service: Service) -> None:
    made = await calls.paid(service)
    assert made.client_secret

    found = await read(service, made.id)

    assert found.client_secret == ""
    made.client_secret = ""
    assert found == made


async def test_a_declined_card_names_stripes_code_and_decline_code(service: Service) -> None:
    request = calls.payment(payment_method="pm_card_chargeDeclinedInsufficientFunds")

    failed = await failure(service.payment_intents.CreatePaymentIntent(request))
    again = await failure(service.payment_intents.CreatePaymentIntent(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARD_DECLINED")
    assert failed.metadata["code"] == "card_declined"
    assert failed.metadata["decline_code"] == "insufficient_funds"
    assert failed.metadata["advice_code"] == "try_again_later"
    assert failed.metadata["pk_code"] == "PK-CARD_DECLINED"
    assert again == failed
    assert len(service.made("payment_intent")) == 1


async def test_a_declined_payment_can_be_read_with_why(service: Service) -> None:
    request = calls.payment(payment_method="pm_card_chargeDeclinedLostCard")
    failed = await failure(service.payment_intents.CreatePaymentIntent(request))

    found = await read(service, failed.metadata["payment_intent"])

    assert found.state == PaymentIntent.STATE_REQUIRES_PAYMENT_METHOD
    assert (found.last_error_code, found.last_decline_code) == ("card_declined", "lost_card")


async def test_a_payment_off_session_that_needs_the_customer_says_so(service: Service) -> None:
    request = calls.payment(payment_method="pm_card_authenticationRequired", off_session=True)

    failed = await failure(service.payment_intents.CreatePaymentIntent(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "AUTHENTICATION_REQUIRED")


async def test_a_payment_on_session_that_needs_the_customer_has_a_secret_for_the_browser(service: Service) -> None:
    request = calls.payment(payment_method="pm_card_authenticationRequired", return_url="https://shop.example/done")

    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent
    again = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent

    assert made.state == PaymentIntent.STATE_REQUIRES_ACTION
    assert made.client_secret.startswith(made.id)
    assert again == made


async def test_a_payment_is_confirmed_later(service: Service) -> None:
    request = calls.payment(confirm=False, payment_method="")
    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent
    assert made.state == PaymentIntent.STATE_REQUIRES_PAYMENT_METHOD

    confirm = ConfirmPaymentIntentRequest(request_id=new_id(), id=made.id, payment_method="pm_card_mastercard")
    done = (await service.payment_intents.ConfirmPaymentIntent(confirm)).payment_intent

    assert done.state == PaymentIntent.STATE_SUCCEEDED
    assert (await read(service, made.id)).state == PaymentIntent.STATE_SUCCEEDED


async def test_an_authorised_payment_is_canceled(service: Service) -> None:
    request = calls.payment(capture_manually=True)
    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent
    assert made.state == PaymentIntent.STATE_REQUIRES_CAPTURE

    cancel = CancelPaymentIntentRequest(
        request_id=new_id(), id=made.id, reason=CancelPaymentIntentRequest.REASON_REQUESTED_BY_CUSTOMER
    )
    gone = (await service.payment_intents.CancelPaymentIntent(cancel)).payment_intent

    assert gone.state == PaymentIntent.STATE_CANCELED
    assert gone.HasField("cancel_time")
    assert service.made("payment_intent")[0]["cancellation_reason"] == "requested_by_customer"


@pytest.mark.parametrize(("minor", "currency"), [(500, "usd"), (500, "jpy"), (1230, "kwd")])
async def test_part_of_an_authorised_payment_is_captured(service: Service, minor: int, currency: str) -> None:
    request = calls.payment(3 * minor, currency, capture_manually=True)
    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent
    part = Money(amount_minor=minor, currency=currency)

    capture = CapturePaymentIntentRequest(request_id=new_id(), id=made.id, amount=part)
    taken = (await service.payment_intents.CapturePaymentIntent(capture)).payment_intent

    assert (taken.state, taken.amount_received) == (PaymentIntent.STATE_SUCCEEDED, part)
    assert (await read(service, made.id)).amount_received == part
    rows = await service.rows("select amount, amount_captured from stripe.charges")
    assert rows == [(3 * minor, minor)]


async def test_a_capture_in_another_currency_is_refused(service: Service) -> None:
    made = (await service.payment_intents.CreatePaymentIntent(calls.payment(capture_manually=True))).payment_intent
    capture = CapturePaymentIntentRequest(request_id=new_id(), id=made.id, amount=Money(amount_minor=5, currency="jpy"))

    failed = await failure(service.payment_intents.CapturePaymentIntent(capture))

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("amount.currency",))
    assert (await read(service, made.id)).state == PaymentIntent.STATE_REQUIRES_CAPTURE


async def test_payments_are_listed_by_customer_and_state(service: Service) -> None:
    customer = await calls.customer(service)
    mine = (await service.payment_intents.CreatePaymentIntent(calls.payment(customer=customer.id))).payment_intent
    held = (await service.payment_intents.CreatePaymentIntent(calls.payment(capture_manually=True))).payment_intent

    async def listed(**fields: Any) -> list[str]:
        answer = await service.payment_intents.ListPaymentIntents(ListPaymentIntentsRequest(**fields))
        return sorted(found.id for found in answer.payment_intents)

    assert await listed() == sorted([mine.id, held.id])
    assert await listed(customer=customer.id) == [mine.id]
    assert await listed(state=PaymentIntent.STATE_REQUIRES_CAPTURE) == [held.id]


async def test_a_paid_payment_cannot_be_canceled(service: Service) -> None:
    made = await calls.paid(service)

    failed = await failure(
        service.payment_intents.CancelPaymentIntent(CancelPaymentIntentRequest(request_id=new_id(), id=made.id))
    )

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


async def test_a_saved_card_pays_for_its_customer_off_session(service: Service) -> None:
    owner = await calls.customer(service)
    card = await calls.card(service, owner.id)

    request = calls.payment(
        customer=owner.id, payment_method=card.id, off_session=True, metadata={"order": "7"}, description="Renewal"
    )
    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent

    assert (made.state, made.customer, made.payment_method) == (PaymentIntent.STATE_SUCCEEDED, owner.id, card.id)
    assert (dict(made.metadata), made.description) == ({"order": "7"}, "Renewal")


async def test_a_payment_method_paid_with_is_saved_when_asked(service: Service) -> None:
    owner = await calls.customer(service)

    await service.payment_intents.CreatePaymentIntent(calls.payment(customer=owner.id, save_payment_method=True))

    assert service.made("payment_intent")[0]["setup_future_usage"] == "off_session"


async def test_what_stripe_refuses_names_the_parameter(service: Service) -> None:
    failed = await failure(service.payment_intents.CreatePaymentIntent(calls.payment(customer="cus_unknown")))

    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


async def test_an_amount_below_stripes_minimum_is_the_callers_fault(service: Service) -> None:
    failed = await failure(service.payment_intents.CreatePaymentIntent(calls.payment(1)))

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("amount",))
    assert failed.metadata["code"] == "amount_too_small"


async def test_when_stripe_goes_away_the_outcome_is_unknown_and_can_be_repeated(
    pool: Pool, inbox: Inbox, unused_tcp_port: int
) -> None:
    request, sandbox = calls.payment(), Sandbox()
    stripe = SandboxServer(sandbox, port=unused_tcp_port)
    async with (
        StripeGateway(SecretStr(sandbox.api_key), base=f"http://127.0.0.1:{unused_tcp_port}", retries=0) as gateway,
        running(open_desk(pool, gateway, account=sandbox.account_id, livemode=False), inbox, sandbox, pool) as service,
    ):
        failed = await failure(service.payment_intents.CreatePaymentIntent(request))
        async with stripe:
            made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent

    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "STRIPE_OUTCOME_UNKNOWN")
    assert failed.metadata["request_id"] == request.request_id
    assert made.state == PaymentIntent.STATE_SUCCEEDED
    assert len(list(sandbox.store.rows("payment_intent"))) == 1


async def test_a_caller_whose_deadline_passes_is_told_the_outcome_when_it_asks_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, answered, go_on = calls.payment(), asyncio.Event(), asyncio.Event()
    ask = service.desk.gateway.request

    async def slow(*args: Any, **options: Any) -> Reply:
        reply = await ask(*args, **options)
        answered.set()
        await go_on.wait()
        return reply

    monkeypatch.setattr(service.desk.gateway, "request", slow)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.payment_intents.CreatePaymentIntent(request, timeout=5)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert answered.is_set()
    go_on.set()
    assert await service.desk.writes.settle(SECONDS_MAX)

    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent

    assert made.state == PaymentIntent.STATE_SUCCEEDED
    assert len(service.made("payment_intent")) == 1


async def test_eight_at_once_pay_once(service: Service) -> None:
    request = calls.payment()

    answers = await asyncio.gather(
        *(service.payment_intents.CreatePaymentIntent(request) for _ in range(8)), return_exceptions=True
    )

    codes = {answer.code() for answer in answers if isinstance(answer, grpc.aio.AioRpcError)}
    assert codes <= {grpc.StatusCode.ABORTED}
    assert len(service.made("charge")) == 1


@pytest.mark.parametrize(("minor", "currency"), [(500, "usd"), (500, "jpy"), (1230, "kwd")])
async def test_part_of_a_payment_is_refunded(service: Service, minor: int, currency: str) -> None:
    made = await calls.paid(service, 10 * minor, currency)
    request = CreateRefundRequest(
        request_id=new_id(),
        payment_intent=made.id,
        amount=Money(amount_minor=minor, currency=currency),
        reason=Refund.REASON_REQUESTED_BY_CUSTOMER,
        metadata={"ticket": "9"},
    )

    refund = (await service.refunds.CreateRefund(request)).refund

    assert refund.state == Refund.STATE_SUCCEEDED
    assert refund.amount == Money(amount_minor=minor, currency=currency)
    assert (refund.payment_intent, refund.charge) == (made.id, made.latest_charge)
    assert refund.reason == Refund.REASON_REQUESTED_BY_CUSTOMER
    assert (await service.refunds.GetRefund(GetRefundRequest(id=refund.id))).refund == refund


async def test_without_an_amount_what_is_left_is_refunded(service: Service) -> None:
    made = await calls.paid(service, 500, "jpy")

    refund = await service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=made.id))

    assert refund.refund.amount == Money(amount_minor=500, currency="jpy")


async def test_more_than_is_left_cannot_be_refunded(service: Service) -> None:
    made = await calls.paid(service, 500, "jpy")
    request = CreateRefundRequest(
        request_id=new_id(), payment_intent=made.id, amount=Money(amount_minor=501, currency="jpy")
    )

    failed = await failure(service.refunds.CreateRefund(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


async def test_what_is_refunded_already_cannot_be_refunded_again(service: Service) -> None:
    made = await calls.paid(service)
    await service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=made.id))

    failed = await failure(
        service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=made.id))
    )

    assert (failed.code, failed.metadata["code"]) == (grpc.StatusCode.FAILED_PRECONDITION, "charge_already_refunded")


async def test_an_amount_in_another_currency_than_the_payments_is_refused(service: Service) -> None:
    made = await calls.paid(service, 500, "jpy")
    request = CreateRefundRequest(
        request_id=new_id(), payment_intent=made.id, amount=Money(amount_minor=5, currency="usd")
    )

    failed = await failure(service.refunds.CreateRefund(request))

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("amount.currency",))
    assert service.made("refund") == []


async def test_a_payment_that_does_not_exist_cannot_be_refunded(service: Service) -> None:
    request = CreateRefundRequest(
        request_id=new_id(), payment_intent="pi_unknown", amount=Money(amount_minor=5, currency="usd")
    )

    failed = await failure(service.refunds.CreateRefund(request))

    assert failed.code == grpc.StatusCode.NOT_FOUND


async def test_refunds_are_listed_by_payment_charge_and_state(service: Service) -> None:
    first, second = await calls.paid(service), await calls.paid(service)
    ids = {}
    for made in (first, second):
        request = CreateRefundRequest(request_id=new_id(), payment_intent=made.id)
        ids[made.id] = (await service.refunds.CreateRefund(request)).refund.id

    async def listed(**fields: Any) -> set[str]:
        return {found.id for found in (await service.refunds.ListRefunds(ListRefundsRequest(**fields))).refunds}

    assert await listed() == set(ids.values())
    assert await listed(payment_intent=first.id) == {ids[first.id]}
    assert await listed(charge=second.latest_charge) == {ids[second.id]}
    assert await listed(state=Refund.STATE_FAILED) == set()


async def test_a_refund_that_waits_is_given_up(service: Service) -> None:
    request = calls.payment(500, "jpy", payment_method="pm_card_pendingRefund")
    made = (await service.payment_intents.CreatePaymentIntent(request)).payment_intent
    give = CreateRefundRequest(request_id=new_id(), payment_intent=made.id)
    refund = (await service.refunds.CreateRefund(give)).refund
    assert refund.state == Refund.STATE_PENDING
    cancel = CancelRefundRequest(request_id=new_id(), id=refund.id)

    canceled = (await service.refunds.CancelRefund(cancel)).refund

    assert (canceled.state, canceled.amount) == (Refund.STATE_CANCELED, Money(amount_minor=500, currency="jpy"))
    assert (await service.refunds.GetRefund(GetRefundRequest(id=refund.id))).refund == canceled
    assert (await service.refunds.CancelRefund(cancel)).refund == canceled


async def test_a_refund_that_was_made_cannot_be_canceled(service: Service) -> None:
    made = await calls.paid(service)
    refund = (
        await service.refunds.CreateRefund(CreateRefundRequest(request_id=new_id(), payment_intent=made.id))
    ).refund

    failed = await failure(service.refunds.CancelRefund(CancelRefundRequest(request_id=new_id(), id=refund.id)))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")
    assert (await service.refunds.GetRefund(GetRefundRequest(id=refund.id))).refund.state == Refund.STATE_SUCCEEDED
