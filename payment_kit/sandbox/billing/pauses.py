"""Paused subscriptions: how they come to stand still, and how they go on.

By docs.stripe.com/billing/subscriptions/pause. While a resumption invoice waits for its payment the subscription has
its id in ``_resumes``, when it is void in ``_resume_until``, whether Stripe collects it in ``_resume_collects``, and in
``_stood`` where the pause had stopped it.
"""

from typing import Any

from payment_kit.sandbox.billing import collection, invoices, moves, period_lines, used_discounts
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.subscription_params import PRORATION_BEHAVIOR
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import either, fields, one_of
from payment_kit.sandbox.store import Row

RETRIED_SECONDS = 365 * rows.DAY  # how long a resumption that Stripe collects itself waits
_ANCHORS = ("billing_cycle_anchor", "billing_cycle_anchor_config", "cancel_at")
_PAUSABLE = ("active", "past_due", "unpaid")
_NOW = {"type": "now"}


def pause(call: Call, row: Row, reason: str, **changes: Any) -> Row:
    """The subscription stands still, for a `reason` as ``status_details`` has it: no periods, no invoices."""
    paused = {"subscription": {"type": reason}, "transitioned_at": call.now, "type": "subscription"}
    row = rows.save(call, row, status="paused", status_details={"paused": paused}, **changes)
    call.emit("customer.subscription.paused", row)
    return row


def resumed(call: Call, row: Row, status: str = "active") -> Row:
    """The subscription goes on, in arrears when the payment of its resumption failed."""
    row = rows.save(call, row, status=status, status_details=None, **_NOTHING_WAITS)
    call.emit("customer.subscription.resumed", row)
    return row


def not_resumed(call: Call, row: Row) -> Row:
    """The resumption came to nothing: the subscription stands where it stood."""
    stood = row.get("_stood") or {"row": {}, "items": {}}
    for item in rows.items_of(call.store, row["id"]):
        if item["id"] in stood["items"]:
            start, end = stood["items"][item["id"]]
            call.change(item, current_period_start=start, current_period_end=end, _debits=[])
    return rows.save(call, row, **stood["row"], **_NOTHING_WAITS)


def give_up(call: Call, row: Row) -> Row:
    """Nobody paid the resumption invoice in time: it is void, the pause goes on."""
    invoice = call.find("invoice", row["_resumes"])
    row = not_resumed(call, row)
    if invoice["status"] in ("open", "uncollectible"):
        invoices.void(call, invoice)
    return row


def pause_subscription(call: Call) -> Row:
    """POST /v1/subscriptions/{id}/pause: at once; what is credited and billed for it is as ``bill_for`` says."""
    row = call.find("subscription", call.path[0], "subscription")
    _pausable(row)
    customer = call.find("customer", row["customer"], "customer", 400)
    if row["pending_update"] is not None:
        row = moves.drop_held_back(call, row)
    held = rows.items_of(call.store, row["id"])
    _bill_for(call, row, customer, [moves.Move(item, None) for item in held])
    for item in held:
        call.change(item, current_period_end=call.now, _debits=[])
    changes: dict[str, Any] = {}
    if call.params.get("invoicing_behavior") == "invoice" and period_lines.waiting(call.store, row):
        invoice = period_lines.draft(call, row, customer, (), "subscription_update")
        changes["latest_invoice"] = invoices.collect(call, invoice)["id"]
    return rows.settled(call, pause(call, row, "pause_requested", **changes))


def _pausable(row: Row) -> None:
    """Raises 400 for what Stripe does not pause."""
    because = {
        f"is {row['status']}": row["status"] not in _PAUSABLE,
        "uses the collection method send_invoice": row["collection_method"] == "send_invoice",
        "uses the classic billing mode": not rows.flexible(row),
        f"is managed by the schedule {row['schedule']}": row["schedule"] is not None,
    }
    for reason, holds in because.items():
        if holds:
            raise ApiError(400, f"This subscription cannot be paused because it {reason}.")


def _bill_for(call: Call, row: Row, customer: Row, gone: list[moves.Move]) -> None:
    """Pending items: credits for unused time of licensed items, debits for usage of metered ones."""
    wanted = call.params.get("bill_for") or {}
    unused = (wanted.get("unused_time_from") or _NOW)["type"]
    if unused != "none":
        for move in gone:
            start = (move.before or {})["current_period_start"]
            moves.credit(call, row, customer, [move], call.now if unused == "now" else start)
    if (wanted.get("outstanding_usage_through") or _NOW)["type"] == "now":
        moves.bill_usage(call, row, customer, gone, restart=True)


def resume_subscription(call: Call) -> Row:
    """POST /v1/subscriptions/{id}/resume: active at once, or as soon as the resumption invoice is paid."""
    row, params = call.find("subscription", call.path[0], "subscription"), call.params
    collects = params.get("payment_behavior") == "resume_on_payment_success"
    _resumable(row, collects)
    customer = call.find("customer", row["customer"], "customer", 400)
    if row.get("_resumes"):
        row = give_up(call, row)
    row, anew = _placed(call, used_discounts.expired(call, row))
    held, behaviour = rows.items_of(call.store, row["id"]), params.get("proration_behavior") or "create_prorations"
    if not anew:
        if behaviour != "none":
            moves.debit(call, row, customer, [moves.Move(None, item) for item in held], call.now)
        if behaviour != "always_invoice":
            return resumed(call, row)
    lines = period_lines.of_period(call.store, row, held) if anew else []
    if not lines and not period_lines.waiting(call.store, row):
        return resumed(call, row)
    invoice = period_lines.draft(call, row, customer, lines, "subscription_update", auto_advance=collects)
    period_lines.debit(call, row, customer, lines)
    row = used_discounts.used_up(call, _waiting(call, row, invoice, collects), invoice)
    if not collects:
        invoices.finalize(call, invoice)
    elif invoice["amount_due"] and collection.default_method(call, invoice) is None:
        raise collection.no_method()
    else:
        invoices.collect(call, invoice)
    return rows.settled(call, row)


def _resumable(row: Row, collects: bool) -> None:
    if row["status"] != "paused":
        raise ApiError(400, "Only a paused subscription can be resumed; this one is " + row["status"] + ".")
    if row["collection_method"] != "charge_automatically":
        raise ApiError(400, "Only a subscription that uses charge_automatically collection can be resumed.")
    if collects and not rows.flexible(row):
        message = "resume_on_payment_success can only be used with the flexible billing mode."
        raise invalid("payment_behavior", message)


def _placed(call: Call, row: Row) -> tuple[Row, bool]:
    """The subscription with its items in the period that begins now, and whether that is a new cycle's."""
    anchor = call.params.get("billing_cycle_anchor") or "now"
    anew = (anchor["type"] if isinstance(anchor, dict) else anchor) == "now"
    held = rows.items_of(call.store, row["id"])
    edges = {item["id"]: [item["current_period_start"], item["current_period_end"]] for item in held}
    stood = {"row": {name: row[name] for name in _ANCHORS}, "items": edges}
    changes: dict[str, Any] = {"billing_cycle_anchor": call.now, "billing_cycle_anchor_config": None} if anew else {}
    ends = []
    for item in held:
        ends.append(rows.cycle_of({**row, **changes}, item).around(call.now)[1])
        call.change(item, current_period_start=call.now, current_period_end=ends[-1], _debits=[])
    if row["cancel_at_period_end"]:
        changes["cancel_at"] = min(ends)
    return rows.save(call, row, **changes, _stood=stood), anew


def _waiting(call: Call, row: Row, invoice: Row, collects: bool) -> Row:
    until = call.now + (RETRIED_SECONDS if collects else rows.EXPIRES_SECONDS)
    waits = {"_resumes": invoice["id"], "_resume_until": until, "_resume_collects": collects}
    return rows.save(call, row, latest_invoice=invoice["id"], **waits)


_NOTHING_WAITS = dict.fromkeys(("_resumes", "_resume_until", "_resume_collects", "_stood"))
_ANCHOR = one_of("now", "unchanged")
_PAUSE = {
    **EXPAND,
    "bill_for": fields(
        {
            "outstanding_usage_through": fields({"type": one_of("none", "now")}, ("type",)),
            "unused_time_from": fields({"type": one_of("item_current_period_start", "none", "now")}, ("type",)),
        }
    ),
    "invoicing_behavior": one_of("invoice", "pending_invoice_item"),
    "type": one_of("subscription"),
}
_RESUME = {
    **EXPAND,
    "billing_cycle_anchor": either(_ANCHOR, fields({"type": _ANCHOR}, ("type",))),
    "payment_behavior": one_of("resume_on_payment_attempt", "resume_on_payment_success"),
    "proration_behavior": PRORATION_BEHAVIOR,
}

ENDPOINTS = (
    Endpoint("POST", "subscriptions/*/pause", pause_subscription, _PAUSE),
    Endpoint("POST", "subscriptions/*/resume", resume_subscription, _RESUME),
)
