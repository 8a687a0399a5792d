"""Invoice items and lines over the API: how they are priced, edited, discounted and taxed."""

from typing import Any

import pytest

from tests.sandbox.billing import books
from tests.sandbox.billing.till import Till


@pytest.fixture
def shop() -> Till:
    return Till()


def once(shop: Till, amount: int, **data: Any) -> str:
    """A one-time price."""
    product = shop.post("products", name="Tea")["id"]
    return str(shop.post("prices", **{"product": product, "currency": "usd", "unit_amount": amount, **data})["id"])


def test_an_item_takes_amount_and_name_from_its_price(shop: Till) -> None:
    price = once(shop, 250)
    item = shop.post("invoiceitems", customer=shop.customer(), pricing={"price": price}, quantity=3)
    assert (item["amount"], item["quantity"], item["description"]) == (750, 3, "Tea")
    assert item["pricing"]["price_details"]["price"] == price
    assert item["pricing"]["unit_amount_decimal"] == "250"


def test_a_price_made_for_one_item_is_not_active(shop: Till) -> None:
    product = shop.post("products", name="Tea")["id"]
    data = {"currency": "jpy", "product": product, "unit_amount": 120}
    item = shop.post("invoiceitems", customer=shop.customer(), price_data=data, quantity=2)
    assert (item["amount"], item["currency"]) == (240, "jpy")
    assert shop.get(f"prices/{item['pricing']['price_details']['price']}")["active"] is False


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({}, "amount"),
        ({"amount": 5, "unit_amount_decimal": "5"}, "unit_amount_decimal"),
        ({"amount": 5, "quantity": 2}, "quantity"),
        ({"amount": 5, "currency": "kwd"}, "amount"),
        ({"pricing": {"price": "price_none"}}, "pricing[price]"),
        ({"unit_amount_decimal": "5", "quantity": -1}, "quantity"),
        ({"amount": 5, "period": {"start": 2, "end": 1}}, "period[end]"),
        ({"amount": 5, "invoice": "in_none"}, "invoice"),
    ],
)
def test_an_item_that_cannot_be_is_refused_by_name(shop: Till, data: dict[str, Any], param: str) -> None:
    assert shop.refused("invoiceitems", customer=shop.customer(None), **data)["param"] == param


def test_a_recurring_price_is_no_price_for_an_item(shop: Till) -> None:
    price = once(shop, 250, recurring={"interval": "month"})
    error = shop.refused("invoiceitems", customer=shop.customer(), pricing={"price": price})
    assert "type=one_time" in error["message"]


def test_an_item_on_a_draft_changes_the_invoice_and_one_on_a_final_invoice_cannot_change(shop: Till) -> None:
    customer = shop.customer()
    draft = shop.invoice(customer, 700)
    (item,) = shop.get("invoiceitems", invoice=draft["id"])["data"]
    shop.post(f"invoiceitems/{item['id']}", amount=900, description="More")
    after = shop.get(f"invoices/{draft['id']}")
    assert (after["total"], after["lines"]["data"][0]["description"]) == (900, "More")
    shop.post(f"invoices/{draft['id']}/finalize")
    assert shop.refused(f"invoiceitems/{item['id']}", amount=1)["code"] == "invoice_not_editable"
    assert shop.refused(f"invoiceitems/{item['id']}", "DELETE")["code"] == "invoice_not_editable"


def test_a_deleted_item_takes_its_line_with_it(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 700, 300)
    item = shop.get("invoiceitems", invoice=draft["id"])["data"][0]
    gone = shop.delete(f"invoiceitems/{item['id']}")
    assert gone == {"id": item["id"], "object": "invoiceitem", "deleted": True}
    assert shop.get(f"invoices/{draft['id']}")["total"] == 700
    assert shop.types("invoiceitem") == ["invoiceitem.created"] * 2 + ["invoiceitem.deleted"]


def test_a_line_is_edited_with_the_item_behind_it(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 700)
    (line,) = draft["lines"]["data"]
    changed = shop.post(f"invoices/{draft['id']}/lines/{line['id']}", amount=500, metadata={"a": "b"})
    assert (changed["amount"], changed["subtotal"], changed["metadata"]) == (500, 500, {"a": "b"})
    (item,) = shop.get("invoiceitems", invoice=draft["id"])["data"]
    assert (item["amount"], shop.get(f"invoices/{draft['id']}")["amount_due"]) == (500, 500)


def test_lines_are_added_updated_and_removed_together(shop: Till) -> None:
    customer = shop.customer()
    pending = shop.post("invoiceitems", customer=customer, amount=100, currency="usd")["id"]
    draft = shop.invoice(customer)["id"]
    new = [{"invoice_item": pending}, {"pricing": {"price": once(shop, 200)}, "quantity": 2}, {"amount": 50}]
    added = shop.post(f"invoices/{draft}/add_lines", lines=new, invoice_metadata={"made": "together"})
    assert ([line["amount"] for line in added["lines"]["data"]], added["metadata"]) == (
        [100, 400, 50],
        {"made": "together"},
    )
    first, second, third = (line["id"] for line in added["lines"]["data"])
    asked = [{"id": second, "quantity": 1}, {"id": third, "amount": 60}]
    updated = shop.post(f"invoices/{draft}/update_lines", lines=asked)
    assert updated["total"] == 100 + 200 + 60
    gone = [{"id": first, "behavior": "unassign"}, {"id": third, "behavior": "delete"}]
    left = shop.post(f"invoices/{draft}/remove_lines", lines=gone)
    assert [line["id"] for line in left["lines"]["data"]] == [second]
    assert [item["id"] for item in shop.get("invoiceitems", pending=True)["data"]] == [pending]


def test_discounts_and_taxes_of_lines_and_invoice_add_up(shop: Till) -> None:
    shop.post("coupons", id="tenth", percent_off="10")
    shop.post("coupons", id="five", amount_off=500, currency="usd")
    inclusive = shop.post("tax_rates", display_name="VAT", percentage="19", inclusive=True)["id"]
    exclusive = shop.post("tax_rates", display_name="Tax", percentage="8.25", inclusive=False)["id"]
    customer = shop.customer()
    draft = shop.post(
        "invoices", customer=customer, currency="usd", discounts=[{"coupon": "five"}], default_tax_rates=[exclusive]
    )["id"]
    own = {"discounts": [{"coupon": "tenth"}], "tax_rates": [inclusive]}
    shop.post("invoiceitems", customer=customer, invoice=draft, amount=3000, currency="usd", **own)
    shop.post("invoiceitems", customer=customer, invoice=draft, amount=2000, currency="usd")
    fixed = shop.post(
        "invoiceitems", customer=customer, invoice=draft, amount=400, currency="usd", discountable=False
    )  # fmt: skip
    invoice = shop.get(f"invoices/{draft}", expand=["discounts.source.coupon", "lines.data.discounts"])
    assert invoice["discounts"][0]["source"]["coupon"]["id"] == "five"
    assert (invoice["subtotal"], fixed["discountable"]) == (5100, False)
    assert [part["amount"] for part in invoice["total_discount_amounts"]] == [300, 500]
    assert [line["taxes"][0]["amount"] for line in invoice["lines"]["data"]] == [385, 147, 33]
    assert (invoice["total"], invoice["total_excluding_tax"]) == (5100 - 500 + 147 + 33, 5100 - 500 - 385)
    assert books.disagreements(shop.sandbox.store) == []


@pytest.mark.parametrize(("exempt", "reason"), [("exempt", "customer_exempt"), ("reverse", "reverse_charge")])
def test_a_customer_without_tax_pays_none(shop: Till, exempt: str, reason: str) -> None:
    rate = shop.post("tax_rates", display_name="VAT", percentage="19", inclusive=False)["id"]
    draft = shop.invoice(shop.customer(tax_exempt=exempt), 1000, default_tax_rates=[rate])
    (tax,) = draft["total_taxes"]
    assert (draft["total"], tax["amount"], tax["taxability_reason"]) == (1000, 0, reason)


def test_the_discounts_of_a_draft_can_be_unset(shop: Till) -> None:
    shop.post("coupons", id="half", percent_off="50", duration="forever")
    customer = shop.customer()
    draft = shop.invoice(customer, 1000, discounts=[{"coupon": "half"}])
    assert draft["total"] == 500
    assert shop.post(f"invoices/{draft['id']}", discounts="")["total"] == 1000


def test_a_coupon_for_a_product_leaves_other_lines_alone(shop: Till) -> None:
    price = once(shop, 1000)
    product = shop.get(f"prices/{price}")["product"]
    shop.post("coupons", id="tea", percent_off="50", applies_to={"products": [product]})
    customer = shop.customer()
    draft = shop.invoice(customer, 600, discounts=[{"coupon": "tea"}])["id"]
    shop.post("invoiceitems", customer=customer, invoice=draft, pricing={"price": price})
    assert shop.get(f"invoices/{draft}")["total"] == 600 + 500


def test_the_tax_of_a_line_can_be_changed(shop: Till) -> None:
    rate = shop.post("tax_rates", display_name="VAT", percentage="10", inclusive=False)["id"]
    draft = shop.invoice(shop.customer(), 700)
    line = f"invoices/{draft['id']}/lines/{draft['lines']['data'][0]['id']}"
    assert [tax["amount"] for tax in shop.post(line, tax_rates=[rate])["taxes"]] == [70]
    assert shop.get(f"invoices/{draft['id']}")["total"] == 770
    (item,) = shop.get("invoiceitems", invoice=draft["id"])["data"]
    assert [one["id"] for one in item["tax_rates"]] == [rate]
    assert shop.post(line, tax_rates="")["taxes"] == []


def test_a_line_cannot_be_an_empty_string(shop: Till) -> None:
    draft = shop.invoice(shop.customer())["id"]
    assert shop.refused(f"invoices/{draft}/add_lines", lines=[""])["param"] == "lines[0]"
