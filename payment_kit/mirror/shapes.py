"""Older shapes of the API, turned into the pinned one before anything else looks at a payload.

An endpoint, or an account's default, may speak an older version than the one this program asks for: then fields stand
elsewhere, and columns would silently become null. `CHANGES` lists what moved since 2020-08-27, oldest first, each with
the page of Stripe's changelog it follows. What the payload does not hold stays away: it is read from Stripe later. An
object that was shown whole where today an id stands stays whole, as if expanded; a list that today has to be expanded
(a charge's refunds) stays as well. Every rule looks for the older field, so a payload in the pinned shape is left as it
is, whatever version is claimed for it. Changes of behaviour and of objects no table holds are not listed. Pure.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from payment_kit.stripe_gateway.gateway import API_VERSION

PINNED = API_VERSION
"""The version whose shape is the canonical one."""

Payload = Mapping[str, Any]
Row = dict[str, Any]
Turn = Callable[[Row], None]

_UNTOUCHED = frozenset({"metadata"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Change(NamedTuple):
    """One change of the API: `turn` edits an object of `kind` from the shape before `version` into that of it.

    It is given a copy of its own, whose inner objects have been turned already.
    """

    version: str
    kind: str
    what: str
    page: str
    turn: Turn


def is_current(api_version: str | None) -> bool:
    """Whether payloads of this version have the pinned shape: the pinned version itself or a newer one.

    False when the version is not known: None, or text without a date in front.
    """
    return _date(api_version) >= _date(PINNED)


def canonical_shape(payload: Payload, api_version: str | None) -> Payload:
    """`payload` (an object, with all it holds) as the pinned version would show it, as far as it holds the facts.

    Never mutates; returns the very same object when nothing changed since `api_version`, at no cost. An unknown
    version counts as the oldest.
    """
    turns = _turns_since(api_version)
    return _turned(payload, turns) if turns else payload


def canonical_changes(previous: Payload, payload: Payload, api_version: str | None) -> Payload:
    """An event's ``previous_attributes`` in the pinned shape; `payload` is the event's object as it came.

    Undone on the canonical payload they give the canonical shape of the state before. Empty when only fields changed
    that the pinned shape does not have.
    """
    turns = _turns_since(api_version)
    if not turns:
        return previous
    before = _turned(undone(payload, previous), turns)
    now = _turned(payload, turns)
    return {name: _change(before.get(name), now.get(name)) for name in _differing(before, now)}


def undone(payload: Payload, previous: Payload) -> Payload:
    """`payload` with its ``previous_attributes`` put back; objects are merged key by key, lists are replaced."""
    result = dict(payload)
    for name, value in previous.items():
        now = payload.get(name)
        both = isinstance(value, Mapping) and isinstance(now, Mapping)
        result[name] = undone(now, value) if both else value  # type: ignore[arg-type]
    return result


def _differing(before: Payload, now: Payload) -> list[str]:
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def _change(before: Any, now: Any) -> Any:
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return before
    # Another object in this place is told whole: part of it would be taken for a hash.
    names = {**before, **now} if "object" in before else _differing(before, now)
    return {name: _change(before.get(name), now.get(name)) for name in names}


def _date(api_version: str | None) -> str:
    found = _DATE.match(api_version or "")
    return found[0] if found else ""


def _turns_since(api_version: str | None) -> Mapping[str, tuple[Turn, ...]]:
    return _turns(bisect_right(_DATES, _date(api_version)))


@cache
def _turns(known: int) -> Mapping[str, tuple[Turn, ...]]:
    """All but the first `known` changes by kind of object, oldest first."""
    turns: dict[str, tuple[Turn, ...]] = {}
    for change in CHANGES[known:]:
        turns[change.kind] = (*turns.get(change.kind, ()), change.turn)
    return turns


def _turned(value: Any, turns: Mapping[str, tuple[Turn, ...]]) -> Any:
    if isinstance(value, list):
        return [_turned(part, turns) for part in value]
    if not isinstance(value, Mapping):
        return value
    row = {name: part if name in _UNTOUCHED else _turned(part, turns) for name, part in value.items()}
    kind = row.get("object")
    for turn in turns.get(kind, ()) if isinstance(kind, str) else ():
        turn(row)
    return row


# ---- The rules ------------------------------------------------------------------------------------------------------


def _customer_currency(row: Row) -> None:
    currency = row.pop("default_currency", None)
    if currency is not None and row.get("currency") is None:
        row["currency"] = currency


def _session_shipping(row: Row) -> None:
    shipping, rate = row.pop("shipping", None), row.pop("shipping_rate", None)
    if shipping is not None:
        row.setdefault("shipping_details", shipping)
    if rate is not None:
        row["shipping_cost"] = {"shipping_rate": rate, **(row.get("shipping_cost") or {})}


def _intent_charges(row: Row) -> None:
    charges = ((row.pop("charges", None) or {}).get("data")) or []
    latest = row.get("latest_charge", charges[0]["id"] if charges else None)
    whole = next((charge for charge in charges if charge["id"] == latest), latest)
    if whole is not None:
        row["latest_charge"] = whole


def _product_features(row: Row) -> None:
    if "features" in row:
        row.setdefault("marketing_features", row.pop("features"))


def _invoice_rendering(row: Row) -> None:
    options = row.pop("rendering_options", None)
    if options is not None and row.get("rendering") is None:
        row["rendering"] = options


def _subscription_period(row: Row) -> None:
    for name in ("current_period_end", "current_period_start"):
        at = row.pop(name, None)
        for item in (row.get("items") or {}).get("data") or () if at is not None else ():
            item.setdefault(name, at)
    _single_discount(row)


def _single_discount(row: Row) -> None:
    """What ``discount`` held, whole, is the first of ``discounts``."""
    discount = row.pop("discount", None)
    if discount is not None:
        id_, all_ = discount["id"] if isinstance(discount, Mapping) else discount, row.get("discounts")
        row["discounts"] = [discount if one == id_ else one for one in ([discount] if all_ is None else all_)]


def _schedule_coupons(row: Row) -> None:
    for phase in row.get("phases") or ():
        coupon = phase.pop("coupon", None)
        if coupon is not None and not phase.get("discounts"):
            phase["discounts"] = [{"coupon": coupon, "discount": None, "promotion_code": None}]


def _price_usage(row: Row) -> None:
    (row.get("recurring") or {}).pop("aggregate_usage", None)


def _plan_usage(row: Row) -> None:
    row.pop("aggregate_usage", None)


_INVOICE_GONE = "application_fee_amount charge paid paid_out_of_band payment_intent transfer_data".split()


def _invoice_parent(row: Row) -> None:
    quote, subscription = row.pop("quote", None), row.pop("subscription", None)
    proration, details = row.pop("subscription_proration_date", None), row.pop("subscription_details", None)
    if "parent" not in row and subscription is not None:
        inside = {"metadata": (details or {}).get("metadata"), "subscription": subscription}
        if proration is not None:
            inside["subscription_proration_date"] = proration
        row["parent"] = {"quote_details": None, "subscription_details": inside, "type": "subscription_details"}
    elif "parent" not in row and quote is not None:
        row["parent"] = {"quote_details": {"quote": quote}, "subscription_details": None, "type": "quote_details"}
    for name in _INVOICE_GONE:
        row.pop(name, None)
    _single_discount(row)
    row.pop("tax", None)
    _taxes(row, "total_tax_amounts", "total_taxes")


def _line_parent(row: Row) -> None:
    kind = row.pop("type", None)
    details: Row = {name: row.pop(name) for name in ("invoice_item", "proration", "proration_details") if name in row}
    item = row.pop("subscription_item", None)
    details["subscription"] = row.get("subscription")
    if "parent" not in row and kind == "subscription":
        details["subscription_item"] = item
        row["parent"] = {
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        }
    elif "parent" not in row and kind is not None:
        row["parent"] = {
            "invoice_item_details": details,
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    row.pop("amount_excluding_tax", None)
    _pricing(row, row.pop("unit_amount_excluding_tax", None))
    row.pop("tax_rates", None)
    _taxes(row, "tax_amounts", "taxes")


def _item_parent(row: Row) -> None:
    subscription, item = row.pop("subscription", None), row.pop("subscription_item", None)
    if "parent" not in row and subscription is not None:
        details = {"subscription": subscription} | ({"subscription_item": item} if item is not None else {})
        row["parent"] = {"subscription_details": details, "type": "subscription_details"}
    row.pop("unit_amount", None)
    _pricing(row, row.pop("unit_amount_decimal", None))


def _pricing(row: Row, unit_amount_decimal: str | None) -> None:
    """``price`` or ``plan``, which have the same id, and what one costs: the price's amount, else the line's own."""
    if "price" not in row and "plan" not in row:
        return
    price, plan = row.pop("price", None), row.pop("plan", None)
    sold = price if price is not None else plan
    whole = sold if isinstance(sold, Mapping) else {}
    unit = whole.get("unit_amount_decimal")
    pricing: Row = {"type": "price_details", "unit_amount_decimal": unit if unit is not None else unit_amount_decimal}
    if sold is not None:
        # A plan is no price: its id is.
        named = price if price is not None else whole.get("id", plan)
        pricing["price_details"] = {"price": named, "product": whole.get("product")}
    row.setdefault("pricing", pricing)


def _credit_note_refund(row: Row) -> None:
    if "refund" in row:
        refund = row.pop("refund")
        row.setdefault("refunds", [] if refund is None else [{"refund": refund, "type": "refund"}])
    _taxes(row, "tax_amounts", "total_taxes")


def _credit_note_line_taxes(row: Row) -> None:
    row.pop("amount_excluding_tax", None)
    row.pop("unit_amount_excluding_tax", None)
    _taxes(row, "tax_amounts", "taxes")


def _taxes(row: Row, before: str, now: str) -> None:
    if before in row:
        row.setdefault(now, [_tax(amount) for amount in row.pop(before) or ()])


def _tax(amount: Payload) -> Row:
    rate = amount.get("tax_rate")
    return {
        "amount": amount["amount"],
        "tax_behavior": "inclusive" if amount.get("inclusive") else "exclusive",
        "tax_rate_details": None if rate is None else {"tax_rate": rate},
        "taxability_reason": amount.get("taxability_reason"),
        "taxable_amount": amount.get("taxable_amount"),
        "type": "tax_rate_details",
    }


def _no_invoice(row: Row) -> None:
    row.pop("invoice", None)


def _session_collected(row: Row) -> None:
    details, collected = row.pop("shipping_details", None), row.get("collected_information") or {}
    if details is not None and not collected.get("shipping_details"):
        kept = {name: details[name] for name in ("address", "name") if name in details}
        row["collected_information"] = {**collected, "shipping_details": kept}


def _discount_source(row: Row) -> None:
    if "coupon" in row:
        row.setdefault("source", {"coupon": row.pop("coupon"), "type": "coupon"})


def _promotion_source(row: Row) -> None:
    if "coupon" in row:
        row.setdefault("promotion", {"coupon": row.pop("coupon"), "type": "coupon"})


def _session_ui_mode(row: Row) -> None:
    if "ui_mode" in row:
        row["ui_mode"] = _UI_MODES.get(row["ui_mode"] or "", row["ui_mode"])


_UI_MODES = {"hosted": "hosted_page", "embedded": "embedded_page", "custom": "elements"}
_BASIL, _CLOVER = "basil/2025-03-31", "clover/2025-09-30"
# pages are below docs.stripe.com/changelog/
CHANGES: tuple[Change, ...] = (
    Change(
        "2022-08-01", "customer", "default_currency is currency",
        "2022-08-01/removes-default-currency-customer-object", _customer_currency,
    ),
    Change(
        "2022-08-01", "checkout.session", "shipping is shipping_details; shipping_rate is in shipping_cost",
        "2022-08-01/updates-shipping-property-checkout-session", _session_shipping,
    ),
    Change(
        "2022-11-15", "payment_intent", "the newest of charges is latest_charge",
        "2022-11-15/removes-charges-attribute-paymentintent", _intent_charges,
    ),
    Change(
        "2024-04-10", "product", "features are marketing_features",
        "2024-04-10/renames-features-attribute-product-object", _product_features,
    ),
    Change(
        "2024-04-10", "invoice", "rendering_options are rendering",
        "2024-04-10/renames-rendering-options-invoicing", _invoice_rendering,
    ),
    Change(
        "2025-03-31.basil", "subscription", "current_period_* are on the items; discount is in discounts",
        f"{_BASIL}/deprecate-subscription-current-period-start-and-end", _subscription_period,
    ),
    Change(
        "2025-03-31.basil", "subscription_schedule", "a phase's coupon is in its discounts",
        f"{_BASIL}/deprecate-singular-coupon-promotion-code", _schedule_coupons,
    ),
    Change(
        "2025-03-31.basil", "price", "recurring.aggregate_usage is gone",
        f"{_BASIL}/deprecate-legacy-usage-based-billing", _price_usage,
    ),
    Change(
        "2025-03-31.basil", "plan", "aggregate_usage is gone",
        f"{_BASIL}/deprecate-legacy-usage-based-billing", _plan_usage,
    ),
    Change(
        "2025-03-31.basil", "invoice", "subscription and quote are in parent; discount is in discounts; taxes are in "
        "total_taxes; payments tell what paid it", f"{_BASIL}/adds-new-parent-field-to-invoicing-objects",
        _invoice_parent,
    ),
    Change(
        "2025-03-31.basil", "line_item", "price and plan are in pricing, what it bills in parent, tax_amounts in taxes",
        f"{_BASIL}/invoice-pricing-configurations", _line_parent,
    ),
    Change(
        "2025-03-31.basil", "invoiceitem", "price, plan and unit_amount are in pricing; subscription is in parent",
        f"{_BASIL}/invoice-pricing-configurations", _item_parent,
    ),
    Change(
        "2025-03-31.basil", "credit_note", "refund is in refunds; tax_amounts are total_taxes",
        f"{_BASIL}/invoice-tax-configurations", _credit_note_refund,
    ),
    Change(
        "2025-03-31.basil", "credit_note_line_item", "tax_amounts are taxes",
        f"{_BASIL}/invoice-tax-configurations", _credit_note_line_taxes,
    ),
    Change(
        "2025-03-31.basil", "payment_intent", "invoice is told by invoice payments",
        f"{_BASIL}/add-support-for-multiple-partial-payments-on-invoices", _no_invoice,
    ),
    Change(
        "2025-03-31.basil", "charge", "invoice is told by invoice payments",
        f"{_BASIL}/add-support-for-multiple-partial-payments-on-invoices", _no_invoice,
    ),
    Change(
        "2025-03-31.basil", "checkout.session", "shipping_details are in collected_information",
        f"{_BASIL}/checkout-session-remove-shipping-details", _session_collected,
    ),
    Change(
        "2025-09-30.clover", "discount", "coupon is source.coupon",
        f"{_CLOVER}/add-discount-source-property", _discount_source,
    ),
    Change(
        "2025-09-30.clover", "promotion_code", "coupon is promotion.coupon",
        f"{_CLOVER}/polymorphic-coupon", _promotion_source,
    ),
    Change(
        "2026-03-25.dahlia", "checkout.session", "ui_mode is hosted_page, embedded_page or elements; it was hosted, "
        "embedded or custom", "dahlia/2026-03-25/updates-available-checkout-session-ui-modes", _session_ui_mode,
    ),
)  # fmt: skip
_DATES = [_date(change.version) for change in CHANGES]
