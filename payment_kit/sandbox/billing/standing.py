"""The standing of a subscription follows its invoices: paid, failed, given up, voided, written off, overdue.

By docs.stripe.com/billing/subscriptions/overview#subscription-statuses. What happens when automatic collection gives up
is an account setting: ``meta["dunning_outcome"]``, one of ``cancel`` (the default here), ``unpaid`` and ``past_due``.
"""

from payment_kit.sandbox.billing import ending, moves, pauses
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Row

OUTCOMES = ("cancel", "unpaid", "past_due")


def _of(call: Call, invoice: Row) -> Row | None:
    """The living subscription an invoice belongs to."""
    id_ = invoice.get("_subscription")
    row = call.store.get("subscription", id_) if id_ else None
    return None if row is None or row["status"] in rows.ENDED else call.find("subscription", row["id"])


def paid(call: Call, invoice: Row) -> None:
    """Money came: an incomplete subscription begins, one in arrears is in order again, a pending update applies."""
    row = _of(call, invoice)
    if row is None:
        return
    if (row.get("_held_back") or {}).get("invoice") == invoice["id"]:
        row = moves.apply_held_back(call, row)
    row = _keep_method(call, row, invoice)
    if row["status"] == "incomplete" and invoice["id"] == row["latest_invoice"]:
        rows.save(call, row, status="trialing" if _in_trial(call, row) else "active", _expires=None)
    else:
        _in_order(call, row, invoice)


def _keep_method(call: Call, row: Row, invoice: Row) -> Row:
    """With ``save_default_payment_method=on_subscription`` what paid an invoice pays the next ones."""
    if row["payment_settings"]["save_default_payment_method"] != "on_subscription":
        return row
    for payment in call.store.tables["invoice_payment"].having("invoice", invoice["id"]):
        intent = call.store.get("payment_intent", payment["payment"].get("payment_intent") or "")
        if intent is not None and intent["status"] == "succeeded":
            row = _pays_with(call, row, intent["payment_method"])
    return row


def _pays_with(call: Call, row: Row, id_: str | None) -> Row:
    method = call.store.get("payment_method", id_) if id_ else None
    owned = method is not None and method["customer"] == row["customer"]
    return rows.save(call, row, default_payment_method=id_) if owned else row


def set_up(call: Call, intent: Row) -> None:
    """The setup intent a subscription waited for succeeded: its method pays the subscription."""
    id_ = intent.get("_subscription")
    row = call.store.get("subscription", id_) if id_ else None
    if row is not None and row["status"] not in rows.ENDED:
        row = _pays_with(call, call.find("subscription", row["id"]), intent["payment_method"])
        rows.save(call, row, pending_setup_intent=None)


def _in_trial(call: Call, row: Row) -> bool:
    return row["trial_end"] is not None and row["trial_end"] > call.now


def _in_order(call: Call, row: Row, invoice: Row) -> None:
    """In arrears no longer, when its latest invoice is settled."""
    if row["status"] in ("past_due", "unpaid") and invoice["id"] == row["latest_invoice"]:
        rows.save(call, row, status="active")
    elif row["status"] == "paused" and row.get("_resumes") == invoice["id"]:
        pauses.resumed(call, row)


def failed(call: Call, invoice: Row) -> None:
    """A payment failed: the subscription is past due, or meets its end when nothing more will be tried."""
    row = _of(call, invoice)
    if row is not None and row["status"] == "paused":
        _resumption_failed(call, row, invoice)
        return
    if row is None or row["status"] not in ("active", "past_due") or row["pending_update"] is not None:
        return
    row = rows.save(call, row, status="past_due")
    given_up = invoice["next_payment_attempt"] is None and invoice["auto_advance"]
    if not given_up or invoice["status"] != "open":
        return
    outcome = call.store.meta.get("dunning_outcome", "cancel")
    if outcome == "unpaid":
        rows.save(call, row, status="unpaid")
    elif outcome == "cancel":
        details = {**row["cancellation_details"], "reason": "payment_failed"}
        ending.cancel(call, row, details)


def _resumption_failed(call: Call, row: Row, invoice: Row) -> None:
    """Who asks for a payment to resume is in arrears without it; where Stripe collects, the pause goes on."""
    if row.get("_resumes") == invoice["id"] and not row.get("_resume_collects"):
        pauses.resumed(call, row, "past_due")


def overdue(call: Call, invoice: Row) -> None:
    """A sent invoice was not paid in time."""
    row = _of(call, invoice)
    if row is not None and row["status"] == "active":
        rows.save(call, row, status="past_due")


def voided(call: Call, invoice: Row) -> None:
    """The invoice is no more: a subscription that waited for it to begin never will, one in arrears is in order."""
    row = _of(call, invoice)
    if row is None:
        return
    if row["status"] == "incomplete" and invoice["id"] == row["latest_invoice"]:
        ending.ended(call, row, row["cancellation_details"], "incomplete_expired")
    elif (row.get("_held_back") or {}).get("invoice") == invoice["id"]:
        moves.drop_held_back(call, row)
    elif row["status"] == "paused":
        if row.get("_resumes") == invoice["id"]:
            pauses.not_resumed(call, row)
    else:
        _in_order(call, row, invoice)


def written_off(call: Call, invoice: Row) -> None:
    """Nobody expects the money any more."""
    row = _of(call, invoice)
    if row is not None and row["status"] != "incomplete":
        _in_order(call, row, invoice)


def customer_gone(call: Call, customer: Row) -> None:
    """A deleted customer's subscriptions end with it."""
    for row in call.store.tables["subscription"].having("customer", customer["id"]):
        if row["status"] not in rows.ENDED:
            call.clock = row.get("_clock", call.clock)
            ending.stop_collecting(call, row)
            details = {**row["cancellation_details"], "reason": "cancellation_requested"}
            ending.ended(call, row, details)


def price_changed(call: Call, price: Row) -> None:
    """Items show their price as it is now; nobody is told."""
    shown = {name: value for name, value in price.items() if name[0] != "_"}
    for item in call.store.tables["subscription_item"].having("_price", price["id"]):
        call.change(item, price=shown)
        row = call.store.get("subscription", item["subscription"])
        if row is not None:
            rows.save(call, {**row, "_quiet": True}, _quiet=row.get("_quiet"))


LISTENERS = {
    "customer.deleted": customer_gone,
    "invoice.marked_uncollectible": written_off,
    "invoice.overdue": overdue,
    "invoice.paid": paid,
    "invoice.payment_action_required": failed,
    "invoice.payment_failed": failed,
    "invoice.voided": voided,
    "price.updated": price_changed,
    "setup_intent.succeeded": set_up,
}
