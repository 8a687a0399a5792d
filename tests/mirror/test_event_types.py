"""Every event type the installed SDK knows is mapped to what it changes, or not mirrored for a reason."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import stripe
from stripe.events import _event_classes
from stripe.params import _webhook_endpoint_create_params as endpoint_params

from payment_kit.mirror import event_types
from payment_kit.sandbox import kinds
from payment_kit.sandbox.event_types import TYPES as SANDBOX_TYPES
from tests.mirror import known_fields


def _quoted(module: ModuleType, form: str) -> set[str]:
    return set(re.findall(rf'"({form})"', inspect.getsource(module)))


CLASSIC = _quoted(endpoint_params, r"[a-z0-9_]+\.[a-z0-9_.]+")
THIN = _quoted(_event_classes, r"v[12]\.[a-z0-9_.\[\]]+")


def _related() -> Iterator[tuple[str, str | None]]:
    """Each thin type of the SDK with the `object` of what its `fetch_related_object` returns."""
    for path in sorted(Path(_event_classes.__file__).parent.glob("_v1_*_event.py")):
        text = path.read_text()
        (type_,) = set(re.findall(r'LOOKUP_TYPE = \(?\s*"(v1\.[a-z0-9_.]+)"', text))
        returns = re.search(r'def fetch_related_object\(\s*self,?\s*\) -> "(\w+)"', text)
        if returns is None:
            yield type_, None
            continue
        name = returns[1]
        module = re.search(rf"from (stripe\.[\w.]+) import \(?\s*{name}\b", text)
        assert module is not None, path.name
        yield type_, getattr(import_module(module[1]), name).OBJECT_NAME


RELATED = dict(_related())


def test_the_sdk_has_no_event_type_nobody_looked_at() -> None:
    assert (len(CLASSIC) > 250, len(THIN) > 300) == (True, True), "the SDK keeps its types elsewhere now"
    unseen = sorted(type_ for type_ in CLASSIC | THIN if not event_types.looked_at(type_))
    assert unseen == [], (
        f"stripe {stripe.VERSION} has event types nobody looked at: map each to its object in _MIRRORED of "
        f"payment_kit/mirror/event_types.py, or write down in _SINGLE or _FAMILIES why no table holds it: {unseen}"
    )


def test_every_mapped_type_is_one_the_sdk_knows_or_retired() -> None:
    mapped = {type_ for type_ in event_types._MAPPED if not {type_, f"v1.{type_}"} & (CLASSIC | THIN)}
    assert mapped == event_types.RETIRED
    assert {type_ for type_ in event_types._SINGLE if not {type_, f"v1.{type_}"} & (CLASSIC | THIN)} == set()
    assert all(any(type_.startswith(family) for type_ in CLASSIC | THIN) for family in event_types._FAMILIES)


def test_a_type_is_either_mapped_or_has_a_reason() -> None:
    for type_ in CLASSIC | THIN:
        assert (event_types.mapped_object(type_) is None) == (event_types.why_not_mirrored(type_) is not None), type_


def test_a_thin_type_is_mapped_to_what_the_sdk_says_it_is_about() -> None:
    mapped = {type_: event_types.mapped_object(type_) for type_ in RELATED}
    wrong = {type_: name for type_, name in mapped.items() if name and RELATED[type_] not in (name, None)}
    assert wrong == {}


def test_a_thin_type_about_a_mirrored_object_is_left_out_only_when_that_did_not_change() -> None:
    left = {type_ for type_, name in RELATED.items() if name in known_fields.KINDS}
    unmapped = {type_ for type_ in left if event_types.mapped_object(type_) is None}
    assert unmapped == {"v1.billing.meter.error_report_triggered"}


def test_what_is_nameless_names_nothing_in_the_sdk_either() -> None:
    nameless = {type_ for type_, related in RELATED.items() if related is None and event_types.mapped_object(type_)}
    assert nameless == event_types.NAMELESS


def test_only_mirrored_kinds_are_mapped() -> None:
    assert set(known_fields.KINDS) >= event_types.OBJECTS


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("customer.subscription.deleted", "subscription"),
        ("customer.discount.created", "discount"),
        ("customer.tax_id.updated", "tax_id"),
        ("charge.dispute.closed", "dispute"),
        ("charge.refund.updated", "refund"),
        ("charge.refunded", "charge"),
        ("application_fee.refund.updated", "fee_refund"),
        ("application_fee.refunded", "application_fee"),
        ("invoice_payment.paid", "invoice_payment"),
        ("v1.invoice.line_item_added", "invoice"),
        ("entitlements.active_entitlement_summary.updated", "entitlements.active_entitlement_summary"),
        ("invoice.upcoming", None),
        ("v1.invoice.upcoming", None),
        ("balance.available", None),
        ("customer.source.updated", None),
        ("capability.updated", None),
        ("account.application.deauthorized", None),
        ("account.updated", "account"),
        ("issuing_card.created", None),
        ("v2.core.account[identity].updated", None),
    ],
)
def test_a_type_is_mapped_to_the_object_it_brings(type_: str, name: str | None) -> None:
    assert event_types.mapped_object(type_) == name


@pytest.mark.parametrize(("type_", "name"), [("invoice.reopened", "invoice"), ("customer.badge.created", None)])
def test_a_type_nobody_looked_at_is_mapped_by_its_family_and_still_reported(type_: str, name: str | None) -> None:
    assert (event_types.mapped_object(type_), event_types.looked_at(type_)) == (name, False)
    assert event_types.why_not_mirrored(type_) is None


def test_the_sandbox_sends_no_mapped_type_about_another_kind() -> None:
    mapped = {event_types.mapped_object(type_) for type_ in SANDBOX_TYPES} - {None}
    elsewhere = {"application_fee", "fee_refund", "entitlements.active_entitlement_summary"}
    assert mapped - elsewhere <= set(kinds.KINDS)


def test_deletions_are_the_deleted_types_of_mirrored_objects_except_the_canceled_subscription() -> None:
    deleted = {type_ for type_ in CLASSIC if type_.endswith(".deleted") and event_types.mapped_object(type_)}
    assert deleted - {"customer.subscription.deleted"} == event_types.DELETIONS


@pytest.mark.parametrize(
    ("type_", "payload", "gone"),
    [
        ("customer.deleted", {"id": "cus_1"}, True),
        ("v1.customer.deleted", None, True),
        ("customer.discount.deleted", {"id": "di_1"}, True),
        ("customer.subscription.deleted", {"id": "sub_1", "status": "canceled"}, False),
        ("v1.customer.subscription.deleted", None, False),
        ("payment_method.detached", {"id": "pm_1", "customer": None}, False),
        ("account.application.deauthorized", {"id": "ca_1"}, False),
        ("customer.updated", {"id": "cus_1", "deleted": True}, True),
        ("customer.updated", {"id": "cus_1"}, False),
    ],
)
def test_only_what_cannot_come_back_is_deleted(type_: str, payload: Any, gone: bool) -> None:
    assert event_types.is_deletion(type_, payload) is gone


def _thin(type_: str, related: dict[str, str] | None) -> dict[str, Any]:
    return {"id": "evt_1", "object": "v2.core.event", "type": type_, "related_object": related}


@pytest.mark.parametrize(
    ("type_", "related", "found"),
    [
        ("v1.charge.dispute.closed", {"type": "dispute", "id": "du_1"}, ("dispute", "du_1")),
        ("v1.brand.new", {"type": "invoice", "id": "in_1"}, ("invoice", "in_1")),
        ("v1.charge.dispute.closed", {"type": "another.word", "id": "du_1"}, ("dispute", "du_1")),
        ("v1.billing.meter.error_report_triggered", {"type": "billing.meter", "id": "mtr_1"}, None),
        ("v2.core.account.updated", {"type": "v2.core.account", "id": "acct_1"}, None),
        ("v1.customer.discount.source_changed", None, None),
    ],
)
def test_a_thin_notification_names_the_object_to_read(type_: str, related: Any, found: Any) -> None:
    assert event_types.related_object(_thin(type_, related)) == found


def test_the_sdk_has_no_field_of_a_mirrored_object_nobody_looked_at() -> None:
    known, now = known_fields.looked_at(), known_fields.of_the_sdk()
    new = {kind: sorted(set(fields) - set(known.get(kind, ()))) for kind, fields in now.items()}
    gone = {kind: sorted(set(fields) - set(now.get(kind, ()))) for kind, fields in known.items()}
    found = {sign: {kind: names for kind, names in some.items() if names} for sign, some in (("+", new), ("-", gone))}
    assert found == {"+": {}, "-": {}}, (
        f"stripe {stripe.VERSION} has other fields than those looked at: decide what each becomes (a column of the "
        f"catalogue, a part, a secret to drop, a change in shapes.py), then run python -m tests.mirror.known_fields"
    )
