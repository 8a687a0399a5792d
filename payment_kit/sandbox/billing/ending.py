"""How a subscription ends: canceled on request, at its period's end, for want of payment, or expired incomplete."""

from typing import Any

from payment_kit.sandbox.billing import collection, invoices, moves, period_lines
from payment_kit.sandbox.billing import items as invoice_items
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Row


def cancel(call: Call, row: Row, details: Row, *, prorate: bool = False, invoice_now: bool = False) -> Row:
    """End the subscription now for the reason in `details`; tells customer.subscription.deleted.

    With `prorate` unused time is credited, with `invoice_now` usage and what is pending is invoiced; with neither,
    pending prorations go. Automatic collection of its invoices stops (docs.stripe.com/api/subscriptions/cancel).
    """
    customer = call.find("customer", row["customer"], "customer", 400)
    held = rows.items_of(call.store, row["id"])
    gone = [moves.Move(item, None) for item in held]
    if prorate:
        moves.credit(call, row, customer, gone, call.now)
    if invoice_now:
        moves.bill_usage(call, row, customer, gone, restart=True)
        row = last_invoice(call, row, customer, "subscription_update")
    elif not prorate:
        _forget_prorations(call, row)
    stop_collecting(call, row)
    return ended(call, row, details)


def ended(call: Call, row: Row, details: Row, status: str = "canceled") -> Row:
    """The subscription with its end; tells of it."""
    changes: dict[str, Any] = {
        "cancellation_details": details,
        "canceled_at": row["canceled_at"] or call.now,
        "ended_at": call.now,
        "pending_update": None,
        "status": status,
        "status_details": None,
        "_expires": None,
        "_held_back": None,
    }
    if status == "incomplete_expired":
        del changes["canceled_at"]
        return rows.save(call, row, **changes)
    row = rows.save(call, {**row, "_quiet": True}, **changes)
    row = call.change(row, _quiet=None)
    call.emit("customer.subscription.deleted", row)
    return row


def last_invoice(call: Call, row: Row, customer: Row, reason: str, lines: Any = ()) -> Row:
    """Invoice at once what is pending, when anything is."""
    if not lines and not period_lines.waiting(call.store, row):
        return row
    invoice = period_lines.draft(call, row, customer, lines, reason)
    if row["collection_method"] == "charge_automatically":
        collection.attempt(call, call.change(invoice, auto_advance=False))
    return rows.save(call, row, latest_invoice=invoice["id"])


def stop_collecting(call: Call, row: Row) -> None:
    """Stripe leaves the invoices of a canceled subscription alone."""
    for invoice in call.store.tables["invoice"].having("_subscription", row["id"]):
        if invoice["status"] in ("draft", "open") and invoice["auto_advance"]:
            changes = {"automatically_finalizes_at": None, "next_payment_attempt": None, "_due": None}
            call.change(invoice, "invoice.updated", auto_advance=False, **changes)


def expire(call: Call, row: Row) -> Row:
    """Nobody paid the first invoice in time: it is void, and the subscription never was."""
    invoice = call.find("invoice", row["latest_invoice"]) if row["latest_invoice"] else None
    row = ended(call, row, row["cancellation_details"], "incomplete_expired")
    if invoice is not None and invoice["status"] in ("open", "uncollectible"):
        invoices.void(call, invoice)
    return row


def _forget_prorations(call: Call, row: Row) -> None:
    for item in period_lines.waiting(call.store, row):
        if item["proration"] and invoice_items.subscription_of(item) == row["id"]:
            invoice_items.remove(call, item)
