"""What is sold and to whom, through the unmodified SDK."""

from decimal import Decimal

import pytest
import stripe


async def test_a_catalogue_with_tiers_codes_and_taxes(stripe_client: stripe.StripeClient) -> None:
    api = stripe_client.v1
    price = await api.prices.create_async(
        {
            "currency": "kwd",
            "product_data": {"name": "Calls"},
            "billing_scheme": "tiered",
            "tiers_mode": "volume",
            "tiers": [{"up_to": 10, "unit_amount": 1500}, {"up_to": "inf", "unit_amount_decimal": Decimal("1250.25")}],
            "recurring": {"interval": "month"},
            "expand": ["tiers", "product"],
        }
    )
    assert price.tiers is not None
    assert [tier.unit_amount_decimal for tier in price.tiers] == [Decimal(1500), Decimal("1250.25")]
    assert isinstance(price.product, stripe.Product)
    coupon = await api.coupons.create_async({"percent_off": 12.5, "duration": "forever"})
    code = await api.promotion_codes.create_async(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SPRING", "expand": ["promotion.coupon"]}
    )
    assert isinstance(code.promotion.coupon, stripe.Coupon)
    assert code.promotion.coupon.percent_off == 12.5
    rate = await api.tax_rates.create_async({"display_name": "VAT", "inclusive": False, "percentage": 7.7})
    assert (rate.percentage, rate.inclusive) == (7.7, False)
    found = await api.promotion_codes.list_async({"code": "spring"})
    assert [row.id for row in found.data] == [code.id]


async def test_a_customer_with_credit_and_a_tax_id(stripe_client: stripe.StripeClient) -> None:
    customers = stripe_client.v1.customers
    customer = await customers.create_async(
        {"balance": -250, "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}], "expand": ["tax_ids"]}
    )
    assert (customer.balance, customer.currency) == (-250, "usd")
    assert customer.tax_ids is not None
    (tax_id,) = [row async for row in customer.tax_ids.auto_paging_iter()]
    assert tax_id.country == "DE"
    await customers.balance_transactions.create_async(customer.id, {"amount": 50, "currency": "usd"})
    rows = await customers.balance_transactions.list_async(customer.id)
    assert [row.ending_balance for row in rows.data] == [-200, -250]
    assert (await customers.tax_ids.delete_async(customer.id, tax_id.id)).deleted is True


async def test_a_deleted_coupon_is_gone_for_new_codes(stripe_client: stripe.StripeClient) -> None:
    api = stripe_client.v1
    await api.coupons.create_async({"id": "GONE", "amount_off": 500, "currency": "jpy"})
    assert (await api.coupons.delete_async("GONE")).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await api.promotion_codes.create_async({"promotion": {"type": "coupon", "coupon": "GONE"}})
    assert (caught.value.code, caught.value.param) == ("resource_missing", "promotion[coupon]")
