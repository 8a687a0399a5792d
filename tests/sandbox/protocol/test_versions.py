"""Older shapes of the API, field by field as Stripe's changelog has them; nothing newer is left in them."""

from typing import Any

import pytest

from payment_kit.sandbox import Sandbox, versions
from payment_kit.sandbox.kinds import KINDS
from tests.sandbox.protocol.visitor import ask, control
from tests.sandbox.wire import CARD

ACACIA, OLDEST = "2025-02-24.acacia", "2020-08-27"
PAYMENT = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true", **CARD}


def _shown(sandbox: Sandbox, path: str, version: str, **params: str) -> Any:
    answer = ask(sandbox, "GET", f"/v1/{path}", params, None, stripe_version=version)
    assert (answer.status, answer.headers["stripe-version"]) == (200, version), answer.body
    return answer.body


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_every_version_is_accepted_and_named_in_the_answer(version: str) -> None:
    sandbox = Sandbox()
    ask(sandbox, "POST", "/v1/payment_intents", PAYMENT)
    assert _shown(sandbox, "payment_intents", version)["data"][0]["status"] == "succeeded"


@pytest.mark.parametrize("version", ["2020-03-02", "2025-02-24", "", "latest", "2026-10-28.endive, 2026-10-28.endive"])
def test_a_version_that_is_none_is_refused_in_stripes_words(version: str) -> None:
    answer = ask(Sandbox(), "GET", "/v1/balance", stripe_version=version)
    assert answer.status == 400
    assert answer.body["error"]["message"] == f"Invalid Stripe API version: {version}"


def test_changes_are_sorted_and_tell_their_page_and_object() -> None:
    order = [versions.VERSIONS.index(change.version) for change in versions.CHANGES]
    assert order == sorted(order, reverse=True)
    assert all(change.kind in KINDS or change.kind == "credit_note_line_item" for change in versions.CHANGES)
    assert all(change.page and change.what for change in versions.CHANGES)


def test_the_newest_shape_is_shown_as_it_is_kept() -> None:
    row = {"object": "charge", "id": "ch_1"}
    assert versions.render(row, versions.NEWEST) is row


def test_an_intent_had_its_charges_and_a_charge_its_refunds_before_2022_11_15() -> None:
    sandbox = Sandbox()
    intent = ask(sandbox, "POST", "/v1/payment_intents", PAYMENT).body
    refund = ask(sandbox, "POST", "/v1/refunds", {"payment_intent": intent["id"], "amount": "100"}).body
    old = _shown(sandbox, f"payment_intents/{intent['id']}", "2022-08-01")
    (charge,) = old["charges"]["data"]
    assert (charge["id"], old["charges"]["total_count"]) == (intent["latest_charge"], 1)
    assert [row["id"] for row in charge["refunds"]["data"]] == [refund["id"]]
    new = _shown(sandbox, f"payment_intents/{intent['id']}", "2022-11-15")
    assert "charges" not in new
    assert "refunds" not in _shown(sandbox, f"charges/{charge['id']}", "2022-11-15")


def _paid_invoice(sandbox: Sandbox) -> Any:
    customer = ask(sandbox, "POST", "/v1/customers", {"email": "a@example.com"}).body["id"]
    card = ask(sandbox, "POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": customer}).body["id"]
    ask(sandbox, "POST", f"/v1/customers/{customer}", {"invoice_settings[default_payment_method]": card})
    price = {"currency": "usd", "unit_amount": "700", "product_data[name]": "Tea"}
    price_id = ask(sandbox, "POST", "/v1/prices", price).body["id"]
    item = {"customer": customer, "pricing[price]": price_id, "quantity": "2"}
    assert ask(sandbox, "POST", "/v1/invoiceitems", item).status == 200
    invoice = ask(
        sandbox, "POST", "/v1/invoices", {"customer": customer, "pending_invoice_items_behavior": "include"}
    ).body
    paid = ask(sandbox, "POST", f"/v1/invoices/{invoice['id']}/pay", {})
    assert paid.body["status"] == "paid", paid.body
    return paid.body


def test_an_invoice_told_its_charge_its_payment_and_its_lines_prices_before_basil() -> None:
    sandbox = Sandbox()
    invoice = _paid_invoice(sandbox)
    (charge,) = ask(sandbox, "GET", "/v1/charges").body["data"]
    old = _shown(sandbox, f"invoices/{invoice['id']}", ACACIA)
    assert (old["charge"], old["payment_intent"], old["paid"]) == (charge["id"], charge["payment_intent"], True)
    assert (old["subscription"], old["tax"], old["total_tax_amounts"]) == (None, None, [])
    assert not {"parent", "total_taxes", "confirmation_secret"} & old.keys()
    (line,) = old["lines"]["data"]
    assert (line["price"]["unit_amount"], line["type"], line["proration"]) == (700, "invoiceitem", False)
    assert not {"parent", "pricing", "taxes"} & line.keys()
    assert _shown(sandbox, f"charges/{charge['id']}", ACACIA)["invoice"] == invoice["id"]
    assert _shown(sandbox, f"payment_intents/{charge['payment_intent']}", ACACIA)["invoice"] == invoice["id"]
    assert "invoice" not in _shown(sandbox, f"charges/{charge['id']}", "2025-03-31.basil")
    expanded = _shown(sandbox, f"charges/{charge['id']}", ACACIA, **{"expand[]": "payment_intent"})
    assert expanded["payment_intent"]["invoice"] == expanded["invoice"] == invoice["id"]


def _subscription(end: int) -> dict[str, Any]:
    item = {"id": "si_1", "object": "subscription_item", "current_period_start": 100, "current_period_end": end}
    items = {"object": "list", "data": [item], "has_more": False, "url": "/v1/subscription_items"}
    return {"id": "sub_1", "object": "subscription", "items": items, "discounts": []}


def test_a_subscription_had_its_period_itself_before_basil() -> None:
    row = _subscription(200)
    old = versions.render(row, ACACIA)
    assert (old["current_period_start"], old["current_period_end"], old["discount"]) == (100, 200, None)
    assert old["items"]["data"] == [{"id": "si_1", "object": "subscription_item"}]
    assert row == _subscription(200)
    assert versions.render(row, "2025-03-31.basil") == row


def test_an_events_previous_attributes_are_in_the_older_shape_too() -> None:
    data = {"object": _subscription(300), "previous_attributes": {"items": _subscription(200)["items"]}}
    old = versions.render({"id": "evt_1", "object": "event", "data": data}, ACACIA)["data"]
    assert old["object"]["current_period_end"] == 300
    assert old["previous_attributes"]["current_period_end"] == 200
    assert "current_period_start" not in old["previous_attributes"]


def test_a_promotion_code_held_its_coupon_whole_before_clover() -> None:
    sandbox = Sandbox()
    coupon = ask(sandbox, "POST", "/v1/coupons", {"percent_off": "10", "duration": "once"}).body["id"]
    code = {"promotion[type]": "coupon", "promotion[coupon]": coupon, "code": "TEA"}
    made = ask(sandbox, "POST", "/v1/promotion_codes", code).body
    old = _shown(sandbox, f"promotion_codes/{made['id']}", "2025-08-27.basil")
    assert (old["coupon"]["percent_off"], "promotion" in old) == (10.0, False)
    assert _shown(sandbox, f"promotion_codes/{made['id']}", "2025-09-30.clover")["promotion"]["coupon"] == coupon


def test_events_keep_the_version_their_account_had_and_ignore_the_requests() -> None:
    sandbox = Sandbox()
    control(sandbox, "version", {"api_version": OLDEST})
    assert ask(sandbox, "POST", "/v1/products", {"name": "Tea"}).body["features"] == []
    control(sandbox, "version", {"api_version": versions.NEWEST})
    ask(sandbox, "POST", "/v1/products", {"name": "Coffee"})
    for version in (OLDEST, versions.NEWEST):
        new, old = _shown(sandbox, "events", version)["data"]
        assert (old["api_version"], new["api_version"]) == (OLDEST, versions.NEWEST)
        assert ("features" in old["data"]["object"], "features" in new["data"]["object"]) == (True, False)
        assert "marketing_features" in new["data"]["object"]


def test_the_version_of_an_account_is_one_there_is() -> None:
    assert ask(Sandbox(), "POST", "/_sandbox/version", b'{"api_version": "2020-03-02"}').status == 400


@pytest.mark.parametrize(
    ("now", "then", "more"),
    [
        ("hosted_page", "hosted", {"success_url": "https://shop.test/thanks"}),
        ("embedded_page", "embedded", {"return_url": "https://shop.test/back"}),
    ],
)
def test_a_checkout_session_named_its_page_otherwise_before_dahlia(now: str, then: str, more: dict[str, str]) -> None:
    sandbox = Sandbox()
    item = {
        "line_items[0][price_data][currency]": "usd", "line_items[0][price_data][unit_amount]": "700",
        "line_items[0][price_data][product_data][name]": "Tea", "line_items[0][quantity]": "1",
    }  # fmt: skip
    made = ask(sandbox, "POST", "/v1/checkout/sessions", {"mode": "payment", "ui_mode": now, **item, **more}).body
    path = f"checkout/sessions/{made['id']}"
    assert _shown(sandbox, path, "2026-02-25.clover")["ui_mode"] == then
    assert _shown(sandbox, path, "2026-03-25.dahlia")["ui_mode"] == now
