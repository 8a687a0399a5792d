"""Customers: test clocks, settings, discounts, and what goes with them."""

import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.products import discounts
from tests.sandbox.acts import get, post, refused, types
from tests.sandbox.memory import ask, pages


def test_a_customer_follows_its_test_clock_and_is_listed_with_it_only() -> None:
    sandbox = Sandbox()
    later = sandbox.now + 1000
    clock = post(sandbox, "test_helpers/test_clocks", frozen_time=str(later))["id"]
    ours, other = post(sandbox, "customers", test_clock=clock), post(sandbox, "customers")
    assert (ours["created"], ours["test_clock"]) == (later, clock)
    assert [row["id"] for row in pages(sandbox, "/v1/customers")] == [other["id"]]
    assert [row["id"] for row in pages(sandbox, "/v1/customers", {"test_clock": clock})] == [ours["id"]]


def test_an_unknown_and_a_full_test_clock_are_refused() -> None:
    sandbox = Sandbox()
    assert refused(sandbox, "customers", test_clock="clock_none")["param"] == "test_clock"
    clock = post(sandbox, "test_helpers/test_clocks", frozen_time=str(sandbox.now))["id"]
    for _ in range(3):
        post(sandbox, "customers", test_clock=clock)
    assert refused(sandbox, "customers", test_clock=clock)["param"] == "test_clock"


def test_invoice_settings_are_merged_and_emptied() -> None:
    sandbox = Sandbox()
    data = {
        "invoice_settings[custom_fields][0][name]": "VAT",
        "invoice_settings[custom_fields][0][value]": "7",
        "invoice_settings[rendering_options][amount_tax_display]": "exclude_tax",
    }
    customer = post(sandbox, "customers", **data)
    assert customer["invoice_settings"]["custom_fields"] == [{"name": "VAT", "value": "7"}]
    assert customer["invoice_settings"]["rendering_options"]["amount_tax_display"] == "exclude_tax"
    changed = post(sandbox, f"customers/{customer['id']}", **{"invoice_settings[custom_fields]": "",
                                                             "invoice_settings[footer]": "Bye"})  # fmt: skip
    assert (changed["invoice_settings"]["custom_fields"], changed["invoice_settings"]["footer"]) == (None, "Bye")


@pytest.mark.parametrize(
    ("data", "param"),
    [({"invoice_prefix": "ab"}, "invoice_prefix"), ({"phone": "1" * 21}, "phone"), ({"name": "x" * 257}, "name"),
     ({"next_invoice_sequence": "0"}, "next_invoice_sequence"), ({"balance": "x"}, "balance")],
)  # fmt: skip
def test_a_customer_that_cannot_be_is_refused(data: dict[str, str], param: str) -> None:
    assert refused(Sandbox(), "customers", **data)["param"] == param


def test_the_filter_by_email_minds_the_case() -> None:
    sandbox = Sandbox()
    post(sandbox, "customers", email="Ada@example.com")
    assert pages(sandbox, "/v1/customers", {"email": "ada@example.com"}) == []
    assert len(pages(sandbox, "/v1/customers", {"email": "Ada@example.com"})) == 1


def test_a_customers_discount_is_shown_and_taken_away() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    path = f"/v1/customers/{customer}/discount"
    assert ask(sandbox, "DELETE", path)[0] == 404
    post(sandbox, "coupons", id="TEN", percent_off="10")
    call, row = Call(sandbox.store, "test"), sandbox.store.get("customer", customer)
    assert row is not None
    (found,) = discounts.resolve(call, [{"coupon": "TEN"}], customer=row)
    call.change(row, "customer.updated", discount=public(found))
    sandbox.store.commit()
    assert get(sandbox, path[4:], **{"expand[]": "source.coupon"})["source"]["coupon"]["percent_off"] == 10
    assert ask(sandbox, "DELETE", path)[1]["deleted"] is True
    assert get(sandbox, f"customers/{customer}")["discount"] is None
    assert types(sandbox, "customer.discount")[-1] == "customer.discount.deleted"


def test_what_a_customer_had_goes_with_it() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers", **{"tax_id_data[0][type]": "us_ein", "tax_id_data[0][value]": "12-3456789"})
    post(sandbox, "payment_methods/pm_card_visa/attach", customer=customer["id"])
    ask(sandbox, "DELETE", f"/v1/customers/{customer['id']}")
    assert types(sandbox, "customer.", "payment_method.")[-3:] == [
        "payment_method.detached", "customer.tax_id.deleted", "customer.deleted",
    ]  # fmt: skip
    assert ask(sandbox, "GET", f"/v1/customers/{customer['id']}/tax_ids")[0] == 404
    assert get(sandbox, f"customers/{customer['id']}") == {"id": customer["id"], "object": "customer", "deleted": True}


def test_sources_are_an_empty_list_when_asked_for() -> None:
    sandbox = Sandbox()
    assert post(sandbox, "customers", **{"expand[]": "sources"})["sources"]["data"] == []


def test_current_subscriptions_are_nested_when_asked_for() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers", payment_method="pm_card_visa")["id"]
    price = post(
        sandbox,
        "prices",
        currency="jpy",
        unit_amount="500",
        **{"product_data[name]": "Tea", "recurring[interval]": "month"},
    )["id"]
    data = {"customer": customer, "items[0][price]": price, "collection_method": "send_invoice", "days_until_due": "7"}
    kept, ended = post(sandbox, "subscriptions", **data)["id"], post(sandbox, "subscriptions", **data)["id"]
    ask(sandbox, "DELETE", f"/v1/subscriptions/{ended}")
    nested = get(sandbox, f"customers/{customer}", **{"expand[]": "subscriptions"})["subscriptions"]
    assert ([row["id"] for row in nested["data"]], nested["has_more"]) == ([kept], False)
