"""Subscription schedules: phases a subscription goes through by itself.

By docs.stripe.com/billing/subscriptions/subscription-schedules. Entering a phase is an update of the subscription,
or its creation, with what the phase says. A private field: ``_expiring`` (the end it was given notice of).
"""

from collections.abc import Sequence
from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import changes, ending, moves, phases, subscriptions
from payment_kit.sandbox.billing import subscription_params as params_of
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.subscription_params import BILLING_MODE, PRORATION_BEHAVIOR
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, RANGE, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import Kind, array, boolean, fields, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

EXPIRING_DAYS = 7  # "7 days before a subscription schedule will expire" (docs.stripe.com/api/events/types)
LIVE = ("not_started", "active")


def create_schedule(call: Call) -> Row:
    """POST /v1/subscription_schedules: of phases for a customer, or of a subscription as it is."""
    params = call.params
    if params.get("from_subscription"):
        return _of_subscription(call)
    customer = call.find("customer", params.get("customer"), "customer", 400)
    if not params.get("phases"):
        raise missing("phases")
    start = params.get("start_date", phases.NOW)
    start = call.now if start is phases.NOW else start
    if start < call.now:
        raise invalid("start_date", "The sandbox does not backdate subscriptions: start_date must not be in the past.")
    params_of.ahead(start, call.now - 1, "start_date")
    row = _new(call, customer, ())
    row["phases"] = _read(call, row, start)
    if start > call.now:
        return call.add({**row, "_due": start}, "subscription_schedule.created")
    row = call.add(row)
    row = _enter(call, row, 0)
    call.emit("subscription_schedule.created", row)
    return row


def _of_subscription(call: Call) -> Row:
    """One phase: the period the subscription is in, with the items it has."""
    others = sorted(call.params.keys() - {"from_subscription", "expand", "metadata"})
    if others:
        message = f"You cannot set `{others[0]}` if `from_subscription` is set."
        raise invalid(others[0], message)
    subscription = call.find("subscription", call.params["from_subscription"], "from_subscription", 400)
    if subscription["schedule"] is not None or subscription["status"] in (*rows.ENDED, "paused"):
        message = f"The subscription {subscription['id']} has ended, is paused, or is managed by a schedule already."
        raise ApiError(400, message, param="from_subscription")
    customer = call.find("customer", subscription["customer"], "customer", 400)
    row = _new(call, customer, [phases.of_subscription(call.store, subscription)])
    row |= {"status": "active", "subscription": subscription["id"], "current_phase": phases.span(row["phases"][0])}
    row |= {"billing_mode": subscription["billing_mode"], "_due": _next(row, call.now)}
    row = call.add(row, "subscription_schedule.created")
    rows.save(call, subscription, schedule=row["id"])
    return row


def _read(call: Call, row: Row, start: int) -> list[Row]:
    """The phases of the call; raises 400 for what its subscription cannot have."""
    found = phases.read(call, row, call.params["phases"], start)
    for phase in found:
        prices = [call.find("price", item["price"], "phases", 400) for item in phase["items"]]
        changes.together(prices, row["billing_mode"]["type"])
    return found


def _new(call: Call, customer: Row, planned: Sequence[Row]) -> Row:
    params, mode = call.params, (call.params.get("billing_mode") or {}).get("type") or "flexible"
    flexible = {"proration_discounts": "included"} if mode == "flexible" else None
    return {
        "id": call.new_id("subscription_schedule"),
        "object": "subscription_schedule",
        "application": call.store.application,
        "billing_mode": {"flexible": flexible, "type": mode},
        "canceled_at": None,
        "completed_at": None,
        "created": call.now,
        "current_phase": None,
        "customer": customer["id"],
        "customer_account": None,
        "default_settings": phases.settings({}, params.get("default_settings") or {}),
        "end_behavior": params.get("end_behavior") or "release",
        "livemode": False,
        "metadata": merged({}, params),
        "phases": list(planned),
        "released_at": None,
        "released_subscription": None,
        "status": "not_started",
        "subscription": None,
        "test_clock": customer["test_clock"],
        "_due": None,
    }


def _next(row: Row, now: int) -> int | None:
    """When the schedule has something to do: notice of its end, the end of its phase, its start."""
    if row["status"] == "not_started":
        return int(row["phases"][0]["start_date"])
    if row["status"] != "active":
        return None
    end, last = row["current_phase"]["end_date"], row["phases"][-1]["end_date"]
    notice = last - EXPIRING_DAYS * rows.DAY
    if now < notice < end and row.get("_expiring") != last:
        return int(notice)
    return int(end)


def _enter(call: Call, row: Row, number: int, behaviour: str | None = None) -> Row:
    """Begin a phase: the subscription is made, or becomes what the phase says."""
    phase = row["phases"][number]
    wanted = phases.wanted(call, row, phase, first=row["subscription"] is None)
    if row["subscription"] is None:
        mode = {"type": row["billing_mode"]["type"]}
        given = {**wanted, "customer": row["customer"], "billing_mode": mode, "payment_behavior": "allow_incomplete"}
        subscription = subscriptions.create(call, given, collect=False)
    else:
        subscription = call.find("subscription", row["subscription"])
        if subscription["pending_update"] is not None:
            subscription = moves.drop_held_back(call, subscription)
        items = phases.moved(rows.items_of(call.store, subscription["id"]), wanted.pop("items"))
        wanted["proration_behavior"] = behaviour or phase["proration_behavior"]
        subscription = changes.update(call, subscription, {**wanted, "items": items})
    rows.save(call, call.find("subscription", subscription["id"]), schedule=row["id"])
    entered = {**row, "status": "active", "subscription": subscription["id"], "current_phase": phases.span(phase)}
    names = ("status", "subscription", "current_phase")
    told = None if row["status"] == "not_started" and row["_due"] is None else "subscription_schedule.updated"
    return call.change(row, told, **{name: entered[name] for name in names}, _due=_next(entered, call.now))


def fall_due(call: Call, row: Row) -> None:
    """The clock came to a schedule: it starts, tells of its end, goes on to its next phase, or ends."""
    now = call.now
    if row["status"] == "active" and now < row["current_phase"]["end_date"]:
        last = row["phases"][-1]["end_date"]
        row = call.change(row, _expiring=last, _due=_next({**row, "_expiring": last}, now))
        call.emit("subscription_schedule.expiring", row)
        return
    number = next(
        (at for at, phase in enumerate(row["phases"]) if phase["start_date"] <= now < phase["end_date"]), None
    )
    if number is not None:
        _enter(call, row, number)
    elif row["end_behavior"] == "cancel":
        _complete(call, row)
    else:
        _release(call, row)


def _complete(call: Call, row: Row) -> None:
    changed = {"status": "completed", "completed_at": call.now, "current_phase": None, "_due": None}
    row = call.change(row, **changed)
    call.emit("subscription_schedule.completed", row)
    subscription = call.find("subscription", row["subscription"])
    if subscription["status"] not in rows.ENDED:
        details = {**subscription["cancellation_details"], "reason": "cancellation_requested"}
        ending.cancel(call, subscription, details, invoice_now=True)


def _release(call: Call, row: Row) -> Row:
    """The subscription goes on by itself."""
    subscription = call.store.get("subscription", row["subscription"]) if row["subscription"] else None
    row = call.change(
        row,
        status="released",
        released_at=call.now,
        released_subscription=row["subscription"],
        subscription=None,
        current_phase=None,
        _due=None,
    )
    call.emit("subscription_schedule.released", row)
    if subscription is not None:
        rows.save(call, subscription, schedule=None)
    return row


def update_schedule(call: Call) -> Row:
    """POST /v1/subscription_schedules/{id}; new phases replace the old, the current one goes on from where it began."""
    row, params = _live(call), call.params
    before = row
    fresh: dict[str, Any] = {"metadata": merged(row, params)}
    if params.get("end_behavior"):
        fresh["end_behavior"] = params["end_behavior"]
    if params.get("default_settings"):
        fresh["default_settings"] = phases.settings(row["default_settings"], params["default_settings"])
    if params.get("phases"):
        current = row["current_phase"] or row["phases"][0]
        given = params["phases"][0].get("start_date", current["start_date"])
        start = call.now if given is phases.NOW else given
        if row["status"] == "active" and start != current["start_date"]:
            raise invalid("phases[0][start_date]", "The start date of the current phase cannot be changed.")
        fresh["phases"] = _read(call, {**row, **fresh}, start)
        if row["status"] == "active":
            fresh["current_phase"] = phases.span(fresh["phases"][0])
    after = {**row, **fresh}
    row = call.change(row, "subscription_schedule.updated", **fresh, _due=_next(after, call.now))
    if row["status"] == "active" and row["phases"][0]["items"] != _current(before)["items"]:
        return _enter(call, row, 0, params.get("proration_behavior"))
    return row


def _current(row: Row) -> Row:
    start = row["current_phase"]["start_date"]
    found: Row = next(phase for phase in row["phases"] if phase["start_date"] == start)
    return found


def _live(call: Call) -> Row:
    row = call.find("subscription_schedule", call.path[0], "schedule")
    if row["status"] not in LIVE:
        message = f"You cannot change a subscription schedule that is {row['status']}."
        raise ApiError(400, message)
    return row


def release_schedule(call: Call) -> Row:
    """POST /v1/subscription_schedules/{id}/release"""
    return _release(call, _live(call))


def cancel_schedule(call: Call) -> Row:
    """POST /v1/subscription_schedules/{id}/cancel: its subscription too, prorated and invoiced by default."""
    row, params = _live(call), call.params
    row = call.change(row, status="canceled", canceled_at=call.now, current_phase=None, _due=None)
    call.emit("subscription_schedule.canceled", row)
    if row["subscription"] is not None:
        subscription = call.find("subscription", row["subscription"])
        details = {**subscription["cancellation_details"], "reason": "cancellation_requested"}
        prorate, invoice_now = params.get("prorate", True), params.get("invoice_now", True)
        ending.cancel(call, subscription, details, prorate=prorate, invoice_now=invoice_now)
    return row


def subscription_ended(call: Call, subscription: Row) -> None:
    """A schedule does not outlive its subscription; when that ended unpaid, the schedule is aborted."""
    row = call.store.get("subscription_schedule", subscription["schedule"]) if subscription["schedule"] else None
    if row is None or row["status"] not in LIVE:
        return
    unpaid = subscription["cancellation_details"]["reason"] == "payment_failed"
    row = call.change(row, status="canceled", canceled_at=call.now, current_phase=None, _due=None)
    call.emit(f"subscription_schedule.{'aborted' if unpaid else 'canceled'}", row)


def _schedules(call: Call) -> Row:
    """GET /v1/subscription_schedules"""
    params = dict(call.params)
    moments = ("canceled_at", "completed_at", "released_at")
    bounds = {name: params.pop(name) for name in moments if name in params}
    scheduled = params.pop("scheduled", False)

    def shown(row: Row) -> bool:
        inside = all(row[name] is not None and listing.within(row[name], bound) for name, bound in bounds.items())
        return inside and (not scheduled or row["status"] == "not_started")

    return listing.page(call.part(**params), "subscription_schedule", "/v1/subscription_schedules", where=shown)


_SHARED: dict[str, Kind] = {
    **META,
    "default_settings": phases.SETTINGS,
    "end_behavior": one_of("cancel", "release"),
}
_CREATE: dict[str, Kind] = {
    **_SHARED,
    "billing_mode": BILLING_MODE,
    "customer": string,
    "from_subscription": string,
    "phases": array(fields(phases.PHASE, ("items",))),
    "start_date": phases.moment,
}
_UPDATE: dict[str, Kind] = {
    **_SHARED,
    "phases": array(fields({**phases.PHASE, "start_date": phases.moment}, ("items",))),
    "proration_behavior": PRORATION_BEHAVIOR,
}
_FILTERS: dict[str, Kind] = {
    **filters("customer"),
    **dict.fromkeys(("canceled_at", "completed_at", "released_at"), RANGE),
    "scheduled": boolean,
}
_PATH = "subscription_schedules"

DUE = {"subscription_schedule": fall_due}
LISTENERS = {"customer.subscription.deleted": subscription_ended}
ENDPOINTS = (
    Endpoint("GET", _PATH, _schedules, _FILTERS),
    Endpoint("POST", _PATH, create_schedule, _CREATE),
    Endpoint("GET", f"{_PATH}/*", get("subscription_schedule", "schedule"), EXPAND),
    Endpoint("POST", f"{_PATH}/*", update_schedule, _UPDATE),
    Endpoint("POST", f"{_PATH}/*/cancel", cancel_schedule, {**EXPAND, "invoice_now": boolean, "prorate": boolean}),
    Endpoint("POST", f"{_PATH}/*/release", release_schedule, EXPAND),
)
