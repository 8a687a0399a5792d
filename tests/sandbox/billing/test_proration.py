"""What a change within a period credits, debits and bills."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.sandbox.billing import proration
from tests.sandbox.billing.subscribers import DAY, Shop, day, moment, period

MOMENTS = st.integers(0, 10_000_000)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def item(row: dict[str, Any]) -> str:
    return str(row["items"]["data"][0]["id"])


@given(st.integers(0, 10**9), MOMENTS, st.integers(1, 10_000_000), st.integers(0, 10_000_000))
def test_what_is_used_and_what_is_left_make_the_whole_but_for_rounding(
    amount: int, start: int, length: int, passed: int
) -> None:
    end, at = start + length, start + min(passed, length)
    used = proration.part(amount, (start, end), (start, at), "usd")
    left = proration.part(amount, (start, end), (at, end), "usd")
    assert abs(used + left - amount) <= 1


@given(st.integers(0, 10**9), st.integers(1, 10_000_000), st.sampled_from(["usd", "jpy", "kwd"]))
def test_a_debit_reversed_at_its_own_second_is_credited_whole(amount: int, length: int, currency: str) -> None:
    amount -= amount % (10 if currency == "kwd" else 1)
    left = proration.unused([(amount, 100, 100 + length)], 100, currency)
    assert sum(credit for credit, _ in left) == amount


@given(st.integers(0, 10**8), st.integers(2, 10_000_000), st.data())
def test_later_changes_credit_less(amount: int, length: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, length - 1))
    second = data.draw(st.integers(first, length))

    def left(at: int) -> int:
        return sum(credit for credit, _ in proration.unused([(amount, 0, length)], at, "usd"))

    assert 0 <= left(second) <= left(first) <= amount


def test_an_upgrade_waits_as_credit_and_debit_for_the_next_invoice(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    row = shop.post(f"subscriptions/{row['id']}", items=[{"id": item(row), "price": shop.price(6200)}])
    assert shop.pending() == [
        (-2100, "Unused time on Gold after 25 Jan 2027"), (4200, "Remaining time on Gold after 25 Jan 2027"),
    ]  # fmt: skip
    assert period(row) == ("2027-01-15", "2027-02-15")
    shop.until(moment("2027-02-15T01:00"))
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 6200 + 2100)]


def test_always_invoice_bills_the_difference_at_once(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    shop.post(
        f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 3}], proration_behavior="always_invoice"
    )
    assert shop.amounts()[1:] == [("subscription_update", "paid", 4200)]


def test_without_prorations_the_new_price_counts_from_the_next_period(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    shop.post(f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 3}], proration_behavior="none")
    assert shop.pending() == []
    shop.until(moment("2027-02-15T01:00"))
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 9300)]


def test_in_flexible_billing_what_was_never_debited_is_never_credited(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    shop.post(f"subscription_items/{item(row)}", quantity=3, proration_behavior="none")
    shop.post(f"subscription_items/{item(row)}", quantity=1)
    assert [amount for amount, _ in shop.pending()] == [-2100, 2100]


def test_in_classic_billing_the_present_price_is_credited(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100), billing_mode={"type": "classic"})
    shop.advance(10 * DAY)
    shop.post(f"subscription_items/{item(row)}", quantity=3, proration_behavior="none")
    shop.post(f"subscription_items/{item(row)}", quantity=1)
    assert [amount for amount, _ in shop.pending()] == [-6300, 2100]


def test_a_proration_can_be_dated(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    shop.post(f"subscription_items/{item(row)}", quantity=2, proration_date=moment("2027-01-16T00:00"))
    assert [amount for amount, _ in shop.pending()] == [-3000, 6000]
    status, body = shop.call("POST", f"subscription_items/{item(row)}", quantity=3, proration_date=1)
    assert (status, body["error"]["param"]) == (400, "proration_date")


@pytest.mark.parametrize("mode", ["flexible", "classic"])
def test_a_change_and_its_reversal_at_one_second_cancel(shop: Shop, mode: str) -> None:
    row = shop.subscribe(shop.price(3333), billing_mode={"type": mode})
    shop.advance(10 * DAY + 12_345)
    for quantity in (7, 1):
        shop.post(f"subscription_items/{item(row)}", quantity=quantity)
    assert sum(amount for amount, _ in shop.pending()) == 0


@pytest.mark.parametrize(("currency", "amount", "left"), [("jpy", 1000, 677), ("kwd", 1000, 680)])
def test_prorations_are_rounded_as_the_currency_is_charged(currency: str, amount: int, left: int) -> None:
    shop = Shop(currency=currency)
    row = shop.subscribe(shop.price(amount))
    shop.advance(10 * DAY)
    shop.post(f"subscription_items/{item(row)}", quantity=2)
    assert [amount for amount, _ in shop.pending()] == [-left, 1350 if currency == "kwd" else 1355]


def test_prorations_are_after_discounts(shop: Shop) -> None:
    shop.post("coupons", id="HALF", percent_off=50, duration="forever")
    row = shop.subscribe(shop.price(3100), discounts=[{"coupon": "HALF"}])
    assert shop.amounts() == [("subscription_create", "paid", 1550)]
    shop.advance(10 * DAY)
    shop.post(f"subscription_items/{item(row)}", quantity=2)
    assert [amount for amount, _ in shop.pending()] == [-1050, 2100]


def test_a_coupon_that_lasts_once_is_gone_after_the_first_invoice(shop: Shop) -> None:
    shop.post("coupons", id="ONCE", amount_off=500, currency="usd", duration="once")
    row = shop.subscribe(shop.price(3100), discounts=[{"coupon": "ONCE"}])
    assert shop.again(row)["discounts"] == []
    shop.until(moment("2027-02-15T01:00"))
    assert [total for _, _, total in shop.amounts()] == [2600, 3100]
    assert shop.events("customer.discount") == ["customer.discount.created", "customer.discount.deleted"]


def test_a_repeating_coupon_ends_with_its_months(shop: Shop) -> None:
    shop.post("coupons", id="TWO", percent_off=10, duration="repeating", duration_in_months=2)
    row = shop.subscribe(shop.price(1000), discounts=[{"coupon": "TWO"}])
    shop.until(moment("2027-03-15T01:00"))
    assert [total for _, _, total in shop.amounts()] == [900, 900, 1000]
    assert shop.again(row)["discounts"] == []


def test_another_interval_starts_a_new_cycle_and_bills_it_at_once(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    row = shop.post(f"subscriptions/{row['id']}", items=[{"id": item(row), "price": shop.price(30_000, "year")}])
    assert (period(row), day(row["billing_cycle_anchor"])) == (("2027-01-25", "2028-01-25"), "2027-01-25")
    assert shop.amounts()[1:] == [("subscription_update", "paid", 30_000 - 2100)]


def test_a_reset_anchor_starts_a_new_cycle(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    row = shop.post(f"subscriptions/{row['id']}", billing_cycle_anchor="now", proration_behavior="none")
    assert period(row) == ("2027-01-25", "2027-02-25")
    assert shop.amounts()[1:] == [("subscription_update", "paid", 3100)]


def test_a_first_period_up_to_an_anchor_is_prorated(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100), billing_cycle_anchor=moment("2027-02-01T00:00"))
    assert (period(row), shop.amounts()) == (("2027-01-15", "2027-02-01"), [("subscription_create", "paid", 1700)])
    shop.until(moment("2027-02-01T01:00"))
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 3100)]


def test_an_anchor_can_be_named_by_its_day(shop: Shop) -> None:
    config = {"day_of_month": 31}
    row = shop.subscribe(shop.price(3100), billing_cycle_anchor_config=config, proration_behavior="none")
    assert (period(row), shop.amounts()) == (("2027-01-15", "2027-01-31"), [("subscription_create", "paid", 0)])
    assert row["billing_cycle_anchor_config"]["day_of_month"] == 31
    ends = []
    for until in ("2027-01-31T01:00", "2027-02-28T01:00", "2027-03-31T01:00"):
        shop.until(moment(until))
        ends.append(period(shop.again(row))[1])
    assert ends == ["2027-02-28", "2027-03-31", "2027-04-30"]


def test_items_come_and_go_through_their_own_endpoint(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    extra = shop.post("subscription_items", subscription=row["id"], price=shop.price(6200), quantity=2)
    assert (extra["quantity"], day(extra["current_period_end"])) == (2, "2027-02-15")
    assert shop.pending() == [(8400, "Remaining time on 2 × Gold after 25 Jan 2027")]
    listed = shop.get("subscription_items", subscription=row["id"])["data"]
    assert listed == shop.again(row)["items"]["data"]
    assert shop.call("DELETE", f"subscription_items/{extra['id']}")[1] == {
        "id": extra["id"], "object": "subscription_item", "deleted": True,
    }  # fmt: skip
    assert sum(amount for amount, _ in shop.pending()) == 0
    status, body = shop.call("DELETE", f"subscription_items/{item(row)}")
    assert (status, body["error"]["param"]) == (400, "items")


def test_metadata_of_an_item_changes_without_billing_anything(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    assert shop.post(f"subscription_items/{item(row)}", metadata={"seat": "a"})["metadata"] == {"seat": "a"}
    assert shop.pending() == []


def test_a_failed_update_payment_makes_the_subscription_past_due(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.post(
        f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 2}], proration_behavior="always_invoice"
    )
    row = shop.again(row)
    assert (row["status"], row["items"]["data"][0]["quantity"]) == ("past_due", 2)


def test_error_if_incomplete_refuses_an_update_and_changes_nothing(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.pay_with("pm_card_chargeCustomerFail")
    before = shop.again(row)
    status, body = shop.call(
        "POST", f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 2}],
        proration_behavior="always_invoice", payment_behavior="error_if_incomplete",
    )  # fmt: skip
    assert (status, body["error"]["code"], shop.again(row)) == (402, "card_declined", before)
    assert len(shop.invoices()) == 1


def test_a_pending_update_waits_for_its_payment(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.pay_with("pm_card_chargeCustomerFail")
    row = shop.post(
        f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 2}],
        proration_behavior="always_invoice", payment_behavior="pending_if_incomplete",
    )  # fmt: skip
    assert (row["status"], row["items"]["data"][0]["quantity"]) == ("active", 1)
    assert row["pending_update"]["subscription_items"][0]["quantity"] == 2
    shop.post(f"invoices/{row['latest_invoice']}/pay", payment_method=shop.pay_with("pm_card_visa"))
    row = shop.again(row)
    assert (row["pending_update"], row["items"]["data"][0]["quantity"]) == (None, 2)
    assert "customer.subscription.pending_update_applied" in shop.events("customer.subscription")


def test_a_pending_update_nobody_pays_is_forgotten(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.post(
        f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 2}],
        proration_behavior="always_invoice", payment_behavior="pending_if_incomplete",
    )  # fmt: skip
    shop.advance(DAY)
    row = shop.again(row)
    assert (row["pending_update"], row["items"]["data"][0]["quantity"]) == (None, 1)
    assert shop.amounts()[1][1] == "void"
    assert "customer.subscription.pending_update_expired" in shop.events("customer.subscription")


def test_usage_is_billed_after_the_period_it_was_used_in(shop: Shop) -> None:
    meter = shop.post(
        "billing/meters", display_name="Calls", event_name="calls", default_aggregation={"formula": "sum"}
    )
    price = shop.post(
        "prices", product=shop.product, currency="usd", unit_amount=3,
        recurring={"interval": "month", "meter": meter["id"], "usage_type": "metered"},
    )["id"]  # fmt: skip
    row = shop.subscribe(price)
    assert (row["latest_invoice"], "quantity" in row["items"]["data"][0]) == (None, False)
    shop.advance(5 * DAY)
    shop.post("billing/meter_events", event_name="calls", payload={"stripe_customer_id": shop.customer, "value": 40})
    shop.until(moment("2027-02-15T01:00"))
    assert shop.amounts() == [("subscription_cycle", "paid", 120)]
    line = shop.invoices()[0]["lines"]["data"][0]
    assert (line["quantity"], day(line["period"]["start"]), day(line["period"]["end"])) == (
        40, "2027-01-15", "2027-02-15",
    )  # fmt: skip


def test_a_pending_update_does_not_outlast_its_period(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3_100_000))
    end = row["items"]["data"][0]["current_period_end"]
    shop.until(end - 7200)
    shop.pay_with("pm_card_chargeCustomerFail")
    row = shop.post(
        f"subscriptions/{row['id']}", items=[{"id": item(row), "quantity": 2}],
        proration_behavior="always_invoice", payment_behavior="pending_if_incomplete",
    )  # fmt: skip
    assert row["pending_update"]["expires_at"] == end
    held_back = row["latest_invoice"]
    shop.pay_with("pm_card_visa")
    shop.until(end + 7200)
    assert (shop.again(row)["pending_update"], shop.get(f"invoices/{held_back}")["status"]) == (None, "void")
    assert shop.amounts()[-1] == ("subscription_cycle", "paid", 3_100_000)


def test_usage_beyond_any_amount_is_billed_up_to_what_an_amount_holds(shop: Shop) -> None:
    meter = shop.post(
        "billing/meters", display_name="Calls", event_name="calls", default_aggregation={"formula": "sum"}
    )
    price = shop.post(
        "prices", product=shop.product, currency="usd", unit_amount=99_999_999,
        recurring={"interval": "month", "meter": meter["id"], "usage_type": "metered"},
    )["id"]  # fmt: skip
    shop.subscribe(price, collection_method="send_invoice", days_until_due=3)
    usage = {"stripe_customer_id": shop.customer, "value": 10**15 - 1}
    shop.post("billing/meter_events", event_name="calls", payload=usage)
    shop.until(moment("2027-02-15T02:00"))
    assert shop.amounts() == [("subscription_cycle", "open", 99_999_999_999)]
