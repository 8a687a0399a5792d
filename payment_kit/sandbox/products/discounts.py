"""Discounts: a coupon at work on a customer, a subscription, an item or an invoice.

A discount's row keeps its coupon as it was (``_coupon``): deleting or changing a coupon does not touch who already has
it. So the functions here want discount rows from the store, not the public copies inside other objects.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from payment_kit.money import exponent
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import array, fields, string
from payment_kit.sandbox.products import percent
from payment_kit.sandbox.products.coupons import deactivate_codes
from payment_kit.sandbox.store import Row, Store

# the parameter `discounts` of subscriptions, items and invoices
DISCOUNTS = array(fields(dict.fromkeys(("coupon", "discount", "promotion_code"), string)))
_TOLD = ("customer", "subscription", "subscription_item")


def resolve(
    call: Call,
    discounts_param: Iterable[dict[str, Any]] | None,
    inside: str = "discounts",
    *,
    customer: Row | None = None,
    currency: str | None = None,
    amount: int | None = None,
    keep: bool = True,
    **owner: str,
) -> list[Row]:
    """The discounts of ``[{"coupon": …} | {"promotion_code": …} | {"discount": …}]``, each checked and counted once.

    `customer`, `currency` and `amount` (minor units of `currency`, what is being bought) are what the restrictions of
    coupons and codes are held against, each as far as given. `owner` names what the discount hangs on by its id:
    ``subscription=``, ``subscription_item=``, ``invoice=``, ``invoice_item=``, ``checkout_session=``; with none of
    them it hangs on the customer. With `keep` False (a preview) nothing is stored or counted. Raises 400 for what
    cannot be redeemed.
    """
    found = []
    for at, wanted in enumerate(discounts_param or ()):
        given = [(name, id_) for name, id_ in (wanted or {}).items() if id_ is not None]
        path = f"{inside}[{at}]"
        if len(given) != 1:
            raise invalid(path, f"You must pass exactly one of coupon, discount and promotion_code in {path}.")
        name, id_ = given[0]
        if name == "discount":
            found.append(call.find("discount", id_, f"{path}[discount]", 400))
            continue
        code = call.find("promotion_code", id_, f"{path}[promotion_code]", 400) if name == "promotion_code" else None
        coupon = call.find("coupon", code["promotion"]["coupon"] if code else id_, f"{path}[{name}]", 400)
        _redeemable(call, coupon, currency, f"{path}[{name}]")
        if code is not None:
            _usable(call, code, customer, currency, amount, f"{path}[promotion_code]")
        found.append(_made(call, coupon, code, customer, keep, owner))
    coupons = [row["source"]["coupon"] for row in found]
    if len(set(coupons)) != len(coupons):
        raise invalid(inside, "You cannot apply the same coupon more than once.")
    return found


def off(discount_or_coupon: Row, amount: int, currency: str) -> int:
    """What it takes off `amount` minor units of `currency`: never more than there is, nothing of a credit.

    A percentage is rounded half up, in three-decimal currencies to the ten. A coupon with an amount takes nothing off
    a currency it has no amount in.
    """
    coupon = discount_or_coupon.get("_coupon", discount_or_coupon)
    if amount <= 0:
        return 0
    if coupon["percent_off"] is not None:
        step = 10 if exponent(currency) == 3 else 1
        return min(amount, percent.of(coupon["percent_off"], amount, step))
    return min(amount, amount_off(coupon, currency) or 0)


def amount_off(coupon: Row, currency: str) -> int | None:
    """The amount a coupon takes off in a currency; None when it has none there."""
    if coupon["amount_off"] is not None and coupon["currency"] == currency:
        return int(coupon["amount_off"])
    option = (coupon.get("_currency_options") or {}).get(currency)
    return None if option is None else int(option["amount_off"])


def applies_to(discount_or_coupon: Row, product: str | None) -> bool:
    """Whether it takes anything off this product; without `applies_to` off everything, also what is no product."""
    coupon = discount_or_coupon.get("_coupon", discount_or_coupon)
    return not coupon.get("_products") or product in coupon["_products"]


def running(discount: Row, at: int) -> bool:
    """Whether a discount still counts at unix second `at`; whoever used one that lasts `once` has to `drop` it."""
    return "deleted" not in discount and (discount["end"] is None or at < discount["end"])


def lasts_once(discount: Row) -> bool:
    """Whether its coupon's duration is `once`."""
    return bool(discount["_coupon"]["duration"] == "once")


def held(store: Store, ids: Iterable[str]) -> list[Row]:
    """The rows of the discounts an object lists, without those that were removed."""
    rows = [store.get("discount", id_) for id_ in ids]
    return [row for row in rows if row is not None and "deleted" not in row]


def drop(call: Call, discount: Row) -> Row:
    """Take a discount away and leave its tombstone; whoever calls this takes it off what it hung on."""
    if "deleted" in discount:
        return discount
    if any(discount[name] for name in _TOLD):
        call.emit("customer.discount.deleted", discount)
    tombstone = {**{name: value for name, value in discount.items() if name != "end"}, "deleted": True}
    call.store.put(tombstone)
    return tombstone


def redeemable(call: Call, given: Row) -> bool:
    """Whether ``{"coupon" | "discount" | "promotion_code": id}`` could be given at this moment, terms aside."""
    rows = {name: call.store.get(name, id_) or {"deleted": True} for name, id_ in given.items() if id_ is not None}
    if "promotion_code" in rows and rows["promotion_code"].get("active"):
        rows["coupon"] = call.store.get("coupon", rows["promotion_code"]["promotion"]["coupon"]) or {"deleted": True}
    gone = any("deleted" in row for row in rows.values())
    return not gone and rows.get("coupon", {}).get("valid", True) and rows.get("promotion_code", {}).get("active", True)


def _redeemable(call: Call, coupon: Row, currency: str | None, param: str) -> None:
    expired = coupon["redeem_by"] is not None and call.now > coupon["redeem_by"]
    if expired or not coupon["valid"]:
        why = "expired" if expired else "been redeemed as often as it can be"
        raise ApiError(400, f"Coupon {coupon['id']} has {why}.", code="coupon_expired", param=param)
    if currency is not None and coupon["amount_off"] is not None and amount_off(coupon, currency) is None:
        raise invalid(param, f"The coupon {coupon['id']} has no amount_off in {currency}.")


def _usable(call: Call, code: Row, customer: Row | None, currency: str | None, amount: int | None, param: str) -> None:
    """Raises 400 when a promotion code's own terms refuse it."""

    def refuse(message: str) -> ApiError:
        return ApiError(400, message, code="promotion_code_invalid", param=param)

    if not code["active"] or (code["expires_at"] is not None and call.now >= code["expires_at"]):
        raise refuse("This promotion code is inactive, expired or used up.")
    if code["customer"] is not None and (customer is None or customer["id"] != code["customer"]):
        raise refuse("This promotion code belongs to another customer.")
    terms = code["restrictions"]
    if terms["first_time_transaction"] and customer is not None and paid_before(call.store, customer["id"]):
        raise refuse("This promotion code cannot be redeemed because the associated customer has prior transactions.")
    least = minimum(code, currency)
    if least is not None and amount is not None and amount < least:
        raise refuse("This promotion code cannot be redeemed because its minimum amount is not reached.")
    if terms["minimum_amount"] is not None and currency is not None and least is None:
        raise refuse(f"This promotion code has no minimum amount in {currency}.")


def minimum(code: Row, currency: str | None) -> int | None:
    """What has to be bought for in `currency` before a promotion code counts."""
    terms = code["restrictions"]
    if terms["minimum_amount_currency"] == currency and terms["minimum_amount"] is not None:
        return int(terms["minimum_amount"])
    option = (code.get("_currency_options") or {}).get(currency)
    return None if option is None else int(option["minimum_amount"])


def paid_before(store: Store, customer: str) -> bool:
    """Whether a customer already has a successful payment or a paid invoice."""
    if any(charge["paid"] for charge in store.tables["charge"].having("customer", customer)):
        return True
    invoices = store.tables.get("invoice")
    return invoices is not None and any(
        invoice["status"] == "paid" for invoice in invoices.having("customer", customer)
    )


def _made(call: Call, coupon: Row, code: Row | None, customer: Row | None, keep: bool, owner: dict[str, str]) -> Row:
    months = coupon["duration_in_months"]
    row: Row = {
        "id": call.new_id("discount"),
        "object": "discount",
        "checkout_session": owner.get("checkout_session"),
        "customer": customer and customer["id"],
        "customer_account": None,
        "end": None if months is None else after_months(call.now, months),
        "invoice": owner.get("invoice"),
        "invoice_item": owner.get("invoice_item"),
        "promotion_code": code and code["id"],
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": call.now,
        "subscription": owner.get("subscription"),
        "subscription_item": owner.get("subscription_item"),
        "_coupon": coupon,
    }
    if not keep:
        return row
    used = coupon["times_redeemed"] + 1
    left = coupon["max_redemptions"] is None or used < coupon["max_redemptions"]
    call.change(coupon, "coupon.updated", times_redeemed=used, valid=coupon["valid"] and left)
    if code is not None:
        used = code["times_redeemed"] + 1
        active = left and (code["max_redemptions"] is None or used < code["max_redemptions"])
        call.change(code, "promotion_code.updated", times_redeemed=used, active=active)
    if not left:
        deactivate_codes(call, coupon["id"])
    on_one_invoice = any(owner.get(name) for name in ("invoice", "invoice_item", "checkout_session"))
    return call.add(row, None if on_one_invoice or customer is None else "customer.discount.created")


def after_months(start: int, months: int) -> int:
    """The same time of day some months later, on the last day of a month that is too short."""
    at = datetime.fromtimestamp(start, UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, monthrange(year, month + 1)[1])
    return int(at.replace(year=year, month=month + 1, day=day).timestamp())
