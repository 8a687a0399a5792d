"""Trials, pauses and pauses of collection: times in which a subscription is not paid for."""

import pytest

from tests.sandbox.billing.subscribers import DAY, START, Shop, day, moment, period


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_trial_costs_nothing_and_then_the_first_period_is_billed(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000), trial_period_days=10)
    assert (row["status"], period(row)) == ("trialing", ("2027-01-15", "2027-01-25"))
    assert shop.amounts() == [("subscription_create", "paid", 0)]
    assert shop.invoices()[0]["lines"]["data"][0]["description"] == "Trial period for Gold"
    shop.until(moment("2027-01-25T01:00"))
    row = shop.again(row)
    assert (row["status"], period(row), day(row["billing_cycle_anchor"])) == (
        "active", ("2027-01-25", "2027-02-25"), "2027-01-25",
    )  # fmt: skip
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 2000)]


def test_the_end_of_a_trial_is_announced_three_days_before(shop: Shop) -> None:
    shop.subscribe(shop.price(2000), trial_period_days=10)
    shop.advance(7 * DAY - 1)
    assert shop.events("customer.subscription.trial") == []
    shop.advance(1)
    assert shop.last("customer.subscription.trial_will_end")["created"] == START + 7 * DAY


def test_the_end_of_a_short_trial_is_announced_at_once_and_once(shop: Shop) -> None:
    shop.subscribe(shop.price(2000), trial_period_days=2)
    shop.advance(10 * DAY)
    assert shop.events("customer.subscription.trial") == ["customer.subscription.trial_will_end"]


@pytest.mark.parametrize(
    ("behaviour", "status", "event"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("pause", "paused", "customer.subscription.paused"),
        ("create_invoice", "past_due", "customer.subscription.updated"),
    ],
)
def test_a_trial_that_ends_without_a_payment_method_ends_as_agreed(behaviour: str, status: str, event: str) -> None:
    shop = Shop(card=None)
    settings = {"end_behavior": {"missing_payment_method": behaviour}}
    row = shop.subscribe(shop.price(2000), trial_period_days=10, trial_settings=settings)
    shop.advance(10 * DAY + 2 * 3600)
    assert shop.again(row)["status"] == status
    assert shop.events("customer.subscription")[-1] == event


def test_a_paused_subscription_stands_still_and_resumes_when_paid() -> None:
    shop = Shop(card=None)
    settings = {"end_behavior": {"missing_payment_method": "pause"}}
    row = shop.subscribe(shop.price(2000), trial_period_days=10, trial_settings=settings)
    shop.advance(60 * DAY)
    assert len(shop.invoices()) == 1
    shop.pay_with("pm_card_visa")
    row = shop.post(f"subscriptions/{row['id']}/resume")
    assert row["status"] == "paused"
    shop.post(f"invoices/{row['latest_invoice']}/pay")
    row = shop.again(row)
    assert (row["status"], period(row)) == ("active", ("2027-03-16", "2027-04-16"))
    assert shop.amounts()[1:] == [("subscription_update", "paid", 2000)]
    assert shop.events("customer.subscription.resumed") != []


def test_a_resumption_nobody_pays_is_void_after_23_hours() -> None:
    shop = Shop(card=None)
    settings = {"end_behavior": {"missing_payment_method": "pause"}}
    row = shop.subscribe(shop.price(2000), trial_period_days=10, trial_settings=settings)
    shop.advance(11 * DAY)
    row = shop.post(f"subscriptions/{row['id']}/resume")
    shop.advance(DAY)
    assert shop.again(row)["status"] == "paused"
    assert shop.amounts()[1:] == [("subscription_update", "void", 2000)]


def test_only_a_paused_subscription_resumes(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    assert shop.call("POST", f"subscriptions/{row['id']}/resume")[0] == 400


def test_a_trial_ended_now_bills_now(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000), trial_period_days=10)
    shop.advance(4 * DAY)
    row = shop.post(f"subscriptions/{row['id']}", trial_end="now")
    assert (row["status"], period(row), day(row["trial_end"])) == (
        "active", ("2027-01-19", "2027-02-19"), "2027-01-19",
    )  # fmt: skip
    assert shop.amounts()[1:] == [("subscription_update", "paid", 2000)]


def test_a_trial_given_later_credits_what_was_paid(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    row = shop.post(f"subscriptions/{row['id']}", trial_end=moment("2027-03-01T00:00"))
    assert (row["status"], period(row)) == ("trialing", ("2027-01-25", "2027-03-01"))
    assert shop.amounts()[1:] == [("subscription_update", "paid", -2100)]


@pytest.mark.parametrize(
    ("behaviour", "status"), [("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible"), ("void", "void")]
)
def test_paused_collection_puts_invoices_away(shop: Shop, behaviour: str, status: str) -> None:
    row = shop.subscribe(shop.price(2000))
    resumes = moment("2027-03-01T00:00")
    row = shop.post(f"subscriptions/{row['id']}", pause_collection={"behavior": behaviour, "resumes_at": resumes})
    assert row["pause_collection"] == {"behavior": behaviour, "resumes_at": resumes}
    shop.until(moment("2027-02-16T00:00"))
    assert (shop.again(row)["status"], shop.amounts()[1][1]) == ("active", status)
    shop.until(moment("2027-03-16T00:00"))
    assert (shop.again(row)["pause_collection"], shop.amounts()[2][1]) == (None, "paid")


def test_a_pause_of_collection_can_be_lifted(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    shop.post(f"subscriptions/{row['id']}", pause_collection={"behavior": "void"})
    assert shop.post(f"subscriptions/{row['id']}", pause_collection="")["pause_collection"] is None


def test_a_trial_without_a_payment_method_waits_for_a_setup_intent() -> None:
    shop = Shop(card=None)
    row = shop.subscribe(shop.price(2000), trial_period_days=10)
    intent = row["pending_setup_intent"]
    confirmed = shop.post(
        f"setup_intents/{intent}/confirm", payment_method="pm_card_visa", return_url="https://shop.test/back"
    )
    row = shop.again(row)
    assert (row["pending_setup_intent"], row["default_payment_method"]) == (None, confirmed["payment_method"])
    shop.advance(11 * DAY)
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 2000)]


def test_what_pays_the_first_invoice_can_be_kept_for_the_next() -> None:
    shop = Shop(card=None)
    settings = {"save_default_payment_method": "on_subscription"}
    row = shop.subscribe(shop.price(2000), payment_behavior="default_incomplete", payment_settings=settings)
    method = shop.post("payment_methods/pm_card_visa/attach", customer=shop.customer)["id"]
    shop.post(f"invoices/{row['latest_invoice']}/pay", payment_method=method)
    assert shop.again(row)["default_payment_method"] == method


def test_another_interval_leaves_a_trial_as_long_as_it_was(shop: Shop) -> None:
    trialing = shop.subscribe(shop.price(1000), trial_period_days=14)
    item = trialing["items"]["data"][0]["id"]
    changed = shop.post(f"subscriptions/{trialing['id']}", items=[{"id": item, "price": shop.price(9000, "year")}])
    assert (changed["status"], changed["trial_end"]) == ("trialing", trialing["trial_end"])
    shop.until(trialing["trial_end"] + 2 * 3600)
    assert shop.amounts()[1:] == [("subscription_cycle", "paid", 9000)]
    assert period(shop.again(trialing)) == ("2027-01-29", "2028-01-29")
