"""What each type of event brings: a state of an object that has a table, or nothing a table holds, and then why.

Every type the SDK knows stands here, the classic ones (``invoice.paid``) and the thin ones (``v1.invoice.paid``), which
mean the same; a test fails when a newer SDK brings types nobody looked at. A type that is not here yet still finds its
object by its family (``invoice.*`` brings an invoice), so that an event is never lost for being new. Pure.
Source: docs.stripe.com/api/events/types and the notifications of stripe-python 16.1.0 (`stripe/events`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

THIN = "v1."
"""What the type of a thin notification begins with when it tells what a classic event of the rest would tell."""


def mapped_object(event_type: str) -> str | None:
    """The object (Stripe's name, as in the catalogue) whose state an event of this type brings; None: no table's.

    A type nobody looked at is mapped by its family when that is known.
    """
    type_ = _classic(event_type)
    if _reason(type_) is not None:
        return None
    return _OBJECTS.get(type_.rpartition(".")[0])


def why_not_mirrored(event_type: str) -> str | None:
    """One sentence on why no table holds what this event tells; None for a mapped type and for an unknown one."""
    return _reason(_classic(event_type))


def looked_at(event_type: str) -> bool:
    """Whether somebody decided what this type means: mapped, or not mirrored for a reason that is written here."""
    type_ = _classic(event_type)
    return type_ in _MAPPED or _reason(type_) is not None


def is_deletion(event_type: str, payload: Mapping[str, Any] | None = None) -> bool:
    """Whether a mirrored object is gone for good: by the type, or because the event's object says so itself.

    A canceled subscription (``customer.subscription.deleted``) stays readable, a detached payment method loses its
    customer, a disconnected account (``account.application.deauthorized``) lives on: none of them is gone.
    """
    return _classic(event_type) in DELETIONS or (payload is not None and payload.get("deleted") is True)


def related_object(notification: Mapping[str, Any]) -> tuple[str, str] | None:
    """The mirrored object a thin notification is about, as (name, id): what has to be read.

    None when no table holds it, or when Stripe names no object (`NAMELESS`): then the event itself has to be read.
    """
    related = notification.get("related_object") or {}
    name, id_ = related.get("type"), related.get("id")
    if not isinstance(id_, str) or _reason(_classic(notification["type"])) is not None:
        return None
    name = name if name in OBJECTS else mapped_object(notification["type"])
    return (name, id_) if name is not None else None


def _classic(event_type: str) -> str:
    return event_type.removeprefix(THIN)


@lru_cache(maxsize=1024)
def _reason(type_: str) -> str | None:
    return _SINGLE.get(type_) or next((why for prefix, why in _FAMILIES.items() if type_.startswith(prefix)), None)


# family: steps; "object = family" where the family is not the object's own name
_MIRRORED = """
account: updated
application_fee: created refunded
fee_refund = application_fee.refund: updated
billing.meter: created deactivated reactivated updated
charge: captured expired failed pending refunded succeeded updated
dispute = charge.dispute: closed created funds_reinstated funds_withdrawn updated
refund = charge.refund: updated
checkout.session: async_payment_failed async_payment_succeeded completed expired
coupon: created deleted updated
credit_note: created updated voided
customer: created deleted updated
discount = customer.discount: created deleted source_changed updated
subscription = customer.subscription: active cancel_at_changed created default_payment_method_changed deleted
subscription = customer.subscription: incomplete incomplete_expired item_added item_price_changed item_quantity_changed
subscription = customer.subscription: item_removed item_tax_rates_changed past_due paused pending_update_applied
subscription = customer.subscription: pending_update_expired resumed trial_will_end trialing unpaid updated
tax_id = customer.tax_id: created deleted updated
entitlements.active_entitlement_summary: entitlement_added entitlement_removed updated
invoice: created deleted discount_added discount_removed finalization_failed finalized line_item_added
invoice: line_item_pricing_changed line_item_quantity_changed line_item_removed marked_uncollectible overdue overpaid
invoice: paid payment_action_required payment_attempt_required payment_failed payment_succeeded sent updated voided
invoice: will_be_due
invoice_payment: canceled open paid
invoiceitem: amount_changed created deleted discount_added discount_removed
invoiceitem: updated
mandate: updated
payment_intent: amount_capturable_updated canceled created partially_funded payment_failed processing requires_action
payment_intent: succeeded
payment_link: created updated
payment_method: attached automatically_updated card_automatically_updated
payment_method: detached updated
payout: canceled created failed paid reconciliation_completed updated
price: activated created deactivated deleted lookup_key_changed tax_behavior_changed updated
product: activated created deactivated default_price_changed deleted tax_code_changed updated
promotion_code: created fully_redeemed updated
quote: accepted canceled created finalized
radar.early_fraud_warning: created updated
refund: created failed updated
review: closed opened
setup_intent: canceled created requires_action setup_failed succeeded
subscription_schedule: aborted canceled completed created expiring phase_added phase_default_tax_rates_changed
subscription_schedule: phase_end_date_changed phase_removed phase_trial_end_changed released updated
tax_rate: created updated
test_helpers.test_clock: advancing created deleted internal_failure ready
topup: canceled created failed reversed succeeded
transfer: created reversed updated
"""

RETIRED = frozenset({"invoiceitem.updated", "payment_method.card_automatically_updated"})
"""Mapped types the SDK no longer has: old payloads may hold them (stripe-node 15.0.0 removed the first)."""

DELETIONS = frozenset(
    "coupon.deleted customer.deleted customer.discount.deleted customer.tax_id.deleted invoice.deleted "
    "invoiceitem.deleted price.deleted product.deleted test_helpers.test_clock.deleted".split()
)
"""The classic types that mean: this mirrored object is gone for good."""

NAMELESS = frozenset(
    "v1.customer.discount.source_changed v1.entitlements.active_entitlement_summary.entitlement_added "
    "v1.entitlements.active_entitlement_summary.entitlement_removed "
    "v1.entitlements.active_entitlement_summary.updated".split()
)
"""Thin types of mirrored objects whose notification names no object: discounts and summaries cannot be read alone."""

_CLOCKWORK = "it tells of events of meters that could not be used, and no meter changed"
_SINGLE: Mapping[str, str] = {
    "balance.available": "a balance is a figure of the moment without an id, read when it is wanted",
    "billing.meter.error_report_triggered": _CLOCKWORK,
    "billing.meter.no_meter_found": _CLOCKWORK,
    "invoice.upcoming": "a preview of an invoice that does not exist yet: without an id; the real one has own events",
}
_ELSEWHERE = "a product of Stripe's that has nothing to do with payments, billing and their books"
_CASH = "customers' cash balances are not mirrored; what they pay is a payment intent"
_FAMILIES: Mapping[str, str] = {
    "account.application.": "the object is the platform's application; the account itself lives on",
    "account.external_account.": "bank accounts and cards of payees are kept inside their account, not as rows",
    "apps.": _ELSEWHERE,
    "balance_settings.": "settings of the account's balance are read when they are wanted",
    "billing.alert.": "alerts about usage are not mirrored",
    "billing.credit_": "prepaid billing credits are not mirrored",
    "billing_portal.": "sessions and settings of the customer portal hold no state of a customer",
    "capability.": "capabilities are kept inside their account, whose account.updated tells of them",
    "cash_balance.": _CASH,
    "climate.": _ELSEWHERE,
    "customer.source.": "sources and cards of the time before payment methods are not mirrored; charges keep the card",
    "customer_cash_balance_transaction.": _CASH,
    "file.": "files are not mirrored",
    "financial_connections.": _ELSEWHERE,
    "identity.": _ELSEWHERE,
    "issuing_": _ELSEWHERE,
    "person.": "the people behind an account are personal data nobody needs in the books",
    "plan.": "a plan is the older look of a price under the same id, and the price has events of its own",
    "reporting.": "finished reports are files, not states of an object",
    "reserve.": "reserves are seen in the balance transactions they make",
    "sigma.": "finished queries are files, not states of an object",
    "source.": "sources of the time before payment methods are not mirrored; charges keep what was paid with",
    "tax.settings.": "settings of tax are read when they are wanted",
    "terminal.": _ELSEWHERE,
    "three_d_secure.": "standalone authentications are not mirrored; those of payments are in the charge",
    "treasury.": _ELSEWHERE,
    "v2.commerce.": _ELSEWHERE,
    "v2.core.": "objects of the second API are not mirrored",
    "v2.money_management.": _ELSEWHERE,
}
"""Families by what their types begin with, dot included: a new step of one brings the same object."""


def _read(text: str) -> tuple[dict[str, str], frozenset[str]]:
    objects: dict[str, str] = {}
    types: set[str] = set()
    for line in text.strip().splitlines():
        names, _, steps = line.partition(": ")
        name, _, family = names.partition(" = ")
        objects[family or name] = name
        types |= {f"{family or name}.{step}" for step in steps.split()}
    return objects, frozenset(types)


_OBJECTS, _MAPPED = _read(_MIRRORED)
OBJECTS = frozenset(_OBJECTS.values())
"""Every object some type of event brings, by Stripe's name."""
