"""Customers, products, prices and payment methods through the SDK."""

import pytest
import stripe

from payment_kit.sandbox import Sandbox
from tests.sandbox.wire import ask, event_types, rows


async def test_metadata_merges_and_an_empty_string_unsets(stripe_client: stripe.StripeClient) -> None:
    customers = stripe_client.v1.customers
    customer = await customers.create_async(
        {"name": "Ada", "email": "ada@example.com", "metadata": {"a": "1", "b": "2"}}
    )
    changed = await customers.update_async(customer.id, {"metadata": {"b": "", "c": "3"}, "email": ""})
    assert changed.metadata is not None
    assert (changed.metadata.to_dict(), changed.email, changed.name) == ({"a": "1", "c": "3"}, None, "Ada")
    cleared = await customers.update_async(customer.id, {"metadata": ""})
    assert cleared.metadata is not None
    assert cleared.metadata.to_dict() == {}


async def test_a_deleted_customer_leaves_a_tombstone_and_the_lists(stripe_client: stripe.StripeClient) -> None:
    customers = stripe_client.v1.customers
    customer = await customers.create_async({"email": "gone@example.com"})
    await customers.delete_async(customer.id)
    assert (await customers.retrieve_async(customer.id)).deleted is True
    assert (await customers.list_async()).data == []
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await customers.update_async(customer.id, {"name": "again"})
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


async def test_deleting_a_customer_detaches_its_cards(sandbox: Sandbox) -> None:
    customer = (await ask(sandbox, "POST", "/v1/customers", {})).body["id"]
    await ask(sandbox, "POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": customer})
    await ask(sandbox, "DELETE", f"/v1/customers/{customer}")
    assert [row["customer"] for row in await rows(sandbox, "payment_method")] == [None]
    assert (await event_types(sandbox))[-2:] == ["payment_method.detached", "customer.deleted"]


async def test_a_product_with_a_default_price_and_a_recurring_one(stripe_client: stripe.StripeClient) -> None:
    product = await stripe_client.v1.products.create_async(
        {"name": "Tea", "default_price_data": {"currency": "jpy", "unit_amount": 500}, "expand": ["default_price"]}
    )
    first = product.default_price
    assert isinstance(first, stripe.Price)
    assert (first.unit_amount, first.currency, first.type) == (500, "jpy", "one_time")
    monthly = await stripe_client.v1.prices.create_async(
        {"product": product.id, "currency": "usd", "unit_amount": 1500, "recurring": {"interval": "month"}}
    )
    assert monthly.recurring is not None
    assert (monthly.type, monthly.recurring.interval, monthly.recurring.interval_count) == ("recurring", "month", 1)
    recurring = await stripe_client.v1.prices.list_async({"product": product.id, "type": "recurring"})
    assert [price.id for price in recurring.data] == [monthly.id]


async def test_a_product_with_prices_is_not_deleted(sandbox: Sandbox) -> None:
    product = (await ask(sandbox, "POST", "/v1/products", {"name": "Tea"})).body["id"]
    bare = (await ask(sandbox, "POST", "/v1/products", {"name": "Air", "id": "air"})).body["id"]
    await ask(sandbox, "POST", "/v1/prices", {"product": product, "currency": "usd", "unit_amount": "100"})
    assert (await ask(sandbox, "DELETE", f"/v1/products/{product}")).status == 400
    assert (await ask(sandbox, "DELETE", f"/v1/products/{bare}")).body == {
        "id": "air",
        "object": "product",
        "deleted": True,
    }
    assert (await ask(sandbox, "GET", "/v1/products/air")).status == 404


async def test_a_price_keeps_its_amount(sandbox: Sandbox) -> None:
    data = {"product_data[name]": "Tea", "currency": "usd", "unit_amount": "100"}
    price = (await ask(sandbox, "POST", "/v1/prices", data)).body["id"]
    answer = await ask(sandbox, "POST", f"/v1/prices/{price}", {"unit_amount": "200"})
    assert answer.body["error"]["code"] == "parameter_unknown"
    archived = await ask(sandbox, "POST", f"/v1/prices/{price}", {"active": "false"})
    assert (archived.body["active"], archived.body["unit_amount"]) == (False, 100)


async def test_a_card_is_attached_updated_and_detached_for_good(stripe_client: stripe.StripeClient) -> None:
    methods = stripe_client.v1.payment_methods
    customer = await stripe_client.v1.customers.create_async({})
    card = await methods.create_async({"type": "card", "card": {"token": "tok_mastercard"}})
    await methods.attach_async(card.id, {"customer": customer.id})
    changed = await methods.update_async(card.id, {"card": {"exp_month": 5}, "billing_details": {"name": "Ada"}})
    assert changed.card is not None
    assert (changed.card.brand, changed.card.exp_month, changed.billing_details.name) == ("mastercard", 5, "Ada")
    listed = await stripe_client.v1.customers.payment_methods.list_async(customer.id)
    assert [method.id for method in listed.data] == [card.id]
    await methods.detach_async(card.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await methods.attach_async(card.id, {"customer": customer.id})


async def test_a_card_that_declines_is_declined_when_attached(stripe_client: stripe.StripeClient) -> None:
    customer = await stripe_client.v1.customers.create_async({})
    with pytest.raises(stripe.CardError) as caught:
        await stripe_client.v1.payment_methods.attach_async("pm_card_chargeDeclined", {"customer": customer.id})
    assert caught.value.code == "card_declined"
    saved = await stripe_client.v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    assert saved.customer == customer.id


async def test_the_default_payment_method_has_to_belong_to_the_customer(sandbox: Sandbox) -> None:
    mine, other = [(await ask(sandbox, "POST", "/v1/customers", {"name": name})).body["id"] for name in "ab"]
    card = (await ask(sandbox, "POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": mine})).body["id"]
    data = {"invoice_settings[default_payment_method]": card}
    assert (await ask(sandbox, "POST", f"/v1/customers/{other}", data)).status == 400
    done = await ask(sandbox, "POST", f"/v1/customers/{mine}", data)
    assert done.body["invoice_settings"]["default_payment_method"] == card


async def test_raw_card_numbers_are_refused(sandbox: Sandbox) -> None:
    data = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "1", "card[exp_year]": "2030"}
    assert (await ask(sandbox, "POST", "/v1/payment_methods", data)).status == 402
