"""Credit notes: what they take off an invoice, where the rest goes, and that they never exceed it."""

from typing import Any

import pytest

from tests.sandbox.billing.till import Till


@pytest.fixture
def shop() -> Till:
    return Till()


def final(shop: Till, customer: str, *amounts: int, pay: bool = False, **data: Any) -> dict[str, Any]:
    """An invoice that is open, or paid."""
    draft = shop.invoice(customer, *amounts, **data)
    return shop.post(f"invoices/{draft['id']}/{'pay' if pay else 'finalize'}")


def test_a_note_on_an_open_invoice_lowers_what_is_left_to_pay(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000)
    note = shop.post("credit_notes", invoice=invoice["id"], amount=300, reason="order_change")
    assert (note["type"], note["pre_payment_amount"], note["post_payment_amount"]) == ("pre_payment", 300, 0)
    assert note["number"] == f"{invoice['number']}-CN-01"
    after = shop.get(f"invoices/{invoice['id']}", expand=["payments.data.payment.payment_intent"])
    assert (after["amount_due"], after["amount_remaining"], after["pre_payment_credit_notes_amount"]) == (700, 700, 300)
    assert after["payments"]["data"][0]["payment"]["payment_intent"]["amount"] == 700
    assert shop.post(f"invoices/{invoice['id']}/pay")["amount_paid"] == 700


def test_a_note_for_all_of_an_open_invoice_pays_it(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000)
    shop.post("credit_notes", invoice=invoice["id"], amount=1000)
    after = shop.get(f"invoices/{invoice['id']}")
    assert (after["status"], after["amount_due"], after["amount_paid"]) == ("paid", 0, 0)
    assert shop.types("payment_intent.canceled") == ["payment_intent.canceled"]
    assert shop.types("invoice.paid") == ["invoice.paid"]


def test_a_note_on_a_paid_invoice_refunds_credits_and_notes_what_was_given_outside(shop: Till) -> None:
    customer = shop.customer()
    invoice = final(shop, customer, 1000, pay=True)
    note = shop.post(
        "credit_notes", invoice=invoice["id"], amount=600, refund_amount=300, credit_amount=200, out_of_band_amount=100,
        expand=["refunds.refund", "customer_balance_transaction"],
    )  # fmt: skip
    assert (note["type"], note["post_payment_amount"], note["out_of_band_amount"]) == ("post_payment", 600, 100)
    assert [(one["amount_refunded"], one["refund"]["amount"]) for one in note["refunds"]] == [(300, 300)]
    moved = note["customer_balance_transaction"]
    assert (moved["amount"], moved["type"], moved["credit_note"]) == (-200, "credit_note", note["id"])
    assert shop.get(f"customers/{customer}")["balance"] == -200
    after = shop.get(f"invoices/{invoice['id']}")
    assert (after["amount_paid"], after["amount_due"], after["post_payment_credit_notes_amount"]) == (1000, 1000, 600)


def test_what_is_given_back_has_to_be_what_was_paid_too_much(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000, pay=True)
    error = shop.refused("credit_notes", invoice=invoice["id"], amount=600, refund_amount=500)
    assert "must equal the post payment amount (600)" in error["message"]
    assert shop.get("refunds")["data"] == []


def test_notes_and_refunds_together_never_exceed_the_invoice(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000, pay=True)
    (payment,) = shop.get("invoice_payments", invoice=invoice["id"])["data"]
    shop.post("refunds", payment_intent=payment["payment"]["payment_intent"], amount=400)
    assert shop.refused("credit_notes", invoice=invoice["id"], amount=601, credit_amount=601)["param"] == "amount"
    shop.post("credit_notes", invoice=invoice["id"], amount=600, credit_amount=600)
    assert shop.refused("credit_notes", invoice=invoice["id"], amount=1, credit_amount=1)["status"] == 400


def test_an_existing_refund_can_be_linked_once(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000, pay=True)
    (payment,) = shop.get("invoice_payments", invoice=invoice["id"])["data"]
    refund = shop.post("refunds", payment_intent=payment["payment"]["payment_intent"], amount=400)
    assert shop.refused("credit_notes", invoice=invoice["id"], amount=700, credit_amount=700)["param"] == "amount"
    linked = {"refund": refund["id"], "amount_refunded": 400}
    note = shop.post("credit_notes", invoice=invoice["id"], amount=400, refunds=[linked])
    assert note["refunds"] == [{"amount_refunded": 400, "refund": refund["id"], "type": "refund"}]
    error = shop.refused("credit_notes", invoice=invoice["id"], amount=400, refunds=[linked])
    assert error["param"] == "refunds[0][amount_refunded]"


def test_a_line_is_credited_with_its_share_of_discount_and_tax_and_the_parts_are_the_line(shop: Till) -> None:
    shop.post("coupons", id="third", percent_off="33.3")
    rate = shop.post("tax_rates", display_name="VAT", percentage="19", inclusive=False)
    invoice = final(
        shop, shop.customer(), 1000, discounts=[{"coupon": "third"}], default_tax_rates=[rate["id"]], pay=True
    )  # fmt: skip
    (line,) = invoice["lines"]["data"]
    assert (line["discount_amounts"][0]["amount"], line["taxes"][0]["amount"]) == (333, 127)
    notes = []
    for amount, worth in ((333, 264), (333, 264), (334, 266)):
        lines = [{"type": "invoice_line_item", "invoice_line_item": line["id"], "amount": amount}]
        notes.append(shop.post("credit_notes", invoice=invoice["id"], lines=lines, credit_amount=worth))
    assert sum(note["discount_amount"] for note in notes) == 333
    assert sum(note["total_taxes"][0]["amount"] for note in notes) == 127
    assert sum(note["total"] for note in notes) == invoice["total"] == 794
    over = [{"type": "invoice_line_item", "invoice_line_item": line["id"], "amount": 1}]
    assert shop.refused("credit_notes", invoice=invoice["id"], lines=over)["param"] == "lines[0][amount]"


def test_a_note_with_a_line_of_its_own_is_taxed_by_its_own_rates(shop: Till) -> None:
    rate = shop.post("tax_rates", display_name="VAT", percentage="19", inclusive=True)
    invoice = final(shop, shop.customer(), 1000)
    custom = {"type": "custom_line_item", "description": "Sorry", "unit_amount": 119, "quantity": 2}
    note = shop.post("credit_notes", invoice=invoice["id"], lines=[{**custom, "tax_rates": [rate["id"]]}])
    assert (note["total"], note["total_excluding_tax"], note["total_taxes"][0]["amount"]) == (238, 200, 38)
    assert shop.get(f"credit_notes/{note['id']}/lines")["data"] == note["lines"]["data"]


def test_a_void_note_asks_for_its_amount_again(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000)
    note = shop.post("credit_notes", invoice=invoice["id"], amount=300)
    assert shop.post(f"credit_notes/{note['id']}/void")["status"] == "void"
    after = shop.get(f"invoices/{invoice['id']}")
    assert (after["amount_remaining"], after["pre_payment_credit_notes_amount"]) == (1000, 0)
    assert shop.refused(f"credit_notes/{note['id']}/void")["status"] == 400
    assert shop.types("credit_note") == ["credit_note.created", "credit_note.voided"]


def test_a_preview_is_the_note_that_would_be_and_stores_nothing(shop: Till) -> None:
    invoice = final(shop, shop.customer(), 1000)
    preview = shop.get("credit_notes/preview", invoice=invoice["id"], amount=300)
    assert (preview["pre_payment_amount"], shop.get("credit_notes")["data"]) == (300, [])
    listed = shop.get("credit_notes/preview/lines", invoice=invoice["id"], amount=300)
    assert [line["amount"] for line in listed["data"]] == [300]


def test_drafts_have_no_credit_notes(shop: Till) -> None:
    draft = shop.invoice(shop.customer(), 1000)
    assert shop.refused("credit_notes", invoice=draft["id"], amount=1)["code"] == "invoice_not_editable"
