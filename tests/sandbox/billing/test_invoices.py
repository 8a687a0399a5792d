"""Invoices over the API: from draft to paid, void and uncollectible."""

from typing import Any

import pytest

from tests.sandbox.billing.till import DAY, Till


@pytest.fixture
def shop() -> Till:
    return Till()


def test_a_draft_is_finalized_with_a_number_of_its_customer_and_paid(shop: Till) -> None:
    customer = shop.customer(invoice_prefix="TEA")
    draft = shop.invoice(customer, 700, 500)
    assert (draft["status"], draft["number"], draft["amount_due"]) == ("draft", None, 1200)
    final = shop.post(f"invoices/{draft['id']}/finalize")
    assert (final["status"], final["number"], final["amount_remaining"]) == ("open", "TEA-0001", 1200)
    paid = shop.post(f"invoices/{draft['id']}/pay", expand=["payments.data.payment.payment_intent"])
    assert (paid["status"], paid["amount_paid"], paid["amount_remaining"]) == ("paid", 1200, 0)
    (payment,) = paid["payments"]["data"]
    assert (payment["status"], payment["amount_paid"]) == ("paid", 1200)
    assert payment["payment"]["payment_intent"]["status"] == "succeeded"
    second = shop.post(f"invoices/{shop.invoice(customer, 100)['id']}/finalize")
    assert second["number"] == "TEA-0002"


def test_the_events_of_an_invoice_come_in_stripes_order_with_what_changed(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 700)
    shop.post(f"invoices/{draft['id']}/pay")
    events = shop.events(draft["id"])
    assert [event["type"] for event in events] == [
        "invoice.created",
        "invoice.updated",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    previous = events[3]["data"]["previous_attributes"]
    assert (previous["status"], previous["amount_paid"], previous["number"]) == ("draft", 0, None)
    assert "previous_attributes" not in events[4]["data"]
    assert shop.types("invoice_payment") == ["invoice_payment.paid"]


def test_pending_items_are_left_alone_unless_included(shop: Till) -> None:
    customer = shop.customer()
    first, second = (
        shop.post("invoiceitems", customer=customer, amount=amount, currency="usd") for amount in (300, 200)
    )
    assert shop.post("invoices", customer=customer)["lines"]["data"] == []
    draft = shop.post("invoices", customer=customer, pending_invoice_items_behavior="include")
    items = [line["parent"]["invoice_item_details"]["invoice_item"] for line in draft["lines"]["data"]]
    assert items == [second["id"], first["id"]]
    assert shop.get("invoiceitems", pending=True)["data"] == []
    assert shop.get(f"invoiceitems/{first['id']}")["invoice"] == draft["id"]


def test_an_invoice_takes_no_items_of_another_currency(shop: Till) -> None:
    customer = shop.customer()
    shop.post("invoiceitems", customer=customer, amount=300, currency="eur")
    draft = shop.post("invoices", customer=customer, currency="usd", pending_invoice_items_behavior="include")
    assert draft["lines"]["data"] == []


def test_an_automatic_draft_is_finalized_and_charged_an_hour_after_it_was_made(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 900, auto_advance=True)
    assert draft["automatically_finalizes_at"] == draft["next_payment_attempt"] == shop.sandbox.now + 3600
    shop.wait(3599)
    assert shop.get(f"invoices/{draft['id']}")["status"] == "draft"
    shop.wait(1)
    assert shop.get(f"invoices/{draft['id']}")["status"] == "paid"


def test_an_invoice_without_anything_due_is_paid_when_it_is_finalized(shop: Till) -> None:
    final = shop.post(f"invoices/{shop.invoice(shop.customer(None))['id']}/finalize", expand=["payments"])
    assert (final["status"], final["amount_paid"], final["payments"]["data"]) == ("paid", 0, [])


def test_lines_beyond_ten_are_listed_at_their_own_path(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), *range(100, 112))
    assert (len(draft["lines"]["data"]), draft["lines"]["has_more"]) == (10, True)
    path = draft["lines"]["url"].removeprefix("/v1/")
    first = shop.get(path, limit=5)
    second = shop.get(path, limit=100, starting_after=first["data"][-1]["id"])
    assert [line["amount"] for line in first["data"] + second["data"]] == list(range(100, 112))
    before = shop.get(path, limit=2, ending_before=second["data"][0]["id"])
    assert ([line["amount"] for line in before["data"]], before["has_more"]) == ([103, 104], True)


def test_only_a_draft_can_be_edited_and_deleted(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 700)
    final = shop.invoice(shop.customer(), 700)
    shop.post(f"invoices/{final['id']}/finalize")
    assert shop.post(f"invoices/{final['id']}", metadata={"a": "b"})["metadata"] == {"a": "b"}
    assert shop.refused(f"invoices/{final['id']}", description="x")["code"] == "invoice_not_editable"
    assert shop.refused(f"invoices/{final['id']}", "DELETE")["code"] == "invoice_not_editable"
    assert shop.delete(f"invoices/{draft['id']}") == {"id": draft["id"], "object": "invoice", "deleted": True}
    assert shop.refused(f"invoices/{draft['id']}", "GET")["status"] == 404
    assert shop.types("invoice.deleted") == ["invoice.deleted"]


def test_voiding_cancels_the_payment_and_gives_used_balance_back(shop: Till) -> None:
    customer = shop.customer(balance=-200)
    final = shop.post(f"invoices/{shop.invoice(customer, 700)['id']}/finalize", expand=["payments"])
    assert (final["starting_balance"], final["ending_balance"], final["amount_due"]) == (-200, 0, 500)
    voided = shop.post(f"invoices/{final['id']}/void", expand=["payments"])
    assert (voided["status"], shop.get(f"customers/{customer}")["balance"]) == ("void", -200)
    (payment,) = voided["payments"]["data"]
    intent = shop.get(f"payment_intents/{payment['payment']['payment_intent']}")
    assert (payment["status"], intent["status"], intent["cancellation_reason"]) == (
        "canceled",
        "canceled",
        "void_invoice",
    )
    assert shop.refused(f"invoices/{final['id']}/pay")["status"] == 400


def test_an_uncollectible_invoice_can_still_be_paid(shop: Till) -> None:
    final = shop.post(f"invoices/{shop.invoice(shop.customer(), 700)['id']}/finalize")
    assert shop.post(f"invoices/{final['id']}/mark_uncollectible")["status"] == "uncollectible"
    assert shop.post(f"invoices/{final['id']}/pay")["status"] == "paid"
    assert "invoice.marked_uncollectible" in shop.types()


def test_an_invoice_paid_elsewhere_takes_no_charge(shop: Till) -> None:
    final = shop.post(f"invoices/{shop.invoice(shop.customer(), 700)['id']}/finalize")
    paid = shop.post(f"invoices/{final['id']}/pay", paid_out_of_band=True)
    assert (paid["status"], paid["amount_paid"], paid["amount_paid_off_stripe"]) == ("paid", 700, 700)
    assert shop.get("charges")["data"] == []
    assert shop.refused(f"invoices/{final['id']}/pay")["message"] == "Invoice is already paid"


def test_what_is_less_than_a_charge_can_be_is_carried_on_the_balance(shop: Till) -> None:
    customer = shop.customer()
    final = shop.post(f"invoices/{shop.invoice(customer, 40)['id']}/finalize")
    assert (final["status"], final["amount_due"], final["ending_balance"]) == ("paid", 0, 40)
    assert shop.get(f"customers/{customer}")["balance"] == 40
    following = shop.post(f"invoices/{shop.invoice(customer, 500)['id']}/finalize")
    assert (following["starting_balance"], following["amount_due"]) == (40, 540)


def test_a_negative_invoice_becomes_credit(shop: Till) -> None:
    customer = shop.customer()
    final = shop.post(f"invoices/{shop.invoice(customer, -300)['id']}/finalize")
    assert (final["status"], final["total"], final["amount_due"], final["ending_balance"]) == ("paid", -300, 0, -300)
    assert shop.get(f"customers/{customer}")["balance"] == -300


def test_a_sent_invoice_has_a_due_date_and_tells_of_it(shop: Till) -> None:
    customer = shop.customer(None)
    draft = shop.invoice(customer, 700, collection_method="send_invoice", days_until_due=10)
    sent = shop.post(f"invoices/{draft['id']}/send")
    assert (sent["status"], sent["due_date"], sent["next_payment_attempt"]) == (
        "open",
        shop.sandbox.now + 10 * DAY,
        None,
    )
    shop.wait(11 * DAY)
    assert [kind for kind in shop.types("invoice.") if "updated" not in kind] == [
        "invoice.created",
        "invoice.finalized",
        "invoice.sent",
        "invoice.will_be_due",
        "invoice.overdue",
    ]


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"days_until_due": 3}, "days_until_due"),
        ({"collection_method": "send_invoice", "days_until_due": 3, "due_date": 2_000_000_000}, "due_date"),
        ({"collection_method": "send_invoice", "days_until_due": -1}, "days_until_due"),
        ({"collection_method": "send_invoice", "due_date": 1}, "due_date"),
        ({"collection_method": ""}, "collection_method"),
        ({"automatically_finalizes_at": 1}, "automatically_finalizes_at"),
        ({"default_payment_method": "pm_other"}, "default_payment_method"),
        ({"default_tax_rates": ["txr_none"]}, "default_tax_rates[0]"),
        ({"discounts": [{"coupon": "none"}]}, "discounts[0][coupon]"),
        ({"automatic_tax": {"enabled": True}}, "automatic_tax"),
    ],
)
def test_terms_that_do_not_fit_are_refused_by_name(shop: Till, data: dict[str, Any], param: str) -> None:
    assert shop.refused("invoices", customer=shop.customer(None), **data)["param"] == param


def test_invoices_are_listed_by_customer_status_and_due_date(shop: Till) -> None:
    one, other = shop.customer(), shop.customer()
    draft = shop.invoice(one, 700)
    sent = shop.invoice(one, 700, collection_method="send_invoice", due_date=shop.sandbox.now + DAY)
    shop.invoice(other, 700)
    listed = shop.get("invoices", customer=one)
    assert [row["id"] for row in listed["data"]] == [sent["id"], draft["id"]]
    assert [row["id"] for row in shop.get("invoices", due_date={"gt": shop.sandbox.now})["data"]] == [sent["id"]]
    assert shop.get("invoices", status="open")["data"] == []


def test_a_second_payment_intent_can_pay_a_part(shop: Till) -> None:
    customer = shop.customer()
    final = shop.post(f"invoices/{shop.invoice(customer, 1000)['id']}/finalize")
    part = shop.post(
        "payment_intents",
        amount=400,
        currency="usd",
        customer=customer,
        payment_method="pm_card_visa",
        confirm=True,
        allowed_payment_method_types=["card"],
    )
    after = shop.post(f"invoices/{final['id']}/attach_payment", payment_intent=part["id"])
    assert (after["status"], after["amount_paid"], after["amount_remaining"]) == ("open", 400, 600)
    paid = shop.post(f"invoices/{final['id']}/pay", expand=["payments"])
    assert (paid["status"], [row["amount_paid"] for row in paid["payments"]["data"]]) == ("paid", [400, 600])
    found = shop.get("invoice_payments", payment={"type": "payment_intent", "payment_intent": part["id"]})
    assert [row["invoice"] for row in found["data"]] == [final["id"]]


def test_a_deleted_draft_gives_its_pending_items_back_and_takes_its_own_along(shop: Till) -> None:
    customer = shop.customer()
    waiting = shop.post("invoiceitems", customer=customer, amount=300, currency="usd")["id"]
    draft = shop.invoice(customer, 200, pending_invoice_items_behavior="include")["id"]
    shop.delete(f"invoices/{draft}")
    assert [item["id"] for item in shop.get("invoiceitems", customer=customer)["data"]] == [waiting]
    assert shop.get(f"invoiceitems/{waiting}")["invoice"] is None


def test_a_draft_is_finalized_when_it_was_told_to_be(shop: Till) -> None:
    at = shop.sandbox.now + DAY
    draft = shop.invoice(shop.customer(), 900, automatically_finalizes_at=at)
    assert (draft["automatically_finalizes_at"], draft["auto_advance"]) == (at, False)
    shop.wait(DAY)
    after = shop.get(f"invoices/{draft['id']}")
    assert (after["status"], after["status_transitions"]["finalized_at"]) == ("open", at)


def test_the_terms_of_a_draft_can_be_changed_for_one_another(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 900)["id"]
    shop.post(f"invoices/{draft}", collection_method="send_invoice", days_until_due=5)
    assert shop.post(f"invoices/{draft}", due_date=shop.sandbox.now + DAY)["due_date"] == shop.sandbox.now + DAY
    shop.post(f"invoices/{draft}", days_until_due=2)
    assert shop.post(f"invoices/{draft}/finalize")["due_date"] == shop.sandbox.now + 2 * DAY
