"""The story with the unmodified Python SDK. Amounts are what Stripe's documentation makes of these prices and dates."""

import time
import urllib.request
from collections import Counter
from typing import Any, NamedTuple

import orjson
import pytest
import stripe

from payment_kit.sandbox import Sandbox
from tests.sandbox.stories.conftest import OPERATIONS, used

DAY, HOUR = 86_400, 3600
JULY_15, AUGUST_15, SEPTEMBER_15, OCTOBER_15, NOVEMBER_15 = (
    1_784_073_600, 1_786_752_000, 1_789_430_400, 1_792_022_400, 1_794_700_800
)  # fmt: skip
BASIC, PRO = 2000, 5000
POLLS_MAX, POLL_SECONDS = 200, 0.05


class Business(NamedTuple):
    """What the story keeps from chapter to chapter."""

    client: Any
    sandbox: Sandbox
    clock: str
    customer: str
    prices: dict[str, str]

    def advance(self, to: int) -> None:
        """Move the test clock and wait until it stands there."""
        clocks = self.client.v1.test_helpers.test_clocks
        clocks.advance(self.clock, {"frozen_time": to})
        for _ in range(POLLS_MAX):
            if clocks.retrieve(self.clock).status == "ready":
                return
            time.sleep(POLL_SECONDS)
        pytest.fail("the test clock does not get ready")

    def invoices(self, subscription: str) -> Any:
        """Its invoices, newest first."""
        return self.client.v1.invoices.list({"subscription": subscription}).data

    def pay_with(self, card: str) -> None:
        """Attach a test card and make it the one invoices are paid with."""
        method = self.client.v1.payment_methods.attach(card, {"customer": self.customer})
        self.client.v1.customers.update(self.customer, {"invoice_settings": {"default_payment_method": method.id}})


def test_the_story(served: Sandbox) -> None:
    client = stripe.StripeClient(served.api_key, base_addresses={"api": served.url}, max_network_retries=0)
    business = opened(client, served)
    subscription = trial(business)
    renewal(business, subscription)
    proration(business, subscription)
    unpaid = failed_payment(business, subscription)
    dunning(business, subscription, unpaid)
    recovery(business, subscription, unpaid)
    refund(business, unpaid)
    dispute(business)
    payouts(business)
    tie_out(business)
    farewell(business, subscription)
    assert used() == OPERATIONS.read_text().splitlines()


def opened(client: Any, sandbox: Sandbox) -> Business:
    """The catalogue and a customer who lives by a test clock."""
    product = client.v1.products.create({"name": "Tea club", "metadata": {"season": "2026"}})
    prices = {}
    for name, amount in (("basic", BASIC), ("pro", PRO)):
        price = client.v1.prices.create(
            {
                "product": product.id,
                "currency": "usd",
                "unit_amount": amount,
                "recurring": {"interval": "month"},
                "lookup_key": name,
            }
        )
        assert (price.unit_amount, price.recurring.interval, price.type) == (amount, "month", "recurring")
        prices[name] = price.id
    found = client.v1.prices.list({"lookup_keys": ["basic", "pro"], "expand": ["data.product"]})
    assert {price.lookup_key: price.product.name for price in found.data} == dict.fromkeys(prices, "Tea club")

    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": sandbox.now, "name": "story"})
    customer = client.v1.customers.create({"email": "ada@example.com", "test_clock": clock.id})
    assert (clock.status, customer.test_clock) == ("ready", clock.id)
    business = Business(client, sandbox, clock.id, customer.id, prices)
    business.pay_with("pm_card_visa")
    return business


def trial(business: Business) -> str:
    """Two weeks for nothing, then the first month."""
    made = business.client.v1.subscriptions.create(
        {
            "customer": business.customer,
            "items": [{"price": business.prices["basic"]}],
            "trial_period_days": 14,
            "expand": ["latest_invoice"],
        }
    )
    assert (made.status, made.trial_end) == ("trialing", JULY_15)
    assert (made.latest_invoice.amount_due, made.latest_invoice.status) == (0, "paid")

    business.advance(JULY_15 + 2 * HOUR)
    subscription = business.client.v1.subscriptions.retrieve(made.id)
    assert subscription.status == "active"
    item = subscription["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (JULY_15, AUGUST_15)
    first, zero = business.invoices(made.id)
    assert (zero.total, first.total, first.status, first.billing_reason) == (0, BASIC, "paid", "subscription_cycle")
    return str(made.id)


def renewal(business: Business, subscription: str) -> None:
    """The second month is paid by itself."""
    business.advance(AUGUST_15 + 2 * HOUR)
    latest = business.invoices(subscription)[0]
    assert (latest.total, latest.amount_paid, latest.status) == (BASIC, BASIC, "paid")
    line = latest.lines.data[0]
    assert (line.period.start, line.period.end) == (AUGUST_15, SEPTEMBER_15)
    assert line.pricing.price_details.price == business.prices["basic"]


def proration(business: Business, subscription: str) -> None:
    """An upgrade within the month: the unused rest comes back, the rest of the better plan is due."""
    at = AUGUST_15 + 10 * DAY
    business.advance(at)
    item = business.client.v1.subscriptions.retrieve(subscription)["items"].data[0]
    change = [{"id": item.id, "price": business.prices["pro"]}]
    left = SEPTEMBER_15 - at
    unused, rest = (round(amount * left / (31 * DAY)) for amount in (BASIC, PRO))

    preview = business.client.v1.invoices.create_preview(
        {"subscription": subscription, "subscription_details": {"items": change, "proration_date": at}}
    )
    assert sorted(line.amount for line in preview.lines.data) == sorted((-unused, rest, PRO))
    changed = business.client.v1.subscriptions.update(
        subscription, {"items": change, "proration_date": at, "proration_behavior": "create_prorations"}
    )
    assert changed["items"].data[0].price.id == business.prices["pro"]

    business.advance(SEPTEMBER_15 + 2 * HOUR)
    latest = business.invoices(subscription)[0]
    assert (latest.total, latest.status) == (PRO + rest - unused, "paid")
    assert latest.total == preview.total


def failed_payment(business: Business, subscription: str) -> str:
    """The card stops working: the month stays open."""
    business.pay_with("pm_card_chargeCustomerFail")
    business.advance(OCTOBER_15 + 2 * HOUR)
    latest = business.invoices(subscription)[0]
    assert (latest.status, latest.attempt_count, latest.amount_remaining) == ("open", 1, PRO)
    assert latest.next_payment_attempt is not None
    assert business.client.v1.subscriptions.retrieve(subscription).status == "past_due"
    return str(latest.id)


def dunning(business: Business, subscription: str, unpaid: str) -> None:
    """It is tried again by itself, in vain."""
    attempt = business.client.v1.invoices.retrieve(unpaid).next_payment_attempt
    business.advance(attempt + HOUR)
    invoice = business.client.v1.invoices.retrieve(unpaid)
    assert (invoice.status, invoice.attempt_count) == ("open", 2)
    with pytest.raises(stripe.CardError) as declined:
        business.client.v1.invoices.pay(unpaid)
    assert declined.value.code == "card_declined"
    assert business.client.v1.subscriptions.retrieve(subscription).status == "past_due"


def recovery(business: Business, subscription: str, unpaid: str) -> None:
    """A new card pays what was open."""
    business.pay_with("pm_card_mastercard")
    paid = business.client.v1.invoices.pay(unpaid)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", PRO, 0)
    assert business.client.v1.subscriptions.retrieve(subscription).status == "active"


def refund(business: Business, invoice: str) -> None:
    """A part of it goes back; more than is left does not."""
    (payment,) = business.client.v1.invoice_payments.list({"invoice": invoice, "status": "paid"}).data
    intent = payment.payment.payment_intent
    made = business.client.v1.refunds.create({"payment_intent": intent, "amount": 1000})
    assert (made.status, made.amount) == ("succeeded", 1000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than"):
        business.client.v1.refunds.create({"payment_intent": intent, "amount": PRO - 1000 + 1})
    found = business.client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]})
    assert (found.latest_charge.amount_refunded, found.latest_charge.refunded) == (1000, False)


def dispute(business: Business) -> None:
    """Another payment is disputed and won back by evidence."""
    paid = business.client.v1.payment_intents.create(
        {
            "amount": 3000,
            "currency": "usd",
            "payment_method": "pm_card_createDispute",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    (opened,) = business.client.v1.disputes.list({"payment_intent": paid.id}).data
    assert (opened.status, opened.amount, opened.reason) == ("needs_response", 3000, "fraudulent")
    (withdrawal,) = opened.balance_transactions
    assert withdrawal.net == -3000 - withdrawal.fee
    evidence = {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True}
    business.client.v1.disputes.update(opened.id, evidence)
    move_account_clock(business.sandbox, DAY)
    closed = business.client.v1.disputes.retrieve(opened.id)
    assert (closed.status, len(closed.balance_transactions)) == ("won", 2)


def payouts(business: Business) -> None:
    """What is available goes to the bank; every automatic payout is the sum of its transactions."""
    move_account_clock(business.sandbox, 8 * DAY)
    paid = business.client.v1.payouts.list({"status": "paid"}).data
    assert paid
    for payout in paid:
        assert (payout.automatic, payout.reconciliation_status) == (True, "completed")
        items = list(business.client.v1.balance_transactions.list({"payout": payout.id}).auto_paging_iter())
        moved = sum(item.net for item in items if item.type != "payout")
        assert moved == payout.amount == -sum(item.net for item in items if item.type == "payout")


def tie_out(business: Business) -> None:
    """The balance is the sum of its transactions, in every currency."""
    balance = business.client.v1.balance.retrieve()
    stands = Counter[str]()
    for part in (*balance.available, *balance.pending):
        stands[part.currency] += part.amount
    moved = Counter[str]()
    for transaction in business.client.v1.balance_transactions.list({"limit": 3}).auto_paging_iter():
        assert transaction.net == transaction.amount - transaction.fee
        moved[transaction.currency] += transaction.net
    assert stands == moved


def farewell(business: Business, subscription: str) -> None:
    """The subscription ends with its month, and everything that happened was told."""
    leaving = business.client.v1.subscriptions.update(subscription, {"cancel_at_period_end": True})
    assert (leaving.status, leaving.cancel_at_period_end) == ("active", True)
    business.advance(NOVEMBER_15 + 2 * HOUR)
    assert business.client.v1.subscriptions.retrieve(subscription).status == "canceled"
    assert len(business.invoices(subscription)) == 5
    told = Counter(event.type for event in business.client.v1.events.list({"limit": 100}).auto_paging_iter())
    assert told["invoice.paid"] == 5
    assert told["invoice.payment_failed"] == 3
    assert told["customer.subscription.deleted"] == told["charge.dispute.closed"] == 1
    assert told.keys() >= {"customer.subscription.trial_will_end", "payout.paid", "charge.refunded", "invoice.upcoming"}
    business.client.v1.test_helpers.test_clocks.delete(business.clock)
    assert business.client.v1.customers.retrieve(business.customer).deleted


def move_account_clock(sandbox: Sandbox, seconds: int) -> None:
    """The account's own time, by the control API."""
    request = urllib.request.Request(
        f"{sandbox.url}/_sandbox/clock",
        orjson.dumps({"advance_seconds": seconds}),
        {"Authorization": f"Bearer {sandbox.api_key}"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
