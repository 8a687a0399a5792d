"""Checkout sessions: what they ask for, what they come to, how they are read, listed and expired."""

from typing import Any

import pytest

from tests.sandbox.checkout.shop import SUCCESS, Shop
from tests.sandbox.spec import problems

HOUR, DAY = 3600, 86_400


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_an_open_session_conforms_and_waits_for_its_customer(shop: Shop) -> None:
    session = shop.session(shop.price(1250), client_reference_id="order 7", metadata={"order": "7"}, quantity=2)
    assert problems(session) == []
    assert (session["status"], session["payment_status"], session["amount_total"]) == ("open", "unpaid", 2500)
    assert session["url"].endswith(session["id"])
    assert (session["payment_intent"], session["customer"], session["client_secret"]) == (None, None, None)
    assert session["expires_at"] == session["created"] + DAY
    assert session["success_url"] == SUCCESS
    assert "line_items" not in session


@pytest.mark.parametrize(
    ("currency", "amount", "quantity", "percent", "rate", "discount", "tax", "total"),
    [
        ("usd", 999, 3, "15", "8.25", 450, 210, 2757),
        ("jpy", 333, 2, "50", "10", 333, 33, 366),
        ("kwd", 12_340, 1, "33", "5", 4070, 410, 8680),
    ],
)
def test_discount_and_exclusive_tax_are_rounded_in_the_currency(
    shop: Shop, currency: str, amount: int, quantity: int, percent: str, rate: str, discount: int, tax: int, total: int
) -> None:
    coupon = shop.post("coupons", percent_off=percent, duration="once")["id"]
    taxed = shop.post("tax_rates", display_name="VAT", percentage=rate, inclusive=False)["id"]
    line = {"price": shop.price(amount, currency), "quantity": quantity, "tax_rates": [taxed]}
    session = shop.post(
        "checkout/sessions", mode="payment", success_url=SUCCESS, line_items=[line], discounts=[{"coupon": coupon}],
        expand=["line_items.data.discounts", "line_items.data.taxes", "total_details.breakdown"],
    )  # fmt: skip
    assert session["amount_subtotal"] == amount * quantity
    assert session["amount_total"] == total
    details = session["total_details"]
    assert (details["amount_discount"], details["amount_tax"]) == (discount, tax)
    (item,) = session["line_items"]["data"]
    assert (item["amount_discount"], item["amount_tax"], item["amount_total"]) == (discount, tax, total)
    assert [one["amount"] for one in item["discounts"] + item["taxes"]] == [discount, tax]
    assert details["breakdown"]["taxes"][0]["rate"]["id"] == taxed
    assert problems(session) == []
    assert shop.get(f"coupons/{coupon}")["times_redeemed"] == 0


def test_an_inclusive_tax_is_part_of_the_total(shop: Shop) -> None:
    taxed = shop.post("tax_rates", display_name="VAT", percentage="19", inclusive=True)["id"]
    line = {"price": shop.price(1190, "eur"), "quantity": 1, "tax_rates": [taxed]}
    session = shop.post("checkout/sessions", mode="payment", success_url=SUCCESS, line_items=[line])
    assert (session["amount_total"], session["total_details"]["amount_tax"]) == (1190, 190)


def test_items_have_a_list_of_their_own_in_their_order_and_ten_of_them_stand_inside(shop: Shop) -> None:
    lines = [
        {"price_data": {"currency": "usd", "unit_amount": 100 + at, "product_data": {"name": f"Tea {at}"}},
         "quantity": 1}
        for at in range(12)
    ]  # fmt: skip
    session = shop.session(line_items=lines, expand=["line_items.data.price.product"])
    inside = session["line_items"]
    assert (len(inside["data"]), inside["has_more"]) == (10, True)
    assert inside["data"][0]["price"]["product"]["name"] == "Tea 0"
    page = shop.get(f"checkout/sessions/{session['id']}/line_items", limit=5, starting_after=inside["data"][9]["id"])
    assert [item["amount_total"] for item in page["data"]] == [110, 111]
    assert shop.get("prices")["data"] == []


def test_a_price_in_several_currencies_is_sold_in_the_one_asked_for(shop: Shop) -> None:
    price = shop.price(1000, currency_options={"kwd": {"unit_amount": 3050}})
    session = shop.session(price, currency="kwd")
    assert (session["currency"], session["amount_total"]) == ("kwd", 3050)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"mode": "payment", "success_url": None}, "success_url"),
        ({"mode": ""}, "mode"),
        ({"line_items": [{"price": "price_x", "quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price]"),
        ({"customer": "cus_x"}, "customer"),
        ({"customer": "cus_x", "customer_email": "a@example.com"}, "customer_email"),
        ({"subscription_data": {"trial_period_days": 3}}, "subscription_data"),
        ({"expires_at": 1}, "expires_at"),
        ({"return_url": "https://shop.test"}, "return_url"),
        ({"ui_mode": "embedded_page"}, "success_url"),
        ({"discounts": [{"coupon": "none"}]}, "discounts[0][coupon]"),
        ({"allow_promotion_codes": "true", "discounts": [{"coupon": "none"}]}, "discounts"),
        ({"custom_fields": [{"key": "a"}]}, "custom_fields"),
        ({"mode": "setup", "line_items": ""}, "currency"),
        ({"mode": "subscription"}, "line_items"),
    ],
)
def test_what_no_customer_could_complete_is_refused_by_name(shop: Shop, given: dict[str, Any], param: str) -> None:
    sold = [{"price": shop.price(500), "quantity": 1}]
    wanted = {"mode": "payment", "success_url": SUCCESS, "line_items": sold, **given}
    error = shop.refused("checkout/sessions", **{name: value for name, value in wanted.items() if value is not None})
    assert error["param"] == param


def test_a_recurring_price_needs_the_mode_subscription(shop: Shop) -> None:
    error = shop.refused(
        "checkout/sessions", mode="payment", success_url=SUCCESS,
        line_items=[{"price": shop.price(500, interval="month"), "quantity": 1}],
    )  # fmt: skip
    assert "passed a recurring price" in error["message"]


def test_an_amount_below_the_least_charge_is_refused(shop: Shop) -> None:
    line = {"price": shop.price(49, "jpy"), "quantity": 1}
    error = shop.refused("checkout/sessions", mode="payment", success_url=SUCCESS, line_items=[line])
    assert error["code"] == "amount_too_small"


def test_an_embedded_page_has_a_secret_and_no_address(shop: Shop) -> None:
    session = shop.post(
        "checkout/sessions", mode="payment", ui_mode="embedded_page", return_url="https://shop.test/back",
        line_items=[{"price": shop.price(500), "quantity": 1}],
    )  # fmt: skip
    assert session["client_secret"].startswith(session["id"])
    assert (session["url"], session["redirect_on_completion"]) == (None, "always")
    assert problems(session) == []


def test_metadata_merges(shop: Shop) -> None:
    session = shop.session(shop.price(500), metadata={"a": "1", "b": "2"})
    changed = shop.post(f"checkout/sessions/{session['id']}", metadata={"b": "", "c": "3"})
    assert changed["metadata"] == {"a": "1", "c": "3"}


def test_a_session_expires_when_told_and_only_once(shop: Shop) -> None:
    session = shop.session(shop.price(500))
    expired = shop.post(f"checkout/sessions/{session['id']}/expire")
    assert (expired["status"], expired["url"]) == ("expired", None)
    assert "`expired`" in shop.refused(f"checkout/sessions/{session['id']}/expire")["message"]
    assert shop.types("checkout.session") == ["checkout.session.expired"]
    assert "no longer active" in shop.turned_away(f"checkout/sessions/{session['id']}/complete")


def test_a_session_expires_by_itself(shop: Shop) -> None:
    day = shop.session(shop.price(500))
    hour = shop.session(shop.price(500), expires_at=day["created"] + HOUR)
    shop.wait(HOUR)
    assert [shop.get(f"checkout/sessions/{one['id']}")["status"] for one in (day, hour)] == ["open", "expired"]
    shop.wait(DAY)
    assert shop.types("checkout.session") == ["checkout.session.expired"] * 2


def test_an_expired_setup_session_cancels_its_setup_intent(shop: Shop) -> None:
    session = shop.session(mode="setup", currency="usd")
    assert problems(session) == []
    shop.post(f"checkout/sessions/{session['id']}/expire")
    assert shop.get(f"setup_intents/{session['setup_intent']}")["status"] == "canceled"


def test_lists_filter(shop: Shop) -> None:
    price, customer = shop.price(500), shop.customer(email="ada@example.com")
    mine, guest = shop.session(price, customer=customer), shop.session(price)
    done = shop.complete(guest, email="eva@example.com")

    def listed(**data: Any) -> list[str]:
        return [row["id"] for row in shop.get("checkout/sessions", **data)["data"]]

    assert listed() == [guest["id"], mine["id"]]
    assert listed(customer=customer) == [mine["id"]]
    assert listed(status="complete") == [guest["id"]]
    assert listed(payment_intent=done["payment_intent"]) == [guest["id"]]
    assert listed(customer_details={"email": "eva@example.com"}) == [guest["id"]]
    assert listed(subscription="sub_none") == []


def test_a_code_with_a_least_amount_wants_as_much_in_the_basket(shop: Shop) -> None:
    coupon = shop.post("coupons", percent_off=10, duration="once")["id"]
    code = shop.post(
        "promotion_codes", promotion={"type": "coupon", "coupon": coupon},
        restrictions={"minimum_amount": 1000, "minimum_amount_currency": "usd"},
    )  # fmt: skip
    price, asked = shop.price(600), [{"promotion_code": code["id"]}]
    line = {"price": price, "quantity": 1}
    error = shop.refused("checkout/sessions", mode="payment", success_url=SUCCESS, line_items=[line], discounts=asked)
    assert error["param"] == "discounts[0][promotion_code]"
    assert shop.session(price, quantity=2, discounts=asked)["amount_total"] == 1080
