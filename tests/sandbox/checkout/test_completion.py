"""What customers do on the page of a checkout session, and what they leave behind."""

from typing import Any

import pytest

from tests.sandbox.checkout.shop import SUCCESS, Shop
from tests.sandbox.spec import problems

DAY = 86_400


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(("currency", "amount"), [("usd", 1250), ("jpy", 1250), ("kwd", 1250)])
def test_a_guest_pays_and_the_session_is_paid(shop: Shop, currency: str, amount: int) -> None:
    done = shop.complete(shop.session(shop.price(amount, currency)), email="ada@example.com", name="Ada")
    assert problems(done) == []
    assert (done["status"], done["payment_status"], done["url"]) == ("complete", "paid", None)
    assert (done["customer"], done["customer_details"]["email"]) == (None, "ada@example.com")
    intent = shop.get(f"payment_intents/{done['payment_intent']}", expand=["payment_method"])
    assert (intent["status"], intent["amount_received"], intent["currency"]) == ("succeeded", amount, currency)
    assert intent["payment_method"]["billing_details"]["name"] == "Ada"
    assert shop.types("checkout.session") == ["checkout.session.completed"]
    (told,) = [event for event in shop.events(done["id"]) if event["type"] == "checkout.session.completed"]
    assert told["data"] == {"object": {**done, "total_details": done["total_details"]}}


def test_what_is_said_of_the_payment_is_on_its_intent(shop: Shop) -> None:
    data = {"description": "Tea", "metadata": {"order": "7"}, "receipt_email": "a@example.com",
            "setup_future_usage": "off_session", "statement_descriptor": "TEASHOP"}  # fmt: skip
    customer = shop.customer(card=None, email="ada@example.com")
    done = shop.complete(shop.session(shop.price(500), customer=customer, payment_intent_data=data))
    intent = shop.get(f"payment_intents/{done['payment_intent']}")
    assert {name: intent[name] for name in data} == data
    assert [method["id"] for method in shop.get(f"customers/{customer}/payment_methods")["data"]] == [
        intent["payment_method"]
    ]


def test_a_customer_is_made_when_the_session_wants_one(shop: Shop) -> None:
    session = shop.session(shop.price(500), customer_creation="always", customer_email="ada@example.com")
    done = shop.complete(session, name="Ada")
    customer = shop.get(f"customers/{done['customer']}")
    assert (customer["email"], customer["name"]) == ("ada@example.com", "Ada")


def test_a_decline_leaves_the_session_open_for_another_card(shop: Shop) -> None:
    session = shop.session(shop.price(500), customer_creation="always")
    path = f"checkout/sessions/{session['id']}/complete"
    shop.turned_away(path, 402, payment_method="pm_card_chargeDeclined")
    still = shop.get(f"checkout/sessions/{session['id']}")
    assert (still["status"], still["payment_status"]) == ("open", "unpaid")
    assert shop.get(f"payment_intents/{still['payment_intent']}")["status"] == "requires_payment_method"
    done = shop.complete(session)
    assert (done["payment_status"], done["payment_intent"]) == ("paid", still["payment_intent"])
    assert len(shop.get("customers")["data"]) == 1


def test_an_expired_session_cancels_the_payment_it_tried(shop: Shop) -> None:
    session = shop.session(shop.price(500))
    path = f"checkout/sessions/{session['id']}/complete"
    shop.turned_away(path, 402, payment_method="pm_card_chargeDeclined")
    shop.wait(DAY)
    intent = shop.get(f"checkout/sessions/{session['id']}", expand=["payment_intent"])["payment_intent"]
    assert intent["status"] == "canceled"


@pytest.mark.parametrize("mode", ["payment", "subscription", "setup"])
def test_a_customer_who_fails_to_authenticate_can_try_again(shop: Shop, mode: str) -> None:
    sold = [] if mode == "setup" else [shop.price(500, interval="month" if mode == "subscription" else None)]
    session = shop.session(*sold, mode=mode, currency="usd")
    path, card = f"checkout/sessions/{session['id']}/complete", "pm_card_authenticationRequired"
    assert "authentication" in shop.turned_away(path, 402, payment_method=card, succeed=False)
    assert shop.get(f"checkout/sessions/{session['id']}")["status"] == "open"
    assert shop.complete(session, payment_method=card)["status"] == "complete"


def test_a_bank_debit_is_unpaid_until_the_bank_answers(shop: Shop) -> None:
    session = shop.session(shop.price(500), payment_method_types=["card", "us_bank_account"])
    done = shop.complete(session, payment_method="pm_usBankAccount_success")
    assert (done["status"], done["payment_status"]) == ("complete", "unpaid")
    shop.wait(10 * DAY)
    assert shop.get(f"checkout/sessions/{session['id']}")["payment_status"] == "paid"
    assert shop.types("checkout.session") == [
        "checkout.session.completed", "checkout.session.async_payment_succeeded"
    ]  # fmt: skip


def test_a_bank_debit_that_fails_is_told_of_and_stays_unpaid(shop: Shop) -> None:
    method = shop.post(
        "payment_methods", type="sepa_debit", sepa_debit={"iban": "DE62370400440532013001"},
        billing_details={"name": "Ada", "email": "ada@example.com"},
    )  # fmt: skip
    session = shop.session(shop.price(500, "eur"))
    shop.complete(session, payment_method=method["id"])
    shop.wait(10 * DAY)
    assert shop.get(f"checkout/sessions/{session['id']}")["payment_status"] == "unpaid"
    assert shop.types("checkout.session")[-1] == "checkout.session.async_payment_failed"


def test_an_authorization_is_paid_when_it_is_captured(shop: Shop) -> None:
    done = shop.complete(shop.session(shop.price(500), payment_intent_data={"capture_method": "manual"}))
    assert done["payment_status"] == "unpaid"
    shop.post(f"payment_intents/{done['payment_intent']}/capture")
    assert shop.get(f"checkout/sessions/{done['id']}")["payment_status"] == "paid"
    assert shop.types("checkout.session") == ["checkout.session.completed"]


def test_an_order_without_cost_needs_no_payment_and_makes_a_customer(shop: Shop) -> None:
    coupon = shop.post("coupons", percent_off=100, duration="once")["id"]
    done = shop.complete(shop.session(shop.price(500), discounts=[{"coupon": coupon}]))
    assert (done["payment_status"], done["payment_intent"], done["amount_total"]) == ("no_payment_required", None, 0)
    assert done["customer"] is not None
    assert shop.get(f"coupons/{coupon}")["times_redeemed"] == 1


def test_a_typed_code_and_a_chosen_quantity_change_what_is_paid(shop: Shop) -> None:
    coupon = shop.post("coupons", amount_off=300, currency="usd", duration="once")["id"]
    code = shop.post("promotion_codes", promotion={"type": "coupon", "coupon": coupon}, code="TEA3")
    line = {"price": shop.price(500), "quantity": 1, "adjustable_quantity": {"enabled": True, "maximum": 5}}
    session = shop.session(line_items=[line], allow_promotion_codes=True, expand=["line_items"])
    item, path = session["line_items"]["data"][0]["id"], f"checkout/sessions/{session['id']}/complete"
    assert "from 0 to 5" in shop.turned_away(path, quantities={item: 6})
    assert "invalid" in shop.turned_away(path, promotion_code="COFFEE")
    done = shop.complete(session, quantities={item: 3}, promotion_code="tea3")
    assert (done["amount_subtotal"], done["amount_total"]) == (1500, 1200)
    assert done["discounts"] == [{"coupon": None, "promotion_code": code["id"]}]
    assert shop.get(f"promotion_codes/{code['id']}")["times_redeemed"] == 1
    assert shop.get(f"payment_intents/{done['payment_intent']}")["amount"] == 1200


def test_a_paid_order_can_leave_an_invoice(shop: Shop) -> None:
    coupon = shop.post("coupons", percent_off="10", duration="once")["id"]
    session = shop.session(
        shop.price(500), quantity=2, discounts=[{"coupon": coupon}],
        invoice_creation={"enabled": True, "invoice_data": {"footer": "Thanks", "metadata": {"order": "7"}}},
    )  # fmt: skip
    done = shop.complete(session)
    invoice = shop.get(f"invoices/{done['invoice']}", expand=["payments"])
    assert (invoice["status"], invoice["total"], invoice["footer"]) == ("paid", 900, "Thanks")
    (payment,) = invoice["payments"]["data"]
    assert payment["payment"]["payment_intent"] == done["payment_intent"]
    assert len(shop.get("payment_intents")["data"]) == 1


@pytest.mark.parametrize(("currency", "amount"), [("usd", 2000), ("jpy", 2000), ("kwd", 20_000)])
def test_a_subscription_begins_paid_and_renews_with_the_same_card(shop: Shop, currency: str, amount: int) -> None:
    monthly, once = shop.price(amount, currency, "month"), shop.price(500, currency)
    session = shop.session(monthly, once, mode="subscription", subscription_data={"metadata": {"plan": "tea"}})
    assert session["amount_total"] == amount + 500
    done = shop.complete(session, email="ada@example.com")
    assert problems(done) == []
    assert (done["payment_status"], done["payment_intent"]) == ("paid", None)
    subscription = shop.get(f"subscriptions/{done['subscription']}", expand=["default_payment_method"])
    assert (subscription["status"], subscription["metadata"]) == ("active", {"plan": "tea"})
    assert subscription["default_payment_method"]["customer"] == done["customer"]
    assert shop.get(f"invoices/{done['invoice']}")["amount_paid"] == amount + 500
    shop.wait(32 * DAY)
    assert [row["amount_paid"] for row in shop.get("invoices")["data"]] == [amount, amount + 500]


def test_a_subscription_of_a_price_made_for_it(shop: Shop) -> None:
    made = {"currency": "eur", "unit_amount": 900, "product_data": {"name": "Tea"}, "recurring": {"interval": "week"}}
    session = shop.session(
        mode="subscription", line_items=[{"price_data": made, "quantity": 2}], expand=["line_items"]
    )  # fmt: skip
    done = shop.complete(session)
    subscription = shop.get(f"subscriptions/{done['subscription']}")
    (item,) = subscription["items"]["data"]
    assert (item["quantity"], item["price"]["id"]) == (2, session["line_items"]["data"][0]["price"]["id"])


def test_a_declined_subscription_stays_incomplete_until_another_card_pays(shop: Shop) -> None:
    session = shop.session(shop.price(500, interval="month"), mode="subscription")
    path = f"checkout/sessions/{session['id']}/complete"
    shop.turned_away(path, 402, payment_method="pm_card_chargeCustomerFail")
    assert [row["status"] for row in shop.get("subscriptions", status="all")["data"]] == ["incomplete"]
    done = shop.complete(session)
    assert [row["status"] for row in shop.get("subscriptions", status="all")["data"]] == ["active"]
    assert done["payment_status"] == "paid"


@pytest.mark.parametrize("collection", ["always", "if_required"])
def test_a_trial_needs_no_payment_at_first(shop: Shop, collection: str) -> None:
    session = shop.session(
        shop.price(500, interval="month"), mode="subscription", payment_method_collection=collection,
        subscription_data={"trial_period_days": 7},
    )  # fmt: skip
    assert session["amount_total"] == 0
    done = shop.complete(session)
    assert done["payment_status"] == "no_payment_required"
    subscription = shop.get(f"subscriptions/{done['subscription']}")
    assert subscription["status"] == "trialing"
    assert (subscription["default_payment_method"] is not None) == (collection == "always")


def test_a_coupon_goes_on_with_the_subscription(shop: Shop) -> None:
    coupon = shop.post("coupons", percent_off=50, duration="forever")["id"]
    session = shop.session(shop.price(1000, interval="month"), mode="subscription", discounts=[{"coupon": coupon}])
    shop.complete(session)
    shop.wait(32 * DAY)
    assert [row["amount_paid"] for row in shop.get("invoices")["data"]] == [500, 500]
    assert shop.get(f"coupons/{coupon}")["times_redeemed"] == 1


def test_credit_pays_a_subscription_first_and_its_card_the_rest(shop: Shop) -> None:
    customer = shop.customer(card=None, balance=-500)
    done = shop.complete(shop.session(shop.price(500, interval="month"), mode="subscription", customer=customer))
    assert (done["payment_status"], shop.get("payment_intents")["data"]) == ("paid", [])
    shop.wait(32 * DAY)
    assert [row["amount_paid"] for row in shop.get("invoices")["data"]] == [500, 0]


def test_a_session_of_a_test_clock_expires_by_that_clock(shop: Shop) -> None:
    clock = shop.post("test_helpers/test_clocks", frozen_time=shop.sandbox.now)
    customer = shop.customer(test_clock=clock["id"])
    session = shop.session(shop.price(500), customer=customer)
    shop.wait(2 * DAY)
    assert shop.get(f"checkout/sessions/{session['id']}")["status"] == "open"
    shop.post(f"test_helpers/test_clocks/{clock['id']}/advance", frozen_time=clock["frozen_time"] + DAY)
    assert shop.get(f"checkout/sessions/{session['id']}")["status"] == "expired"


def test_a_setup_session_saves_a_card(shop: Shop) -> None:
    customer = shop.customer(card=None)
    done = shop.complete(shop.session(mode="setup", currency="eur", customer=customer))
    assert (done["payment_status"], done["amount_total"]) == ("no_payment_required", None)
    intent = shop.get(f"setup_intents/{done['setup_intent']}", expand=["payment_method"])
    assert (intent["status"], intent["payment_method"]["customer"]) == ("succeeded", customer)


@pytest.mark.parametrize(
    "body",
    [
        {"payment_method": "pm_none"},
        {"quantities": {"li_none": 1}},
        {"quantities": 1},
        {"promotion_code": "TEA"},
        {"address": {"town": "Bonn"}},
        {"payment_method": "pm_usBankAccount_success"},
        {"colour": "red"},
    ],
)
def test_what_the_page_has_no_field_for_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    session = shop.session(shop.price(500), payment_method_types=["card"])
    shop.turned_away(f"checkout/sessions/{session['id']}/complete", **body)
    assert shop.get(f"checkout/sessions/{session['id']}") == session
    assert session["success_url"] == SUCCESS
