"""What becomes of a draft: open, paid, void or uncollectible (docs.stripe.com/invoicing/overview#invoice-statuses).

Each step changes the invoice and returns it; `conclude` then tells of all of a request's steps as one change, as Stripe
does: a draft that was finalized and paid at once has one invoice.updated.
"""

from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.billing import drafts, invoice_payments
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.customers import balance
from payment_kit.sandbox.store import Row

DAY = 86_400
DAYS_UNTIL_DUE = 30  # the Dashboard's default payment term
WILL_BE_DUE_DAYS = 3  # how many days ahead invoice.will_be_due comes; on Stripe an automation says so


def finalize(call: Call, invoice: Row, *, auto_advance: bool | None = None, intent: Row | None = None) -> Row:
    """Make a draft an open invoice, or a paid one when nothing is due; tells of it. Other invoices stay as they are.

    `intent` is the payment intent that pays it, when there is one before the invoice.
    """
    return conclude(call, invoice, finalized(call, invoice, auto_advance=auto_advance, intent=intent))


def finalized(call: Call, invoice: Row, *, auto_advance: bool | None = None, intent: Row | None = None) -> Row:
    """`finalize` without invoice.updated."""
    if invoice["status"] != "draft":
        return invoice
    customer = call.find("customer", invoice["customer"], "customer", 400)
    known = drafts.by_customer(call.store, customer)
    if invoice["total_discount_amounts"] or known["customer_tax_exempt"] != invoice["customer_tax_exempt"]:
        invoice = drafts.refresh(call, invoice, **known)
    advance = invoice["auto_advance"] if auto_advance is None else auto_advance
    changes = {**known, **_settled(call, invoice, customer), **_identified(call, invoice, customer)}
    changes |= {
        "auto_advance": advance,
        "automatically_finalizes_at": None,
        "effective_at": invoice["effective_at"] or call.now,
        "last_finalization_error": None,
        "next_payment_attempt": None,
        "status": "open",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": call.now},
        "_due": None,
    }
    if invoice["collection_method"] == "send_invoice":
        days = DAYS_UNTIL_DUE if invoice["_days_until_due"] is None else invoice["_days_until_due"]
        changes["due_date"] = invoice["due_date"] or call.now + days * DAY
        changes["_due"] = reminder({**invoice, **changes}, call.now)
    elif advance:
        changes |= {"next_payment_attempt": call.now + drafts.FINALIZES_AFTER_SECONDS}
        changes["_due"] = changes["next_payment_attempt"]
    invoice = call.change(invoice, **changes)
    call.emit("invoice.finalized", invoice)
    if invoice["amount_due"] == 0:
        return paid(call, invoice)
    if intent is None:
        invoice_payments.request(call, invoice)
    else:
        invoice_payments.attach(call, invoice, intent, default=True)
    return invoice


def _settled(call: Call, invoice: Row, customer: Row) -> Row:
    """The customer's balance after the invoice, moved there."""
    total, currency = invoice["total"], invoice["currency"]
    starting = balance.in_currency(customer, currency)
    owed, ending = drafts.due(total, starting, currency)
    if ending > 0:
        move_balance(call, invoice, -starting, "applied_to_invoice")
        move_balance(call, invoice, ending, "invoice_too_small")
    else:
        move_balance(call, invoice, ending - starting, "applied_to_invoice")
    return {"starting_balance": starting, "ending_balance": ending, "amount_due": owed, "amount_remaining": owed}


def move_balance(call: Call, invoice: Row, amount: int, type_: str) -> None:
    """Move the customer's balance because of an invoice; a credit is negative, a deleted customer has none."""
    customer = call.store.get("customer", invoice["customer"])
    if amount and customer is not None and "deleted" not in customer:
        balance.adjust(call, customer, amount, invoice["currency"], type_, invoice["id"])


def _identified(call: Call, invoice: Row, customer: Row) -> Row:
    """Number and addresses; the number counts up for the customer."""
    customer = call.find("customer", customer["id"])
    sequence = customer["next_invoice_sequence"]
    token = ids.text(32, "hosted invoice", invoice["id"])
    hosted = f"https://invoice.stripe.com/i/{ids.account(call.store.meta['account_seed'])}/test_{token}"
    named: dict[str, Any] = {"hosted_invoice_url": f"{hosted}?s=ap", "invoice_pdf": f"{hosted}/pdf?s=ap"}
    if invoice["number"] is not None:
        return {**named, "number": invoice["number"]}
    call.change(customer, next_invoice_sequence=sequence + 1)
    return {**named, "number": f"{customer['invoice_prefix']}-{sequence:04d}"}


def reminder(invoice: Row, now: int) -> int | None:
    """When the clock next has something to say about the due date of a sent invoice."""
    due = invoice["due_date"]
    return next((at for at in (due - WILL_BE_DUE_DAYS * DAY, due) if at > now), None)


def paid(call: Call, invoice: Row, **changes: Any) -> Row:
    """Nothing is left to pay."""
    changes |= {
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "paid",
        "status_transitions": {**invoice["status_transitions"], "paid_at": call.now},
        "_due": None,
    }
    return call.change(invoice, **changes)


def void(call: Call, invoice: Row) -> Row:
    """Take an open or uncollectible invoice back: its payments are canceled, used balance returns; tells of it."""
    invoice_payments.withdraw(call, invoice, "void_invoice")
    used = (invoice["ending_balance"] or 0) - invoice["starting_balance"]
    move_balance(call, invoice, -used, "unapplied_from_invoice")
    return _ended(call, invoice, "void", "voided_at", "invoice.voided")


def mark_uncollectible(call: Call, invoice: Row) -> Row:
    """Write an open invoice off; it can still be paid or voided. Tells of it."""
    return _ended(call, invoice, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")


def _ended(call: Call, invoice: Row, status: str, transition: str, event: str) -> Row:
    after = call.change(
        invoice,
        auto_advance=False,
        next_payment_attempt=None,
        status=status,
        status_transitions={**invoice["status_transitions"], transition: call.now},
        _due=None,
    )
    drafts.tell(call, invoice, after)
    call.emit(event, after)
    return after


def conclude(call: Call, before: Row, after: Row, *events: str) -> Row:
    """Tell what became of the invoice in this request, last the further `events`; returns `after`."""
    drafts.tell(call, before, after)
    if before["status"] != "paid" and after["status"] == "paid":
        call.emit("invoice.paid", after)
        call.emit("invoice.payment_succeeded", after)
    for event in events:
        call.emit(event, after)
    return after
