"""A sandbox that holds objects of every kind: with discounts, taxes, quotes, fees, phases and several items."""

from functools import cache
from typing import Any

from payment_kit.sandbox import Sandbox, triggers
from payment_kit.sandbox.store import Store
from tests.sandbox.billing.till import DAY, Till, flat
from tests.sandbox.protocol.visitor import ask, control

CARD = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
AGREED = {"type": "online", "online": {"ip_address": "192.0.2.1", "user_agent": "test"}}
TERMS = {"date": 1_782_864_000, "ip": "203.0.113.7"}
WANTED = {name: {"requested": True} for name in ("card_payments", "transfers")}
Row = dict[str, Any]


@cache
def everything() -> Sandbox:
    """The sandbox, made once for all tests; nobody may change it."""
    till = Till()
    prices = _catalogue(till)
    customer = _subscriptions(till, prices)
    _invoices(till, prices, customer)
    _checkout(till, prices)
    _payments(till)
    _connect(till)
    for type_ in triggers.RECIPES:
        control(till.sandbox, "trigger", {"event": type_})
    # Last, since it is deleted with its customers after 30 days.
    clock = till.post("test_helpers/test_clocks", frozen_time=till.sandbox.now)["id"]
    till.post("customers", test_clock=clock)
    return till.sandbox


def stores(sandbox: Sandbox) -> list[Store]:
    """The platform's rows and those of the accounts connected to it."""
    return [sandbox.store, *sandbox.store.connected.values()]


def _catalogue(till: Till) -> dict[str, str]:
    features = [{"name": "Dark mode"}, {"name": "Export"}]
    product = till.post("products", name="Tea", description="Leaves", marketing_features=features)["id"]
    till.post(f"products/{product}", marketing_features=[{"name": "Export"}])
    meter = till.post(
        "billing/meters", display_name="Calls", event_name="calls", default_aggregation={"formula": "sum"}
    )["id"]
    made: dict[str, Row] = {
        "month": {"unit_amount": 2000, "recurring": {"interval": "month"}},
        "more": {"unit_amount": 5000, "recurring": {"interval": "month"}},
        "week": {"unit_amount": 300, "recurring": {"interval": "week"}},
        "used": {
            "unit_amount_decimal": "0.5",
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter},
        },
        "once": {"unit_amount": 700},
    }
    return {name: till.post("prices", product=product, currency="usd", **data)["id"] for name, data in made.items()}


def _subscriptions(till: Till, prices: dict[str, str]) -> str:
    customer = till.customer(name="Ada", email="ada@example.com")
    till.post(f"customers/{customer}/tax_ids", type="eu_vat", value="DE123456789")
    rate = till.post("tax_rates", display_name="VAT", percentage="19", inclusive=True)["id"]
    coupon = till.post("coupons", percent_off="25", duration="repeating", duration_in_months=6)["id"]
    code = till.post("promotion_codes", promotion={"type": "coupon", "coupon": coupon}, code="TEA")["id"]
    made = till.post(
        "subscriptions",
        customer=customer,
        items=[{"price": prices["month"], "quantity": 2}, {"price": prices["used"]}],
        default_tax_rates=[rate],
        discounts=[{"promotion_code": code}],
        metadata={"a": "1"},
    )
    till.post("subscriptions", customer=customer, items=[{"price": prices["week"]}], discounts=[{"coupon": coupon}])
    phase = {"items": [{"price": prices["month"]}], "duration": {"interval": "month", "interval_count": 2}}
    phases = [phase, {**phase, "discounts": [{"coupon": coupon}]}]
    till.post("subscription_schedules", customer=customer, start_date=till.sandbox.now + DAY, phases=phases)
    till.wait(5 * DAY)
    item = made["items"]["data"][0]["id"]
    change = {"items": [{"id": item, "price": prices["more"]}], "proration_behavior": "always_invoice"}
    till.post(f"subscriptions/{made['id']}", **change)
    till.wait(40 * DAY)
    till.post(f"subscriptions/{made['id']}", metadata={"a": "", "b": "2"}, discounts="")
    return customer


def _invoices(till: Till, prices: dict[str, str], customer: str) -> None:
    rate = till.post("tax_rates", display_name="GST", percentage="10", inclusive=False)["id"]
    coupon = till.post("coupons", amount_off=100, currency="usd", duration="once")["id"]
    draft = till.post("invoices", customer=customer, discounts=[{"coupon": coupon}], default_tax_rates=[rate])
    sold = {"customer": customer, "invoice": draft["id"], "pricing": {"price": prices["once"]}, "quantity": 3}
    till.post("invoiceitems", **sold)
    item = till.post("invoiceitems", customer=customer, invoice=draft["id"], amount=1500, currency="usd")["id"]
    till.post(f"invoiceitems/{item}", amount=1600, description="Cups")
    till.post(f"invoices/{draft['id']}/pay")
    till.post("credit_notes", invoice=draft["id"], amount=900, refund_amount=300, credit_amount=600)
    other = till.invoice(customer, 1000, default_tax_rates=[rate])
    till.post(f"invoices/{other['id']}/finalize")
    till.post("credit_notes", invoice=other["id"], amount=330)
    till.post(f"customers/{customer}/balance_transactions", amount=-500, currency="usd")
    till.post("invoiceitems", customer=customer, amount=250, currency="usd")
    till.delete(f"invoices/{till.invoice(customer, 40)['id']}")
    quote = till.post("quotes", customer=customer, line_items=[{"price": prices["once"]}])["id"]
    till.post(f"quotes/{quote}/finalize")
    till.post(f"quotes/{quote}/accept")


def _checkout(till: Till, prices: dict[str, str]) -> None:
    coupon = till.post("coupons", percent_off="10", duration="once")["id"]
    line = [{"price": prices["once"], "quantity": 2}]
    for more in (
        {"ui_mode": "hosted_page", "success_url": "https://shop.test/thanks", "discounts": [{"coupon": coupon}]},
        {"ui_mode": "embedded_page", "return_url": "https://shop.test/back"},
    ):
        till.post("checkout/sessions", mode="payment", line_items=line, **more)
    till.post("payment_links", line_items=line)


def _payments(till: Till) -> None:
    customer = till.customer()
    for card in ("riskLevelElevated", "createIssuerFraudRecord", "createDispute", "bypassPending"):
        paid = {"amount": 2000, "currency": "usd", "confirm": True, "payment_method": f"pm_card_{card}"}
        intent = till.post("payment_intents", customer=customer, **paid, **CARD)
        if card == "bypassPending":
            till.post("refunds", payment_intent=intent["id"], amount=500)
    data = {"customer": customer, "payment_method": "pm_usBankAccount_success", "confirm": True}
    agreed = {"mandate_data": {"customer_acceptance": AGREED}, "allowed_payment_method_types": ["us_bank_account"]}
    till.post("setup_intents", **data, **agreed)
    till.post("topups", amount=5000, currency="usd")
    till.wait(9 * DAY)


def _connect(till: Till) -> None:
    account = till.post("accounts", type="custom", capabilities=WANTED, tos_acceptance=TERMS)["id"]
    till.post(
        "payment_intents", amount=9000, currency="usd", confirm=True, payment_method="pm_card_bypassPending", **CARD
    )
    transfer = till.post("transfers", amount=700, currency="usd", destination=account)["id"]
    till.post(f"transfers/{transfer}/reversals", amount=300)
    paid = {"amount": 10_000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    data = flat({**paid, "application_fee_amount": 1000, **CARD})
    intent = ask(till.sandbox, "POST", "/v1/payment_intents", data, stripe_account=account).body
    path = f"/v1/charges/{intent['latest_charge']}"
    fee = ask(till.sandbox, "GET", path, stripe_account=account).body["application_fee"]
    till.post(f"application_fees/{fee}/refunds", amount=400)
