"""Discounts that end with a use or with their time, taken off the subscription they hang on."""

from collections.abc import Sequence

from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row


def used_up(call: Call, row: Row, invoice: Row) -> Row:
    """Take off what lasts once when the invoice used it, and tell of it; the invoice keeps it."""
    used = {part["discount"] for part in invoice["total_discount_amounts"] if part["amount"]}
    gone = [one for one in discounts.held(call.store, used) if discounts.lasts_once(one)]
    return without(call, row, gone)


def expired(call: Call, row: Row) -> Row:
    """Take off what no longer runs."""
    ids = [*row["discounts"], *(id_ for item in rows.items_of(call.store, row["id"]) for id_ in item["discounts"])]
    gone = [one for one in discounts.held(call.store, ids) if not discounts.running(one, call.now)]
    return without(call, row, gone)


def without(call: Call, row: Row, gone: Sequence[Row]) -> Row:
    """The subscription and its items without these discounts, which are told of as deleted."""
    ids = {discount["id"] for discount in gone}
    if not ids:
        return row
    for item in rows.items_of(call.store, row["id"]):
        call.change(item, discounts=[id_ for id_ in item["discounts"] if id_ not in ids])
    for discount in gone:
        call.emit("customer.discount.deleted", discount)
    return rows.save(call, row, discounts=[id_ for id_ in row["discounts"] if id_ not in ids])
