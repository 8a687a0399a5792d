"""Invoices that are made by hand, previews, and subscriptions that change, pause and follow a schedule."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.invoice_pb2 import (
    CreateInvoiceItemRequest,
    CreateInvoiceRequest,
    DeleteInvoiceItemRequest,
    DeleteInvoiceRequest,
    GetInvoiceRequest,
    Invoice,
    PreviewInvoiceRequest,
    PreviewSubscriptionChangeRequest,
    SendInvoiceRequest,
    UpdateInvoiceRequest,
)
from payment_kit.v1.subscription_pb2 import (
    COLLECTION_METHOD_SEND_INVOICE,
    PAUSE_BEHAVIOR_UNSPECIFIED,
    PAUSE_BEHAVIOR_VOID,
    PRORATION_BEHAVIOR_ALWAYS_INVOICE,
    ChangeSubscriptionRequest,
    PauseSubscriptionRequest,
    ResumeSubscriptionRequest,
    SubscriptionItemChange,
)
from payment_kit.v1.subscription_schedule_pb2 import (
    CancelSubscriptionScheduleRequest,
    CreateSubscriptionScheduleRequest,
    GetSubscriptionScheduleRequest,
    ListSubscriptionSchedulesRequest,
    ReleaseSubscriptionScheduleRequest,
    SchedulePhase,
    SubscriptionSchedule,
    UpdateSubscriptionScheduleRequest,
)

from ..fix_service import Service, failure, new_id
from . import billing

DAY = 86_400


@pytest.mark.parametrize(("minor", "currency"), billing.CURRENCIES)
async def test_an_invoice_is_drafted_filled_changed_and_sent(service: Service, minor: int, currency: str) -> None:
    customer, price = await billing.payer(service), await billing.price(service, minor, currency)
    request = CreateInvoiceRequest(
        request_id=new_id(),
        customer=customer,
        currency=currency,
        collection_method=COLLECTION_METHOD_SEND_INVOICE,
        days_until_due=14,
        metadata={"order": "7"},
    )
    made = (await service.invoices.CreateInvoice(request)).invoice
    assert made.state == Invoice.STATE_DRAFT
    item = CreateInvoiceItemRequest(request_id=new_id(), customer=customer, invoice=made.id, price=price, quantity=3)
    assert (await service.invoices.CreateInvoiceItem(item)).invoice_item.amount.amount_minor == 3 * minor
    changed = UpdateInvoiceRequest(
        request_id=new_id(),
        invoice=Invoice(id=made.id, description="Thanks"),
        update_mask=FieldMask(paths=["description"]),
    )
    assert (await service.invoices.UpdateInvoice(changed)).invoice.description == "Thanks"

    sent = (await service.invoices.SendInvoice(SendInvoiceRequest(request_id=new_id(), id=made.id))).invoice

    assert (sent.state, sent.total.amount_minor, sent.total.currency) == (Invoice.STATE_OPEN, 3 * minor, currency)
    assert sent.hosted_invoice_url
    assert (await service.invoices.GetInvoice(GetInvoiceRequest(id=made.id))).invoice == sent


async def test_what_waits_goes_onto_a_draft_and_drafts_can_be_deleted(service: Service) -> None:
    customer = await billing.payer(service)

    async def waiting(minor: int) -> str:
        amount = Money(amount_minor=minor, currency="usd")
        request = CreateInvoiceItemRequest(request_id=new_id(), customer=customer, amount=amount)
        return (await service.invoices.CreateInvoiceItem(request)).invoice_item.id

    kept, gone = await waiting(700), await waiting(900)
    await service.invoices.DeleteInvoiceItem(DeleteInvoiceItemRequest(request_id=new_id(), id=gone))
    include = CreateInvoiceRequest.PENDING_ITEMS_INCLUDE
    request = CreateInvoiceRequest(request_id=new_id(), customer=customer, currency="usd", pending_items=include)
    made = (await service.invoices.CreateInvoice(request)).invoice

    assert (kept, made.total.amount_minor) == (service.made("invoiceitem")[0]["id"], 700)
    await service.invoices.DeleteInvoice(DeleteInvoiceRequest(request_id=new_id(), id=made.id))
    assert [one.get("deleted") for one in service.made("invoice")] == [True]
    assert (await failure(service.invoices.GetInvoice(GetInvoiceRequest(id=made.id)))).reason == "RESOURCE_NOT_FOUND"


async def test_a_preview_tells_and_changes_nothing(service: Service) -> None:
    customer, price = await billing.payer(service), await billing.price(service, 500, "jpy")
    before = await service.rows("select count(*) from payment_kit.changes")
    item = PreviewInvoiceRequest.Item(price=price, quantity=2)

    seen = (
        await service.invoices.PreviewInvoice(PreviewInvoiceRequest(customer=customer, currency="jpy", items=[item]))
    ).invoice

    assert (seen.total.amount_minor, seen.total.currency, seen.lines[0].quantity) == (1000, "jpy", 2)
    assert service.made("invoice") == service.made("invoiceitem") == []
    assert await service.rows("select count(*) from payment_kit.changes") == before


async def test_a_change_costs_what_its_preview_said(service: Service) -> None:
    customer = await billing.payer(service)
    small, large = [await billing.price(service, minor, "kwd", monthly=True) for minor in (9000, 20_000)]
    made = await billing.subscription(service, customer, small)
    service.sandbox.advance_to(service.sandbox.now + 10 * DAY)
    at = Timestamp(seconds=service.sandbox.now)
    change = SubscriptionItemChange(id=made.items[0].id, price=large, quantity=2)
    terms = {"items": [change], "proration_behavior": PRORATION_BEHAVIOR_ALWAYS_INVOICE, "proration_time": at}
    asked = PreviewSubscriptionChangeRequest(subscription=made.id, **terms)  # type: ignore[arg-type]
    told = (await service.invoices.PreviewSubscriptionChange(asked)).invoice

    request = ChangeSubscriptionRequest(request_id=new_id(), id=made.id, **terms)  # type: ignore[arg-type]
    changed = (await service.subscriptions.ChangeSubscription(request)).subscription

    assert [(item.price, item.quantity) for item in changed.items] == [(large, 2)]
    billed = (await service.invoices.GetInvoice(GetInvoiceRequest(id=changed.latest_invoice))).invoice
    assert billed.total == told.total
    assert billed.total.amount_minor > 0


async def test_a_paused_subscription_goes_on_when_it_is_resumed(service: Service) -> None:
    made = await billing.subscription(service, await billing.payer(service), await billing.price(service, monthly=True))
    until = Timestamp(seconds=service.sandbox.now + 40 * DAY)
    pause = PauseSubscriptionRequest(request_id=new_id(), id=made.id, behavior=PAUSE_BEHAVIOR_VOID, resume_time=until)

    paused = (await service.subscriptions.PauseSubscription(pause)).subscription
    assert (paused.pause_behavior, paused.resume_time) == (PAUSE_BEHAVIOR_VOID, until)

    request = ResumeSubscriptionRequest(request_id=new_id(), id=made.id)
    resumed = (await service.subscriptions.ResumeSubscription(request)).subscription
    assert (resumed.pause_behavior, resumed.HasField("resume_time")) == (PAUSE_BEHAVIOR_UNSPECIFIED, False)
    how = await failure(
        service.subscriptions.PauseSubscription(PauseSubscriptionRequest(request_id=new_id(), id=made.id))
    )
    assert how.fields == ("behavior",)


async def test_a_schedule_is_made_changed_released_and_canceled(service: Service) -> None:
    customer = await billing.payer(service)
    one, two = [await billing.price(service, minor, monthly=True) for minor in (900, 1900)]
    end, later = service.sandbox.now + 31 * DAY, service.sandbox.now + 62 * DAY

    def phase(price: str, until: int) -> SchedulePhase:
        return SchedulePhase(items=[SchedulePhase.Item(price=price)], end_time=Timestamp(seconds=until))

    async def planned() -> SubscriptionSchedule:
        request = CreateSubscriptionScheduleRequest(request_id=new_id(), customer=customer, phases=[phase(one, end)])
        return (await service.schedules.CreateSubscriptionSchedule(request)).schedule

    made = await planned()
    assert made.state == SubscriptionSchedule.STATE_ACTIVE
    update = UpdateSubscriptionScheduleRequest(
        request_id=new_id(),
        id=made.id,
        phases=[phase(one, end), phase(two, later)],
        end_behavior=SubscriptionSchedule.END_BEHAVIOR_CANCEL,
    )
    changed = (await service.schedules.UpdateSubscriptionSchedule(update)).schedule
    assert [item.price for each in changed.phases for item in each.items] == [one, two]
    read = await service.schedules.GetSubscriptionSchedule(GetSubscriptionScheduleRequest(id=made.id))
    assert read.schedule == changed

    release = ReleaseSubscriptionScheduleRequest(request_id=new_id(), id=made.id)
    released = (await service.schedules.ReleaseSubscriptionSchedule(release)).schedule
    assert (released.state, released.released_subscription) == (SubscriptionSchedule.STATE_RELEASED, made.subscription)
    cancel = CancelSubscriptionScheduleRequest(request_id=new_id(), id=(await planned()).id)
    canceled = (await service.schedules.CancelSubscriptionSchedule(cancel)).schedule
    assert canceled.state == SubscriptionSchedule.STATE_CANCELED

    async def listed(**fields: object) -> list[str]:
        request = ListSubscriptionSchedulesRequest(**fields)  # type: ignore[arg-type]
        return [found.id for found in (await service.schedules.ListSubscriptionSchedules(request)).schedules]

    assert await listed(state=SubscriptionSchedule.STATE_CANCELED) == [canceled.id]
    assert set(await listed(customer=customer)) == {canceled.id, released.id}
