"""SubscriptionService and InvoiceService over a real channel."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.customer_pb2 import Customer, UpdateCustomerRequest
from payment_kit.v1.invoice_pb2 import (
    FinalizeInvoiceRequest,
    GetInvoiceRequest,
    Invoice,
    ListInvoicesRequest,
    MarkInvoiceUncollectibleRequest,
    PayInvoiceRequest,
    VoidInvoiceRequest,
)
from payment_kit.v1.price_pb2 import CreatePriceRequest, Recurring
from payment_kit.v1.subscription_pb2 import (
    CancelSubscriptionRequest,
    CollectionMethod,
    CreateSubscriptionRequest,
    GetSubscriptionRequest,
    ListSubscriptionsRequest,
    Subscription,
    UpdateSubscriptionRequest,
)

from ..fix_service import Service, failure, new_id
from . import calls

Item = CreateSubscriptionRequest.Item


async def plan(service: Service, minor: int = 900, currency: str = "usd") -> str:
    """The id of a monthly price."""
    product = await calls.product(service)
    request = CreatePriceRequest(
        request_id=new_id(),
        product=product.id,
        unit_amount=Money(amount_minor=minor, currency=currency),
        recurring=Recurring(interval=Recurring.INTERVAL_MONTH),
    )
    return (await service.prices.CreatePrice(request)).price.id


async def subscriber(service: Service, method: str = "pm_card_visa") -> str:
    """The id of a customer with a saved card that is used by default."""
    customer = await calls.customer(service)
    card = await calls.card(service, customer.id, method)
    request = UpdateCustomerRequest(
        request_id=new_id(), customer=Customer(id=customer.id, default_payment_method=card.id)
    )
    await service.customers.UpdateCustomer(request)
    return customer.id


async def subscribed(service: Service, customer: str, price: str, **fields: object) -> Subscription:
    request = CreateSubscriptionRequest(
        request_id=new_id(),
        customer=customer,
        items=[Item(price=price, quantity=2)],
        **fields,  # type: ignore[arg-type]
    )
    return (await service.subscriptions.CreateSubscription(request)).subscription


async def draft(service: Service, customer: str) -> str:
    """The id of an invoice that may still change, with something on it."""
    gateway = service.desk.gateway
    made = (await gateway.request("post", "/v1/invoices", {"customer": customer, "auto_advance": False})).body
    item = {"customer": customer, "invoice": made["id"], "amount": 700, "currency": "usd"}
    await gateway.request("post", "/v1/invoiceitems", item)
    return str(made["id"])


@pytest.mark.parametrize(("minor", "currency"), [(900, "usd"), (500, "jpy"), (1250, "kwd")])
async def test_a_subscription_is_paid_at_once_and_read_back(service: Service, minor: int, currency: str) -> None:
    customer, price = await subscriber(service), await plan(service, minor, currency)

    made = await subscribed(service, customer, price, metadata={"team": "7"})

    read = (await service.subscriptions.GetSubscription(GetSubscriptionRequest(id=made.id))).subscription
    assert read == made
    assert (made.state, made.customer, dict(made.metadata)) == (Subscription.STATE_ACTIVE, customer, {"team": "7"})
    assert [(item.price, item.quantity) for item in made.items] == [(price, 2)]
    period = made.items[0]
    assert period.current_period_end_time.seconds > period.current_period_start_time.seconds == service.sandbox.now
    intents = service.made("payment_intent")
    assert [(one["amount"], one["currency"], one["status"]) for one in intents] == [(2 * minor, currency, "succeeded")]


async def test_a_first_payment_that_fails_leaves_it_incomplete_or_makes_none(service: Service) -> None:
    customer, price = await subscriber(service, "pm_card_chargeCustomerFail"), await plan(service)

    made = await subscribed(service, customer, price)
    assert made.state == Subscription.STATE_INCOMPLETE

    request = CreateSubscriptionRequest(
        request_id=new_id(),
        customer=customer,
        items=[Item(price=price)],
        payment_behavior=CreateSubscriptionRequest.PAYMENT_BEHAVIOR_ERROR_IF_INCOMPLETE,
    )
    failed = await failure(service.subscriptions.CreateSubscription(request))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARD_DECLINED")


async def test_a_trial_costs_nothing_yet(service: Service) -> None:
    made = await subscribed(service, await subscriber(service), await plan(service), trial_period_days=14)

    assert made.state == Subscription.STATE_TRIALING
    assert made.trial_end_time.seconds == service.sandbox.now + 14 * 86_400
    assert service.made("payment_intent") == []


async def test_a_subscription_is_changed_and_ends_with_its_period(service: Service) -> None:
    made = await subscribed(service, await subscriber(service), await plan(service), description="note")
    request = UpdateSubscriptionRequest(
        request_id=new_id(),
        subscription=Subscription(id=made.id, cancel_at_period_end=True),
        update_mask=FieldMask(paths=["cancel_at_period_end", "description"]),
    )

    changed = (await service.subscriptions.UpdateSubscription(request)).subscription

    assert (changed.cancel_at_period_end, changed.description, changed.state) == (True, "", made.state)
    assert changed.cancel_time == made.items[0].current_period_end_time
    read = (await service.subscriptions.GetSubscription(GetSubscriptionRequest(id=made.id))).subscription
    assert read == changed


async def test_a_canceled_subscription_has_ended_however_often_it_is_asked_for(service: Service) -> None:
    made = await subscribed(service, await subscriber(service), await plan(service))
    request = CancelSubscriptionRequest(request_id=new_id(), id=made.id)

    ended = (await service.subscriptions.CancelSubscription(request)).subscription

    assert ended.state == Subscription.STATE_CANCELED
    assert ended.end_time.seconds == service.sandbox.now
    read = (await service.subscriptions.GetSubscription(GetSubscriptionRequest(id=made.id))).subscription
    assert read == ended == (await service.subscriptions.CancelSubscription(request)).subscription
    again = CancelSubscriptionRequest(request_id=new_id(), id=made.id)
    assert (await service.subscriptions.CancelSubscription(again)).subscription.state == Subscription.STATE_CANCELED


async def test_a_subscription_that_never_was_cannot_be_canceled(service: Service) -> None:
    request = CancelSubscriptionRequest(request_id=new_id(), id="sub_none")

    failed = await failure(service.subscriptions.CancelSubscription(request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


async def test_subscriptions_are_listed_by_customer_and_state(service: Service) -> None:
    first, second, price = await subscriber(service), await subscriber(service), await plan(service)
    one, other = await subscribed(service, first, price), await subscribed(service, second, price)
    await service.subscriptions.CancelSubscription(CancelSubscriptionRequest(request_id=new_id(), id=one.id))

    async def listed(**fields: object) -> set[str]:
        request = ListSubscriptionsRequest(**fields)  # type: ignore[arg-type]
        return {found.id for found in (await service.subscriptions.ListSubscriptions(request)).subscriptions}

    assert await listed() == {one.id, other.id}
    assert await listed(customer=second) == {other.id}
    assert await listed(state=Subscription.STATE_CANCELED) == {one.id}
    assert await listed(customer=second, state=Subscription.STATE_CANCELED) == set()


async def test_the_first_invoice_of_a_subscription_is_there_at_once(service: Service) -> None:
    customer, price = await subscriber(service), await plan(service, 1250, "kwd")
    made = await subscribed(service, customer, price)

    read = (await service.invoices.GetInvoice(GetInvoiceRequest(id=made.latest_invoice))).invoice

    total = Money(amount_minor=2500, currency="kwd")
    assert (read.customer, read.subscription, read.state) == (customer, made.id, Invoice.STATE_PAID)
    assert read.total == read.amount_paid == total
    assert [(line.amount, line.quantity, line.price) for line in read.lines] == [(total, 2, price)]
    assert read.pay_time.seconds == service.sandbox.now


async def test_an_invoice_is_made_final_and_paid(service: Service) -> None:
    invoice = await draft(service, await subscriber(service))

    final = (await service.invoices.FinalizeInvoice(FinalizeInvoiceRequest(request_id=new_id(), id=invoice))).invoice
    assert (final.state, final.amount_remaining) == (Invoice.STATE_OPEN, Money(amount_minor=700, currency="usd"))

    paid = (await service.invoices.PayInvoice(PayInvoiceRequest(request_id=new_id(), id=invoice))).invoice
    assert (paid.state, paid.amount_paid.amount_minor) == (Invoice.STATE_PAID, 700)
    assert (await service.invoices.GetInvoice(GetInvoiceRequest(id=invoice))).invoice.state == Invoice.STATE_PAID


async def test_an_invoice_whose_card_is_declined_says_why_and_stays_open(service: Service) -> None:
    invoice = await draft(service, await subscriber(service, "pm_card_chargeCustomerFail"))
    await service.invoices.FinalizeInvoice(FinalizeInvoiceRequest(request_id=new_id(), id=invoice))

    failed = await failure(service.invoices.PayInvoice(PayInvoiceRequest(request_id=new_id(), id=invoice)))

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARD_DECLINED")
    assert (await service.invoices.GetInvoice(GetInvoiceRequest(id=invoice))).invoice.state == Invoice.STATE_OPEN


async def test_an_invoice_is_given_up_or_taken_back(service: Service) -> None:
    customer = await subscriber(service)
    lost, void = await draft(service, customer), await draft(service, customer)
    for one in (lost, void):
        await service.invoices.FinalizeInvoice(FinalizeInvoiceRequest(request_id=new_id(), id=one))

    mark = MarkInvoiceUncollectibleRequest(request_id=new_id(), id=lost)
    assert (await service.invoices.MarkInvoiceUncollectible(mark)).invoice.state == Invoice.STATE_UNCOLLECTIBLE
    take = VoidInvoiceRequest(request_id=new_id(), id=void)
    assert (await service.invoices.VoidInvoice(take)).invoice.state == Invoice.STATE_VOID

    listed = await service.invoices.ListInvoices(ListInvoicesRequest(customer=customer, state=Invoice.STATE_VOID))
    assert [found.id for found in listed.invoices] == [void]


async def test_an_invoice_that_is_sent_waits_for_its_customer(service: Service) -> None:
    made = await subscribed(
        service,
        (await calls.customer(service, email="jo@example.com")).id,
        await plan(service),
        collection_method=CollectionMethod.COLLECTION_METHOD_SEND_INVOICE,
        days_until_due=30,
    )

    assert made.collection_method == CollectionMethod.COLLECTION_METHOD_SEND_INVOICE
    assert made.state == Subscription.STATE_ACTIVE
    assert service.made("payment_intent") == []
