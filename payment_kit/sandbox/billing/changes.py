"""What POST /v1/subscriptions/{id} changes: terms of the subscription at once, items and cycle through `moves`."""

from collections.abc import Sequence
from typing import Any

from payment_kit.sandbox.billing import items as invoice_items
from payment_kit.sandbox.billing import moves, pricing
from payment_kit.sandbox.billing import subscription_params as params_of
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.billing.lines import Line
from payment_kit.sandbox.billing.moves import Move
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row

# "After it's canceled, the subscription is largely immutable. You can still update its metadata and
# cancellation_details." (docs.stripe.com/api/subscriptions/cancel)
_WHEN_ENDED = {"metadata", "cancellation_details", "expand"}
# "A subscription in this status can only have metadata and default_source updated" (…/object, status incomplete);
# what it is paid with can be set, too
_WHEN_INCOMPLETE = _WHEN_ENDED | {"default_payment_method", "description", "payment_settings"}
_ITEM_PLAIN = ("metadata", "tax_rates", "discounts")


def update(call: Call, row: Row, params: dict[str, Any]) -> Row:
    """The subscription after the parameters of its update; raises 400, or 402 as the payment behaves."""
    call = call.part(**params)
    _changeable(row, params)
    if row["status"] in rows.ENDED:
        details = {**row["cancellation_details"], **(params.get("cancellation_details") or {})}
        return rows.save(call, row, metadata=merged(row, params), cancellation_details=details)
    customer = call.find("customer", row["customer"], "customer", 400)
    held = rows.items_of(call.store, row["id"])
    moved, plain_items = _moves(call, row, customer, held)
    changes = {**_terms(call, row, customer), **cancellation(call, row, held)}
    for line in extra_lines(call, row):
        invoice_items.of_line(call, customer, line)
    if not moves.needed(call, row, moved):
        for before, after in plain_items:
            if before is not None and after is not None:
                call.change(before, **{name: after[name] for name in _ITEM_PLAIN})
        return notice(call, rows.save(call, row, **changes))
    return notice(call, moves.make(call, row, customer, [*moved, *plain_items], changes))


def _changeable(row: Row, params: dict[str, Any]) -> None:
    given = set(params)
    if row["status"] in rows.ENDED and not given <= _WHEN_ENDED:
        message = "A canceled subscription can only update its cancellation_details and metadata."
        raise ApiError(400, message, code="resource_missing" if row["status"] == "incomplete_expired" else None)
    if row["status"] == "incomplete" and not given <= _WHEN_INCOMPLETE:
        names = ", ".join(sorted(given - _WHEN_INCOMPLETE))
        raise ApiError(
            400, f"The subscription is incomplete: {names} cannot be updated until its first invoice is paid."
        )
    if row["schedule"] is not None and given & {"cancel_at", "cancel_at_period_end"}:
        message = (
            f"The subscription is managed by the subscription schedule `{row['schedule']}`, and updating any "
            "cancelation behavior directly is not allowed. Please update the schedule instead."
        )
        raise ApiError(400, message)
    if row["pending_update"] is not None and given & {"items", "billing_cycle_anchor", "trial_end"}:
        raise ApiError(400, "The subscription has a pending update; pay or void its latest invoice first.")


def _terms(call: Call, row: Row, customer: Row) -> dict[str, Any]:
    """The terms the parameters change."""
    params = call.params
    changes: dict[str, Any] = {"metadata": merged(row, params)}
    for name in ("description", "trial_settings", "pause_collection"):
        if name in params:
            changes[name] = params[name]
    if changes.get("pause_collection"):
        changes["pause_collection"] = {"resumes_at": None, **changes["pause_collection"]}
        until = changes["pause_collection"]["resumes_at"]
        if until is not None:
            params_of.ahead(until, call.now, "pause_collection[resumes_at]")
    if "default_payment_method" in params:
        changes["default_payment_method"] = params_of.payment_method(call, customer, params["default_payment_method"])
    if "default_tax_rates" in params:
        changes["default_tax_rates"] = params_of.tax_rates(call, params["default_tax_rates"], "default_tax_rates")
    if "payment_settings" in params:
        given = {name: value or None for name, value in (params["payment_settings"] or {}).items()}
        changes["payment_settings"] = {**row["payment_settings"], **given}
    if params.get("cancellation_details") is not None:
        changes["cancellation_details"] = {**row["cancellation_details"], **params["cancellation_details"]}
    if "discounts" in params:
        changes["discounts"] = _discounts(call, row, customer)
    return changes | _collection(row, params)


def _collection(row: Row, params: dict[str, Any]) -> dict[str, Any]:
    method = params.get("collection_method") or row["collection_method"]
    days = params.get("days_until_due", row["days_until_due"])
    if method == "send_invoice" and days is None:
        raise missing("days_until_due")
    if method == "charge_automatically" and params.get("days_until_due") is not None:
        raise invalid("days_until_due", "You can only set `days_until_due` if collection_method is `send_invoice`.")
    return {"collection_method": method, "days_until_due": days if method == "send_invoice" else None}


def _discounts(call: Call, row: Row, customer: Row) -> list[str]:
    """The discounts after the call; those no longer named are told of as deleted."""
    found = discounts.resolve(
        call, call.params["discounts"], customer=customer, currency=row["currency"], subscription=row["id"]
    )
    kept = [discount["id"] for discount in found]
    for discount in discounts.held(call.store, row["discounts"]):
        if discount["id"] not in kept:
            call.emit("customer.discount.deleted", discount)
    return kept


def cancellation(call: Call, row: Row, held: Sequence[Row]) -> dict[str, Any]:
    """What ``cancel_at`` and ``cancel_at_period_end`` change."""
    params = call.params
    at, at_end = params.get("cancel_at"), params.get("cancel_at_period_end")
    if at is not None and at_end:
        raise invalid("cancel_at", "You may only specify one of cancel_at and cancel_at_period_end.")
    ends = [item["current_period_end"] for item in held]
    if at_end or at in ("min_period_end", "max_period_end"):
        at = max(ends) if at == "max_period_end" else min(ends)
    elif at is not None:
        params_of.ahead(at, call.now, "cancel_at")
    elif ("cancel_at" not in params and at_end is None) or row["cancel_at"] is None:
        return {}
    details = {**row["cancellation_details"], "reason": None if at is None else "cancellation_requested"}
    details |= params.get("cancellation_details") or {}
    return {
        "cancel_at": at,
        "cancel_at_period_end": bool(at_end),
        "canceled_at": None if at is None else call.now,
        "cancellation_details": details,
    }


def _moves(call: Call, row: Row, customer: Row, held: list[Row]) -> tuple[list[Move], list[Move]]:
    """The items that change what is billed, and those of which only the rest changes."""
    moved: list[Move] = []
    plain: list[Move] = []
    for at, given in enumerate(call.params.get("items") or ()):
        path = f"items[{at}]"
        move = _move(call, row, customer, held, given or {}, path)
        (moved if move.bills else plain).append(move)
    after = moves.after(held, [*moved, *plain])
    if not after:
        message = (
            "A subscription must have at least one active plan. In order to cancel a subscription, please use the "
        )
        raise invalid("items", message + "cancel API endpoint.")
    if len(after) > params_of.ITEMS_MAX:
        raise invalid("items", f"A subscription can have at most {params_of.ITEMS_MAX} items.")
    together([item["price"] for item in after], row["billing_mode"]["type"])
    return moved, plain


def _move(call: Call, row: Row, customer: Row, held: list[Row], given: dict[str, Any], path: str) -> Move:
    if given.get("id") is None:
        wish = params_of.wished(call, given, row["currency"], path)
        item = rows.new_item(call, row, wish.price, (call.now, call.now), **params_of.item_fields(call, wish))
        end = _joins_until(call, row, held, item)
        return Move(
            None, {**item, "current_period_end": end, **_item_discounts(call, row, customer, item, given, path)}
        )
    before = next((item for item in held if item["id"] == given["id"]), None)
    if before is None:
        message = f"The subscription {row['id']} has no item {given['id']}."
        raise ApiError(400, message, code="resource_missing", param=f"{path}[id]")
    if given.get("deleted"):
        return Move(before, None)
    after = {**before, "metadata": merged(before, given)}
    if given.get("price") or given.get("price_data"):
        price = params_of.wished(call, given, row["currency"], path).price
        after |= {"price": rows.new_item(call, row, price, (0, 0))["price"], "_price": price["id"]}
    if rows.metered(after):
        after.pop("quantity", None)
    else:
        after["quantity"] = given.get("quantity", before.get("quantity", 1))
        params_of.within(rows.price_of(call.store, after), after["quantity"], row["currency"], path)
    if "tax_rates" in given:
        after["tax_rates"] = params_of.tax_rates(call, given["tax_rates"], f"{path}[tax_rates]")
    return Move(before, after | _item_discounts(call, row, customer, after, given, path))


def _joins_until(call: Call, row: Row, held: list[Row], item: Row) -> int:
    """The end of a new item's first period: with its cycle, or now when the others are renewed this very second."""
    if row["status"] == "trialing":
        return int(row["trial_end"])
    if held and min(other["current_period_end"] for other in held) <= call.now:
        return call.now
    return rows.cycle_of(row, item).around(call.now)[1]


def _item_discounts(
    call: Call, row: Row, customer: Row, item: Row, given: dict[str, Any], path: str
) -> dict[str, list[str]]:
    if "discounts" not in given:
        return {}
    found = discounts.resolve(
        call, given["discounts"], f"{path}[discounts]", customer=customer, currency=row["currency"],
        subscription=row["id"], subscription_item=item["id"],
    )  # fmt: skip
    return {"discounts": [discount["id"] for discount in found]}


def together(prices: Sequence[Row], mode: str) -> None:
    """Raises 400 for prices one subscription cannot have side by side."""
    ids = [price["id"] for price in prices]
    double = next((id_ for id_ in ids if ids.count(id_) > 1), None)
    if double is not None:
        raise invalid("items", f"Cannot add multiple subscription items with the same plan: {double}")
    every = {(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}
    if mode == "classic" and len(every) > 1:
        message = "Currently, all prices on a subscription must have the same `recurring.interval` and "
        raise invalid("items", message + "`recurring.interval_count`. Use the flexible billing mode to mix them.")


def extra_lines(call: Call, row: Row) -> list[Line]:
    """The lines of ``add_invoice_items``: one-time prices beside the subscription's own."""
    lines = []
    for at, given in enumerate(call.params.get("add_invoice_items") or ()):
        inside = f"add_invoice_items[{at}]"
        cost = pricing.cost(call, {**given, "currency": row["currency"]}, row["currency"], inside)
        lines.append(
            Line(
                amount=cost.amount,
                currency=cost.currency,
                description=cost.description,
                period=(call.now, call.now),
                quantity=cost.quantity,
                price=cost.price,
                subscription=row["id"],
                tax_rates=pricing.tax_rates(call, given.get("tax_rates"), f"{inside}[tax_rates]"),
                unit_amount_decimal=cost.unit_amount_decimal,
            )
        )
    return lines


def notice(call: Call, row: Row) -> Row:
    """Tell at once of a trial that ends within three days; Stripe does not wait for a moment that has passed."""
    at = row["trial_end"]
    soon = row["status"] == "trialing" and at - rows.TRIAL_NOTICE_DAYS * rows.DAY <= call.now
    if not soon or f"trial {at}" in row.get("_told", ()):
        return row
    row = rows.save(call, row, _told=[*row.get("_told", ()), f"trial {at}"])
    call.emit("customer.subscription.trial_will_end", row)
    return row
