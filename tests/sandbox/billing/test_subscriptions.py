"""Subscriptions begin, renew, wait for their payment and end as Stripe's do."""

from typing import Any

import pytest

from tests.sandbox.billing.subscribers import DAY, START, Shop, day, moment, period
from tests.sandbox.memory import pages


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_paid_subscription_is_active_for_a_period_that_stands_on_its_item(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    assert (row["status"], period(row)) == ("active", ("2027-01-15", "2027-02-15"))
    assert "current_period_end" not in row
    assert row["billing_mode"] == {"flexible": {"proration_discounts": "included"}, "type": "flexible"}
    assert shop.amounts() == [("subscription_create", "paid", 2000)]
    assert shop.events("customer.subscription") == ["customer.subscription.created"]


def test_a_renewal_is_drafted_at_the_end_of_the_period_and_collected_an_hour_later(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    shop.until(moment("2027-02-15T00:00"))
    assert shop.amounts()[1:] == [("subscription_cycle", "draft", 2000)]
    assert period(shop.again(row)) == ("2027-02-15", "2027-03-15")
    shop.advance(3600)
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 2000)]
    invoice = shop.invoices()[1]
    assert (day(invoice["period_start"]), day(invoice["period_end"])) == ("2027-01-15", "2027-02-15")
    assert day(invoice["lines"]["data"][0]["period"]["start"]) == "2027-02-15"


def test_the_next_invoice_is_announced_a_week_before(shop: Shop) -> None:
    shop.subscribe(shop.price(2000))
    shop.until(moment("2027-02-08T00:00") - 1)
    assert shop.events("invoice.upcoming") == []
    shop.advance(1)
    event = shop.last("invoice.upcoming")
    assert (event["data"]["object"]["total"], event["created"]) == (2000, moment("2027-02-08T00:00"))


def test_what_a_renewal_changed_is_told(shop: Shop) -> None:
    shop.subscribe(shop.price(2000))
    first = shop.invoices()[0]["id"]
    shop.until(moment("2027-02-15T00:00"))
    previous = shop.last("customer.subscription.updated")["data"]["previous_attributes"]
    assert previous.keys() == {"items", "latest_invoice"}
    assert previous["latest_invoice"] == first
    assert previous["items"]["data"][0]["current_period_end"] == moment("2027-02-15T00:00")


def test_month_ends_stay_those_of_the_anchor() -> None:
    shop = Shop(moment("2027-01-31T12:00"))
    row = shop.subscribe(shop.price(2000))
    ends = [period(row)[1]]
    for _ in range(3):
        shop.until(moment(ends[-1] + "T12:00"))
        ends.append(period(shop.again(row))[1])
    assert ends == ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 500), ("kwd", 1990)])
def test_currencies_without_and_with_three_decimals_are_billed(currency: str, amount: int) -> None:
    shop = Shop(currency=currency)
    shop.subscribe(shop.price(amount), items=[{"price": shop.price(amount), "quantity": 3}])
    assert shop.amounts() == [("subscription_create", "paid", 3 * amount)]


def test_several_items_are_one_invoice_and_keep_their_order(shop: Shop) -> None:
    prices = [shop.price(100 * number) for number in (10, 20, 30)]
    row = shop.subscribe(*prices)
    assert [item["price"]["id"] for item in row["items"]["data"]] == prices
    assert shop.amounts() == [("subscription_create", "paid", 6000)]


def test_items_of_other_intervals_renew_at_their_own_time(shop: Shop) -> None:
    row = shop.subscribe(shop.price(1000), shop.price(9000, "year"))
    shop.until(moment("2027-02-15T01:00"))
    assert shop.amounts() == [("subscription_create", "paid", 10_000), ("subscription_cycle", "paid", 1000)]
    assert [period(shop.again(row), at)[1] for at in (0, 1)] == ["2027-03-15", "2028-01-15"]


def test_classic_billing_refuses_to_mix_intervals(shop: Shop) -> None:
    items = [{"price": shop.price(1000)}, {"price": shop.price(9000, "year")}]
    status, body = shop.call(
        "POST", "subscriptions", customer=shop.customer, items=items, billing_mode={"type": "classic"}
    )
    assert (status, body["error"]["param"]) == (400, "items")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({}, "items"),
        ({"items": [{"quantity": 1}]}, "items[0][price]"),
        ({"items": [{"price": "price_none"}]}, "items[0][price]"),
        ({"items": [{"price": "PRICE"}, {"price": "PRICE"}]}, "items"),
        ({"items": [{"price": "PRICE"}], "collection_method": "send_invoice"}, "days_until_due"),
        ({"items": [{"price": "PRICE"}], "days_until_due": 3}, "days_until_due"),
        ({"items": [{"price": "PRICE"}], "trial_end": START - 1}, "trial_end"),
        ({"items": [{"price": "PRICE"}], "billing_cycle_anchor": START - 1}, "billing_cycle_anchor"),
        ({"items": [{"price": "PRICE"}], "billing_cycle_anchor": START + 40 * DAY}, "billing_cycle_anchor"),
        ({"items": [{"price": "PRICE"}], "payment_behavior": "pending_if_incomplete"}, "payment_behavior"),
        ({"items": [{"price": "PRICE"}], "cancel_at": START, "cancel_at_period_end": True}, "cancel_at"),
        ({"items": [{"price": "PRICE"}], "billing_thresholds": {"amount_gte": 1}}, "billing_thresholds"),
    ],
)
def test_what_cannot_be_is_refused_by_name(shop: Shop, more: dict[str, Any], param: str) -> None:
    price = shop.price(2000)
    for item in more.get("items", ()):
        if item.get("price") == "PRICE":
            item["price"] = price
    status, body = shop.call("POST", "subscriptions", customer=shop.customer, **more)
    assert (status, body["error"]["param"]) == (400, param)
    assert pages(shop.sandbox, "/v1/subscriptions", {"test_clock": shop.clock}) == []


def test_an_inactive_or_a_one_time_price_is_refused(shop: Shop) -> None:
    price = shop.price(2000)
    shop.post(f"prices/{price}", active=False)
    once = shop.post("prices", product=shop.product, currency="usd", unit_amount=5)["id"]
    for bad in (price, once):
        status, body = shop.call("POST", "subscriptions", customer=shop.customer, items=[{"price": bad}])
        assert (status, body["error"]["param"]) == (400, "items[0][price]")


def test_a_price_can_be_given_inline(shop: Shop) -> None:
    data = {"currency": "usd", "product": shop.product, "unit_amount": 700, "recurring": {"interval": "week"}}
    row = shop.subscribe(items=[{"price_data": data, "quantity": 2}])
    assert period(row) == ("2027-01-15", "2027-01-22")
    assert shop.amounts() == [("subscription_create", "paid", 1400)]


def test_one_time_prices_join_the_first_invoice(shop: Shop) -> None:
    once = shop.post("prices", product=shop.product, currency="usd", unit_amount=500)["id"]
    shop.subscribe(shop.price(2000), add_invoice_items=[{"price": once}])
    assert shop.amounts() == [("subscription_create", "paid", 2500)]


def test_without_a_payment_method_nothing_begins() -> None:
    shop = Shop(card=None)
    status, body = shop.call("POST", "subscriptions", customer=shop.customer, items=[{"price": shop.price(2000)}])
    assert (status, body["error"]["code"]) == (400, "resource_missing")
    assert pages(shop.sandbox, "/v1/subscriptions", {"customer": shop.customer, "status": "all"}) == []


def test_a_declined_first_payment_leaves_an_incomplete_subscription_that_expires_after_23_hours() -> None:
    shop = Shop(card="pm_card_chargeCustomerFail")
    row = shop.subscribe(shop.price(2000))
    assert row["status"] == "incomplete"
    shop.advance(23 * 3600 - 1)
    assert shop.again(row)["status"] == "incomplete"
    shop.advance(1)
    assert shop.again(row)["status"] == "incomplete_expired"
    assert shop.amounts() == [("subscription_create", "void", 2000)]


def test_an_incomplete_subscription_begins_when_its_invoice_is_paid() -> None:
    shop = Shop(card="pm_card_chargeCustomerFail")
    row = shop.subscribe(shop.price(2000))
    shop.post(f"invoices/{row['latest_invoice']}/pay", payment_method=shop.pay_with("pm_card_visa"))
    assert shop.again(row)["status"] == "active"
    previous = shop.last("customer.subscription.updated")["data"]["previous_attributes"]
    assert previous == {"status": "incomplete"}


def test_error_if_incomplete_refuses_and_leaves_nothing() -> None:
    shop = Shop(card="pm_card_chargeCustomerFail")
    status, body = shop.call(
        "POST", "subscriptions", customer=shop.customer, items=[{"price": shop.price(2000)}],
        payment_behavior="error_if_incomplete",
    )  # fmt: skip
    assert (status, body["error"]["code"]) == (402, "card_declined")
    assert shop.invoices() == []
    assert shop.events("customer.subscription", "charge") == []


def test_default_incomplete_waits_for_the_client_to_confirm() -> None:
    shop = Shop(card=None)
    row = shop.subscribe(shop.price(2000), payment_behavior="default_incomplete")
    assert (row["status"], shop.amounts()) == ("incomplete", [("subscription_create", "open", 2000)])
    shop.post(f"invoices/{row['latest_invoice']}/pay", payment_method=shop.pay_with("pm_card_visa"))
    assert shop.again(row)["status"] == "active"


def test_a_sent_first_invoice_makes_the_subscription_active_at_once(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000), collection_method="send_invoice", days_until_due=7)
    assert row["status"] == "active"
    assert shop.get(f"invoices/{row['latest_invoice']}")["status"] == "draft"


def test_an_overdue_invoice_makes_it_past_due_until_it_is_paid(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000), collection_method="send_invoice", days_until_due=7)
    invoice = shop.get(f"invoices/{row['latest_invoice']}")
    shop.post(f"invoices/{invoice['id']}/finalize")
    shop.advance(8 * DAY)
    assert shop.again(row)["status"] == "past_due"
    shop.post(f"invoices/{invoice['id']}/pay", paid_out_of_band=True)
    assert shop.again(row)["status"] == "active"


@pytest.mark.parametrize(
    ("outcome", "status"), [(None, "canceled"), ("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")]
)
def test_dunning_ends_as_the_account_says(shop: Shop, outcome: str | None, status: str) -> None:
    if outcome is not None:
        shop.sandbox.store.set_meta(dunning_outcome=outcome)
    row = shop.subscribe(shop.price(2000))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.until(moment("2027-02-15T02:00"))
    assert shop.again(row)["status"] == "past_due"
    shop.until(moment("2027-03-14T00:00"))
    row = shop.again(row)
    assert row["status"] == status
    if status == "canceled":
        assert row["cancellation_details"]["reason"] == "payment_failed"
        assert shop.events("customer.subscription")[-1] == "customer.subscription.deleted"


def test_a_past_due_subscription_recovers_when_its_invoice_is_paid(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.until(moment("2027-02-15T02:00"))
    shop.pay_with("pm_card_visa")
    shop.until(moment("2027-02-17T00:00"))
    assert shop.again(row)["status"] == "active"
    assert shop.amounts()[-1] == ("subscription_cycle", "paid", 2000)


def test_an_unpaid_subscription_goes_on_drafting_invoices_that_nobody_collects(shop: Shop) -> None:
    shop.sandbox.store.set_meta(dunning_outcome="unpaid")
    shop.subscribe(shop.price(2000))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.until(moment("2027-03-16T00:00"))
    assert shop.amounts()[1:] == [("subscription_cycle", "open", 2000), ("subscription_cycle", "draft", 2000)]
    assert shop.invoices()[-1]["auto_advance"] is False


def test_a_canceled_subscription_ends_at_once_and_is_gone_from_the_list(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    status, gone = shop.call("DELETE", f"subscriptions/{row['id']}", cancellation_details={"feedback": "unused"})
    assert (status, gone["status"], gone["ended_at"]) == (200, "canceled", START)
    assert gone["cancellation_details"] == {"comment": None, "feedback": "unused", "reason": "cancellation_requested"}
    assert pages(shop.sandbox, "/v1/subscriptions", {"customer": shop.customer}) == []
    assert shop.call("DELETE", f"subscriptions/{row['id']}")[0] == 404
    assert shop.call("POST", f"subscriptions/{row['id']}", description="x")[0] == 400
    assert shop.post(f"subscriptions/{row['id']}", metadata={"why": "y"})["metadata"] == {"why": "y"}
    shop.advance(40 * DAY)
    assert len(shop.invoices()) == 1


def test_cancel_at_period_end_ends_it_instead_of_renewing_it(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    row = shop.post(f"subscriptions/{row['id']}", cancel_at_period_end=True)
    assert (row["status"], day(row["cancel_at"]), row["canceled_at"]) == ("active", "2027-02-15", START)
    shop.until(moment("2027-02-15T00:00"))
    row = shop.again(row)
    assert (row["status"], row["canceled_at"], day(row["ended_at"])) == ("canceled", START, "2027-02-15")
    assert len(shop.invoices()) == 1
    assert shop.events("invoice.upcoming") == []


def test_a_cancellation_to_come_can_be_taken_back(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    shop.post(f"subscriptions/{row['id']}", cancel_at_period_end=True)
    row = shop.post(f"subscriptions/{row['id']}", cancel_at_period_end=False)
    assert (row["cancel_at"], row["canceled_at"], row["cancel_at_period_end"]) == (None, None, False)
    shop.until(moment("2027-02-15T01:00"))
    assert len(shop.invoices()) == 2


def test_cancel_with_prorate_and_invoice_now_returns_unused_time_as_credit(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    shop.call("DELETE", f"subscriptions/{row['id']}", prorate=True, invoice_now=True)
    assert shop.amounts()[-1] == ("subscription_update", "paid", -2100)
    assert shop.get(f"customers/{shop.customer}")["balance"] == -2100


def test_cancel_without_prorate_forgets_pending_prorations(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    shop.post(f"subscription_items/{row['items']['data'][0]['id']}", quantity=2)
    assert len(shop.pending()) == 2
    shop.call("DELETE", f"subscriptions/{row['id']}")
    assert shop.pending() == []


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, {"active", "trialing"}),
        ({"status": "all"}, {"active", "trialing", "canceled"}),
        ({"status": "ended"}, {"canceled"}),
        ({"status": "trialing"}, {"trialing"}),
        ({"price": "PRICE"}, {"active"}),
        ({"collection_method": "send_invoice"}, set()),
        ({"current_period_end[gte]": str(moment("2027-02-20T00:00"))}, {"trialing"}),
        ({"created[gt]": str(START)}, set()),
    ],
)
def test_lists_filter(shop: Shop, filters: dict[str, str], found: set[str]) -> None:
    price = shop.price(1000)
    shop.subscribe(price)
    shop.subscribe(shop.price(2000), trial_end=moment("2027-03-01T00:00"))
    gone = shop.subscribe(shop.price(3000))
    shop.call("DELETE", f"subscriptions/{gone['id']}")
    asked = {name: price if value == "PRICE" else value for name, value in filters.items()}
    for owner in ({"customer": shop.customer}, {"test_clock": shop.clock}):
        listed = pages(shop.sandbox, "/v1/subscriptions", {**owner, **asked})
        assert {row["status"] for row in listed} == found
    assert pages(shop.sandbox, "/v1/subscriptions", asked) == []


def test_a_deleted_customer_takes_its_subscriptions_along(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    shop.call("DELETE", f"customers/{shop.customer}")
    assert shop.again(row)["status"] == "canceled"


def test_a_changed_price_is_shown_on_its_items(shop: Shop) -> None:
    price = shop.price(2000)
    row = shop.subscribe(price)
    shop.post(f"prices/{price}", nickname="New")
    assert shop.again(row)["items"]["data"][0]["price"]["nickname"] == "New"


def test_references_expand(shop: Shop) -> None:
    row = shop.subscribe(
        shop.price(2000), expand=["latest_invoice", "customer", "test_clock", "items.data.price.product"]
    )
    assert row["latest_invoice"]["status"] == "paid"
    assert (row["customer"]["id"], row["test_clock"]["id"]) == (shop.customer, shop.clock)
    assert row["items"]["data"][0]["price"]["product"]["name"] == "Gold"


def test_an_answer_shows_what_a_declined_payment_already_did(shop: Shop) -> None:
    subscription = shop.subscribe(shop.price(1000))
    shop.pay_with("pm_card_chargeCustomerFail")
    item = subscription["items"]["data"][0]["id"]
    answer = shop.post(
        f"subscriptions/{subscription['id']}", items=[{"id": item, "price": shop.price(5000)}],
        proration_behavior="always_invoice",
    )  # fmt: skip
    assert (answer["status"], answer) == ("past_due", shop.again(subscription))


def test_an_answer_shows_the_payment_method_its_first_payment_saved() -> None:
    shop = Shop()
    subscription = shop.subscribe(shop.price(1000), payment_settings={"save_default_payment_method": "on_subscription"})
    assert subscription["default_payment_method"] is not None
    assert subscription == shop.again(subscription)


def test_more_pending_items_than_an_invoice_holds_wait_for_the_next(shop: Shop) -> None:
    shop.subscribe(shop.price(1000))
    for _ in range(251):
        shop.post("invoiceitems", customer=shop.customer, amount=10, currency="usd")
    shop.until(moment("2027-02-15T02:00"))
    assert shop.amounts()[-1] == ("subscription_cycle", "paid", 1000 + 249 * 10)
    assert len(shop.pending()) == 2


def test_a_currency_that_is_billed_in_stays_on_its_price(shop: Shop) -> None:
    price = shop.price(1000, currency_options={"eur": {"unit_amount": 900}})
    shop.subscribe(price, currency="eur")
    status, body = shop.call("POST", f"prices/{price}", currency_options="")
    assert (status, body.get("error", {}).get("param")) == (400, "currency_options")
    shop.until(moment("2027-02-15T02:00"))
    assert shop.amounts()[-1] == ("subscription_cycle", "paid", 900)


def test_an_amount_no_integer_holds_is_refused(shop: Shop) -> None:
    item = {"price": shop.price(99_999_999_999), "quantity": 99_999_999_999}
    status, body = shop.call(
        "POST", "subscriptions", customer=shop.customer, items=[item], collection_method="send_invoice",
        days_until_due=3,
    )  # fmt: skip
    assert (status, body.get("error", {}).get("code")) == (400, "amount_too_large")
