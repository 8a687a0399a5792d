"""What time does to subscriptions: notices, renewals, ends of trials, pauses of collection and ends.

Everything one subscription has due stands in `subscription_rows.due_times`, and what is done about it in `_DONE`.
"""

from collections.abc import Callable
from typing import Any

from payment_kit.sandbox.billing import collection, ending, invoices, moves, pauses, period_lines, used_discounts
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Row

STEPS_MAX = 10_000


def fall_due(call: Call, row: Row) -> None:
    """See to what a subscription has due, one thing after the other, earliest first."""
    for step in range(STEPS_MAX):
        dues = rows.due_times(row, rows.items_of(call.store, row["id"]))
        name = min(dues, key=lambda each: dues[each], default=None)
        if name is None or dues[name] > call.now:
            if step == 0:
                rows.save(call, row)
            return
        row = _DONE[name](call, row)
    raise RuntimeError(f"the subscription {row['id']} never comes to rest")


def _notice_trial(call: Call, row: Row) -> Row:
    row = rows.save(call, row, _told=[*row.get("_told", ()), f"trial {row['trial_end']}"])
    call.emit("customer.subscription.trial_will_end", row)
    return row


def _notice_period(call: Call, row: Row) -> Row:
    """Tell of the next invoice, as far as it can be told."""
    end = min(item["current_period_end"] for item in rows.items_of(call.store, row["id"]))
    trial = [told for told in row.get("_told", ()) if told == f"trial {row['trial_end']}"]
    row = rows.save(call, row, _told=[*trial, f"period {end}"])
    if row["cancel_at"] is None or row["cancel_at"] > end:
        call.emit("invoice.upcoming", upcoming(call, row))
    return row


def upcoming(call: Call, row: Row) -> Row:
    """The next invoice of a subscription as `invoices.preview` makes it; nothing is stored."""
    customer = call.find("customer", row["customer"], "customer", 400)
    held = rows.items_of(call.store, row["id"])
    end = min(item["current_period_end"] for item in held)
    ending_now = [item for item in held if item["current_period_end"] == end]
    lines = [
        period_lines.of_usage(call, row, item, item["current_period_start"], min(call.now, end))
        for item in ending_now if rows.metered(item)
    ]  # fmt: skip
    following = [_next_period(row, item) for item in ending_now]
    lines += [line for line in period_lines.of_period(call.store, row, following) if line.quantity or line.amount]
    period = min(item["current_period_start"] for item in ending_now), end
    return period_lines.preview(call, row, customer, lines, "upcoming", period=period)


def _next_period(row: Row, item: Row) -> Row:
    start = item["current_period_end"]
    end = rows.cycle_of(row, item).around(start)[1]
    return {**item, "current_period_start": start, "current_period_end": end}


def _renew(call: Call, row: Row) -> Row:
    """The period of some items, or the trial, is over: the next begins, and its invoice is drafted."""
    customer = call.find("customer", row["customer"], "customer", 400)
    was_trial = row["status"] == "trialing"
    if was_trial and row["collection_method"] == "charge_automatically" and not can_pay(call, row):
        behaviour = row["trial_settings"]["end_behavior"]["missing_payment_method"]
        if behaviour == "cancel":
            return ending.cancel(call, row, row["cancellation_details"])
        if behaviour == "pause":
            return pauses.pause(call, row, "trial_end_without_payment_method")
    row = used_discounts.expired(call, row)
    held = rows.items_of(call.store, row["id"])
    due = [item for item in held if item["current_period_end"] <= call.now]
    period = min(item["current_period_start"] for item in due), min(item["current_period_end"] for item in due)
    lines = _usage(call, row, due)
    fresh = [call.change(item, **_period_of(_next_period(row, item))) for item in due]
    lines += period_lines.of_period(call.store, row, [item for item in fresh if not rows.metered(item)])
    changes: dict[str, Any] = {"status": "active"} if was_trial else {}
    if not lines and not period_lines.waiting(call.store, row):
        return rows.save(call, row, **changes)
    held_back = row["pause_collection"] is not None or row["status"] == "unpaid"
    invoice = period_lines.draft(
        call, row, customer, lines, "subscription_cycle", auto_advance=not held_back, period=period
    )
    period_lines.debit(call, row, customer, lines)
    row = rows.save(call, row, **changes, latest_invoice=invoice["id"])
    _put_away(call, row, invoice)
    return used_discounts.used_up(call, row, invoice)


def _period_of(item: Row) -> dict[str, Any]:
    names = ("current_period_start", "current_period_end")
    return {**{name: item[name] for name in names}, "_debits": []}


def _usage(call: Call, row: Row, due: list[Row]) -> list[Line]:
    """What was used of the metered items in the period that is over; nothing of a trial."""
    if row["status"] == "trialing":
        return []
    return [
        period_lines.of_usage(call, row, item, item["current_period_start"], item["current_period_end"])
        for item in due if rows.metered(item)
    ]  # fmt: skip


def _put_away(call: Call, row: Row, invoice: Row) -> None:
    """What a pause of collection does with a new invoice (docs.stripe.com/billing/subscriptions/pause-payment)."""
    behaviour = (row["pause_collection"] or {}).get("behavior")
    if behaviour in ("void", "mark_uncollectible"):
        invoice = invoices.finalize(call, invoice, auto_advance=False)
        if invoice["status"] == "open":
            (invoices.void if behaviour == "void" else invoices.mark_uncollectible)(call, invoice)


def can_pay(call: Call, row: Row) -> bool:
    """Whether there is a payment method to charge for the subscription."""
    nothing = dict.fromkeys(("default_payment_method", "default_source"))
    return (
        collection.default_method(call, {**nothing, "_subscription": row["id"], "customer": row["customer"]})
        is not None
    )


def _resume_collection(call: Call, row: Row) -> Row:
    return rows.save(call, row, pause_collection=None)


def _cancel(call: Call, row: Row) -> Row:
    """The end that was set for it: what was used is billed; unused time only of a period cut short is credited."""
    customer = call.find("customer", row["customer"], "customer", 400)
    held = rows.items_of(call.store, row["id"])
    used = [item for item in held if rows.metered(item)]
    if row["status"] not in ("trialing", "incomplete", "paused"):
        early = [moves.Move(item, None) for item in held if item["current_period_end"] > call.now]
        moves.credit(call, row, customer, early, call.now)
        lines = [period_lines.of_usage(call, row, item, item["current_period_start"], call.now) for item in used]
        billed = [line for line in lines if line.amount]
        if billed or period_lines.waiting(call.store, row):
            invoice = period_lines.draft(call, row, customer, billed, "subscription_cycle")
            row = rows.save(call, {**row, "_quiet": True}, latest_invoice=invoice["id"])
    return ending.ended(call, row, row["cancellation_details"])


_DONE: dict[str, Callable[[Call, Row], Row]] = {
    "collection": _resume_collection,
    "expiry": ending.expire,
    "resumption_expiry": pauses.give_up,
    "update_expiry": moves.drop_held_back,
    "cancellation": _cancel,
    "trial_notice": _notice_trial,
    "upcoming": _notice_period,
    "period": _renew,
}
DUE = {"subscription": fall_due}
