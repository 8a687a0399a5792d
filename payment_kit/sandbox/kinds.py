"""Every kind of object the sandbox keeps: what its ids look like, how its lists are reached and searched, what expands.

A new kind is one row here and a module in `registry.MODULES`.
"""

from collections.abc import Mapping
from typing import NamedTuple

_NOTHING: Mapping[str, str | None] = {}


class KindOfObject(NamedTuple):
    """One kind; its name is Stripe's own (the field `object`).

    `prefix` and `length` of the rest shape an id as in Stripe's documentation. `path` is its list below /v1. `indexed`
    are fields its lists filter by that have many values. `expands` names the fields (dotted inside hashes) that hold
    another object's id, with that object's kind; None: the id's prefix tells.
    """

    prefix: str
    length: int
    path: str
    indexed: tuple[str, ...] = ()
    expands: Mapping[str, str | None] = _NOTHING


_MONEY = {"balance_transaction": "balance_transaction", "failure_balance_transaction": "balance_transaction"}

KINDS: dict[str, KindOfObject] = {
    "customer": KindOfObject(
        "cus_", 14, "customers", ("email",),
        {"default_source": None, "test_clock": None, "invoice_settings.default_payment_method": "payment_method"},
    ),
    "product": KindOfObject("prod_", 14, "products", (), {"default_price": "price"}),
    "entitlements.feature": KindOfObject("feat_test_", 32, "entitlements/features", ("lookup_key",)),
    "product_feature": KindOfObject("prodft_1", 23, "", ("_product", "_feature")),
    "entitlements.active_entitlement": KindOfObject(
        "ent_test_", 32, "entitlements/active_entitlements", ("_customer",), {"feature": "entitlements.feature"}
    ),
    "price": KindOfObject("price_1", 23, "prices", ("product", "lookup_key"), {"product": "product"}),
    "tax_id": KindOfObject("txi_1", 23, "tax_ids", ("_owner",), {"customer": "customer", "owner.customer": "customer"}),
    "customer_balance_transaction": KindOfObject(
        "cbtxn_1", 23, "", ("customer",),
        {"checkout_session": "checkout.session", "credit_note": "credit_note", "customer": "customer",
         "invoice": "invoice"},
    ),
    "billing.meter": KindOfObject("mtr_test_", 32, "billing/meters", ("event_name",)),
    "billing.meter_event": KindOfObject("mtrevt_", 24, "", ("_usage", "_identifier")),
    "coupon": KindOfObject("", 8, "coupons"),
    "promotion_code": KindOfObject(
        "promo_1", 23, "promotion_codes", ("_code", "_coupon", "customer"),
        {"customer": "customer", "promotion.coupon": "coupon"},
    ),
    "discount": KindOfObject(
        "di_1", 23, "", (), {"customer": "customer", "promotion_code": "promotion_code", "source.coupon": "coupon"}
    ),
    "tax_rate": KindOfObject("txr_1", 23, "tax_rates"),
    "payment_method": KindOfObject("pm_1", 23, "payment_methods", ("customer",), {"customer": "customer"}),
    "payment_intent": KindOfObject(
        "pi_3", 23, "payment_intents", ("customer",),
        {"customer": "customer", "payment_method": "payment_method", "latest_charge": "charge", "review": "review"},
    ),
    "charge": KindOfObject(
        "ch_3", 23, "charges", ("customer", "payment_intent"),
        {"application_fee": "application_fee", "customer": "customer", "payment_intent": "payment_intent",
         "review": "review", **_MONEY},
    ),
    "setup_intent": KindOfObject(
        "seti_1", 23, "setup_intents", ("customer",),
        {"customer": "customer", "latest_attempt": "setup_attempt", "mandate": "mandate",
         "payment_method": "payment_method", "single_use_mandate": "mandate"},
    ),
    "setup_attempt": KindOfObject(
        "setatt_1", 23, "setup_attempts", ("setup_intent",),
        {"customer": "customer", "payment_method": "payment_method", "setup_intent": "setup_intent"},
    ),
    "mandate": KindOfObject("mandate_1", 23, "mandates", (), {"payment_method": "payment_method"}),
    "review": KindOfObject(
        "prv_1", 23, "reviews", (), {"charge": "charge", "payment_intent": "payment_intent"}
    ),
    "radar.early_fraud_warning": KindOfObject(
        "issfr_1", 23, "radar/early_fraud_warnings", ("charge", "payment_intent"),
        {"charge": "charge", "payment_intent": "payment_intent"},
    ),
    "refund": KindOfObject(
        "re_3", 23, "refunds", ("charge", "payment_intent"),
        {"charge": "charge", "payment_intent": "payment_intent", **_MONEY},
    ),
    "dispute": KindOfObject(
        "du_1", 23, "disputes", ("charge", "payment_intent"), {"charge": "charge", "payment_intent": "payment_intent"}
    ),
    "balance_transaction": KindOfObject("txn_3", 23, "balance_transactions", ("source", "_payout"), {"source": None}),
    "payout": KindOfObject(
        "po_1", 23, "payouts", (), {**_MONEY, "original_payout": "payout", "reversed_by": "payout"}
    ),
    "topup": KindOfObject("tu_1", 23, "topups", (), {"balance_transaction": "balance_transaction"}),
    "subscription": KindOfObject(
        "sub_1", 23, "subscriptions", ("customer",),
        {"customer": "customer", "default_payment_method": "payment_method", "discounts": "discount",
         "latest_invoice": "invoice", "pending_setup_intent": "setup_intent", "schedule": "subscription_schedule",
         "test_clock": "test_helpers.test_clock"},
    ),
    "subscription_item": KindOfObject(
        "si_", 14, "subscription_items", ("subscription", "_price"),
        {"discounts": "discount"},
    ),
    "subscription_schedule": KindOfObject(
        "sub_sched_1", 23, "subscription_schedules", ("customer", "subscription"),
        {"customer": "customer", "subscription": "subscription", "phases.items.price": "price",
         "test_clock": "test_helpers.test_clock"},
    ),
    "test_helpers.test_clock": KindOfObject("clock_1", 23, "test_helpers/test_clocks"),
    "invoice": KindOfObject(
        "in_1", 23, "invoices", ("customer", "_subscription"),
        {"customer": "customer", "default_payment_method": "payment_method", "discounts": "discount",
         "from_invoice.invoice": "invoice", "latest_revision": "invoice",
         "parent.subscription_details.subscription": "subscription", "test_clock": "test_helpers.test_clock",
         "total_discount_amounts.discount": "discount", "total_taxes.tax_rate_details.tax_rate": "tax_rate"},
    ),
    "line_item": KindOfObject(
        "il_1", 23, "", (),
        {"discounts": "discount", "discount_amounts.discount": "discount", "subscription": "subscription",
         "pricing.price_details.price": "price", "taxes.tax_rate_details.tax_rate": "tax_rate"},
    ),
    "invoiceitem": KindOfObject(
        "ii_1", 23, "invoiceitems", ("customer", "invoice", "_pending"),
        {"customer": "customer", "discounts": "discount", "invoice": "invoice", "test_clock": "test_helpers.test_clock",
         "pricing.price_details.price": "price"},
    ),
    "invoice_payment": KindOfObject(
        "inpay_1", 23, "invoice_payments", ("invoice", "_intent"),
        {"invoice": "invoice", "payment.payment_intent": "payment_intent"},
    ),
    "credit_note": KindOfObject(
        "cn_1", 23, "credit_notes", ("customer", "invoice"),
        {"customer": "customer", "invoice": "invoice", "discount_amounts.discount": "discount",
         "customer_balance_transaction": "customer_balance_transaction", "refunds.refund": "refund"},
    ),
    "account": KindOfObject("acct_1", 15, "accounts"),
    "transfer": KindOfObject(
        "tr_1", 23, "transfers", (),
        {"balance_transaction": "balance_transaction", "destination": "account", "source_transaction": "charge"},
    ),
    "transfer_reversal": KindOfObject(
        "trr_1", 23, "", ("transfer",), {"balance_transaction": "balance_transaction", "transfer": "transfer"}
    ),
    "application_fee": KindOfObject(
        "fee_1", 23, "application_fees", ("charge",),
        {"account": "account", "balance_transaction": "balance_transaction", "charge": "charge",
         "originating_transaction": "charge"},
    ),
    "fee_refund": KindOfObject(
        "fr_1", 23, "", ("fee",), {"balance_transaction": "balance_transaction", "fee": "application_fee"}
    ),
    "item": KindOfObject("li_1", 23, "", ("_owner",)),
    "checkout.session": KindOfObject(
        "cs_test_a1", 56, "checkout/sessions", ("customer", "payment_intent", "payment_link", "subscription"),
        {"customer": "customer", "discounts.coupon": "coupon", "discounts.promotion_code": "promotion_code",
         "invoice": "invoice", "payment_intent": "payment_intent", "payment_link": "payment_link",
         "setup_intent": "setup_intent", "subscription": "subscription"},
    ),
    "payment_link": KindOfObject("plink_1", 23, "payment_links"),
    "quote": KindOfObject(
        "qt_1", 23, "quotes", ("customer",),
        {"customer": "customer", "default_tax_rates": "tax_rate", "discounts": "discount", "invoice": "invoice",
         "subscription": "subscription", "subscription_schedule": "subscription_schedule",
         "test_clock": "test_helpers.test_clock"},
    ),
    "event": KindOfObject("evt_1", 23, "events"),
    "webhook_endpoint": KindOfObject("we_1", 23, "webhook_endpoints"),
}  # fmt: skip


# what is paid by other means than a card has ids of its own at Stripe
_ALSO = {"py_3": "charge", "pyr_1": "refund"}


def of(id_: str) -> str | None:
    """The kind an id's prefix tells of, the longest prefix first; None for any other text."""
    prefixes = [(kind.prefix, name) for name, kind in KINDS.items() if kind.prefix]
    found = [(len(prefix), name) for prefix, name in [*prefixes, *_ALSO.items()] if id_.startswith(prefix)]
    return max(found)[1] if found else None
