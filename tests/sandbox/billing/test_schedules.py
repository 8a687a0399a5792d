"""Schedules lead a subscription through their phases and then let it go, or end it."""

from typing import Any

import pytest

from tests.sandbox.billing.subscribers import DAY, START, Shop, day, moment, period


@pytest.fixture
def shop() -> Shop:
    return Shop()


def plan(shop: Shop, *phases: dict[str, Any], **more: Any) -> dict[str, Any]:
    return shop.post(
        "subscription_schedules", customer=shop.customer, phases=list(phases), **{"start_date": "now", **more}
    )


def months(price: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"items": [{"price": price}], "duration": {"interval": "month", "interval_count": count}, **more}


def test_a_schedule_that_starts_now_has_its_subscription_at_once(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000), 2), months(shop.price(3000)))
    assert (row["status"], row["end_behavior"]) == ("active", "release")
    assert [(day(phase["start_date"]), day(phase["end_date"])) for phase in row["phases"]] == [
        ("2027-01-15", "2027-03-15"), ("2027-03-15", "2027-04-15"),
    ]  # fmt: skip
    assert row["current_phase"] == {"start_date": START, "end_date": moment("2027-03-15T00:00")}
    subscription = shop.get(f"subscriptions/{row['subscription']}")
    assert (subscription["status"], subscription["schedule"]) == ("active", row["id"])
    assert shop.amounts() == [("subscription_create", "draft", 1000)]


def test_phases_follow_each_other_and_then_the_subscription_is_released(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000), 2), months(shop.price(3000)))
    shop.until(moment("2027-05-15T02:00"))
    assert [total for _, _, total in shop.amounts()] == [1000, 1000, 3000, 3000, 3000]
    assert {status for _, status, _ in shop.amounts()} == {"paid"}
    row = shop.get(f"subscription_schedules/{row['id']}")
    assert (row["status"], row["subscription"], day(row["released_at"])) == ("released", None, "2027-04-15")
    subscription = shop.get(f"subscriptions/{row['released_subscription']}")
    assert (subscription["status"], subscription["schedule"]) == ("active", None)
    assert shop.events("subscription_schedule") == [
        f"subscription_schedule.{name}" for name in ("created", "updated", "expiring", "released")
    ]


def test_a_schedule_can_end_its_subscription(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000)), end_behavior="cancel")
    shop.until(moment("2027-02-15T00:00"))
    row = shop.get(f"subscription_schedules/{row['id']}")
    assert (row["status"], shop.get(f"subscriptions/{row['subscription']}")["status"]) == ("completed", "canceled")
    assert len(shop.invoices()) == 1


def test_a_schedule_to_come_waits(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000)), start_date=START + 5 * DAY)
    assert (row["status"], row["subscription"], shop.invoices()) == ("not_started", None, [])
    shop.advance(5 * DAY)
    row = shop.get(f"subscription_schedules/{row['id']}")
    assert (row["status"], period(shop.get(f"subscriptions/{row['subscription']}"))[0]) == ("active", "2027-01-20")


def test_a_phase_can_begin_within_a_period_and_is_prorated(shop: Shop) -> None:
    cheap, dear = shop.price(3100), shop.price(6200)
    plan(shop, {"items": [{"price": cheap}], "end_date": START + 10 * DAY}, months(dear))
    shop.advance(10 * DAY)
    assert [amount for amount, _ in shop.pending()] == [-2100, 4200]


def test_a_phase_can_be_a_trial(shop: Shop) -> None:
    price = shop.price(1000)
    row = plan(shop, {**months(price), "trial": True}, months(price))
    assert shop.get(f"subscriptions/{row['subscription']}")["status"] == "trialing"
    shop.until(moment("2027-02-15T02:00"))
    assert [total for _, _, total in shop.amounts()] == [0, 1000]


def test_a_subscription_can_be_put_under_a_schedule_and_given_more_phases(shop: Shop) -> None:
    cheap, dear = shop.price(1000), shop.price(3000)
    subscription = shop.subscribe(cheap)
    row = shop.post("subscription_schedules", from_subscription=subscription["id"])
    assert (row["status"], row["phases"][0]["items"][0]["price"]) == ("active", cheap)
    assert day(row["phases"][0]["end_date"]) == "2027-02-15"
    first = {"items": [{"price": cheap}], "start_date": START, "end_date": moment("2027-02-15T00:00")}
    row = shop.post(f"subscription_schedules/{row['id']}", phases=[first, months(dear)])
    assert len(row["phases"]) == 2
    shop.until(moment("2027-02-15T02:00"))
    assert [total for _, _, total in shop.amounts()] == [1000, 3000]


def test_a_changed_current_phase_changes_the_subscription_now(shop: Shop) -> None:
    row = plan(shop, months(shop.price(3100)))
    shop.advance(10 * DAY)
    shop.post(f"subscription_schedules/{row['id']}", phases=[months(shop.price(6200))])
    assert [amount for amount, _ in shop.pending()] == [-2100, 4200]


def test_a_released_schedule_leaves_the_subscription(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000)), end_behavior="cancel")
    row = shop.post(f"subscription_schedules/{row['id']}/release")
    assert (row["status"], shop.get(f"subscriptions/{row['released_subscription']}")["schedule"]) == ("released", None)
    assert shop.call("POST", f"subscription_schedules/{row['id']}/release")[0] == 400


def test_a_canceled_schedule_takes_the_subscription_along(shop: Shop) -> None:
    row = plan(shop, months(shop.price(3100)))
    shop.advance(10 * DAY)
    row = shop.post(f"subscription_schedules/{row['id']}/cancel")
    assert (row["status"], shop.get(f"subscriptions/{row['subscription']}")["status"]) == ("canceled", "canceled")
    assert shop.amounts()[-1] == ("subscription_update", "paid", -2100)


def test_a_schedule_does_not_outlive_its_subscription(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000)))
    shop.call("DELETE", f"subscriptions/{row['subscription']}")
    assert shop.get(f"subscription_schedules/{row['id']}")["status"] == "canceled"


def test_lists_filter_by_what_is_still_to_come(shop: Shop) -> None:
    price = shop.price(1000)
    plan(shop, months(price))
    later = plan(shop, months(price), start_date=START + DAY)
    found = shop.get("subscription_schedules", customer=shop.customer, scheduled=True)["data"]
    assert [row["id"] for row in found] == [later["id"]]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({}, "phases"),
        ({"phases": [{"items": [{"quantity": 1}]}]}, "phases[0][items][0][price]"),
        ({"phases": [{"items": [{"price": "PRICE"}], "end_date": 1}]}, "phases[0][end_date]"),
        ({"phases": [{"items": [{"price": "PRICE"}]}], "start_date": 1}, "start_date"),
        ({"from_subscription": "sub_1", "end_behavior": "cancel"}, "customer"),
    ],
)
def test_what_cannot_be_is_refused_by_name(shop: Shop, more: dict[str, Any], param: str) -> None:
    for phase in more.get("phases", ()):
        for wanted in phase["items"]:
            if "price" in wanted:
                wanted["price"] = shop.price(1000)
    status, body = shop.call("POST", "subscription_schedules", customer=shop.customer, **more)
    assert (status, body["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("phase", "param"),
    [
        ({"duration": {"interval": "month", "interval_count": 0}}, "phases[1][duration][interval_count]"),
        ({"duration": {"interval": "year", "interval_count": 10**12}}, "phases[1][duration][interval_count]"),
        ({"end_date": 10**17}, "phases[1][end_date]"),
        ({"discounts": [{"coupon": "nope"}]}, "phases[1][discounts][0][coupon]"),
        ({"default_payment_method": "pm_nope"}, "phases[1][default_payment_method]"),
        ({"trial_end": START}, "phases[1][trial_end]"),
        ({"collection_method": "send_invoice"}, "phases[1][invoice_settings][days_until_due]"),
    ],
)
def test_a_later_phase_that_could_never_begin_is_refused_at_once(shop: Shop, phase: dict[str, Any], param: str) -> None:
    phases = [months(shop.price(1000)), {"items": [{"price": shop.price(2000)}], **phase}]
    status, body = shop.call("POST", "subscription_schedules", customer=shop.customer, start_date="now", phases=phases)
    assert (status, body["error"].get("param")) == (400, param), body


def test_a_start_beyond_all_time_is_refused(shop: Shop) -> None:
    status, body = shop.call(
        "POST", "subscription_schedules", customer=shop.customer, start_date=10**17, phases=[months(shop.price(1000))]
    )
    assert (status, body["error"].get("param")) == (400, "start_date")


def test_phases_are_in_one_currency(shop: Shop) -> None:
    usd = shop.price(1000)
    shop.currency = "jpy"
    status, body = shop.call(
        "POST", "subscription_schedules", customer=shop.customer, start_date="now",
        phases=[months(usd), months(shop.price(1000))],
    )  # fmt: skip
    assert (status, body["error"].get("param")) == (400, "phases[1][items][0][price]")


def test_a_phase_begins_although_its_price_was_archived_meanwhile(shop: Shop) -> None:
    later = shop.price(3000)
    plan(shop, months(shop.price(1000)), months(later))
    shop.post(f"prices/{later}", active=False)
    shop.until(moment("2027-02-15T02:00"))
    assert shop.amounts()[-1] == ("subscription_cycle", "paid", 3000)


def test_a_phase_begins_without_what_is_gone_meanwhile(shop: Shop) -> None:
    coupon = shop.post("coupons", percent_off=50, duration="forever")["id"]
    method = shop.post("payment_methods/pm_card_mastercard/attach", customer=shop.customer)["id"]
    row = plan(
        shop, months(shop.price(1000)),
        months(shop.price(3000), discounts=[{"coupon": coupon}], default_payment_method=method),
    )  # fmt: skip
    assert shop.call("DELETE", f"coupons/{coupon}")[0] == 200
    shop.post(f"payment_methods/{method}/detach")
    shop.until(moment("2027-02-15T02:00"))
    subscription = shop.get(f"subscriptions/{row['subscription']}")
    assert shop.amounts()[-1] == ("subscription_cycle", "paid", 3000)
    assert (subscription["default_payment_method"], subscription["discounts"]) == (None, [])


def test_phases_have_no_gaps(shop: Shop) -> None:
    row = plan(shop, months(shop.price(1000)), months(shop.price(3000)))
    first, second = (
        {"items": [{"price": phase["items"][0]["price"]}], "start_date": phase["start_date"],
         "end_date": phase["end_date"]}
        for phase in row["phases"]
    )  # fmt: skip
    shop.post(f"subscription_schedules/{row['id']}", phases=[first, second])
    second["start_date"] += DAY
    status, body = shop.call("POST", f"subscription_schedules/{row['id']}", phases=[first, second])
    assert (status, body["error"].get("param")) == (400, "phases[1][start_date]")


def test_the_end_of_a_scheduled_subscription_is_the_schedules_affair(shop: Shop) -> None:
    subscription = shop.subscribe(shop.price(1000))
    shop.post("subscription_schedules", from_subscription=subscription["id"])
    status, _ = shop.call("POST", f"subscriptions/{subscription['id']}", cancel_at_period_end=True)
    assert (status, shop.again(subscription)["cancel_at_period_end"]) == (400, False)
