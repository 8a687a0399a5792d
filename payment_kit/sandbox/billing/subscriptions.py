"""Subscriptions: begun, read, listed and canceled. What changes them stands in `changes`, time's part in `renewal`."""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import (
    changes,
    collection,
    ending,
    invoices,
    moves,
    period_lines,
    periods,
    renewal,
    test_clocks,
    used_discounts,
)
from payment_kit.sandbox.billing import subscription_params as params_of
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.subscription_params import Wish
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, RANGE, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError, invalid, missing, no_such
from payment_kit.sandbox.form import one_of
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.payments import setups
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row

_TRIAL_SETTINGS = {"end_behavior": {"missing_payment_method": "create_invoice"}}
STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
)  # fmt: skip


def create(call: Call, params: dict[str, Any], *, collect: bool = True) -> Row:
    """A new subscription from the parameters of POST /v1/subscriptions, with its first invoice if it has one.

    Without `collect` the first invoice stays a draft for an hour, as Stripe leaves it when a schedule begins one.
    Raises 400 for what cannot be, 402 when the payment behaviour is ``error_if_incomplete`` and the payment fails.
    """
    call = call.part(**params)
    customer = call.find("customer", params.get("customer"), "customer", 400)
    if collect:  # a schedule asked for its subscription before, and cannot be told now
        _room(call, customer)
    wishes = _wishes(call, params)
    if params.get("payment_behavior") == "pending_if_incomplete":
        raise invalid("payment_behavior", "pending_if_incomplete can only be used when a subscription is updated.")
    row = call.add(_row(call, params, customer, wishes[0].price))
    held = [_item(call, row, customer, wish) for wish in wishes]
    for item in reversed(held):  # lists come newest first, and so in the order they were asked for
        call.add(item)
    row = rows.save(call, row, **_discounted(call, row, customer))
    row = _with_setup(call, _begin(call, row, customer, collect))
    row = call.change(row, _quiet=None)
    call.emit("customer.subscription.created", row)
    return changes.notice(call, row)


def _room(call: Call, customer: Row) -> None:
    """Raises 400 when a customer with a test clock has its subscriptions already."""
    alive = [
        row for row in call.store.tables["subscription"].having("customer", customer["id"])
        if row["status"] not in rows.ENDED
    ]  # fmt: skip
    if customer["test_clock"] and len(alive) >= test_clocks.SUBSCRIPTIONS_MAX:
        message = f"A customer with a test clock can have at most {test_clocks.SUBSCRIPTIONS_MAX} subscriptions."
        raise ApiError(400, message, param="customer")


def _wishes(call: Call, params: dict[str, Any]) -> list[Wish]:
    asked = params.get("items") or ()
    if not asked:
        raise missing("items")
    if len(asked) > params_of.ITEMS_MAX:
        raise invalid("items", f"A subscription can have at most {params_of.ITEMS_MAX} items.")
    code, wishes = params.get("currency"), []
    for at, given in enumerate(asked):
        wish = params_of.wished(call, given or {}, code, f"items[{at}]")
        code = code or wish.price["currency"]
        wishes.append(wish)
    mode = (params.get("billing_mode") or {}).get("type") or "flexible"
    changes.together([wish.price for wish in wishes], mode)
    return wishes


def _row(call: Call, params: dict[str, Any], customer: Row, price: Row) -> Row:
    until = params_of.trial_end(params, call.now)
    method = params.get("collection_method") or "charge_automatically"
    if method == "send_invoice" and params.get("days_until_due") is None:
        raise missing("days_until_due")
    if method == "charge_automatically" and params.get("days_until_due") is not None:
        raise invalid("days_until_due", "You can only set `days_until_due` if collection_method is `send_invoice`.")
    mode = (params.get("billing_mode") or {}).get("type") or "flexible"
    settings = params.get("payment_settings") or {}
    row: Row = {
        "id": call.new_id("subscription"),
        "object": "subscription",
        "application": call.store.application,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": call.now if until is None else until,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": mode},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": dict.fromkeys(("comment", "feedback", "reason")),
        "collection_method": method,
        "created": call.now,
        "currency": params.get("currency") or price["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": params.get("days_until_due"),
        "default_payment_method": params_of.payment_method(call, customer, params.get("default_payment_method")),
        "default_source": None,
        "default_tax_rates": params_of.tax_rates(call, params.get("default_tax_rates"), "default_tax_rates"),
        "description": params.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": None,
        "latest_invoice": None,
        "livemode": False,
        "metadata": merged({}, params),
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": settings.get("payment_method_types") or None,
            "save_default_payment_method": settings.get("save_default_payment_method") or "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": call.now,
        "status": "active" if until is None else "trialing",
        "status_details": None,
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": until,
        "trial_settings": params.get("trial_settings") or _TRIAL_SETTINGS,
        "trial_start": None if until is None else call.now,
        "_quiet": True,
    }
    if mode == "flexible":
        row["billing_mode"] = {"flexible": {"proration_discounts": "included"}, "type": mode}
    return row | _anchor(params, until or call.now, price)


def _anchor(params: dict[str, Any], start: int, price: Row) -> Row:
    """The billing cycle anchor that was asked for: at most one period after `start`."""
    anchor, config = params.get("billing_cycle_anchor"), params.get("billing_cycle_anchor_config")
    if anchor is not None and config is not None:
        message = "You may only specify one of billing_cycle_anchor and billing_cycle_anchor_config."
        raise invalid("billing_cycle_anchor", message)
    recurring = price["recurring"]
    if config is not None:
        _configurable(config, recurring)
        whole = {name: config.get(name) for name in ("day_of_month", "hour", "minute", "month", "second")}
        return {"billing_cycle_anchor": periods.configured(config, start), "billing_cycle_anchor_config": whole}
    if anchor is None:
        return {}
    latest = periods.Cycle(start, recurring["interval"], recurring["interval_count"]).end(1)
    if anchor < start:
        raise invalid("billing_cycle_anchor", "billing_cycle_anchor cannot be in the past.")
    if anchor > latest:
        message = f"billing_cycle_anchor cannot be later than next natural billing date ({latest}) for plan"
        raise invalid("billing_cycle_anchor", message)
    return {"billing_cycle_anchor": anchor}


def _configurable(config: dict[str, int], recurring: Row) -> None:
    bounds = {"day_of_month": (1, 31), "hour": (0, 23), "minute": (0, 59), "month": (1, 12), "second": (0, 59)}
    for name, value in config.items():
        low, high = bounds[name]
        if not low <= value <= high:
            raise invalid(f"billing_cycle_anchor_config[{name}]", f"Invalid {name}: must be from {low} to {high}.")
    if recurring["interval"] not in ("month", "year"):
        message = "billing_cycle_anchor_config can only be used with prices that recur by month or year."
        raise invalid("billing_cycle_anchor_config", message)
    if "month" in config and (recurring["interval"], recurring["interval_count"]) == ("month", 1):
        message = "The month can only be set for intervals longer than a month."
        raise invalid("billing_cycle_anchor_config[month]", message)


def _item(call: Call, row: Row, customer: Row, wish: Wish) -> Row:
    item = rows.new_item(call, row, wish.price, (call.now, call.now), **params_of.item_fields(call, wish))
    end = row["trial_end"] or rows.cycle_of(row, item).around(call.now)[1]
    found = discounts.resolve(
        call, wish.given.get("discounts"), f"{wish.path}[discounts]", customer=customer, currency=row["currency"],
        subscription=row["id"], subscription_item=item["id"],
    )  # fmt: skip
    return {**item, "current_period_end": end, "discounts": [discount["id"] for discount in found]}


def _discounted(call: Call, row: Row, customer: Row) -> dict[str, Any]:
    """What only the whole tells: discounts, and the end of the first period for ``cancel_at``."""
    params = call.params
    held = rows.items_of(call.store, row["id"])
    licensed = [item for item in held if not rows.metered(item)]
    amount = sum(period_lines.period_amount(call.store, row, item) for item in licensed)
    found = discounts.resolve(
        call, params.get("discounts"), customer=customer, currency=row["currency"], amount=amount,
        subscription=row["id"],
    )  # fmt: skip
    return {"discounts": [discount["id"] for discount in found], **changes.cancellation(call, row, held)}


def _begin(call: Call, row: Row, customer: Row, collect: bool) -> Row:
    """The first invoice and its payment; the status the subscription begins with."""
    held, trial = rows.items_of(call.store, row["id"]), row["status"] == "trialing"
    free = call.params.get("proration_behavior") == "none" and row["billing_cycle_anchor"] > call.now
    lines = period_lines.of_period(call.store, row, held, free=free, trial=trial)
    lines += changes.extra_lines(call, row)
    if not lines and not period_lines.waiting(call.store, row):
        return row
    automatic = collect and row["collection_method"] == "charge_automatically"
    invoice = period_lines.draft(call, row, customer, lines, "subscription_create", auto_advance=not automatic)
    period_lines.debit(call, row, customer, lines)
    row = used_discounts.used_up(call, row, invoice)
    if not automatic:
        if invoice["amount_due"] == 0:
            invoices.finalize(call, invoice)
        return rows.save(call, row, latest_invoice=invoice["id"])
    status = row["status"] if _paid_first(call, invoice) else "incomplete"
    expires = call.now + rows.EXPIRES_SECONDS if status == "incomplete" else None
    return rows.save(call, row, latest_invoice=invoice["id"], status=status, _expires=expires)


def _with_setup(call: Call, row: Row) -> Row:
    """With a setup intent to authenticate by, when nothing is paid at first and there is nothing to pay with later."""
    invoice = call.store.get("invoice", row["latest_invoice"]) if row["latest_invoice"] else None
    waits = call.params.get("payment_behavior") == "default_incomplete" or not renewal.can_pay(call, row)
    if row["collection_method"] != "charge_automatically" or not waits or (invoice and invoice["total"] > 0):
        return row
    intent = call.add(setups.new(call, {}, row["customer"], _subscription=row["id"]), "setup_intent.created")
    return rows.save(call, row, pending_setup_intent=intent["id"])


def _paid_first(call: Call, invoice: Row) -> bool:
    """Whether the first invoice is paid at once, or nothing is due."""
    behaviour = call.params.get("payment_behavior") or "allow_incomplete"
    if behaviour == "default_incomplete" and invoice["amount_due"] > 0:
        invoices.finalize(call, invoice)
        return False
    invoice, error = collection.attempt(call, invoice)
    if error is not None and (error.status == 400 or behaviour == "error_if_incomplete"):
        raise moves.refused(error)
    return bool(invoice["status"] == "paid")


def create_subscription(call: Call) -> Row:
    """POST /v1/subscriptions"""
    return rows.settled(call, create(call, call.params))


def update_subscription(call: Call) -> Row:
    """POST /v1/subscriptions/{id}"""
    row = changes.update(call, call.find("subscription", call.path[0], "id"), call.params)
    return rows.settled(call, row)


def cancel_subscription(call: Call) -> Row:
    """DELETE /v1/subscriptions/{id}: at once."""
    row, params = call.find("subscription", call.path[0], "id"), call.params
    if row["status"] in rows.ENDED:
        raise no_such("subscription", row["id"], "id")
    details = {**row["cancellation_details"], **(params.get("cancellation_details") or {})}
    details["reason"] = "cancellation_requested"
    return ending.cancel(
        call, row, details, prorate=params.get("prorate", False), invoice_now=params.get("invoice_now", False)
    )


def delete_discount(call: Call) -> Row:
    """DELETE /v1/subscriptions/{id}/discount: all of its discounts go."""
    row = call.find("subscription", call.path[0], "id")
    found = discounts.held(call.store, row["discounts"])
    if not found:
        raise ApiError(404, f"No active discount for subscription: {row['id']}", code="resource_missing")
    rows.save(call, row, discounts=[])
    for discount in found:
        call.emit("customer.discount.deleted", discount)
    return {**{name: value for name, value in found[-1].items() if name != "end"}, "deleted": True}


def _subscriptions(call: Call) -> Row:
    """GET /v1/subscriptions: canceled ones only when asked for, those of test clocks only by clock or customer."""
    params = dict(call.params)
    wanted, price = params.pop("status", None), params.pop("price", None)
    bounds = {name: params.pop(name) for name in ("current_period_start", "current_period_end") if name in params}
    clocked = "test_clock" in params or "customer" in params

    def shown(row: Row) -> bool:
        items = rows.items_of(call.store, row["id"]) if price or bounds else ()
        return (
            _of_status(row["status"], wanted)
            and (clocked or row["test_clock"] is None)
            and (price is None or any(item["_price"] == price for item in items))
            and all(any(listing.within(item[name], bound) for item in items) for name, bound in bounds.items())
        )

    other = call.part(**params)
    return listing.page(other, "subscription", "/v1/subscriptions", where=shown)


def _of_status(status: str, wanted: str | None) -> bool:
    match wanted:
        case None:
            return status != "canceled"
        case "all":
            return True
        case "ended":
            return status in rows.ENDED
    return status == wanted


_FILTERS = {
    **filters("customer", "price", "test_clock"),
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "current_period_end": RANGE,
    "current_period_start": RANGE,
    "status": one_of(*STATUSES),
}

ENDPOINTS = (
    Endpoint("GET", "subscriptions", _subscriptions, _FILTERS),
    Endpoint("POST", "subscriptions", create_subscription, params_of.CREATE, ("customer",)),
    Endpoint("GET", "subscriptions/*", get("subscription"), EXPAND),
    Endpoint("POST", "subscriptions/*", update_subscription, params_of.UPDATE),
    Endpoint("DELETE", "subscriptions/*", cancel_subscription, params_of.CANCEL),
    Endpoint("DELETE", "subscriptions/*/discount", delete_discount, {}),
)
