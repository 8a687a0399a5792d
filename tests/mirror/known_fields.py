"""The fields of every mirrored object that somebody looked at: what `known_fields.json` holds, and how it is renewed.

``python -m tests.mirror.known_fields`` writes the fields the installed SDK has; run it after deciding, field by field,
whether a new one becomes a column (catalogue), a part, a secret to drop or a change of shape (`mirror/shapes.py`).
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from stripe._object_classes import OBJECT_CLASSES

PATH = Path(__file__).parent / "known_fields.json"
KINDS = (
    "account application_fee balance_transaction billing.meter charge checkout.session coupon credit_note "
    "credit_note_line_item customer customer_balance_transaction discount dispute entitlements.active_entitlement "
    "entitlements.active_entitlement_summary entitlements.feature fee_refund invoice invoice_payment invoiceitem item "
    "line_item mandate payment_intent payment_link payment_method payout price product promotion_code quote "
    "radar.early_fraud_warning refund review setup_attempt setup_intent subscription subscription_item "
    "subscription_schedule tax_id tax_rate test_helpers.test_clock topup transfer transfer_reversal"
).split()
"""Every mirrored kind of object, by Stripe's name."""


def of_the_sdk() -> dict[str, list[str]]:
    """The fields of each mirrored kind in the installed SDK, sorted; those inside its hashes are not among them."""
    return {kind: _fields(kind) for kind in sorted(KINDS)}


def looked_at() -> Mapping[str, list[str]]:
    """The fields of each mirrored kind somebody looked at."""
    known: dict[str, list[str]] = json.loads(PATH.read_text())
    return known


def _fields(kind: str) -> list[str]:
    module, name = OBJECT_CLASSES[kind]
    annotations = getattr(import_module(module), name).__annotations__
    return sorted(field for field in annotations if field != "OBJECT_NAME" and not field.startswith("_"))


if __name__ == "__main__":
    PATH.write_text(json.dumps(of_the_sdk(), indent=1) + "\n")
