"""What the sandbox promises to do as Stripe does, told as the steps of a client.

A scenario checks nothing by itself: its answers are compared with the other side's. It uses only what every new Stripe
account can do in test mode, moves no money, and names everything it makes after the run.
"""

from collections.abc import Callable
from typing import Any

from payment_kit.sandbox.contract.steps import Steps

Scenario = Callable[[Steps], object]
_CARD = {"allowed_payment_method_types": ["card"]}


def customers(stripe: Steps) -> None:
    """A customer is made, changed, found, deleted."""
    made = stripe.post(
        "customers",
        email=f"{stripe.run}@example.com",
        name="Ada",
        metadata={"a": "1", "b": "2"},
        address={"line1": "1 Main St", "city": "Bonn", "country": "DE"},
    )
    stripe.post(f"customers/{made['id']}", metadata={"a": "", "c": "3"}, name="", phone="+49228")
    stripe.get("customers", email=f"{stripe.run}@example.com")
    stripe.post(f"customers/{made['id']}", metadata="")
    stripe.delete(f"customers/{made['id']}")
    stripe.get(f"customers/{made['id']}")
    stripe.post(f"customers/{made['id']}", name="Grace")
    stripe.get("customers", email=f"{stripe.run}@example.com")


def catalogue(stripe: Steps) -> None:
    """A product with prices, found by lookup key, archived, not deletable while it has prices."""
    product = stripe.post("products", name="Tea", metadata={"run": stripe.run})
    price = {"product": product["id"], "currency": "usd"}
    once = stripe.post("prices", unit_amount=500, lookup_key=f"{stripe.run}_tea", **price)
    stripe.post("prices", unit_amount=900, recurring={"interval": "month"}, **price)
    stripe.post("prices", unit_amount_decimal="0.5", **price)
    stripe.post("prices", unit_amount=100, recurring={"interval": "century"}, **price)
    stripe.get("prices", lookup_keys=[f"{stripe.run}_tea"])
    stripe.get("prices", product=product["id"], type="recurring")
    stripe.post(f"prices/{once['id']}", active=False, nickname="old")
    stripe.delete(f"products/{product['id']}")
    stripe.post(f"products/{product['id']}", active=False)
    bare = stripe.post("products", name="Air", default_price_data={"currency": "jpy", "unit_amount": 120})
    stripe.get(f"products/{bare['id']}", expand=["default_price"])


def payment(stripe: Steps) -> None:
    """A card payment at once, with what it left behind."""
    customer = stripe.post("customers", name="Ada")
    paid = stripe.post(
        "payment_intents",
        amount=2000,
        currency="usd",
        customer=customer["id"],
        confirm=True,
        payment_method="pm_card_visa",
        capture_method="automatic",
        metadata={"order": "7"},
        **_CARD,
    )
    stripe.get(f"payment_intents/{paid['id']}", expand=["latest_charge.balance_transaction"])
    stripe.get("charges", payment_intent=paid["id"])
    stripe.post(f"payment_intents/{paid['id']}/confirm")
    stripe.post(f"payment_intents/{paid['id']}/cancel")


def in_two_steps(stripe: Steps) -> None:
    """A payment intent is made, changed, confirmed; another one is canceled."""
    made = stripe.post("payment_intents", amount=1000, currency="eur", **_CARD)
    stripe.post(f"payment_intents/{made['id']}", amount=1100, description="tea")
    stripe.post(f"payment_intents/{made['id']}/confirm")
    stripe.post(f"payment_intents/{made['id']}/confirm", payment_method="pm_card_mastercard")
    stripe.post(f"payment_intents/{made['id']}", amount=1200)
    left = stripe.post("payment_intents", amount=1000, currency="jpy", **_CARD)
    stripe.post(f"payment_intents/{left['id']}/cancel", cancellation_reason="abandoned")
    stripe.post(f"payment_intents/{left['id']}/confirm", payment_method="pm_card_visa")


def refunds(stripe: Steps) -> None:
    """A part is refunded, more than the rest is refused, the rest goes back."""
    paid = _paid(stripe, 2000)
    stripe.post("refunds", payment_intent=paid["id"], amount=500, reason="requested_by_customer")
    stripe.post("refunds", payment_intent=paid["id"], amount=1501)
    stripe.post("refunds", payment_intent=paid["id"], amount=0)
    stripe.post("refunds", payment_intent=paid["id"])
    stripe.post("refunds", payment_intent=paid["id"])
    stripe.get("refunds", payment_intent=paid["id"])
    stripe.get(f"charges/{paid['latest_charge']}", expand=["refunds"])


def declines(stripe: Steps) -> None:
    """Cards that are declined, each for its reason, and the payment that succeeds after one."""
    for card in ("chargeDeclined", "chargeDeclinedInsufficientFunds", "chargeDeclinedExpiredCard"):
        _paid(stripe, 1500, f"pm_card_{card}" if card != "chargeDeclined" else "pm_card_visa_chargeDeclined")
    made = stripe.post("payment_intents", amount=1500, currency="usd", **_CARD)
    stripe.post(f"payment_intents/{made['id']}/confirm", payment_method="pm_card_visa_chargeDeclined")
    stripe.get(f"payment_intents/{made['id']}")
    stripe.post(f"payment_intents/{made['id']}/confirm", payment_method="pm_card_visa")
    stripe.get("charges", payment_intent=made["id"])


def capture_by_hand(stripe: Steps) -> None:
    """Money is held, taken in part, and cannot be taken twice; another hold is let go."""
    held = _paid(stripe, 2000, capture_method="manual")
    stripe.post(f"payment_intents/{held['id']}/capture", amount_to_capture=2001)
    stripe.post(f"payment_intents/{held['id']}/capture", amount_to_capture=1500)
    stripe.post(f"payment_intents/{held['id']}/capture")
    stripe.get(f"charges/{held['latest_charge']}")
    let_go = _paid(stripe, 2000, capture_method="manual")
    stripe.post(f"payment_intents/{let_go['id']}/cancel")


def authentication(stripe: Steps) -> None:
    """A card that asks for its holder: an action on session, an error off session."""
    _paid(stripe, 1000, "pm_card_authenticationRequired", return_url="https://example.com/back")
    customer = stripe.post("customers", name="Ada")
    saved = stripe.post("payment_methods/pm_card_authenticationRequired/attach", customer=customer["id"])
    _paid(stripe, 1000, saved["id"], customer=customer["id"], off_session=True)


def payment_methods(stripe: Steps) -> None:
    """A card is attached, made the default, listed, detached for good."""
    customer = stripe.post("customers", name="Ada")
    card = stripe.post("payment_methods/pm_card_visa/attach", customer=customer["id"])
    stripe.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": card["id"]})
    stripe.get("payment_methods", customer=customer["id"], type="card")
    stripe.get(f"customers/{customer['id']}", expand=["invoice_settings.default_payment_method"])
    stripe.post(f"payment_methods/{card['id']}/detach")
    stripe.get(f"customers/{customer['id']}/payment_methods")
    stripe.post("payment_methods/pm_card_chargeDeclined/attach", customer=customer["id"])


def dispute(stripe: Steps) -> None:
    """A payment is disputed, answered with the evidence that wins."""
    paid = _paid(stripe, 2000, "pm_card_createDispute")
    (opened, *_) = stripe.until("disputes", lambda page: page["data"], payment_intent=paid["id"])["data"]
    stripe.post(f"disputes/{opened['id']}", evidence={"uncategorized_text": "winning_evidence"}, submit=True)
    stripe.until(f"disputes/{opened['id']}", lambda found: found["status"] == "won")


def errors(stripe: Steps) -> None:
    """What is refused, and in which words of Stripe's own."""
    stripe.post("customers", emial="a@example.com")
    stripe.post("customers", address={"town": "Bonn"})
    stripe.post("payment_intents", currency="usd")
    stripe.post("payment_intents", amount="ten", currency="usd", **_CARD)
    stripe.post("payment_intents", amount=10, currency="usd", **_CARD)
    stripe.post("payment_intents", amount=1000, currency="xxx", **_CARD)
    stripe.post("payment_intents", amount=1000, currency="usd", customer="cus_nobody", **_CARD)
    stripe.get("customers/cus_nobody")
    stripe.get("charges/ch_nothing")
    stripe.get("customers", limit=101)
    stripe.get("customers", starting_after="cus_nobody")
    stripe.get("customers", expand=["data.nothing"])
    stripe.get("nothing_like_this")
    stripe.post("customers", metadata={"k" * 41: "long"})


def idempotency(stripe: Steps) -> None:
    """The same key again gives the same object; with other parameters it is refused; errors are replayed."""
    first = stripe.post("customers", "one", name="Ada")
    again = stripe.post("customers", "one", name="Ada")
    stripe.post("customers", "one", name="Grace")
    stripe.get(f"customers/{again['id'] if again['id'] == first['id'] else 'cus_other'}")
    declined: dict[str, Any] = {"amount": 1000, "currency": "usd", "confirm": True, **_CARD}
    stripe.post("payment_intents", "two", payment_method="pm_card_visa_chargeDeclined", **declined)
    stripe.post("payment_intents", "two", payment_method="pm_card_visa_chargeDeclined", **declined)


def pages(stripe: Steps) -> None:
    """A list is walked both ways."""
    email = f"{stripe.run}-pages@example.com"
    made = [stripe.post("customers", email=email, name=name)["id"] for name in ("one", "two", "three")]
    stripe.get("customers", email=email, limit=2)
    stripe.get("customers", email=email, limit=2, starting_after=made[1])
    stripe.get("customers", email=email, limit=2, ending_before=made[1])
    stripe.get("customers", email=email, created={"gt": 4_000_000_000})


def webhook_endpoints(stripe: Steps) -> None:
    """An endpoint is made, changed, switched off, deleted."""
    made = stripe.post(
        "webhook_endpoints", url="https://example.com/hook", enabled_events=["charge.succeeded", "charge.failed"]
    )
    stripe.post(f"webhook_endpoints/{made['id']}", enabled_events=["*"], description="all", disabled=True)
    stripe.post("webhook_endpoints", url="https://example.com/hook", enabled_events=["charge.exploded"])
    stripe.delete(f"webhook_endpoints/{made['id']}")
    stripe.get(f"webhook_endpoints/{made['id']}")


def coupons(stripe: Steps) -> None:
    """A coupon with a name of its own, its promotion code, and what neither can be."""
    made = stripe.post("coupons", id=f"{stripe.run}-TEN", percent_off=10, duration="once")
    stripe.post("coupons", id=f"{stripe.run}-TEN", percent_off=10, duration="once")
    stripe.post("coupons", percent_off=101, duration="once")
    stripe.post("coupons", amount_off=100, duration="once")
    stripe.post("coupons", percent_off=10, duration="repeating")
    stripe.post("promotion_codes", promotion={"type": "coupon", "coupon": made["id"]}, code=f"{stripe.run}SUMMER")
    stripe.delete(f"coupons/{made['id']}")
    stripe.get(f"coupons/{made['id']}")


def tiers(stripe: Steps) -> None:
    """A price in tiers, shown with them only when asked."""
    price = {"currency": "jpy", "recurring": {"interval": "month"}, "product_data": {"name": "Seats"}}
    steps = [{"up_to": 10, "unit_amount": 120}, {"up_to": "inf", "unit_amount": 90, "flat_amount": 500}]
    made = stripe.post("prices", billing_scheme="tiered", tiers_mode="graduated", tiers=steps, **price)
    stripe.get(f"prices/{made['id']}", expand=["tiers"])
    stripe.post("prices", billing_scheme="tiered", tiers_mode="volume", tiers=steps[:1], **price)
    stripe.post("prices", billing_scheme="tiered", unit_amount=100, **price)


def subscription(stripe: Steps) -> None:
    """A subscription begins, changes with a preview first, is told to end, ends."""
    customer = _payer(stripe)
    small, large = _monthly(stripe, 1000), _monthly(stripe, 3000)
    made = stripe.post("subscriptions", customer=customer["id"], items=[{"price": small["id"], "quantity": 2}])
    (item,) = made["items"]["data"]
    stripe.get(f"subscriptions/{made['id']}", expand=["latest_invoice.payments"])
    change = {"items": [{"id": item["id"], "price": large["id"]}], "proration_date": item["current_period_start"]}
    stripe.post("invoices/create_preview", subscription=made["id"], subscription_details=change)
    stripe.post(f"subscriptions/{made['id']}", proration_behavior="always_invoice", **change)
    stripe.get("subscription_items", subscription=made["id"])
    stripe.post(f"subscriptions/{made['id']}", cancel_at_period_end=True)
    stripe.delete(f"subscriptions/{made['id']}")
    stripe.post(f"subscriptions/{made['id']}", cancel_at_period_end=False)
    stripe.get("subscriptions", customer=customer["id"])


def incomplete(stripe: Steps) -> None:
    """Subscriptions that cannot be paid for at once, by how they are told to behave."""
    customer = _payer(stripe, "pm_card_chargeCustomerFail")
    asked = {"customer": customer["id"], "items": [{"price": _monthly(stripe, 1000)["id"]}]}
    stripe.post("subscriptions", payment_behavior="error_if_incomplete", **asked)
    stripe.post("subscriptions", payment_behavior="default_incomplete", expand=["latest_invoice"], **asked)
    stripe.post("subscriptions", customer=customer["id"], items=[{"price": "price_nothing"}])
    stripe.post("subscriptions", customer=customer["id"])


def trial(stripe: Steps) -> None:
    """A trial on a test clock: it ends, is charged, renews."""
    start = 1_900_000_000
    clock = stripe.post("test_helpers/test_clocks", frozen_time=start)
    customer = _payer(stripe, test_clock=clock["id"])
    items = [{"price": _monthly(stripe, 1000)["id"]}]
    made = stripe.post("subscriptions", customer=customer["id"], items=items, trial_period_days=7)
    for days in (8, 40):
        stripe.post(f"test_helpers/test_clocks/{clock['id']}/advance", frozen_time=start + days * 86_400)
        stripe.until(f"test_helpers/test_clocks/{clock['id']}", lambda found: found["status"] == "ready")
        stripe.get(f"subscriptions/{made['id']}")
    stripe.get("invoices", subscription=made["id"])


def invoice(stripe: Steps) -> None:
    """An invoice by hand: items, finalized, paid, credited in part; another is voided."""
    customer = _payer(stripe)
    bill = {"customer": customer["id"], "auto_advance": False}
    stripe.post("invoiceitems", customer=customer["id"], amount=700, currency="usd", description="Tea")
    made = stripe.post("invoices", pending_invoice_items_behavior="include", **bill)
    stripe.post("invoiceitems", customer=customer["id"], invoice=made["id"], amount=-100, currency="usd")
    stripe.get(f"invoices/{made['id']}/lines")
    stripe.post(f"invoices/{made['id']}/finalize")
    stripe.post(f"invoices/{made['id']}/pay")
    stripe.get("invoice_payments", invoice=made["id"])
    stripe.post("credit_notes", invoice=made["id"], amount=200, refund_amount=200)
    stripe.post("credit_notes", invoice=made["id"], amount=10_000, refund_amount=10_000)
    stripe.post(f"invoices/{made['id']}/void")
    other = stripe.post("invoices", currency="usd", **bill)
    stripe.post("invoiceitems", customer=customer["id"], invoice=other["id"], amount=900, currency="usd")
    stripe.post(f"invoices/{other['id']}/finalize")
    stripe.post(f"invoices/{other['id']}/void")


def checkout(stripe: Steps) -> None:
    """A session and a payment link for things priced on the spot; the session is closed again."""
    sold = {"price_data": {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Tea"}}, "quantity": 2}
    made = stripe.post("checkout/sessions", mode="payment", line_items=[sold], success_url="https://example.com/done")
    stripe.get(f"checkout/sessions/{made['id']}/line_items")
    stripe.post(f"checkout/sessions/{made['id']}/expire")
    stripe.post(f"checkout/sessions/{made['id']}/expire")
    stripe.post("checkout/sessions", mode="subscription", line_items=[sold], success_url="https://example.com/done")
    price = stripe.post("prices", currency="usd", unit_amount=900, product_data={"name": "Tea"})
    link = stripe.post("payment_links", line_items=[{"price": price["id"], "quantity": 1}])
    stripe.post(f"payment_links/{link['id']}", active=False)


def saved_for_later(stripe: Steps) -> None:
    """A card is set up for payments to come, once at ease and once with its holder asked."""
    customer = stripe.post("customers", name="Ada")
    for card in ("pm_card_visa", "pm_card_authenticationRequired"):
        stripe.post(
            "setup_intents",
            customer=customer["id"],
            payment_method=card,
            confirm=True,
            return_url="https://example.com/back",
            **_CARD,
        )
    left = stripe.post("setup_intents", customer=customer["id"], **_CARD)
    stripe.post(f"setup_intents/{left['id']}/cancel")
    stripe.post(f"setup_intents/{left['id']}/confirm", payment_method="pm_card_visa")


def _payer(stripe: Steps, card: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
    customer = stripe.post("customers", name="Ada", **more)
    saved = stripe.post(f"payment_methods/{card}/attach", customer=customer["id"])
    return stripe.post(f"customers/{customer['id']}", invoice_settings={"default_payment_method": saved["id"]})


def _monthly(stripe: Steps, amount: int) -> dict[str, Any]:
    recurring = {"interval": "month"}
    return stripe.post(
        "prices", currency="usd", unit_amount=amount, recurring=recurring, product_data={"name": f"Plan of {amount}"}
    )


def _paid(stripe: Steps, amount: int, card: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
    return stripe.post(
        "payment_intents", amount=amount, currency="usd", confirm=True, payment_method=card, **_CARD, **more
    )


SCENARIOS: tuple[Scenario, ...] = (
    customers,
    catalogue,
    coupons,
    payment,
    in_two_steps,
    refunds,
    declines,
    capture_by_hand,
    authentication,
    payment_methods,
    dispute,
    errors,
    idempotency,
    pages,
    webhook_endpoints,
    tiers,
    subscription,
    incomplete,
    trial,
    invoice,
    checkout,
    saved_for_later,
)
