"""Credit notes: what an invoice turns out not to be worth, taken off what is unpaid or given back."""

from collections.abc import Sequence
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.balance.settlement import step_of
from payment_kit.sandbox.billing import credit_lines, invoice_payments, lifecycle, lines, totals
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.customers import balance
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, missing, wrong_state
from payment_kit.sandbox.form import amount, array, fields, integer, one_of, string
from payment_kit.sandbox.listing import nested
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.payments import refunds
from payment_kit.sandbox.store import Row, Store

CREDITABLE = ("open", "paid", "uncollectible")
_BACK = ("refund_amount", "credit_amount", "out_of_band_amount")
_REFUND_REASONS = {"duplicate": "duplicate", "fraudulent": "fraudulent"}


def create_credit_note(call: Call) -> Row:
    """POST /v1/credit_notes: first lowers what is left to pay, the rest is refunded, credited or given outside."""
    params = call.params
    invoice, note = _drawn(call, call.new_id("credit_note"))
    before = invoice
    if note["pre_payment_amount"]:
        invoice = _lowered(call, invoice, note["pre_payment_amount"])
    if note["post_payment_amount"]:
        worth = invoice["post_payment_credit_notes_amount"] + note["post_payment_amount"]
        invoice = call.change(invoice, post_payment_credit_notes_amount=worth)
    for row in note["refunds"]:
        refund = call.find("refund", row["refund"])
        call.change(refund, _credited=refund.get("_credited", 0) + row["amount_refunded"])
    made = _refunded(call, invoice, params.get("refund_amount", 0))
    note["refunds"] = [*note["refunds"], *made]
    if params.get("credit_amount"):
        credit = -params["credit_amount"]
        customer = call.find("customer", invoice["customer"], "invoice", 400)
        moved = balance.adjust(call, customer, credit, invoice["currency"], "credit_note", credit_note=note["id"])
        note["customer_balance_transaction"] = moved["id"]
    note = call.add(note, "credit_note.created")
    lifecycle.conclude(call, before, invoice)
    return note


def _drawn(call: Call, id_: str) -> tuple[Row, Row]:
    """The invoice and the credit note the call's parameters describe, checked but not yet stored."""
    params = call.params
    invoice = call.find("invoice", params["invoice"], "invoice", 400)
    if invoice["status"] not in CREDITABLE:
        message = f"You can only create credit notes for finalized invoices; this one is {invoice['status']}."
        raise wrong_state(message, "invoice_not_editable")
    if (params.get("amount") is None) == (not params.get("lines")):
        raise missing("amount") if not params.get("lines") else invalid("lines", "Name either amount or lines.")
    if params.get("amount") is not None:
        rows = credit_lines.whole(id_, invoice, params["amount"])
    else:
        rows = credit_lines.asked(call, id_, invoice, params["lines"])
    note = _row(call, id_, invoice, rows)
    if not 0 < note["total"] <= creditable(call.store, invoice):
        message = (
            f"The sum of credit notes cannot exceed the invoice: at most {creditable(call.store, invoice)} of "
            f"{invoice['currency']} can still be credited."
        )
        raise ApiError(400, message, param="amount" if "amount" in params else "lines")
    if note["total"] % step_of(invoice["currency"]):
        raise invalid("amount", "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    linked = [_linked(call, invoice, wanted, f"refunds[{at}]") for at, wanted in enumerate(params.get("refunds") or ())]
    _given_back(params, note, sum(row["amount_refunded"] for row in linked))
    return invoice, {**note, "refunds": linked, "out_of_band_amount": params.get("out_of_band_amount")}


def creditable(store: Store, invoice: Row) -> int:
    """What credit notes can still be worth: the total less earlier notes and less refunds made without one."""
    noted = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    elsewhere = sum(_unlinked(refund) for _, refund in _refunds_of(store, invoice))
    return max(0, int(invoice["total"] - noted - elsewhere))


def _refunds_of(store: Store, invoice: Row) -> list[tuple[Row, Row]]:
    """The invoice's payments with each of their refunds that took or will take money."""
    return [
        (payment, refund)
        for payment in invoice_payments.of(store, invoice["id"])
        for refund in store.tables["refund"].having("payment_intent", payment["_intent"])
        if refund["status"] in ("succeeded", "pending") and payment["status"] == "paid"
    ]


def _unlinked(refund: Row) -> int:
    """What of a refund no credit note accounts for."""
    return int(refund["amount"] - refund.get("_credited", 0))


def _linked(call: Call, invoice: Row, wanted: dict[str, Any], inside: str) -> Row:
    """An existing refund as a part of what a credit note gives back."""
    found = next((row for _, row in _refunds_of(call.store, invoice) if row["id"] == wanted.get("refund")), None)
    if found is None:
        raise invalid(f"{inside}[refund]", f"No such refund of this invoice: '{wanted.get('refund')}'")
    left = _unlinked(found)
    worth = wanted.get("amount_refunded", left)
    if not 0 < worth <= left:
        raise invalid(f"{inside}[amount_refunded]", f"At most {left} of this refund can be linked.")
    return {"amount_refunded": worth, "refund": found["id"], "type": "refund"}


def _given_back(params: dict[str, Any], note: Row, linked: int) -> None:
    """Raises 400 unless what is given back is exactly what had been paid too much."""
    back = linked + sum(params.get(name) or 0 for name in _BACK)
    if back != note["post_payment_amount"]:
        message = (
            f"The sum of credit amount, refund amount and out of band amount ({back}) must equal the post payment "
            f"amount ({note['post_payment_amount']}) of the credit note."
        )
        raise ApiError(400, message)


def _lowered(call: Call, invoice: Row, worth: int) -> Row:
    """An unpaid invoice that asks for `worth` less (for more, when negative); with nothing left it is paid."""
    changes = {
        "amount_due": invoice["amount_due"] - worth,
        "amount_remaining": invoice["amount_remaining"] - worth,
        "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + worth,
    }
    if changes["amount_remaining"] == 0:
        invoice_payments.withdraw(call, invoice, None)
        return lifecycle.paid(call, invoice, **changes)
    invoice = call.change(invoice, **changes)
    for row in invoice_payments.of(call.store, invoice["id"]):
        if row["status"] == "open" and row["is_default"]:
            intent = call.find("payment_intent", row["_intent"])
            invoice_payments.ask(call, row, intent, invoice["amount_remaining"])
    return invoice


def _refunded(call: Call, invoice: Row, worth: int) -> list[Row]:
    """Refund the invoice's payments, the newest first; raises 400 when they are worth less."""
    made = []
    for payment in reversed(invoice_payments.of(call.store, invoice["id"])):
        intent = call.store.get("payment_intent", payment["_intent"])
        charge = call.store.get("charge", intent["latest_charge"] or "") if intent else None
        if not worth or charge is None or payment["status"] != "paid":
            continue
        part = min(worth, charge["amount_captured"] - charge["amount_refunded"])
        if part > 0:
            reason = _REFUND_REASONS.get(call.params.get("reason") or "", "requested_by_customer")
            asked = call.part(payment_intent=payment["_intent"], amount=part, reason=reason)
            refund = call.change(refunds.create_refund(asked), _credited=part)
            made.append({"amount_refunded": part, "refund": refund["id"], "type": "refund"})
            worth -= part
    if worth:
        raise ApiError(400, "The refund amount is greater than what was paid for the invoice.", param="refund_amount")
    return made


def _row(call: Call, id_: str, invoice: Row, rows: Sequence[Row]) -> Row:
    params = call.params
    taxes = totals.by_rate(tax for row in rows for tax in row["taxes"])
    taken = totals.by_discount(part for row in rows for part in row["discount_amounts"])
    discounted = sum(part["amount"] for part in taken)
    own = sum(part["amount"] for part in taken if part["discount"] not in invoice["discounts"])
    gross = sum(row["amount"] for row in rows)
    total = gross - discounted + totals.added(taxes)
    pre = min(total, invoice["amount_remaining"]) if invoice["status"] != "paid" else 0
    sequence = len(call.store.tables["credit_note"].having("invoice", invoice["id"])) + 1
    return {
        "id": id_,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": call.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": discounted,
        "discount_amounts": taken,
        "effective_at": params.get("effective_at") or call.now,
        "invoice": invoice["id"],
        "lines": nested(list(rows), f"/v1/credit_notes/{id_}/lines"),
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": merged({}, params),
        "number": f"{invoice['number']}-CN-{sequence:02d}",
        "out_of_band_amount": None,
        "pdf": f"https://pay.stripe.com/credit_notes/test/{ids.text(32, 'credit note', id_)}/pdf?s=ap",
        "post_payment_amount": total - pre,
        "pre_payment_amount": pre,
        "pretax_credit_amounts": [
            {"amount": p["amount"], "discount": p["discount"], "type": "discount"} for p in taken
        ],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": gross - own,
        "subtotal_excluding_tax": gross - own - totals.included(taxes),
        "total": total,
        "total_excluding_tax": total - sum(tax["amount"] for tax in taxes),
        "total_taxes": taxes,
        "type": "mixed" if 0 < pre < total else "pre_payment" if pre else "post_payment",
        "voided_at": None,
        "_lines": [public(row) for row in rows],
    }


def void_credit_note(call: Call) -> Row:
    """POST /v1/credit_notes/{id}/void: only while its invoice is open, which then asks for the amount again."""
    note = call.find("credit_note", call.path[0], "id")
    invoice = call.find("invoice", note["invoice"])
    if note["status"] == "void":
        raise ApiError(400, "This credit note has already been voided.")
    if invoice["status"] != "open" or note["post_payment_amount"]:
        raise ApiError(400, "You can only void a credit note whose invoice is open and that gave nothing back.")
    after = _lowered(call, invoice, -note["pre_payment_amount"])
    note = call.change(note, status="void", voided_at=call.now)
    call.emit("credit_note.voided", note)
    lifecycle.conclude(call, invoice, after)
    return note


def update_credit_note(call: Call) -> Row:
    """POST /v1/credit_notes/{id}"""
    note, params = call.find("credit_note", call.path[0], "id"), call.params
    changes = {"memo": params["memo"]} if "memo" in params else {}
    return call.change(note, "credit_note.updated", **changes, metadata=merged(note, params))


def preview_credit_note(call: Call) -> Row:
    """GET /v1/credit_notes/preview: what POST would make; nothing is stored."""
    return _drawn(call, call.new_id("credit_note"))[1]


def _preview_lines(call: Call) -> Row:
    """GET /v1/credit_notes/preview/lines"""
    return lines.page(call, preview_credit_note(call)["_lines"], "/v1/credit_notes/preview/lines")


def _lines(call: Call) -> Row:
    """GET /v1/credit_notes/{id}/lines"""
    note = call.find("credit_note", call.path[0], "credit_note")
    return lines.page(call, note["_lines"], f"/v1/credit_notes/{note['id']}/lines")


_REFUND = fields({"amount_refunded": amount, "refund": string, "type": one_of("refund")})
_CREATE = {
    **META,
    **dict.fromkeys(("amount", *_BACK), amount),
    "effective_at": integer,
    "email_type": one_of("credit_note", "none"),
    "invoice": string,
    "lines": credit_lines.LINES,
    "memo": string,
    "reason": one_of("duplicate", "fraudulent", "order_change", "product_unsatisfactory"),
    "refunds": array(_REFUND),
}

ENDPOINTS = (
    Endpoint("GET", "credit_notes", listed("credit_note"), filters("customer", "invoice")),
    Endpoint("POST", "credit_notes", create_credit_note, _CREATE, ("invoice",)),
    Endpoint("GET", "credit_notes/preview", preview_credit_note, _CREATE, ("invoice",)),
    Endpoint("GET", "credit_notes/preview/lines", _preview_lines, {**_CREATE, **PAGE}, ("invoice",)),
    Endpoint("GET", "credit_notes/*", get("credit_note"), EXPAND),
    Endpoint("POST", "credit_notes/*", update_credit_note, {**META, "memo": string}),
    Endpoint("POST", "credit_notes/*/void", void_credit_note, EXPAND),
    Endpoint("GET", "credit_notes/*/lines", _lines, PAGE),
)
