"""Pauses that were asked for: what they credit and bill, what they stop, and how a subscription goes on after one."""

from typing import Any

import pytest
import stripe

from tests.sandbox.billing.subscribers import DAY, START, Shop, day, period


@pytest.fixture
def shop() -> Shop:
    return Shop()


def _paused(shop: Shop, **params: Any) -> dict[str, Any]:
    row = shop.subscribe(shop.price(3100))
    shop.advance(10 * DAY)
    return shop.post(f"subscriptions/{row['id']}/pause", **params)


def test_a_pause_tells_when_and_why_and_ends_the_period(shop: Shop) -> None:
    row = _paused(shop)
    paused = {"subscription": {"type": "pause_requested"}, "transitioned_at": START + 10 * DAY, "type": "subscription"}
    assert (row["status"], row["status_details"]) == ("paused", {"paused": paused})
    assert period(row) == ("2027-01-15", "2027-01-25")
    assert shop.events("customer.subscription")[-2:] == [
        "customer.subscription.updated", "customer.subscription.paused",
    ]  # fmt: skip


def test_nothing_is_billed_in_a_pause_and_then_a_new_cycle_is(shop: Shop) -> None:
    row = _paused(shop, bill_for={"unused_time_from": {"type": "none"}})
    shop.advance(90 * DAY)
    assert len(shop.invoices()) == 1
    row = shop.post(f"subscriptions/{row['id']}/resume")
    assert (row["status"], shop.amounts()[1:]) == ("paused", [("subscription_update", "open", 3100)])
    shop.post(f"invoices/{row['latest_invoice']}/pay")
    row = shop.again(row)
    assert (row["status"], row["status_details"], day(row["billing_cycle_anchor"])) == ("active", None, "2027-04-25")
    assert shop.events("customer.subscription")[-1] == "customer.subscription.resumed"


@pytest.mark.parametrize(
    ("start", "credited"), [("now", [-2100]), ("item_current_period_start", [-3100]), ("none", [])]
)
def test_unused_time_is_credited_from_the_moment_that_was_asked_for(
    shop: Shop, start: str, credited: list[int]
) -> None:
    _paused(shop, bill_for={"unused_time_from": {"type": start}})
    assert [amount for amount, _ in shop.pending()] == credited


def test_a_pause_that_invoices_turns_the_credit_into_balance(shop: Shop) -> None:
    row = _paused(shop, invoicing_behavior="invoice")
    assert shop.amounts()[1:] == [("subscription_update", "paid", -2100)]
    assert row["latest_invoice"] == shop.invoices()[1]["id"]
    assert shop.get(f"customers/{shop.customer}")["balance"] == -2100


def test_a_failed_payment_of_the_resumption_leaves_it_in_arrears_and_is_not_retried(shop: Shop) -> None:
    row = _paused(shop, bill_for={"unused_time_from": {"type": "none"}})
    shop.pay_with("pm_card_chargeCustomerFail")
    row = shop.post(f"subscriptions/{row['id']}/resume")
    assert shop.call("POST", f"invoices/{row['latest_invoice']}/pay")[0] == 402
    assert shop.again(row)["status"] == "past_due"
    shop.advance(2 * DAY)
    (invoice,) = shop.invoices()[1:]
    assert (invoice["status"], invoice["next_payment_attempt"]) == ("open", None)
    shop.pay_with("pm_card_visa")
    shop.post(f"invoices/{invoice['id']}/pay")
    assert shop.again(row)["status"] == "active"


def test_a_resumption_on_success_pays_in_the_request(shop: Shop) -> None:
    row = _paused(shop, bill_for={"unused_time_from": {"type": "none"}})
    row = shop.post(f"subscriptions/{row['id']}/resume", payment_behavior="resume_on_payment_success")
    assert (row["status"], shop.amounts()[1:]) == ("active", [("subscription_update", "paid", 3100)])


def test_a_resumption_on_success_waits_and_is_retried(shop: Shop) -> None:
    row = _paused(shop, bill_for={"unused_time_from": {"type": "none"}})
    shop.pay_with("pm_card_chargeCustomerFail")
    row = shop.post(f"subscriptions/{row['id']}/resume", payment_behavior="resume_on_payment_success")
    assert row["status"] == "paused"
    shop.pay_with("pm_card_visa")
    shop.advance(2 * DAY)
    assert shop.again(row)["status"] == "active"


def test_a_resumption_that_is_voided_leaves_the_pause_as_it_was(shop: Shop) -> None:
    paused = _paused(shop, bill_for={"unused_time_from": {"type": "none"}})
    row = shop.post(f"subscriptions/{paused['id']}/resume")
    shop.post(f"invoices/{row['latest_invoice']}/void")
    row = shop.again(row)
    kept = ("status", "status_details", "billing_cycle_anchor")
    assert [row[name] for name in kept] == [paused[name] for name in kept]
    assert period(row) == period(paused)


def test_a_pause_goes_on_when_an_older_invoice_is_paid_late(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.advance(32 * DAY)
    assert shop.again(row)["status"] == "past_due"
    row = shop.post(f"subscriptions/{row['id']}/pause", bill_for={"unused_time_from": {"type": "none"}})
    shop.pay_with("pm_card_visa")
    shop.post(f"invoices/{row['latest_invoice']}/pay")
    assert shop.again(row)["status"] == "paused"


def test_a_resumption_goes_on_when_an_older_invoice_is_void(shop: Shop) -> None:
    row = shop.subscribe(shop.price(3100))
    shop.pay_with("pm_card_chargeCustomerFail")
    shop.advance(32 * DAY)
    row = shop.post(f"subscriptions/{row['id']}/pause", bill_for={"unused_time_from": {"type": "none"}})
    older = row["latest_invoice"]
    row = shop.post(f"subscriptions/{row['id']}/resume")
    shop.post(f"invoices/{older}/void")
    shop.pay_with("pm_card_visa")
    shop.post(f"invoices/{row['latest_invoice']}/pay")
    assert shop.again(row)["status"] == "active"


def test_the_old_cycle_goes_on_when_it_is_left_unchanged(shop: Shop) -> None:
    row = _paused(shop, bill_for={"unused_time_from": {"type": "none"}})
    shop.advance(5 * DAY)
    row = shop.post(f"subscriptions/{row['id']}/resume", billing_cycle_anchor={"type": "unchanged"})
    assert (row["status"], period(row)) == ("active", ("2027-01-30", "2027-02-15"))
    assert [amount for amount, _ in shop.pending()] == [1600]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"trial_period_days": 10}, "trialing"),
        ({"collection_method": "send_invoice", "days_until_due": 3}, "send_invoice"),
        ({"billing_mode": {"type": "classic"}}, "classic"),
    ],
)
def test_what_stripe_does_not_pause_is_refused(shop: Shop, params: dict[str, Any], why: str) -> None:
    row = shop.subscribe(shop.price(2000), **params)
    status, body = shop.call("POST", f"subscriptions/{row['id']}/pause")
    assert (status, why in body["error"]["message"]) == (400, True)


def test_a_schedule_and_a_pause_exclude_each_other(shop: Shop) -> None:
    row = shop.subscribe(shop.price(2000))
    shop.post("subscription_schedules", from_subscription=row["id"])
    assert shop.call("POST", f"subscriptions/{row['id']}/pause")[0] == 400
    other = _paused(shop)
    assert shop.call("POST", "subscription_schedules", from_subscription=other["id"])[0] == 400


async def test_the_sdk_pauses_and_resumes(stripe_client: stripe.StripeClient) -> None:
    v1 = stripe_client.v1
    customer = await v1.customers.create_async({"payment_method": "pm_card_visa"})
    method = (await v1.customers.payment_methods.list_async(customer.id)).data[0].id
    await v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": method}})
    price = await v1.prices.create_async(
        {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Tea"}}
    )
    row = await v1.subscriptions.create_async({"customer": customer.id, "items": [{"price": price.id}]})
    paused = await v1.subscriptions.pause_async(row.id, {"type": "subscription"})
    assert paused.status_details is not None
    assert paused.status_details.paused.subscription.type == "pause_requested"
    again = await v1.subscriptions.resume_async(row.id, {"billing_cycle_anchor": {"type": "unchanged"}})
    assert (again.status, again.status_details) == ("active", None)
