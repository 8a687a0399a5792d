"""Balance settings: when payouts go out, how long a payment stays pending, whether a refund may overdraw the balance.

The schedule is Stripe's own setting (docs.stripe.com/api/balance-settings); a fresh account is paid out daily, its
payments become available after two days, and what the balance cannot cover is debited from its bank account.
"""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Any

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.form import array, boolean, fields, integer, one_of, string
from payment_kit.sandbox.store import Row, Store

DELAY_DAYS, DELAY_DAYS_MAX = 2, 31
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_FRESH: Row = {
    "object": "balance_settings",
    "payments": {
        "debit_negative_balances": True,
        "payouts": {
            "automatic_transfer_rules_by_currency": None,
            "minimum_balance_by_currency": None,
            "schedule": {"interval": "daily"},
            "statement_descriptor": None,
            "status": "enabled",
        },
        "settlement_timing": {"delay_days": DELAY_DAYS, "start_of_day": None},
    },
}


def of(store: Store) -> Row:
    """The account's balance settings."""
    row: Row = store.meta.get("balance_settings", _FRESH)
    return row


def payments(store: Store) -> Row:
    """Their one part, the payments balance."""
    part: Row = of(store)["payments"]
    return part


def pays_out(store: Store, midnight: int) -> bool:
    """Whether the automatic payouts of the day that begins at `midnight` (unix seconds, UTC) go out."""
    schedule = payments(store)["payouts"]["schedule"]
    day = datetime.fromtimestamp(midnight, UTC)
    match schedule["interval"]:
        case "daily":
            return True
        case "weekly":
            return any(WEEKDAYS.index(name) == day.weekday() for name in schedule["weekly_payout_days"])
        case "monthly":
            last = monthrange(day.year, day.month)[1]
            return any(min(wanted, last) == day.day for wanted in schedule["monthly_payout_days"])
    return False


def _settings(call: Call) -> Row:
    """GET /v1/balance_settings"""
    return of(call.store)


def _update(call: Call) -> Row:
    """POST /v1/balance_settings"""
    before = of(call.store)
    given: dict[str, Any] = call.params.get("payments") or {}
    part = dict(before["payments"])
    if "debit_negative_balances" in given:
        part["debit_negative_balances"] = given["debit_negative_balances"]
    payouts = given.get("payouts") or {}
    part["payouts"] = {**part["payouts"], **{name: payouts[name] for name in payouts if name != "schedule"}}
    if payouts.get("schedule"):
        part["payouts"]["schedule"] = _schedule(part["payouts"]["schedule"], payouts["schedule"])
    timing = given.get("settlement_timing") or {}
    if "delay_days_override" in timing:
        part["settlement_timing"] = _timing(timing["delay_days_override"])
    after = {**before, "payments": part}
    if after != before:
        call.store.set_meta(balance_settings=after)
        call.emit("balance_settings.updated", after, {"payments": before["payments"]})
    return after


def _schedule(before: Row, given: dict[str, Any]) -> Row:
    after = {**before, **{name: value for name, value in given.items() if value is not None}}
    interval = after["interval"]
    schedule: Row = {"interval": interval}
    days = {"weekly": "weekly_payout_days", "monthly": "monthly_payout_days"}.get(interval)
    if days is not None:
        param = f"payments[payouts][schedule][{days}]"
        if not after.get(days) or None in after[days]:
            raise invalid(param, f"You must give {days} when the interval is {interval}.", "parameter_missing")
        if interval == "monthly" and not all(1 <= day <= 31 for day in after[days]):
            raise invalid(param, "Invalid day of the month: must be 1 to 31.")
        schedule[days] = after[days]
    return schedule


def _timing(days: int | None) -> Row:
    if days is None:
        return {"delay_days": DELAY_DAYS, "start_of_day": None}
    if not DELAY_DAYS <= days <= DELAY_DAYS_MAX:
        param = "payments[settlement_timing][delay_days_override]"
        raise invalid(param, f"Invalid delay: must be {DELAY_DAYS} to {DELAY_DAYS_MAX} days.")
    return {"delay_days": days, "delay_days_override": days, "start_of_day": None}


def _days(raw: Any, path: str) -> int | None:
    return None if raw == "" else integer(raw, path)


_SCHEDULE = {
    "interval": one_of("daily", "weekly", "monthly", "manual"),
    "monthly_payout_days": array(integer),
    "weekly_payout_days": array(one_of(*WEEKDAYS)),
}
_PAYMENTS = {
    "debit_negative_balances": boolean,
    "payouts": fields({"schedule": fields(_SCHEDULE), "statement_descriptor": string}),
    "settlement_timing": fields({"delay_days_override": _days}),
}

ENDPOINTS = (
    Endpoint("GET", "balance_settings", _settings, EXPAND),
    Endpoint("POST", "balance_settings", _update, {**EXPAND, "payments": fields(_PAYMENTS)}),
)
