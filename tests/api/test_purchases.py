"""One click: paid, waiting for the customer, or declined with nothing left; however often it is asked for."""

import asyncio
from typing import Any

import grpc
import pytest

from payment_kit.v1.common_pb2 import AppliedDiscount
from payment_kit.v1.invoice_pb2 import GetInvoiceRequest, Invoice
from payment_kit.v1.payment_intent_pb2 import GetPaymentIntentRequest, PaymentIntent
from payment_kit.v1.purchase_pb2 import PurchaseRequest, PurchaseResponse
from payment_kit.v1.subscription_pb2 import GetSubscriptionRequest, Subscription

from ..fix_service import Service, failure, new_id
from . import billing, calls

KINDS = pytest.mark.parametrize("monthly", [False, True], ids=["once", "monthly"])
AMOUNTS = pytest.mark.parametrize(("minor", "currency"), billing.CURRENCIES)
DECLINED = "pm_card_chargeCustomerFail"
ASKED = "pm_card_authenticationRequired"


async def asked_for(service: Service, card: str, *, monthly: bool = False, **fields: Any) -> PurchaseRequest:
    minor, currency = fields.pop("minor", 900), fields.pop("currency", "usd")
    return PurchaseRequest(
        request_id=new_id(),
        customer=await billing.payer(service, card),
        price=await billing.price(service, minor, currency, monthly=monthly),
        **fields,
    )


def open_invoices(service: Service) -> list[dict[str, Any]]:
    return [one for one in service.made("invoice") if one["status"] in ("draft", "open")]


@KINDS
@AMOUNTS
async def test_a_purchase_is_paid_with_the_saved_card(
    service: Service, minor: int, currency: str, monthly: bool
) -> None:
    asked = await asked_for(service, "pm_card_visa", monthly=monthly, minor=minor, currency=currency, quantity=2)

    bought = await service.purchases.Purchase(asked)

    assert bought.state == PurchaseResponse.STATE_SUCCEEDED
    assert (bought.invoice.state, bought.invoice.amount_paid.amount_minor) == (Invoice.STATE_PAID, 2 * minor)
    assert bought.invoice.amount_paid.currency == currency
    assert bool(bought.subscription) == monthly
    assert bought.client_secret == bought.code == ""
    charged = [(one["amount"], one["currency"], one["status"]) for one in service.made("payment_intent")]
    assert charged == [(2 * minor, currency, "succeeded")]
    read = (await service.invoices.GetInvoice(GetInvoiceRequest(id=bought.invoice.id))).invoice
    assert read.state == Invoice.STATE_PAID
    paid = await service.payment_intents.GetPaymentIntent(GetPaymentIntentRequest(id=bought.payment_intent))
    assert paid.payment_intent.state == PaymentIntent.STATE_SUCCEEDED
    assert await service.purchases.Purchase(asked) == bought
    assert len(service.made("payment_intent")) == 1


@KINDS
@AMOUNTS
async def test_a_declined_purchase_is_an_answer_and_leaves_nothing_open(
    service: Service, minor: int, currency: str, monthly: bool
) -> None:
    asked = await asked_for(service, DECLINED, monthly=monthly, minor=minor, currency=currency)

    bought = await service.purchases.Purchase(asked)

    assert bought.state == PurchaseResponse.STATE_DECLINED
    assert (bought.code, bought.decline_code) == ("card_declined", "generic_decline")
    assert bought.message
    assert open_invoices(service) == []
    alive = [one for one in service.made("subscription") if one["status"] not in ("canceled", "incomplete_expired")]
    assert alive == []
    assert not [one for one in service.made("payment_intent") if one["status"] == "succeeded"]
    if not monthly:
        read = (await service.invoices.GetInvoice(GetInvoiceRequest(id=bought.invoice.id))).invoice
        assert read.state == bought.invoice.state == Invoice.STATE_VOID
    before = service.made("invoice")
    assert await service.purchases.Purchase(asked) == bought
    assert service.made("invoice") == before


@KINDS
@AMOUNTS
async def test_a_purchase_that_needs_the_customer_tells_how_he_ends_it(
    service: Service, minor: int, currency: str, monthly: bool
) -> None:
    asked = await asked_for(service, ASKED, monthly=monthly, minor=minor, currency=currency)

    bought = await service.purchases.Purchase(asked)

    assert bought.state == PurchaseResponse.STATE_REQUIRES_ACTION
    assert bought.client_secret.startswith(f"{bought.payment_intent}_secret_")
    assert bought.invoice.state == Invoice.STATE_OPEN
    assert bought.invoice.hosted_invoice_url
    assert await service.purchases.Purchase(asked) == bought
    assert [one["status"] for one in service.made("payment_intent") if one["status"] != "canceled"] == [
        "requires_action"
    ]
    if monthly:
        request = GetSubscriptionRequest(id=bought.subscription)
        read = (await service.subscriptions.GetSubscription(request)).subscription
        assert read.state == Subscription.STATE_INCOMPLETE
    stored = await service.rows("select convert_from(outcome, 'utf8') from payment_kit.requests")
    assert bought.client_secret not in str(stored)


@KINDS
async def test_tax_and_coupon_are_reckoned_by_stripe(service: Service, monthly: bool) -> None:
    gateway = service.desk.gateway
    coupon = (await gateway.request("post", "/v1/coupons", {"percent_off": 50, "duration": "once"})).body["id"]
    tax = {"display_name": "VAT", "percentage": 20, "inclusive": False}
    rate = (await gateway.request("post", "/v1/tax_rates", tax)).body["id"]
    asked = await asked_for(
        service,
        "pm_card_visa",
        monthly=monthly,
        minor=1000,
        discount=AppliedDiscount(coupon=coupon),
        tax_rates=[rate],
    )

    bought = await service.purchases.Purchase(asked)

    invoice = bought.invoice
    assert (invoice.subtotal.amount_minor, invoice.total.amount_minor, invoice.amount_paid.amount_minor) == (
        *(1000, 600),
        600,
    )


@KINDS
async def test_what_costs_nothing_succeeds_without_a_payment(service: Service, monthly: bool) -> None:
    coupon = {"percent_off": 100, "duration": "once"}
    made = (await service.desk.gateway.request("post", "/v1/coupons", coupon)).body["id"]
    promotion = {"promotion": {"type": "coupon", "coupon": made}, "code": "GIFT"}
    code = (await service.desk.gateway.request("post", "/v1/promotion_codes", promotion)).body["id"]
    asked = await asked_for(
        service, DECLINED, monthly=monthly, discount=AppliedDiscount(promotion_code=code), metadata={"order": "7"}
    )

    bought = await service.purchases.Purchase(asked)

    assert (bought.state, bought.payment_intent) == (PurchaseResponse.STATE_SUCCEEDED, "")
    assert bought.invoice.total.amount_minor == 0
    assert service.made("charge") == []


@KINDS
async def test_without_a_payment_method_nothing_is_left(service: Service, monthly: bool) -> None:
    customer, price = await calls.customer(service), await billing.price(service, monthly=monthly)

    failed = await failure(
        service.purchases.Purchase(PurchaseRequest(request_id=new_id(), customer=customer.id, price=price))
    )

    assert failed.code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)
    assert open_invoices(service) == []
    assert [one["status"] for one in service.made("subscription")] == []


@KINDS
async def test_a_discount_stripe_refuses_leaves_nothing(service: Service, monthly: bool) -> None:
    asked = await asked_for(service, "pm_card_visa", monthly=monthly, discount=AppliedDiscount(coupon="none"))

    assert (await failure(service.purchases.Purchase(asked))).code == grpc.StatusCode.NOT_FOUND

    assert open_invoices(service) == service.made("charge") == []


async def test_eight_at_once_buy_once(service: Service) -> None:
    asked = await asked_for(service, "pm_card_visa")

    answers = await asyncio.gather(*(service.purchases.Purchase(asked) for _ in range(8)), return_exceptions=True)

    bought = {answer.invoice.id for answer in answers if isinstance(answer, PurchaseResponse)}
    others = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(bought) == len(service.made("charge")) == 1
    assert {other.code() for other in others} <= {grpc.StatusCode.ABORTED}
