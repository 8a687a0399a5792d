"""CheckoutSessionService, PaymentLinkService, QuoteService and LineItemService over a real channel."""

from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.v1.checkout_session_pb2 import (
    CheckoutSession,
    CreateCheckoutSessionRequest,
    ExpireCheckoutSessionRequest,
    GetCheckoutSessionRequest,
    ListCheckoutSessionsRequest,
)
from payment_kit.v1.common_pb2 import Money
from payment_kit.v1.coupon_pb2 import Coupon, CreateCouponRequest
from payment_kit.v1.invoice_pb2 import GetInvoiceRequest
from payment_kit.v1.line_item_pb2 import DiscountParams, LineItem, LineItemParams, ListLineItemsRequest, PriceData
from payment_kit.v1.payment_link_pb2 import (
    AfterCompletion,
    CreatePaymentLinkRequest,
    GetPaymentLinkRequest,
    ListPaymentLinksRequest,
    PaymentLink,
    UpdatePaymentLinkRequest,
)
from payment_kit.v1.price_pb2 import CreatePriceRequest, Recurring
from payment_kit.v1.quote_pb2 import (
    AcceptQuoteRequest,
    CancelQuoteRequest,
    CreateQuoteRequest,
    FinalizeQuoteRequest,
    GetQuoteRequest,
    ListQuotesRequest,
    Quote,
    UpdateQuoteRequest,
)
from payment_kit.v1.subscription_pb2 import GetSubscriptionRequest
from payment_kit.v1.tax_rate_pb2 import CreateTaxRateRequest

from ..fix_service import Service, failure, new_id
from . import calls

MONEY = [(1_999, "eur"), (2_000, "usd"), (500, "jpy"), (12_340, "kwd")]
DONE = "https://shop.example/done"
MONTHLY = Recurring(interval=Recurring.INTERVAL_MONTH)


def tea(minor: int = 900, currency: str = "usd", quantity: int = 2, **fields: Any) -> LineItemParams:
    """Tea at a price of its own."""
    price = PriceData(unit_amount=Money(amount_minor=minor, currency=currency), product_name="Tea", **fields)
    return LineItemParams(price_data=price, quantity=quantity)


async def a_price(service: Service, minor: int = 900, currency: str = "usd", **fields: Any) -> str:
    request = CreatePriceRequest(
        request_id=new_id(),
        product=(await calls.product(service)).id,
        unit_amount=Money(amount_minor=minor, currency=currency),
        **fields,
    )
    return (await service.prices.CreatePrice(request)).price.id


async def a_coupon(service: Service, percent: str = "50") -> str:
    request = CreateCouponRequest(request_id=new_id(), percent_off=percent, duration=Coupon.DURATION_ONCE)
    return (await service.coupons.CreateCoupon(request)).coupon.id


async def line_items(service: Service, parent: str) -> list[LineItem]:
    return list((await service.line_items.ListLineItems(ListLineItemsRequest(parent=parent))).line_items)


async def order(service: Service, path: str) -> dict[str, Any]:
    """Somebody at the other end does something: the sandbox's control API."""
    headers = {"Authorization": f"Bearer {service.sandbox.api_key}"}
    async with (
        aiohttp.ClientSession(service.sandbox.url, headers=headers) as session,
        session.post(f"/_sandbox/{path}", json={}) as answer,
    ):
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


# ---- checkout sessions ----------------------------------------------------------------------------------------------


def session(**fields: Any) -> CreateCheckoutSessionRequest:
    values = {"request_id": new_id(), "mode": CheckoutSession.MODE_PAYMENT, "success_url": DONE, **fields}
    return CreateCheckoutSessionRequest(**values)


async def a_session(service: Service, **fields: Any) -> CheckoutSession:
    values = fields if fields.get("mode") == CheckoutSession.MODE_SETUP else {"line_items": [tea()], **fields}
    return (await service.checkout_sessions.CreateCheckoutSession(session(**values))).checkout_session


async def read_session(service: Service, id_: str) -> CheckoutSession:
    read = GetCheckoutSessionRequest(id=id_)
    return (await service.checkout_sessions.GetCheckoutSession(read)).checkout_session


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_session_sells_in_every_currency_and_can_be_read_with_its_items(
    service: Service, minor: int, currency: str
) -> None:
    price = await a_price(service, minor, currency)
    items = [tea(minor, currency, 2), LineItemParams(price=price, quantity=1)]

    made = await a_session(service, line_items=items, client_reference_id="order 7", metadata={"a": "b"})

    assert made.amount_subtotal == made.amount_total == Money(amount_minor=3 * minor, currency=currency)
    assert (made.state, made.payment_state) == (CheckoutSession.STATE_OPEN, CheckoutSession.PAYMENT_STATE_UNPAID)
    assert made.url.startswith("https://")
    assert (made.client_reference_id, dict(made.metadata)) == ("order 7", {"a": "b"})
    assert await read_session(service, made.id) == made
    found = await line_items(service, made.id)
    whole = [(item.quantity, item.amount_total.amount_minor, item.amount_total.currency) for item in found]
    assert sorted(whole) == [(1, minor, currency), (2, 2 * minor, currency)]
    assert price in {item.price for item in found}


async def test_a_session_has_a_discount_and_tax_on_an_item(service: Service) -> None:
    vat = CreateTaxRateRequest(request_id=new_id(), display_name="VAT", percentage="19", inclusive=False)
    rate = (await service.tax_rates.CreateTaxRate(vat)).tax_rate.id
    item = tea(1_000, "eur", 2)
    item.tax_rates.append(rate)

    made = await a_session(service, line_items=[item], discounts=[DiscountParams(coupon=await a_coupon(service))])

    assert (made.amount_subtotal.amount_minor, made.amount_total.amount_minor) == (2_000, 1_190)
    (found,) = await line_items(service, made.id)
    assert (found.amount_discount.amount_minor, found.amount_tax.amount_minor) == (1_000, 190)


async def test_a_session_saves_a_way_to_pay(service: Service) -> None:
    customer = (await calls.customer(service)).id

    made = await a_session(service, mode=CheckoutSession.MODE_SETUP, currency="eur", customer=customer)

    assert made.payment_state == CheckoutSession.PAYMENT_STATE_NO_PAYMENT_REQUIRED
    assert (made.customer, made.setup_intent[:5]) == (customer, "seti_")
    assert await service.rows("select id from stripe.setup_intents") == [(made.setup_intent,)]
    end = ExpireCheckoutSessionRequest(request_id=new_id(), id=made.id)
    await service.checkout_sessions.ExpireCheckoutSession(end)
    assert await service.rows("select status from stripe.setup_intents") == [("canceled",)]


async def test_a_session_subscribes_after_a_trial(service: Service) -> None:
    items = [tea(recurring=MONTHLY)]
    made = await a_session(service, mode=CheckoutSession.MODE_SUBSCRIPTION, line_items=items, trial_period_days=14)

    await order(service, f"checkout/sessions/{made.id}/complete")
    await calls.mirrored(service, "checkout.session")

    done = await read_session(service, made.id)
    assert (done.state, done.url) == (CheckoutSession.STATE_COMPLETE, "")
    assert done.payment_state == CheckoutSession.PAYMENT_STATE_NO_PAYMENT_REQUIRED
    assert done.subscription.startswith("sub_")
    assert service.made("subscription")[0]["status"] == "trialing"


async def test_a_session_is_made_once_and_ends_once(service: Service) -> None:
    request = session(line_items=[tea()], expire_time=Timestamp(seconds=service.sandbox.now + 3_600))
    made = (await service.checkout_sessions.CreateCheckoutSession(request)).checkout_session
    assert (await service.checkout_sessions.CreateCheckoutSession(request)).checkout_session == made
    assert len(service.made("checkout.session")) == 1
    assert made.expire_time == request.expire_time

    end = ExpireCheckoutSessionRequest(request_id=new_id(), id=made.id)
    ended = (await service.checkout_sessions.ExpireCheckoutSession(end)).checkout_session

    assert (ended.state, ended.url) == (CheckoutSession.STATE_EXPIRED, "")
    assert await read_session(service, made.id) == ended
    assert (await service.checkout_sessions.ExpireCheckoutSession(end)).checkout_session == ended
    again = ExpireCheckoutSessionRequest(request_id=new_id(), id=made.id)
    failed = await failure(service.checkout_sessions.ExpireCheckoutSession(again))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


async def test_sessions_are_listed_by_whose_and_where_they_stand(service: Service) -> None:
    list_ = service.checkout_sessions.ListCheckoutSessions
    assert not (await list_(ListCheckoutSessionsRequest())).checkout_sessions
    customer = (await calls.customer(service)).id
    mine = (await a_session(service, customer=customer)).id
    others = [(await a_session(service, client_reference_id=f"order {number}")).id for number in range(2)]
    end = ExpireCheckoutSessionRequest(request_id=new_id(), id=others[0])
    await service.checkout_sessions.ExpireCheckoutSession(end)

    found = await calls.pages(list_, ListCheckoutSessionsRequest(), "checkout_sessions")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: Any) -> set[str]:
        return {one.id for one in (await list_(ListCheckoutSessionsRequest(**fields))).checkout_sessions}

    assert await listed() == {mine, *others}
    assert await listed(customer=customer) == {mine}
    assert await listed(client_reference_id="order 1") == {others[1]}
    assert await listed(state=CheckoutSession.STATE_EXPIRED) == {others[0]}
    assert await listed(customer=customer, state=CheckoutSession.STATE_EXPIRED) == set()


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("mode", {"mode": 0}),
        ("success_url", {"success_url": ""}),
        ("line_items[0].sold", {"line_items": [LineItemParams(quantity=1)]}),
        ("line_items[1].price", {"line_items": [tea(), LineItemParams(price="a/b")]}),
        ("line_items[0].quantity", {"line_items": [tea(quantity=-1)]}),
        (
            "line_items[0].price_data.item",
            {"line_items": [LineItemParams(price_data=PriceData(unit_amount=Money(currency="usd")))]},
        ),
        ("line_items[0].price_data.unit_amount.currency", {"line_items": [tea(currency="USD")]}),
        ("line_items[0].tax_rates[0]", {"line_items": [LineItemParams(price="price_1", tax_rates=["x"])]}),
        ("discounts[0].source", {"line_items": [tea()], "discounts": [DiscountParams()]}),
    ],
)
async def test_a_session_that_cannot_be_is_refused_before_anything_happens(
    service: Service, field: str, fields: dict[str, Any]
) -> None:
    failed = await failure(service.checkout_sessions.CreateCheckoutSession(session(**fields)))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert failed.fields == (field,)
    assert service.made("checkout.session") == []


async def test_a_session_or_its_items_that_never_were_are_not_there(service: Service) -> None:
    read = await failure(service.checkout_sessions.GetCheckoutSession(GetCheckoutSessionRequest(id="cs_none")))
    end = ExpireCheckoutSessionRequest(request_id=new_id(), id="cs_none")
    ended = await failure(service.checkout_sessions.ExpireCheckoutSession(end))
    assert read.code == ended.code == grpc.StatusCode.NOT_FOUND
    assert await line_items(service, "cs_none") == []
    failed = await failure(service.line_items.ListLineItems(ListLineItemsRequest()))
    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("parent",))


# ---- payment links --------------------------------------------------------------------------------------------------


async def a_link(service: Service, **fields: Any) -> PaymentLink:
    request = CreatePaymentLinkRequest(request_id=new_id(), **{"line_items": [tea()], **fields})
    return (await service.payment_links.CreatePaymentLink(request)).payment_link


async def read_link(service: Service, id_: str) -> PaymentLink:
    return (await service.payment_links.GetPaymentLink(GetPaymentLinkRequest(id=id_))).payment_link


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_link_sells_in_every_currency(service: Service, minor: int, currency: str) -> None:
    made = await a_link(service, line_items=[tea(minor, currency, 3)], metadata={"a": "b"})

    assert (made.active, made.currency, dict(made.metadata)) == (True, currency, {"a": "b"})
    assert made.url.startswith("https://")
    assert await read_link(service, made.id) == made
    (item,) = await line_items(service, made.id)
    assert item.amount_total == Money(amount_minor=3 * minor, currency=currency)


async def test_who_pays_by_a_link_is_sent_on_and_the_session_names_it(service: Service) -> None:
    after = AfterCompletion(type=AfterCompletion.TYPE_REDIRECT, redirect_url=DONE)
    made = await a_link(service, after_completion=after, max_completed_sessions=5)
    assert (made.after_completion, made.max_completed_sessions, made.completed_sessions) == (after, 5, 0)

    visit = await order(service, f"payment_links/{made.id}/checkout")
    await calls.mirrored(service, "checkout.session")

    found = await service.checkout_sessions.ListCheckoutSessions(ListCheckoutSessionsRequest(payment_link=made.id))
    assert [one.id for one in found.checkout_sessions] == [visit["id"]]
    assert found.checkout_sessions[0].payment_link == made.id


async def test_a_link_to_subscribe_by_has_a_trial(service: Service) -> None:
    made = await a_link(service, line_items=[tea(recurring=MONTHLY)], trial_period_days=7)

    assert service.made("payment_link")[0]["subscription_data"]["trial_period_days"] == 7
    assert (await line_items(service, made.id))[0].price.startswith("price_")


async def test_a_link_is_made_once_and_closed_with_a_word(service: Service) -> None:
    request = CreatePaymentLinkRequest(request_id=new_id(), line_items=[tea()], allow_promotion_codes=True)
    made = (await service.payment_links.CreatePaymentLink(request)).payment_link
    assert (await service.payment_links.CreatePaymentLink(request)).payment_link == made
    assert len(service.made("payment_link")) == 1
    assert made.allow_promotion_codes

    change = UpdatePaymentLinkRequest(
        request_id=new_id(),
        payment_link=PaymentLink(id=made.id, inactive_message="Sold out"),
        update_mask=FieldMask(paths=["active", "inactive_message"]),
    )
    changed = (await service.payment_links.UpdatePaymentLink(change)).payment_link

    assert (changed.active, changed.inactive_message, changed.allow_promotion_codes) == (False, "Sold out", True)
    assert await read_link(service, made.id) == changed
    mask = FieldMask(paths=["url"])
    other = UpdatePaymentLinkRequest(request_id=new_id(), payment_link=PaymentLink(id=made.id), update_mask=mask)
    assert (await failure(service.payment_links.UpdatePaymentLink(other))).fields == ("update_mask",)


async def test_links_are_listed_each_once_though_none_says_when_it_was_made(service: Service) -> None:
    list_ = service.payment_links.ListPaymentLinks
    assert not (await list_(ListPaymentLinksRequest())).payment_links
    made = [(await a_link(service)).id for _ in range(5)]
    mask = FieldMask(paths=["active"])
    off = UpdatePaymentLinkRequest(request_id=new_id(), payment_link=PaymentLink(id=made[0]), update_mask=mask)
    await service.payment_links.UpdatePaymentLink(off)

    found = await calls.pages(list_, ListPaymentLinksRequest(), "payment_links")

    assert [len(page) for page in found] == [2, 2, 1]
    assert [id_ for page in found for id_ in page] == sorted(made)
    active = (await list_(ListPaymentLinksRequest(active=True))).payment_links
    assert {one.id for one in active} == set(made[1:])
    page = await list_(ListPaymentLinksRequest(page_size=1))
    other = await failure(list_(ListPaymentLinksRequest(page_token=page.next_page_token, active=True)))
    assert (other.code, other.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("page_token",))


async def test_a_link_needs_something_to_sell(service: Service) -> None:
    failed = await failure(service.payment_links.CreatePaymentLink(CreatePaymentLinkRequest(request_id=new_id())))

    assert (failed.code, failed.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("line_items",))
    missing = GetPaymentLinkRequest(id="plink_none")
    assert (await failure(service.payment_links.GetPaymentLink(missing))).code == grpc.StatusCode.NOT_FOUND


# ---- quotes ---------------------------------------------------------------------------------------------------------


async def a_quote(service: Service, customer: str, *items: LineItemParams, **fields: Any) -> Quote:
    request = CreateQuoteRequest(request_id=new_id(), customer=customer, line_items=items, **fields)
    return (await service.quotes.CreateQuote(request)).quote


async def read_quote(service: Service, id_: str) -> Quote:
    return (await service.quotes.GetQuote(GetQuoteRequest(id=id_))).quote


async def finalized(service: Service, id_: str) -> Quote:
    return (await service.quotes.FinalizeQuote(FinalizeQuoteRequest(request_id=new_id(), id=id_))).quote


@pytest.mark.parametrize(("minor", "currency"), MONEY)
async def test_a_quote_becomes_an_invoice_in_every_currency(service: Service, minor: int, currency: str) -> None:
    customer, price = (await calls.customer(service)).id, await a_price(service, minor, currency)
    made = await a_quote(service, customer, LineItemParams(price=price, quantity=2), description="For you")
    assert made.amount_subtotal == made.amount_total == Money(amount_minor=2 * minor, currency=currency)
    assert (made.state, made.number, made.description) == (Quote.STATE_DRAFT, "", "For you")
    assert not made.HasField("recurring")
    assert await read_quote(service, made.id) == made

    offered = await finalized(service, made.id)
    assert (offered.state, offered.number[:3]) == (Quote.STATE_OPEN, "QT-")
    assert offered.finalize_time.seconds == service.sandbox.now
    request = AcceptQuoteRequest(request_id=new_id(), id=made.id)
    accepted = (await service.quotes.AcceptQuote(request)).quote

    assert (accepted.state, accepted.subscription) == (Quote.STATE_ACCEPTED, "")
    assert await read_quote(service, made.id) == accepted == (await service.quotes.AcceptQuote(request)).quote
    invoice = (await service.invoices.GetInvoice(GetInvoiceRequest(id=accepted.invoice))).invoice
    assert invoice.total == Money(amount_minor=2 * minor, currency=currency)
    assert len(service.made("invoice")) == 1


async def test_a_quote_becomes_a_subscription(service: Service) -> None:
    customer, price = (await calls.customer(service)).id, await a_price(service, 900, "eur", recurring=MONTHLY)
    tax = CreateTaxRateRequest(request_id=new_id(), display_name="VAT", percentage="10", inclusive=False)
    rate = (await service.tax_rates.CreateTaxRate(tax)).tax_rate.id

    made = await a_quote(service, customer, LineItemParams(price=price), default_tax_rates=[rate], trial_period_days=30)

    assert made.recurring.amount_total == Money(amount_minor=990, currency="eur")
    assert (made.recurring.interval, made.recurring.interval_count) == (Recurring.INTERVAL_MONTH, 1)
    assert made.amount_total == Money(amount_minor=0, currency="eur")
    await finalized(service, made.id)
    accepted = (await service.quotes.AcceptQuote(AcceptQuoteRequest(request_id=new_id(), id=made.id))).quote
    read = GetSubscriptionRequest(id=accepted.subscription)
    subscription = (await service.subscriptions.GetSubscription(read)).subscription
    assert subscription.customer == customer
    first = GetInvoiceRequest(id=subscription.latest_invoice)
    assert (await service.invoices.GetInvoice(first)).invoice.subscription == accepted.subscription


async def test_a_quote_has_discounts_of_its_own_and_items_of_a_product(service: Service) -> None:
    customer, product = (await calls.customer(service)).id, (await calls.product(service)).id
    data = PriceData(unit_amount=Money(amount_minor=1_000, currency="usd"), product=product)
    coupon = DiscountParams(coupon=await a_coupon(service))

    made = await a_quote(service, customer, LineItemParams(price_data=data, quantity=3), discounts=[coupon])

    assert (made.amount_subtotal.amount_minor, made.amount_total.amount_minor) == (3_000, 1_500)
    (item,) = await line_items(service, made.id)
    assert (item.quantity, item.amount_total.amount_minor) == (3, 1_500)


async def test_a_draft_is_changed_and_an_offer_only_in_its_time(service: Service) -> None:
    customer, price = (await calls.customer(service)).id, await a_price(service)
    made = await a_quote(service, customer, LineItemParams(price=price), header="Old", footer="Same")
    later = Timestamp(seconds=service.sandbox.now + 9_000)

    async def change(mask: FieldMask | None = None, **fields: Any) -> Any:
        quote = Quote(id=made.id, **fields)
        return await service.quotes.UpdateQuote(UpdateQuoteRequest(request_id=new_id(), quote=quote, update_mask=mask))

    changed = (await change(expire_time=later, description="New")).quote
    assert (changed.expire_time, changed.description, changed.header) == (later, "New", "Old")
    changed = (await change(FieldMask(paths=["header"]))).quote
    assert (changed.header, changed.footer, changed.expire_time) == ("", "Same", later)
    assert await read_quote(service, made.id) == changed

    await finalized(service, made.id)
    sooner = Timestamp(seconds=service.sandbox.now + 600)
    assert (await change(FieldMask(paths=["expire_time"]), expire_time=sooner)).quote.expire_time == sooner
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await change(description="Too late")
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await change()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_quote_is_made_once_and_taken_back_once(service: Service) -> None:
    customer, price = (await calls.customer(service)).id, await a_price(service)
    request = CreateQuoteRequest(request_id=new_id(), customer=customer, line_items=[LineItemParams(price=price)])
    made = (await service.quotes.CreateQuote(request)).quote
    assert (await service.quotes.CreateQuote(request)).quote == made
    assert len(service.made("quote")) == 1

    take = CancelQuoteRequest(request_id=new_id(), id=made.id)
    taken = (await service.quotes.CancelQuote(take)).quote

    assert (taken.state, taken.cancel_time.seconds) == (Quote.STATE_CANCELED, service.sandbox.now)
    assert await read_quote(service, made.id) == taken == (await service.quotes.CancelQuote(take)).quote
    failed = await failure(service.quotes.AcceptQuote(AcceptQuoteRequest(request_id=new_id(), id=made.id)))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STRIPE_STATE")


async def test_quotes_are_listed_by_customer_and_state(service: Service) -> None:
    assert not (await service.quotes.ListQuotes(ListQuotesRequest())).quotes
    first, second = (await calls.customer(service)).id, (await calls.customer(service)).id
    item = LineItemParams(price=await a_price(service))
    one, two = (await a_quote(service, first, item)).id, (await a_quote(service, first, item)).id
    three = (await a_quote(service, second, item)).id
    await finalized(service, two)

    found = await calls.pages(service.quotes.ListQuotes, ListQuotesRequest(), "quotes")
    assert [len(page) for page in found] == [2, 1]

    async def listed(**fields: Any) -> set[str]:
        return {quote.id for quote in (await service.quotes.ListQuotes(ListQuotesRequest(**fields))).quotes}

    assert await listed(customer=first) == {one, two}
    assert await listed(state=Quote.STATE_DRAFT) == {one, three}
    assert await listed(customer=second, state=Quote.STATE_OPEN) == set()


async def test_a_quote_needs_somebody_and_something(service: Service) -> None:
    item = LineItemParams(price="price_1")
    nobody = await failure(service.quotes.CreateQuote(CreateQuoteRequest(request_id=new_id(), line_items=[item])))
    nothing = await failure(service.quotes.CreateQuote(CreateQuoteRequest(request_id=new_id(), customer="cus_1")))

    assert (nobody.fields, nothing.fields) == (("customer",), ("line_items",))
    missing = await failure(service.quotes.GetQuote(GetQuoteRequest(id="qt_none")))
    assert missing.code == grpc.StatusCode.NOT_FOUND
