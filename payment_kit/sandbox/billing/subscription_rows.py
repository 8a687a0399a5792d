"""How a subscription and its items are kept: items have a table of their own, and the subscription shows the first ten.

Private fields of a subscription: ``_expires`` (when an unpaid first invoice ends it), ``_told`` (what it was given
notice of: the end of a trial, of a period), ``_quiet`` (not told of yet), ``_held_back`` (a change that waits for its
payment); `pauses` tells of those of a resumption. Of an item:
``_price`` (its price's id) and ``_debits``, what was debited for the period it is in, as ``[minor units, start, end]``
each.
"""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing.periods import Cycle
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row, Store

DAY = 86_400
UPCOMING_DAYS = 7  # the Dashboard's default for invoice.upcoming (docs.stripe.com/billing/subscriptions/webhooks)
TRIAL_NOTICE_DAYS = 3  # "three days before a trial period ends" (docs.stripe.com/api/events/types)
EXPIRES_SECONDS = 23 * 3600  # of an incomplete subscription and of a pending update
ENDED = ("canceled", "incomplete_expired")
UPDATED = "customer.subscription.updated"


def items_of(store: Store, subscription: str) -> list[Row]:
    """The items of a subscription, newest first as its lists come."""
    return store.tables["subscription_item"].having("subscription", subscription)[::-1]


def save(call: Call, row: Row, event: str = UPDATED, /, **changes: Any) -> Row:
    """The subscription after `changes`, with its items as they are and on the clock's agenda; tells of what differs."""
    held = items_of(call.store, row["id"])
    changes["items"] = listing.nested(held, f"/v1/subscription_items?subscription={row['id']}")
    dues = due_times({**row, **changes}, held)
    changes["_due"] = min(dues.values(), default=None)
    return call.change(row, None if row.get("_quiet") else event, **changes)


def settled(call: Call, row: Row) -> Row:
    """The subscription as it is once its invoices' fate has been heard: what an answer of the API shows."""
    call.settle()
    return call.find("subscription", row["id"])


def due_times(row: Row, held: list[Row]) -> dict[str, int]:
    """What the clock has to see to, and when in unix seconds; several of one second in this order."""
    if row["status"] in ENDED:
        return {}
    times: dict[str, int | None] = {
        "collection": (row["pause_collection"] or {}).get("resumes_at"),
        "expiry": row.get("_expires"),
        "resumption_expiry": row.get("_resume_until"),
        "update_expiry": (row["pending_update"] or {}).get("expires_at"),
        "cancellation": row["cancel_at"],
    }
    if held and row["status"] not in ("incomplete", "paused"):
        end, told = min(item["current_period_end"] for item in held), row.get("_told", ())
        if row["status"] == "trialing" and f"trial {end}" not in told:
            times["trial_notice"] = end - TRIAL_NOTICE_DAYS * DAY
        upcoming = end - UPCOMING_DAYS * DAY
        if f"period {end}" not in told and upcoming > max(item["current_period_start"] for item in held):
            times["upcoming"] = upcoming
        times["period"] = end
    return {name: at for name, at in times.items() if at is not None}


def cycle_of(row: Row, item: Row) -> Cycle:
    """The cycle an item is billed by."""
    recurring, config = item["price"]["recurring"], row["billing_cycle_anchor_config"]
    anchor, day = row["billing_cycle_anchor"], config and config["day_of_month"]
    return Cycle(anchor, recurring["interval"], recurring["interval_count"], day)


def price_of(store: Store, item: Row) -> Row:
    """The item's price from the store, with what pricing wants of it."""
    return store.tables["price"].rows[item["_price"]]


def metered(item: Row) -> bool:
    """Whether an item is billed for what was used, afterwards."""
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def flexible(row: Row) -> bool:
    """Whether the billing mode is flexible: credits are what was debited, usage items leave no empty lines."""
    return bool(row["billing_mode"]["type"] == "flexible")


def discounts_of(store: Store, row: Row, customer: Row) -> list[Row]:
    """The discounts of a subscription, or without any its customer's."""
    ids = row["discounts"] or ([customer["discount"]["id"]] if customer["discount"] else [])
    return discounts.held(store, ids)


def new_item(call: Call, row: Row, price: Row, period: tuple[int, int], **fields: Any) -> Row:
    """An item with this price (a row) and period, not stored yet; `fields` are those of the API."""
    item: Row = {
        "id": call.new_id("subscription_item"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": call.now,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": {},
        "price": public(price),
        "subscription": row["id"],
        "tax_rates": [],
        "_price": price["id"],
        "_debits": [],
        **fields,
    }
    if price["recurring"]["usage_type"] != "metered":
        item.setdefault("quantity", 1)
    return item


def billable(price: Row, currency: str, param: str) -> Row:
    """The price, when a subscription in `currency` can have it; raises 400 otherwise."""
    if not price["active"] and not param.endswith("_data]"):
        raise invalid(param, "The price specified is inactive. This field only accepts active prices.")
    if price["recurring"] is None:
        message = "The price specified is set to `type=one_time` but this field only accepts prices with "
        raise invalid(param, message + "`type=recurring`.")
    known = {price["currency"], *(price.get("_currency_options") or {})}
    if currency not in known:
        listed = ", ".join(f"`{name}`" for name in sorted(known))
        message = f"The price specified only supports {listed}. This doesn't match the expected currency: "
        raise invalid(param, message + f"`{currency}`.")
    return price
