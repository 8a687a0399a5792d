"""Quotes: offered, finalized, accepted into an invoice or a subscription, canceled, expired."""

from typing import Any

import pytest

from tests.sandbox.billing.till import DAY
from tests.sandbox.checkout.shop import Shop
from tests.sandbox.spec import problems


@pytest.fixture
def shop() -> Shop:
    return Shop()


def offered(shop: Shop, *prices: str, **data: Any) -> dict[str, Any]:
    """An open quote for a customer with a card."""
    data = {"customer": shop.customer(email="ada@example.com"), **data}
    draft = shop.post("quotes", line_items=[{"price": price, "quantity": 2} for price in prices], **data)
    assert problems(draft) == []
    return shop.post(f"quotes/{draft['id']}/finalize")


@pytest.mark.parametrize(
    ("currency", "amount", "off", "tax", "total"),
    [("usd", 999, 300, 323, 2021), ("jpy", 333, 100, 108, 674), ("kwd", 12_340, 3700, 3990, 24_970)],
)
def test_an_accepted_quote_is_a_draft_invoice_of_the_same_amount(
    shop: Shop, currency: str, amount: int, off: int, tax: int, total: int
) -> None:
    coupon = shop.post("coupons", percent_off=15, duration="once")["id"]
    taxed = shop.post("tax_rates", display_name="VAT", percentage="19", inclusive=False)["id"]
    quote = offered(
        shop, shop.price(amount, currency), discounts=[{"coupon": coupon}], default_tax_rates=[taxed]
    )  # fmt: skip
    assert quote["amount_subtotal"] == 2 * amount
    assert (quote["total_details"]["amount_discount"], quote["total_details"]["amount_tax"]) == (off, tax)
    assert (quote["amount_total"], quote["computed"]["recurring"]) == (total, None)
    assert shop.get(f"coupons/{coupon}")["times_redeemed"] == 0
    accepted = shop.post(f"quotes/{quote['id']}/accept")
    assert problems(accepted) == []
    invoice = shop.get(f"invoices/{accepted['invoice']}")
    assert (invoice["status"], invoice["total"], invoice["parent"]["quote_details"]) == (
        "draft", total, {"quote": quote["id"]}
    )  # fmt: skip
    assert shop.get(f"coupons/{coupon}")["times_redeemed"] == 1
    assert shop.types("quote") == ["quote.created", "quote.finalized", "quote.accepted"]


def test_an_accepted_quote_with_what_recurs_is_a_subscription(shop: Shop) -> None:
    quote = offered(
        shop, shop.price(1000, interval="month"), shop.price(700), subscription_data={"metadata": {"plan": "tea"}}
    )
    assert quote["computed"]["recurring"]["amount_total"] == 2000
    assert (quote["computed"]["recurring"]["interval"], quote["computed"]["upfront"]["amount_total"]) == ("month", 3400)
    accepted = shop.post(f"quotes/{quote['id']}/accept", expand=["subscription.latest_invoice"])
    subscription = accepted["subscription"]
    assert (subscription["status"], subscription["metadata"]) == ("active", {"plan": "tea"})
    assert (subscription["latest_invoice"]["status"], subscription["latest_invoice"]["total"]) == ("draft", 3400)
    shop.wait(3700)
    assert shop.get(f"invoices/{subscription['latest_invoice']['id']}")["status"] == "paid"


def test_in_a_trial_only_what_does_not_recur_is_due_at_once(shop: Shop) -> None:
    once = shop.price(700)
    quote = offered(shop, shop.price(1000, interval="month"), once, subscription_data={"trial_period_days": 7})
    assert quote["amount_total"] == 1400
    upfront = shop.get(f"quotes/{quote['id']}/computed_upfront_line_items")["data"]
    assert [item["price"]["id"] for item in upfront] == [once]
    assert len(shop.get(f"quotes/{quote['id']}/line_items")["data"]) == 2
    shown = shop.get(f"quotes/{quote['id']}", expand=["line_items", "computed.upfront.line_items"])
    assert problems(shown) == []
    assert shown["computed"]["upfront"]["line_items"]["data"] == upfront
    accepted = shop.post(f"quotes/{quote['id']}/accept", expand=["subscription"])
    assert accepted["subscription"]["status"] == "trialing"


def test_numbers_count_up_for_the_customer(shop: Shop) -> None:
    customer, price = shop.customer(invoice_prefix="TEA"), shop.price(500)
    assert [offered(shop, price, customer=customer)["number"] for _ in range(2)] == ["QT-TEA-0001-1", "QT-TEA-0002-1"]


def test_a_quote_that_is_to_be_sent_makes_an_invoice_with_a_due_date(shop: Shop) -> None:
    quote = offered(
        shop, shop.price(500), collection_method="send_invoice", invoice_settings={"days_until_due": 14}
    )  # fmt: skip
    invoice = shop.post(f"quotes/{quote['id']}/accept", expand=["invoice"])["invoice"]
    final = shop.post(f"invoices/{invoice['id']}/finalize")
    assert final["due_date"] == final["status_transitions"]["finalized_at"] + 14 * DAY


def test_a_draft_can_be_changed_as_a_whole(shop: Shop) -> None:
    draft = shop.post("quotes", line_items=[{"price": shop.price(500)}], description="Tea", metadata={"a": "1"})
    assert (draft["amount_total"], draft["customer"]) == (500, None)
    changed = shop.post(
        f"quotes/{draft['id']}", customer=shop.customer(), description="", metadata={"b": "2"},
        line_items=[{"price": shop.price(300, "eur"), "quantity": 3}],
    )  # fmt: skip
    assert (changed["amount_total"], changed["currency"], changed["description"]) == (900, "eur", None)
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert len(shop.get(f"quotes/{draft['id']}/line_items")["data"]) == 1
    assert shop.refused(f"quotes/{draft['id']}", customer=shop.customer())["param"] == "customer"


def test_of_an_open_quote_only_the_expiry_can_be_changed(shop: Shop) -> None:
    quote = offered(shop, shop.price(500))
    assert "edited" in shop.refused(f"quotes/{quote['id']}", description="Coffee")["message"]
    later = quote["expires_at"] + DAY
    assert shop.post(f"quotes/{quote['id']}", expires_at=later)["expires_at"] == later
    shop.wait(30 * DAY)
    assert shop.get(f"quotes/{quote['id']}")["status"] == "open"


@pytest.mark.parametrize("finalized", [True, False])
def test_a_quote_nobody_accepts_in_time_is_canceled(shop: Shop, finalized: bool) -> None:
    quote = offered(shop, shop.price(500)) if finalized else shop.post("quotes", expires_at=shop.sandbox.now + DAY)
    shop.wait(31 * DAY)
    canceled = shop.get(f"quotes/{quote['id']}")
    assert (canceled["status"], canceled["status_transitions"]["canceled_at"]) == ("canceled", quote["expires_at"])
    assert shop.types("quote")[-1] == "quote.canceled"


@pytest.mark.parametrize("ending", ["accept", "cancel"])
def test_a_quote_that_came_to_its_end_stays_there(shop: Shop, ending: str) -> None:
    quote = offered(shop, shop.price(500))
    shop.post(f"quotes/{quote['id']}/{ending}")
    for step in ("accept", "cancel", "finalize"):
        assert "cannot be" in shop.refused(f"quotes/{quote['id']}/{step}")["message"]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"expires_at": 1}, "expires_at"),
        ({"customer": "cus_none"}, "customer"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price]"),
        ({"invoice_settings": {"days_until_due": 3}}, "invoice_settings[days_until_due]"),
        ({"subscription_data": {"trial_period_days": 0}}, "subscription_data[trial_period_days]"),
        ({"discounts": [{"coupon": "none"}]}, "discounts[0][coupon]"),
        ({"from_quote": {"quote": "qt_none"}}, "from_quote"),
    ],
)
def test_what_cannot_be_offered_is_refused_by_name(shop: Shop, given: dict[str, Any], param: str) -> None:
    assert shop.refused("quotes", **given)["param"] == param


def test_a_quote_is_finalized_for_somebody_and_something(shop: Shop) -> None:
    empty = shop.post("quotes", customer=shop.customer())
    assert shop.refused(f"quotes/{empty['id']}/finalize")["param"] == "line_items"
    nobody = shop.post("quotes", line_items=[{"price": shop.price(500)}])
    assert shop.refused(f"quotes/{nobody['id']}/finalize")["param"] == "customer"


def test_lists_filter_and_the_pdf_is_not_drawn(shop: Shop) -> None:
    quote, draft = offered(shop, shop.price(500)), shop.post("quotes")
    assert [row["id"] for row in shop.get("quotes", status="draft")["data"]] == [draft["id"]]
    assert [row["id"] for row in shop.get("quotes", customer=quote["customer"])["data"]] == [quote["id"]]
    assert shop.refused(f"quotes/{quote['id']}/pdf", method="GET")["status"] == 501


def test_quotes_of_a_test_clock_are_listed_by_it_or_by_their_customer_only(shop: Shop) -> None:
    plain = offered(shop, shop.price(900))["id"]
    clock = shop.post("test_helpers/test_clocks", frozen_time=shop.sandbox.now)["id"]
    customer = shop.post("customers", test_clock=clock)["id"]
    clocked = shop.post("quotes", customer=customer)["id"]

    def listed(**params: str) -> list[str]:
        return [row["id"] for row in shop.get("quotes", **params)["data"]]

    assert (listed(), listed(test_clock=clock), listed(customer=customer)) == ([plain], [clocked], [clocked])
