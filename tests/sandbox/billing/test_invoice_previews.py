"""Previews: what would be invoiced, worked out without a trace."""

from typing import Any

import pytest

from tests.sandbox.billing import books
from tests.sandbox.billing.till import DAY, Till


@pytest.fixture
def shop() -> Till:
    return Till()


def price(shop: Till, amount: int, **data: Any) -> str:
    """A monthly price."""
    product = shop.post("products", name=f"Plan {amount}")["id"]
    recurring = {"interval": "month"}
    return str(
        shop.post("prices", product=product, currency="usd", unit_amount=amount, recurring=recurring, **data)["id"]
    )


def subscribed(shop: Till, customer: str, *prices: str) -> dict[str, Any]:
    """A subscription of the customer."""
    return shop.post("subscriptions", customer=customer, items=[{"price": one} for one in prices])


def preview(shop: Till, **data: Any) -> dict[str, Any]:
    """A preview that agrees with itself and leaves nothing behind."""
    rows = {kind: dict(table.rows) for kind, table in shop.sandbox.store.tables.items()}
    found = shop.post("invoices/create_preview", **data)
    assert {kind: dict(table.rows) for kind, table in shop.sandbox.store.tables.items()} == rows
    assert books.sums(found, found["lines"]["data"]) == []
    assert found["id"].startswith("upcoming_in_")
    return found


def amounts(invoice: dict[str, Any]) -> list[int]:
    """What its lines come to."""
    return [line["amount"] for line in invoice["lines"]["data"]]


def test_pending_items_are_previewed_for_a_customer(shop: Till) -> None:
    customer = shop.customer(balance=-100)
    shop.post("invoiceitems", customer=customer, amount=700, currency="usd")
    found = preview(shop, customer=customer)
    assert (amounts(found), found["total"], found["amount_due"], found["status"]) == ([700], 700, 600, "draft")
    assert shop.get("invoices")["data"] == []


def test_nothing_to_come_is_an_error(shop: Till) -> None:
    error = shop.refused("invoices/create_preview", customer=shop.customer())
    assert (error["status"], error["code"]) == (404, "invoice_upcoming_none")


def test_a_subscription_as_it_is_shows_its_next_period(shop: Till) -> None:
    customer = shop.customer()
    subscription = subscribed(shop, customer, price(shop, 2000))
    found = preview(shop, customer=customer)
    (line,) = found["lines"]["data"]
    end = subscription["items"]["data"][0]["current_period_end"]
    assert (line["amount"], line["period"]["start"], found["billing_reason"]) == (2000, end, "upcoming")
    assert found["parent"]["subscription_details"]["subscription"] == subscription["id"]


def test_what_a_change_would_cost_is_what_it_does_cost(shop: Till) -> None:
    customer, better = shop.customer(), price(shop, 5000)
    subscription = subscribed(shop, customer, price(shop, 2000))
    shop.wait(10 * DAY)
    item = {"id": subscription["items"]["data"][0]["id"], "price": better}
    details = {"items": [item], "proration_behavior": "always_invoice", "proration_date": shop.sandbox.now}
    found = preview(shop, subscription=subscription["id"], subscription_details=details)
    shop.post(f"subscriptions/{subscription['id']}", **details)
    real = shop.get("invoices", customer=customer, limit=1)["data"][0]
    assert (amounts(found), found["amount_due"]) == (amounts(real), real["amount_due"])
    assert found["amount_due"] > 0
    assert (found["status"], found["number"], found["amount_paid"]) == ("draft", None, 0)


def test_prorations_that_would_wait_are_shown_with_the_next_period(shop: Till) -> None:
    subscription = subscribed(shop, shop.customer(), price(shop, 2000))
    shop.wait(10 * DAY)
    item = {"id": subscription["items"]["data"][0]["id"], "price": price(shop, 5000)}
    found = preview(shop, subscription=subscription["id"], subscription_details={"items": [item]})
    prorations = [line["parent"]["subscription_item_details"]["proration"] for line in found["lines"]["data"]]
    assert sorted(prorations) == [False, True, True]
    recurring = preview(
        shop, subscription=subscription["id"], subscription_details={"items": [item], "proration_behavior": "none"}
    )
    assert amounts(recurring) == [5000]


def test_a_subscription_that_is_not_made_yet_is_previewed(shop: Till) -> None:
    shop.post("coupons", id="half", percent_off="50", duration="once")
    items = [{"price": price(shop, 2000), "quantity": 2}]
    customer = shop.customer()
    found = preview(
        shop, customer=customer, subscription_details={"items": items}, discounts=[{"coupon": "half"}]
    )  # fmt: skip
    assert (amounts(found), found["total"]) == ([4000], 2000)
    assert shop.get("subscriptions", customer=customer)["data"] == []
    assert shop.get("coupons/half")["times_redeemed"] == 0


def test_items_can_be_added_and_changed_in_a_preview(shop: Till) -> None:
    customer = shop.customer()
    pending = shop.post("invoiceitems", customer=customer, amount=700, currency="usd")["id"]
    asked = [{"invoiceitem": pending, "amount": 300}, {"amount": 50, "currency": "usd"}]
    assert sorted(amounts(preview(shop, customer=customer, invoice_items=asked))) == [50, 300]


def test_an_end_of_the_subscription_is_no_invoice_and_one_at_once_is_its_last(shop: Till) -> None:
    subscription = subscribed(shop, shop.customer(), price(shop, 3100))
    data = {"subscription": subscription["id"]}
    ends = {"cancel_at_period_end": True}
    assert shop.refused("invoices/create_preview", **data, subscription_details=ends)["code"] == "invoice_upcoming_none"
    shop.wait(DAY)
    found = preview(shop, **data, subscription_details={"cancel_now": True})
    assert (amounts(found), found["amount_due"]) == ([-3000], 0)


def test_a_recurring_preview_leaves_what_is_pending_out(shop: Till) -> None:
    customer = shop.customer()
    subscription = subscribed(shop, customer, price(shop, 2000))
    shop.post("invoiceitems", customer=customer, amount=700, currency="usd")
    assert sorted(amounts(preview(shop, subscription=subscription["id"]))) == [700, 2000]
    assert amounts(preview(shop, subscription=subscription["id"], preview_mode="recurring")) == [2000]
