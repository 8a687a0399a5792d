"""What a request must be like before anything happens. Every rule raises `UsageProblem` FIELD_INVALID naming the field.

Limits are Stripe's: docs.stripe.com/api/metadata and docs.stripe.com/currencies. What only Stripe can judge (lengths of
texts, minimum amounts) is left to Stripe.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

from payment_kit.errors import UsageProblem

METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500

# Products, prices and coupons may have ids their owner chose; payment methods may be cards and sources of older
# integrations.
_ID_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "customer": ("cus_",),
    "product": ("",),
    "price": ("",),
    "payment_method": ("pm_", "card_", "src_", "ba_"),
    "payment_intent": ("pi_",),
    "refund": ("re_", "pyr_"),
    "charge": ("ch_", "py_"),
    "subscription": ("sub_",),
    "invoice": ("in_",),
    "token": ("tok_",),
    "setup_intent": ("seti_",),
    "coupon": ("",),
    "promotion_code": ("promo_",),
    "tax_rate": ("txr_",),
    "checkout.session": ("cs_",),
    "payment_link": ("plink_",),
    "quote": ("qt_",),
    "dispute": ("du_", "dp_", "pdp_"),
    "review": ("prv_",),
    "balance_transaction": ("txn_",),
    "payout": ("po_",),
    "subscription_item": ("si_",),
    "subscription_schedule": ("sub_sched_",),
    "invoiceitem": ("ii_",),
    "event": ("evt_",),
}
KINDS = frozenset(_ID_PREFIXES)
"""The kinds of objects whose ids are known."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_CURRENCY = re.compile(r"[a-z]{3}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def invalid(field: str, what: str) -> NoReturn:
    """Refuse the request because of one field; `what` is a sentence that begins with the field's name."""
    raise UsageProblem("FIELD_INVALID", what, field=field)


def request_id(value: str) -> str:
    """A UUID in its usual form, in lower case; raises REQUEST_ID_MISSING when there is none."""
    if not value:
        raise UsageProblem("REQUEST_ID_MISSING", "request_id is required on every write.", field="request_id")
    try:
        uuid = UUID(value)
    except ValueError:
        invalid("request_id", "request_id must be a UUID.")
    if str(uuid) != value.lower():
        invalid("request_id", "request_id must be a UUID in its usual form, 8-4-4-4-12.")
    return str(uuid)


def id_of(kind: str, field: str, value: str) -> str:
    """An id of that kind of object, fit to stand in a URL."""
    if not value:
        invalid(field, f"{field} is required.")
    prefixes = _ID_PREFIXES[kind]
    if not _ID.fullmatch(value):
        invalid(field, f"{field} must be an id of 1 to 255 letters, digits, _ and -.")
    if not value.startswith(prefixes):
        invalid(field, f"{field} must start with {prefixes[0]}.")
    return value


def text(field: str, value: str) -> str:
    """A text that must be there."""
    if not value.strip():
        invalid(field, f"{field} is required.")
    return value


def money(field: str, minor: int, currency: str, *, zero_allowed: bool = False) -> None:
    """An amount in minor units of a currency, more than zero unless `zero_allowed`."""
    if not _CURRENCY.fullmatch(currency):
        invalid(f"{field}.currency", f"{field}.currency must be three lower-case letters, e.g. usd.")
    if minor < 0 or (minor == 0 and not zero_allowed):
        least = "zero or more" if zero_allowed else "more than zero"
        invalid(f"{field}.amount_minor", f"{field}.amount_minor must be {least}.")


def decimal(field: str, value: str, *, least: int, most: int) -> None:
    """A decimal number written out, "7.25"; within `least` and `most` unless both are 0."""
    if not value:
        invalid(field, f"{field} is required.")
    if not _DECIMAL.fullmatch(value):
        invalid(field, f"{field} must be a decimal number, e.g. 7.25.")
    if most and not least <= Decimal(value) <= most:
        invalid(field, f"{field} must be {least} to {most}.")


def metadata(field: str, value: Mapping[str, str]) -> None:
    """At most 50 keys of at most 40 characters without square brackets, values of 1 to 500 characters."""
    if len(value) > METADATA_KEYS_MAX:
        invalid(field, f"{field} has {len(value)} keys; {METADATA_KEYS_MAX} are allowed.")
    for key, item in value.items():
        if not key or len(key) > METADATA_KEY_LENGTH_MAX or "[" in key or "]" in key:
            what = f"{field} keys must have 1 to {METADATA_KEY_LENGTH_MAX} characters and no square brackets."
            invalid(field, what)
        if not item or len(item) > METADATA_VALUE_LENGTH_MAX:
            what = f"{field} values must have 1 to {METADATA_VALUE_LENGTH_MAX} characters."
            invalid(f"{field}.{key}", what)
