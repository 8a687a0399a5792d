"""Older shapes of the API: all is kept in the newest shape and written back, change by change, when shown.

`CHANGES` lists what is written back, newest first, each with the page of Stripe's changelog it follows. Only answers
and events are: parameters are read in their newest form whatever the version. A change that only touches behaviour
(when a Checkout Session makes its payment intent) or objects the sandbox does not have is not in the table.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from payment_kit.sandbox.call import API_VERSION, public
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.store import Row, Store

NEWEST = API_VERSION
NESTED_MAX = 10
# stripe-python 16.1.0, webhook endpoint creation, from the first version still rendered
VERSIONS = (
    "2020-08-27", "2022-08-01", "2022-11-15", "2023-08-16", "2023-10-16", "2024-04-10", "2024-06-20",
    "2024-09-30.acacia", "2024-10-28.acacia", "2024-11-20.acacia", "2024-12-18.acacia", "2025-01-27.acacia",
    "2025-02-24.acacia", "2025-03-31.basil", "2025-04-30.basil", "2025-05-28.basil", "2025-06-30.basil",
    "2025-07-30.basil", "2025-08-27.basil", "2025-09-30.clover", "2025-10-29.clover", "2025-11-17.clover",
    "2025-12-15.clover", "2026-01-28.clover", "2026-02-25.clover", "2026-03-25.dahlia", "2026-04-22.dahlia",
    "2026-05-27.dahlia", "2026-06-24.dahlia", "2026-07-29.dahlia", "2026-08-26.dahlia", "2026-09-30.endive",
    "2026-10-28.endive",
)  # fmt: skip

Back = Callable[[Row, Store | None], Row]


class Change(NamedTuple):
    """One change of the API: `back` makes the shape of before `version` of an object of `kind`, without mutating it."""

    version: str
    kind: str
    what: str
    page: str
    back: Back


def known(version: str) -> str:
    """A version the sandbox renders; raises `ApiError` 400 for another one, as Stripe words it."""
    if version not in VERSIONS:
        raise ApiError(400, f"Invalid Stripe API version: {version[:100]}", stored=False)
    return version


def choose(store: Store, given: dict[str, Any]) -> dict[str, str]:
    """Set the version of an account: what requests without a ``Stripe-Version`` and new events follow."""
    version = given.get("api_version")
    if not isinstance(version, str):
        raise ApiError(400, "Invalid api_version: must be text.", param="api_version", stored=False)
    store.set_meta(api_version=known(version))
    store.commit()
    return {"api_version": version}


def render(value: Any, version: str, store: Store | None = None) -> Any:
    """`value` (an object, a list or an event in the newest shape) as `version` has it; never mutates.

    With `store` what older shapes told of other objects is there (an invoice's charge), without it those are None.
    """
    backs = _backs(version)
    return _rendered(value, backs, store) if backs else value


def _rendered(value: Any, backs: dict[str, tuple[Back, ...]], store: Store | None) -> Any:
    """The older shape of an object first, then of what it holds: so it sees where the newer one keeps things."""
    if isinstance(value, list):
        return [_rendered(part, backs, store) for part in value]
    if not isinstance(value, dict):
        return value
    shown, kind = dict(value), value.get("object")
    if kind == "event" and "previous_attributes" in shown["data"]:
        shown["data"] = {**shown["data"], "previous_attributes": _previous(shown["data"], backs)}
    for back in backs.get(kind, ()) if isinstance(kind, str) else ():
        shown = back(shown, store)
    return {name: _rendered(part, backs, store) for name, part in shown.items()}


def _previous(data: Row, backs: dict[str, tuple[Back, ...]]) -> Row:
    """The previous attributes, with what the older shape had in their place."""
    before, row = dict(data["previous_attributes"]), data["object"]
    if row["object"] == "subscription" and "subscription" in backs and "items" in before:
        was = (before["items"] or {}).get("data") or [{}]
        now = (row.get("items") or {}).get("data") or [{}]
        for name in ("current_period_end", "current_period_start"):
            if name in was[0] and was[0][name] != now[0].get(name):
                before[name] = was[0][name]
    if row["object"] == "invoice" and "invoice" in backs and "paid" in (before.get("status"), row["status"]):
        before |= {"paid": before["status"] == "paid"} if "status" in before else {}
    return before


@cache
def _backs(version: str) -> dict[str, tuple[Back, ...]]:
    at = VERSIONS.index(version)
    found: dict[str, tuple[Back, ...]] = {}
    for change in CHANGES:
        if VERSIONS.index(change.version) > at:
            found[change.kind] = (*found.get(change.kind, ()), change.back)
    return found


def _session_ui_mode(row: Row, store: Store | None) -> Row:
    return {**row, "ui_mode": _UI_MODES.get(row.get("ui_mode") or "", row.get("ui_mode"))}


def _discount_coupon(row: Row, store: Store | None) -> Row:
    source = row.pop("source", None) or {}
    return {**row, "coupon": _whole(store, "coupon", source.get("coupon"))}


def _promotion_coupon(row: Row, store: Store | None) -> Row:
    promotion = row.pop("promotion", None) or {}
    return {**row, "coupon": _whole(store, "coupon", promotion.get("coupon"))}


def _subscription_period(row: Row, store: Store | None) -> Row:
    items = (row.get("items") or {}).get("data") or []
    ends = [item["current_period_end"] for item in items if "current_period_end" in item]
    starts = [item["current_period_start"] for item in items if "current_period_start" in item]
    return {
        **row,
        "current_period_end": min(ends, default=None),
        "current_period_start": max(starts, default=None),
        "discount": _first_discount(row, store),
    }


def _item_period(row: Row, store: Store | None) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("current_period_")}


def _invoice_parent(row: Row, store: Store | None) -> Row:
    parent = row.pop("parent", None) or {}
    subscription = parent.get("subscription_details") or {}
    paid_by = _default_payment(store, row["id"]) if "id" in row else None
    intent = (paid_by or {}).get("payment", {}).get("payment_intent")
    intent = intent["id"] if isinstance(intent, dict) else intent
    intent_row = store.get("payment_intent", intent) if store is not None and intent else None
    taxes = row.pop("total_taxes", None) or []
    row.pop("confirmation_secret", None)
    paid = row.get("status") == "paid"
    return {
        **row,
        "application_fee_amount": None,
        "charge": intent_row["latest_charge"] if intent_row is not None else None,
        "discount": _first_discount(row, store),
        "paid": paid,
        "paid_out_of_band": paid and intent is None and bool(row.get("amount_paid")),
        "payment_intent": intent,
        "quote": (parent.get("quote_details") or {}).get("quote"),
        "subscription": subscription.get("subscription"),
        "subscription_details": {"metadata": subscription.get("metadata")},
        "tax": sum(tax["amount"] for tax in taxes) if taxes else None,
        "total_tax_amounts": [_tax_amount(tax) for tax in taxes],
        "transfer_data": None,
    }


def _line_parent(row: Row, store: Store | None) -> Row:
    kind, details = _parent_details(row.pop("parent", None))
    taxes = row.pop("taxes", None) or []
    rates = [_rate(tax) for tax in taxes]
    return {
        **_price_and_plan(row, store),
        "invoice_item": details.get("invoice_item"),
        "proration": details.get("proration", False),
        "proration_details": details.get("proration_details") or {"credited_items": None},
        "subscription": details.get("subscription"),
        "subscription_item": details.get("subscription_item"),
        "tax_amounts": [_tax_amount(tax) for tax in taxes],
        "tax_rates": [_whole(store, "tax_rate", rate) for rate in rates if rate],
        "type": "subscription" if kind == "subscription_item_details" else "invoiceitem",
    }


def _item_parent(row: Row, store: Store | None) -> Row:
    _, details = _parent_details(row.pop("parent", None))
    decimal = (row.get("pricing") or {}).get("unit_amount_decimal")
    return {
        **_price_and_plan(row, store),
        "subscription": details.get("subscription"),
        "subscription_item": details.get("subscription_item"),
        "unit_amount": int(decimal) if decimal is not None and "." not in decimal else None,
        "unit_amount_decimal": decimal,
    }


def _credit_note_taxes(row: Row, store: Store | None) -> Row:
    taxes = row.pop("total_taxes", None) or []
    refunds = row.pop("refunds", None) or []
    refund = refunds[0]["refund"] if refunds else None
    return {**row, "refund": refund, "tax_amounts": [_tax_amount(tax) for tax in taxes]}


def _credit_note_line_taxes(row: Row, store: Store | None) -> Row:
    return {**row, "tax_amounts": [_tax_amount(tax) for tax in row.pop("taxes", None) or []]}


def _intent_invoice(row: Row, store: Store | None) -> Row:
    return {**row, "invoice": _invoice_of(store, row.get("id"))}


def _charge_invoice(row: Row, store: Store | None) -> Row:
    intent = row.get("payment_intent")
    return {**row, "invoice": _invoice_of(store, intent["id"] if isinstance(intent, dict) else intent)}


def _product_features(row: Row, store: Store | None) -> Row:
    return {**row, "features": row.pop("marketing_features", None) or []}


def _intent_charges(row: Row, store: Store | None) -> Row:
    made = _having(store, "charge", "payment_intent", row.get("id"))
    charges = [public(charge) for charge in made[::-1]]
    return {**row, "charges": _list(charges, f"/v1/charges?payment_intent={row.get('id')}")}


def _charge_refunds(row: Row, store: Store | None) -> Row:
    if row.get("refunds"):
        return row
    made = _having(store, "refund", "charge", row.get("id"))
    return {**row, "refunds": _list([public(one) for one in made[::-1]], f"/v1/charges/{row.get('id')}/refunds")}


def _parent_details(parent: Row | None) -> tuple[str, Row]:
    kind = (parent or {}).get("type") or ""
    return kind, (parent or {}).get(kind) or {}


def _price_and_plan(row: Row, store: Store | None) -> Row:
    details = (row.get("pricing") or {}).get("price_details") or {}
    price = _whole(store, "price", details.get("price"))
    shown = {name: value for name, value in row.items() if name != "pricing"}
    return {**shown, "plan": _plan(price) if isinstance(price, dict) else None, "price": price}


def _plan(price: Row) -> Row | None:
    """The plan of a recurring price: the object prices replaced, under the same id."""
    recurring = price.get("recurring")
    if recurring is None:
        return None
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring.get("meter"),
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring.get("trial_period_days"),
        "usage_type": recurring["usage_type"],
    }


def _tax_amount(tax: Row) -> Row:
    return {
        "amount": tax["amount"],
        "inclusive": tax.get("tax_behavior") == "inclusive",
        "tax_rate": _rate(tax),
        "taxability_reason": tax.get("taxability_reason"),
        "taxable_amount": tax.get("taxable_amount"),
    }


def _rate(tax: Row) -> Any:
    return (tax.get("tax_rate_details") or {}).get("tax_rate")


def _first_discount(row: Row, store: Store | None) -> Any:
    first = next(iter(row.get("discounts") or ()), None)
    return _whole(store, "discount", first)


def _whole(store: Store | None, kind: str, id_: Any) -> Any:
    """An object that older shapes held whole; its id when there is nothing to look it up in."""
    row = store.get(kind, id_) if store is not None and isinstance(id_, str) and kind in KINDS else None
    return id_ if row is None else public(row)


def _default_payment(store: Store | None, invoice: str) -> Row | None:
    made = _having(store, "invoice_payment", "invoice", invoice)
    return next((row for row in reversed(made) if row.get("is_default")), made[-1] if made else None)


def _invoice_of(store: Store | None, intent: str | None) -> str | None:
    made = _having(store, "invoice_payment", "_intent", intent)
    return made[-1]["invoice"] if made else None


def _having(store: Store | None, kind: str, field: str, value: str | None) -> list[Row]:
    if store is None or value is None or field not in KINDS[kind].indexed:
        return []
    return store.tables[kind].having(field, value)


def _list(rows: list[Row], url: str) -> Row:
    return {
        "object": "list",
        "data": rows[:NESTED_MAX],
        "has_more": len(rows) > NESTED_MAX,
        "total_count": len(rows),
        "url": url,
    }


_UI_MODES = {"hosted_page": "hosted", "embedded_page": "embedded", "elements": "custom"}
_BASIL, _CLOVER = "basil/2025-03-31", "clover/2025-09-30"
# pages are below docs.stripe.com/changelog/
CHANGES: tuple[Change, ...] = (
    Change(
        "2026-03-25.dahlia", "checkout.session", "ui_mode is hosted_page, embedded_page or elements; it was hosted, "
        "embedded or custom", "dahlia/2026-03-25/updates-available-checkout-session-ui-modes", _session_ui_mode,
    ),
    Change(
        "2025-09-30.clover", "discount", "coupon is source.coupon, and no longer whole",
        f"{_CLOVER}/add-discount-source-property", _discount_coupon,
    ),
    Change(
        "2025-09-30.clover", "promotion_code", "coupon is promotion.coupon, and no longer whole",
        f"{_CLOVER}/polymorphic-coupon", _promotion_coupon,
    ),
    Change(
        "2025-03-31.basil", "subscription", "current_period_* are on the items; discount is in discounts",
        f"{_BASIL}/deprecate-subscription-current-period-start-and-end", _subscription_period,
    ),
    Change(
        "2025-03-31.basil", "subscription_item", "current_period_* were on the subscription",
        f"{_BASIL}/deprecate-subscription-current-period-start-and-end", _item_period,
    ),
    Change(
        "2025-03-31.basil", "invoice", "subscription and quote are in parent; charge, payment_intent and paid in "
        "payments; tax in total_taxes", f"{_BASIL}/adds-new-parent-field-to-invoicing-objects", _invoice_parent,
    ),
    Change(
        "2025-03-31.basil", "line_item", "price and plan are in pricing; subscription and proration in parent; tax in "
        "taxes", f"{_BASIL}/invoice-pricing-configurations", _line_parent,
    ),
    Change(
        "2025-03-31.basil", "invoiceitem", "price, plan and unit_amount are in pricing; subscription in parent",
        f"{_BASIL}/invoice-pricing-configurations", _item_parent,
    ),
    Change(
        "2025-03-31.basil", "credit_note", "refund is in refunds; tax_amounts in total_taxes",
        f"{_BASIL}/invoice-tax-configurations", _credit_note_taxes,
    ),
    Change(
        "2025-03-31.basil", "credit_note_line_item", "tax_amounts are taxes",
        f"{_BASIL}/invoice-tax-configurations", _credit_note_line_taxes,
    ),
    Change(
        "2025-03-31.basil", "payment_intent", "invoice is found by invoice_payments",
        f"{_BASIL}/add-support-for-multiple-partial-payments-on-invoices", _intent_invoice,
    ),
    Change(
        "2025-03-31.basil", "charge", "invoice is found by invoice_payments",
        f"{_BASIL}/add-support-for-multiple-partial-payments-on-invoices", _charge_invoice,
    ),
    Change(
        "2024-04-10", "product", "features are marketing_features",
        "2024-04-10/renames-features-attribute-product-object", _product_features,
    ),
    Change(
        "2022-11-15", "charge", "refunds are there only when expanded", "2022-11-15/deprecates-charges-auto-expand",
        _charge_refunds,
    ),
    Change(
        "2022-11-15", "payment_intent", "charges is latest_charge",
        "2022-11-15/removes-charges-attribute-paymentintent", _intent_charges,
    ),
)  # fmt: skip
