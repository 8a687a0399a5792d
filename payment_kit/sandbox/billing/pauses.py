"""A paused subscription, whose trial ended without a payment method, and how it goes on."""

from typing import Any

from payment_kit.sandbox.billing import invoices, moves, period_lines
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.subscription_params import PRORATION_BEHAVIOR
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.form import one_of
from payment_kit.sandbox.store import Row


def pause(call: Call, row: Row) -> Row:
    """The subscription stands still: no periods, no invoices."""
    row = rows.save(call, row, status="paused")
    call.emit("customer.subscription.paused", row)
    return row


def resume_subscription(call: Call) -> Row:
    """POST /v1/subscriptions/{id}/resume: active at once, or as soon as the resumption invoice is paid."""
    row, params = call.find("subscription", call.path[0], "subscription"), call.params
    if row["status"] != "paused":
        raise ApiError(400, "Only a paused subscription can be resumed; this one is " + row["status"] + ".")
    customer = call.find("customer", row["customer"], "customer", 400)
    anew = params.get("billing_cycle_anchor", "now") == "now"
    changes: dict[str, Any] = {"billing_cycle_anchor": call.now, "billing_cycle_anchor_config": None} if anew else {}
    row = rows.save(call, row, **changes)
    for item in rows.items_of(call.store, row["id"]):
        end = rows.cycle_of(row, item).around(call.now)[1]
        call.change(item, current_period_start=call.now, current_period_end=end, _debits=[])
    behaviour = params.get("proration_behavior") or "create_prorations"
    held = rows.items_of(call.store, row["id"])
    if not anew:
        if behaviour != "none":
            moves.debit(call, row, customer, [moves.Move(None, item) for item in held], call.now)
        if behaviour != "always_invoice":
            return resumed(call, row)
    lines = period_lines.of_period(call.store, row, held) if anew else []
    if not lines and not period_lines.waiting(call.store, row):
        return resumed(call, row)
    invoice = period_lines.draft(call, row, customer, lines, "subscription_update")
    period_lines.debit(call, row, customer, lines)
    invoice = invoices.finalize(call, invoice)
    until = call.now + rows.EXPIRES_SECONDS
    row = rows.save(call, row, latest_invoice=invoice["id"], _resumes=invoice["id"], _resume_until=until)
    return resumed(call, row) if invoice["status"] == "paid" else row


def resumed(call: Call, row: Row) -> Row:
    """The subscription goes on."""
    row = rows.save(call, row, status="active", _resumes=None, _resume_until=None)
    call.emit("customer.subscription.resumed", row)
    return row


def give_up(call: Call, row: Row) -> Row:
    """Nobody paid the resumption invoice within 23 hours: it is void, the pause goes on."""
    invoice = call.find("invoice", row["_resumes"])
    row = rows.save(call, row, _resumes=None, _resume_until=None)
    if invoice["status"] in ("open", "uncollectible"):
        invoices.void(call, invoice)
    return row


_RESUME = {
    **EXPAND,
    "billing_cycle_anchor": one_of("now", "unchanged"),
    "proration_behavior": PRORATION_BEHAVIOR,
}

ENDPOINTS = (Endpoint("POST", "subscriptions/*/resume", resume_subscription, _RESUME),)
