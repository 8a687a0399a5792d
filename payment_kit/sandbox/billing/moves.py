"""A subscription moves: other items, quantities or prices, or a new cycle; what that credits, debits and bills.

By docs.stripe.com/billing/subscriptions/prorations: what was paid and is not used is credited, what is used from now on
is debited, both pending until the next invoice. A new billing cycle (another interval, ``billing_cycle_anchor=now``, a
trial that begins or ends) bills its first period at once, and so does ``proration_behavior=always_invoice``.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from payment_kit.sandbox.billing import collection, invoices, period_lines, proration, used_discounts
from payment_kit.sandbox.billing import items as invoice_items
from payment_kit.sandbox.billing import subscription_params as params_of
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.products import pricing
from payment_kit.sandbox.store import Row, Store

_BILLED = ("active", "past_due", "unpaid")


class Move(NamedTuple):
    """An item before and after; None when it was not there, or is no longer."""

    before: Row | None
    after: Row | None

    @property
    def bills(self) -> bool:
        """Whether what is billed changes."""
        if self.before is None or self.after is None:
            return True
        return any(self.before.get(name) != self.after.get(name) for name in ("_price", "quantity"))

    @property
    def changes_interval(self) -> bool:
        """Whether the item is billed every other time than before."""
        if self.before is None or self.after is None:
            return False
        then, now = self.before["price"]["recurring"], self.after["price"]["recurring"]
        return bool((then["interval"], then["interval_count"]) != (now["interval"], now["interval_count"]))


def after(held: Sequence[Row], moves: Sequence[Move]) -> list[Row]:
    """The items after the moves."""
    moved = {move.before["id"]: move.after for move in moves if move.before is not None}
    kept = [moved.get(item["id"], item) for item in held]
    return [item for item in kept if item is not None] + [
        move.after for move in moves if move.before is None and move.after is not None
    ]


def restarts(call: Call, row: Row, moves: Sequence[Move]) -> bool:
    """Whether a new cycle begins; to end a trial that is not running begins none, and no price ends a trial."""
    until = call.params.get("trial_end")
    tried = isinstance(until, int) or (until is not None and row["status"] == "trialing")
    anew = call.params.get("billing_cycle_anchor") == "now"
    return anew or tried or (row["status"] != "trialing" and any(move.changes_interval for move in moves))


def needed(call: Call, row: Row, moves: Sequence[Move]) -> bool:
    """Whether anything of what is billed changes."""
    return bool(moves) or restarts(call, row, moves) or call.params.get("proration_behavior") == "always_invoice"


def make(call: Call, row: Row, customer: Row, moves: Sequence[Move], changes: dict[str, Any]) -> Row:
    """Apply the moves and `changes` to the subscription, bill what they bill, and tell of all as one change.

    With ``pending_if_incomplete`` and a payment that fails, nothing changes but `pending_update`.
    """
    store, params = call.store, call.params
    behaviour = params.get("proration_behavior") or "create_prorations"
    before = row, rows.items_of(store, row["id"])
    quiet = rows.save(call, row, _quiet=True)
    restart = restarts(call, row, moves)
    if restart:
        moves = [*moves, *_others(before[1], moves)]
    prorated = behaviour != "none" and row["status"] in _BILLED
    at = _proration_date(call, before[1])
    if prorated:
        credit(call, quiet, customer, moves, at)
    bill_usage(call, quiet, customer, moves, restart)
    quiet = rows.save(call, quiet, **changes, **(_restarted(call, row) if restart else {}))
    _place(call, quiet, moves, restart)
    quiet = rows.save(call, quiet, **_ending(store, quiet))
    lines = _first_lines(call, quiet, customer) if restart else []
    if prorated and not restart:
        debit(call, quiet, customer, moves, at)
    return _bill(call, quiet, customer, lines, before, at_once=restart or behaviour == "always_invoice")


def _others(held: Sequence[Row], moves: Sequence[Move]) -> list[Move]:
    moved = {move.before["id"] for move in moves if move.before is not None}
    return [Move(item, item) for item in held if item["id"] not in moved]


def _proration_date(call: Call, held: Sequence[Row]) -> int:
    at = call.params.get("proration_date")
    if at is None:
        return call.now
    start, end = (
        choose(item[f"current_period_{edge}"] for item in held) for edge, choose in (("start", max), ("end", min))
    )
    if not start <= at <= end:
        message = f"Invalid proration_date: must be within the current period, from {start} to {end}."
        raise invalid("proration_date", message)
    return int(at)


def credit(call: Call, row: Row, customer: Row, moves: Sequence[Move], at: int) -> None:
    """Pending items for what was debited of the items as they were and is not used."""
    for move in moves:
        item = move.before
        if item is None or rows.metered(item):
            continue
        price = rows.price_of(call.store, item)
        text = proration.described_part(call.store, price, item["quantity"], at, credit=True)
        for amount, period in proration.unused(_debits(call, row, customer, item), at, row["currency"]):
            _pend(call, row, customer, item, -amount, text, period)


def _debits(call: Call, row: Row, customer: Row, item: Row) -> list[proration.Debit]:
    """What counts as debited for the item's period: what was, or in the classic mode what it costs at present."""
    if rows.flexible(row):
        return [(amount, start, end) for amount, start, end in item["_debits"]]
    if not item["_debits"]:
        return []
    whole = period_lines.natural(row, item, item["current_period_start"])
    full = pricing.amount(rows.price_of(call.store, item), item["quantity"], row["currency"])
    return [(period_lines.net(call.store, row, customer, {item["id"]: full})[item["id"]], *whole)]


def debit(call: Call, row: Row, customer: Row, moves: Sequence[Move], at: int) -> None:
    """Pending items for the rest of the period of the items as they are now."""
    moved = [item for move in moves if (item := move.after) is not None and move.bills and not rows.metered(item)]
    store, code = call.store, row["currency"]
    full = {item["id"]: pricing.amount(rows.price_of(store, item), item["quantity"], code) for item in moved}
    nets = period_lines.net(store, row, customer, full)
    for item in moved:
        period = at, item["current_period_end"]
        amount = proration.part(nets[item["id"]], period_lines.natural(row, item, at), period, code)
        text = proration.described_part(store, rows.price_of(store, item), item["quantity"], at, credit=False)
        if amount:
            _pend(call, row, customer, item, amount, text, period)
        call.change(store.tables["subscription_item"].rows[item["id"]], _debits=[[amount, *period]] if amount else [])


def _pend(call: Call, row: Row, customer: Row, item: Row, amount: int, text: str, period: tuple[int, int]) -> None:
    invoice_items.add(
        call,
        customer,
        amount=amount,
        currency=row["currency"],
        description=text,
        period=period,
        price=rows.price_of(call.store, item),
        quantity=item["quantity"],
        subscription=row["id"],
        subscription_item=item["id"],
        proration=True,
        tax_rates=item["tax_rates"],
    )


def bill_usage(call: Call, row: Row, customer: Row, moves: Sequence[Move], restart: bool) -> None:
    """Pending items for what was used of metered items that leave, or whose period is cut short."""
    for move in moves:
        item = move.before
        leaves = item is not None and (restart or move.after is None or move.after["_price"] != item["_price"])
        if item is None or not leaves or not rows.metered(item) or row["status"] not in _BILLED:
            continue
        line = period_lines.of_usage(call, row, item, item["current_period_start"], call.now)
        if line.amount:
            # what the subscription adds to its items, its invoice adds
            own = line._replace(tax_rates=item["tax_rates"] or (), metadata={})
            invoice_items.of_line(call, customer, own)


def _restarted(call: Call, row: Row) -> dict[str, Any]:
    """The terms of a new cycle that begins now."""
    until = call.params.get("trial_end")
    if isinstance(until, int):
        params_of.ahead(until, call.now, "trial_end", call.now + params_of.TRIAL_DAYS_MAX * rows.DAY)
        start = row["trial_start"] if not rows.flexible(row) and row["trial_start"] else call.now
        if row["status"] == "trialing":
            start = row["trial_start"]
        return {
            "billing_cycle_anchor": until, "billing_cycle_anchor_config": None, "status": "trialing",
            "trial_end": until, "trial_start": start,
        }  # fmt: skip
    changes: dict[str, Any] = {"billing_cycle_anchor": call.now, "billing_cycle_anchor_config": None}
    if row["status"] == "trialing":
        changes |= {"status": "active", "trial_end": call.now}
    return changes


def _place(call: Call, row: Row, moves: Sequence[Move], restart: bool) -> None:
    """Store the items as they are after the moves."""
    for move in moves:
        if move.after is None:
            call.store.put({"id": (move.before or {})["id"], "object": "subscription_item", "deleted": True})
            continue
        item = move.after
        if restart:
            end = row["trial_end"] if row["status"] == "trialing" else rows.cycle_of(row, item).around(call.now)[1]
            item = {**item, "current_period_start": call.now, "current_period_end": end, "_debits": []}
        elif move.before is not None and move.before["_price"] != item["_price"] and rows.metered(item):
            item = {**item, "current_period_start": call.now, "_debits": []}
        if move.before is None:
            call.add(item)
        else:
            call.store.put(item)


def _ending(store: Store, row: Row) -> dict[str, Any]:
    """The end of the period a subscription is to be canceled at moves with the period."""
    if not row["cancel_at_period_end"]:
        return {}
    return {"cancel_at": min(item["current_period_end"] for item in rows.items_of(store, row["id"]))}


def _first_lines(call: Call, row: Row, customer: Row) -> list[Line]:
    held = rows.items_of(call.store, row["id"])
    lines = period_lines.of_period(call.store, row, held, trial=row["status"] == "trialing")
    period_lines.debit(call, row, customer, lines)
    return lines


def _bill(
    call: Call, row: Row, customer: Row, lines: list[Line], before: tuple[Row, list[Row]], *, at_once: bool
) -> Row:
    """Invoice what is to be billed now, and tell of the change; or hold it back until it is paid."""
    if not at_once or not (lines or period_lines.waiting(call.store, row)):
        return _told(call, before[0], row)
    invoice = period_lines.draft(call, row, customer, lines, "subscription_update")
    row = used_discounts.used_up(call, rows.save(call, row, latest_invoice=invoice["id"]), invoice)
    behaviour = call.params.get("payment_behavior") or "allow_incomplete"
    if row["collection_method"] == "send_invoice":
        return _told(call, before[0], row)
    if behaviour == "default_incomplete" and invoice["amount_due"] > 0:
        invoices.finalize(call, invoice, auto_advance=False)
        return _told(call, before[0], rows.save(call, row, status="past_due"))
    if behaviour == "allow_incomplete":
        invoices.collect(call, invoice)
        return _told(call, before[0], row)
    invoice, error = collection.attempt(call, call.change(invoice, auto_advance=False))
    if error is None:
        return _told(call, before[0], row)
    if behaviour == "pending_if_incomplete":
        return _hold_back(call, row, before, invoice)
    raise refused(error)


def _told(call: Call, before: Row, quiet: Row) -> Row:
    """Tell of the whole way from `before` as one change."""
    call.store.put({**before, "_quiet": None})
    changes = {name: value for name, value in quiet.items() if name not in ("_quiet", "items")}
    return rows.save(call, before | {"_quiet": None}, **changes)


def _hold_back(call: Call, row: Row, before: tuple[Row, list[Row]], invoice: Row) -> Row:
    """Put everything back as it was; what was to change waits for the invoice to be paid.

    That is for 23 hours, and no longer than the period or trial it was asked in
    (docs.stripe.com/billing/subscriptions/pending-updates-reference).
    """
    store = call.store
    held = rows.items_of(store, row["id"])
    for item in held:
        if item["id"] not in {old["id"] for old in before[1]}:
            store.put({"id": item["id"], "object": "subscription_item", "deleted": True})
    for old in before[1]:
        store.put(old)
    changed = {name: value for name, value in row.items() if value != before[0].get(name)}
    kept = {name: value for name, value in changed.items() if name not in ("_quiet", "_due", "items", "latest_invoice")}
    cycle = {name: kept.get(name) for name in ("billing_cycle_anchor", "trial_end")}
    update = {
        **cycle,
        "expires_at": min(call.now + rows.EXPIRES_SECONDS, *(item["current_period_end"] for item in before[1])),
        "subscription_items": [public(item) for item in held],
        "trial_from_plan": None,
    }
    store.put({**before[0], "_quiet": None})
    waits = {"items": held, "changes": kept, "invoice": invoice["id"]}
    row = {**before[0], "_quiet": None}
    return rows.save(call, row, pending_update=update, latest_invoice=invoice["id"], _held_back=waits)


def apply_held_back(call: Call, row: Row) -> Row:
    """The invoice is paid: what waited for it comes true."""
    waits = row["_held_back"]
    kept = {item["id"] for item in waits["items"]}
    for item in rows.items_of(call.store, row["id"]):
        if item["id"] not in kept:
            call.store.put({"id": item["id"], "object": "subscription_item", "deleted": True})
    for item in waits["items"]:
        call.store.put(item)
    row = rows.save(call, row, **waits["changes"], pending_update=None, _held_back=None)
    call.emit("customer.subscription.pending_update_applied", row)
    return row


def drop_held_back(call: Call, row: Row) -> Row:
    """Nobody paid: what waited is forgotten, its invoice void."""
    waits = row["_held_back"]
    row = rows.save(call, row, pending_update=None, _held_back=None)
    call.emit("customer.subscription.pending_update_expired", row)
    invoice = call.find("invoice", waits["invoice"])
    if invoice["status"] in ("open", "uncollectible"):
        invoices.void(call, invoice)
    return row


def refused(error: ApiError) -> ApiError:
    """The answer when a failed payment refuses the whole request: nothing of it stays."""
    if error.error.get("code") == "invoice_payment_intent_requires_action":
        message = (
            "Payment for this subscription requires additional user action before it can be completed successfully."
        )
        code = "subscription_payment_intent_requires_action"
        return ApiError(402, message, kind="card_error", code=code)
    error.keep = False
    error.error.pop("payment_intent", None)
    return error
