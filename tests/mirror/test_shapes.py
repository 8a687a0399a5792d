"""Payloads of every version since 2020-08-27 become the pinned shape; the sandbox's older shapes are the judge."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import pytest

from payment_kit.mirror import shapes
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.shapes import PINNED, canonical_changes, canonical_shape, is_current, undone
from payment_kit.sandbox import kinds, versions
from payment_kit.sandbox.call import public
from payment_kit.sandbox.store import Row, Store
from tests.mirror.everything import everything, stores
from tests.mirror.known_fields import KINDS

OLDEST, ACACIA, BASIL = "2020-08-27", "2025-02-24.acacia", "2025-03-31.basil"
SHAPES = sorted({OLDEST, PINNED} | {one.version for one in shapes.CHANGES} | {one.version for one in versions.CHANGES})
"""A version of each shape there was."""
SHOWN_MAX = 10


class Apart(NamedTuple):
    """What a payload from before `version` cannot tell, or tells beyond the pinned shape: a path in `kind`, and why."""

    version: str
    kind: str
    path: str
    why: str


OWN_AMOUNT = (
    "a line without a price does not tell what one piece costs; the sandbox leaves unit_amount_excluding_tax out"
)
APART = (
    Apart(BASIL, "subscription_item", "current_period_end", "only its subscription tells; inside that it is known"),
    Apart(BASIL, "subscription_item", "current_period_start", "only its subscription tells; inside that it is known"),
    Apart(BASIL, "line_item", "pricing.unit_amount_decimal", OWN_AMOUNT),
    Apart(BASIL, "invoice", "lines.data.pricing.unit_amount_decimal", OWN_AMOUNT),
    Apart(BASIL, "credit_note", "refunds.amount_refunded", "it tells which refund, not how much of it"),
    Apart("2022-11-15", "charge", "refunds", "they were always there; today they have to be expanded, and look alike"),
)


def differences(shown: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """The paths at which two shapes differ; an object where only its id is wanted is no difference, nor is null."""
    if isinstance(wanted, str) and isinstance(shown, Mapping):
        shown = shown.get("id")
    if isinstance(shown, Mapping) and isinstance(wanted, Mapping):
        for name in {**shown, **wanted}:
            yield from differences(shown.get(name), wanted.get(name), f"{path}.{name}" if path else name)
    elif isinstance(shown, list) and isinstance(wanted, list) and len(shown) == len(wanted):
        for one, other in zip(shown, wanted, strict=True):
            yield from differences(one, other, path)
    elif shown != wanted:
        yield path


def apart(version: str, kind: str, path: str) -> bool:
    known = (one for one in APART if one.kind == kind and path == one.path)
    return any(version < one.version for one in known)


def objects() -> Iterator[tuple[Store, str, Row]]:
    """Every object of the sandbox that is mirrored, as the pinned version shows it."""
    for store in stores(everything()):
        for kind in kinds.KINDS.keys() & set(KINDS):
            # The sandbox writes older fields into the stub of a deleted object, which Stripe does not.
            yield from ((store, kind, public(row)) for row in store.rows(kind) if not row.get("deleted"))


def test_there_is_an_object_of_every_kind_the_sandbox_has() -> None:
    assert {kind for _, kind, _ in objects()} == kinds.KINDS.keys() & set(KINDS)


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_what_an_older_version_shows_becomes_the_pinned_shape(version: str) -> None:
    found = [
        f"{kind} {row['id']}: {path}"
        for store, kind, row in objects()
        for path in differences(canonical_shape(versions.render(row, version, store), version), row)
        if not apart(version, kind, path)
    ]
    assert found[:SHOWN_MAX] == []


@pytest.mark.parametrize("one", APART, ids=lambda one: f"{one.kind} {one.path}")
def test_what_is_said_to_be_apart_is_so_in_the_version_before(one: Apart) -> None:
    before = versions.VERSIONS[versions.VERSIONS.index(one.version) - 1]
    found = {
        path
        for store, kind, row in objects()
        if kind == one.kind
        for path in differences(canonical_shape(versions.render(row, before, store), before), row)
    }
    assert one.path in found


def test_only_these_columns_wait_for_a_read_after_a_payload_of_an_older_version() -> None:
    waiting = {
        (entry.name, column.name)
        for entry in CATALOGUE.values()
        for column in entry.columns
        for one in APART
        if one.kind == entry.name and one.path == ".".join(column.path or (column.name,))
    }
    period = {("subscription_item", "current_period_start"), ("subscription_item", "current_period_end")}
    assert waiting <= {*period, ("line_item", "unit_amount_decimal")}


@pytest.mark.parametrize("version", [None, OLDEST, ACACIA, "no version", "2019-05-16"])
def test_a_payload_in_the_pinned_shape_stays_as_it_is_whatever_version_is_claimed(version: str | None) -> None:
    found = [row["id"] for _, _, row in objects() if canonical_shape(row, version) != row]
    assert found[:SHOWN_MAX] == []


def _events(version: str) -> Iterator[tuple[Row, Row]]:
    """Every event with previous attributes: its data in the pinned shape, and as `version` shows it."""
    for store in stores(everything()):
        for row in store.rows("event"):
            if row["data"].get("previous_attributes"):
                event = public(row)
                yield event["data"], versions.render(event, version, store)["data"]


def _with_ids(value: Any) -> Any:
    """Objects that stand in a field give way to their id, as in the mirror's rows; those in lists stay."""
    if isinstance(value, list):
        return [_with_ids(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: part["id"] if isinstance(part, Mapping) and {"id", "object"} <= part.keys() else _with_ids(part)
        for name, part in value.items()
    }


@pytest.mark.parametrize("version", SHAPES)
@pytest.mark.parametrize("reduced", [False, True], ids=["whole", "ids"])
def test_undoing_the_canonical_changes_gives_the_state_before(version: str, reduced: bool) -> None:
    found = []
    for data, old in _events(version):
        now, changes = (
            canonical_shape(old["object"], version),
            canonical_changes(old["previous_attributes"], old["object"], version),
        )
        if reduced:
            now, changes = _with_ids(now), _with_ids(changes)
        before = undone(data["object"], data["previous_attributes"])
        before = _with_ids(before) if reduced else before
        kind = before["object"]
        found += [
            f"{kind}: {path}" for path in differences(undone(now, changes), before) if not apart(version, kind, path)
        ]
    assert found[:SHOWN_MAX] == []


def test_a_renewal_told_before_basil_moves_the_period_of_the_items_back() -> None:
    items = {
        "object": "list",
        "data": [{"id": "si_1", "object": "subscription_item", "quantity": 2}],
        "has_more": False,
    }
    now = {
        "id": "sub_1",
        "object": "subscription",
        "current_period_start": 200,
        "current_period_end": 300,
        "items": items,
    }
    changes = canonical_changes({"current_period_start": 100, "current_period_end": 200}, now, ACACIA)
    assert changes["items"]["data"][0]["current_period_end"] == 200
    before = undone(canonical_shape(now, ACACIA), changes)
    (item,) = before["items"]["data"]
    assert (item["current_period_start"], item["current_period_end"], item["quantity"]) == (100, 200, 2)
    assert "current_period_end" not in before


def test_a_change_of_a_field_the_pinned_shape_does_not_have_is_none() -> None:
    invoice = {"id": "in_1", "object": "invoice", "paid": True, "status": "paid"}
    assert canonical_changes({"paid": False}, invoice, ACACIA) == {}


def test_another_object_in_the_same_field_is_told_whole() -> None:
    charge = {"id": "ch_2", "object": "charge", "amount": 5, "outcome": None}
    intent = {"id": "pi_1", "object": "payment_intent", "charges": {"data": [charge]}, "latest_charge": "ch_2"}
    earlier = {"id": "ch_1", "object": "charge", "amount": 5, "captured": True}
    changes = canonical_changes({"charges": {"data": [earlier]}, "latest_charge": "ch_1"}, intent, OLDEST)
    assert changes == {"latest_charge": {**earlier, "outcome": None}}


def test_changes_of_the_pinned_version_are_the_very_same() -> None:
    previous = {"name": "Ada"}
    assert canonical_changes(previous, {"id": "cus_1", "object": "customer"}, PINNED) is previous


@pytest.mark.parametrize(
    ("version", "current"),
    [
        (PINNED, True),
        ("2026-11-25.endive", True),
        ("2027-03-31.fuchsia", True),
        ("2026-09-30.endive", False),
        (OLDEST, False),
        (None, False),
        ("", False),
        ("latest", False),
    ],
)
def test_a_version_is_current_when_it_is_the_pinned_one_or_newer(version: str | None, current: bool) -> None:
    assert is_current(version) is current


@pytest.mark.parametrize("version", [PINNED, "2027-03-31.fuchsia", "2026-04-22.dahlia"])
def test_where_nothing_changed_since_the_payload_is_the_very_same(version: str) -> None:
    payload = {"id": "sub_1", "object": "subscription", "current_period_end": 1}
    assert canonical_shape(payload, version) is payload


def test_nothing_is_ever_mutated() -> None:
    for store, _, row in objects():
        old = versions.render(row, OLDEST, store)
        copy = deepcopy(old)
        canonical_shape(old, OLDEST)
        assert old == copy


def test_changes_are_sorted_and_tell_their_page_and_a_mirrored_object() -> None:
    dates = [change.version for change in shapes.CHANGES]
    assert dates == sorted(dates)
    assert set(dates) <= set(versions.VERSIONS)
    assert {change.kind for change in shapes.CHANGES} <= {*KINDS, "plan"}
    assert all(change.page.startswith((change.version, *_series(change.version))) for change in shapes.CHANGES)


def _series(version: str) -> list[str]:
    date, _, name = version.partition(".")
    return [f"{name}/{date}"] if name else []


def test_every_change_the_sandbox_writes_back_is_turned() -> None:
    turned = {(change.version, change.kind) for change in shapes.CHANGES}
    written = {(change.version, change.kind) for change in versions.CHANGES}
    # The items' periods are taken from their subscription; the list of refunds looks as if expanded.
    assert written - turned == {(BASIL, "subscription_item"), ("2022-11-15", "charge")}


def _turned(version: str, kind: str, **fields: Any) -> Any:
    shown = dict(canonical_shape({"object": kind, **fields}, version))
    assert shown.pop("object") == kind
    return shown


def priced(unit: str, **details: Any) -> Row:
    found = {"price_details": details} if details else {}
    return {"pricing": {"type": "price_details", "unit_amount_decimal": unit, **found}}


USD_1 = {"id": "price_1", "object": "price", "product": "prod_1", "unit_amount_decimal": "100"}
PLAN = {"id": "plan_1", "object": "plan", "product": "prod_1", "aggregate_usage": "sum"}
OF_PLAN = priced("9", price="plan_1", product="prod_1")
SHIPPED = {"address": {"city": "Bonn"}, "name": "Ada", "carrier": "DHL", "phone": None}
COLLECTED = {"shipping_details": {"address": {"city": "Bonn"}, "name": "Ada"}}
DISCOUNT = {"id": "di_1", "end": None}
GIVEN = {"coupon": "c", "discount": None, "promotion_code": None}
SUBSCRIBED = {"metadata": None, "subscription": "sub_1", "subscription_proration_date": 5}
PRORATED = {"type": "subscription_details", "quote_details": None, "subscription_details": SUBSCRIBED}
QUOTED = {"type": "quote_details", "quote_details": {"quote": "qt_1"}, "subscription_details": None}


@pytest.mark.parametrize(
    ("version", "kind", "before", "after"),
    [
        (OLDEST, "customer", {"default_currency": "eur"}, {"currency": "eur"}),
        (OLDEST, "customer", {"default_currency": "eur", "currency": "jpy"}, {"currency": "jpy"}),
        (OLDEST, "checkout.session", {"shipping": SHIPPED}, {"collected_information": COLLECTED}),
        (OLDEST, "checkout.session", {"shipping_rate": "shr_1"}, {"shipping_cost": {"shipping_rate": "shr_1"}}),
        (OLDEST, "checkout.session", {"shipping": None, "shipping_rate": None}, {}),
        (ACACIA, "checkout.session", {"shipping_details": SHIPPED}, {"collected_information": COLLECTED}),
        (OLDEST, "payment_intent", {"charges": {"data": []}}, {}),
        (OLDEST, "payment_intent", {"charges": {"data": [{"id": "ch_1"}]}}, {"latest_charge": {"id": "ch_1"}}),
        (OLDEST, "payment_intent", {"charges": {"data": []}, "latest_charge": "ch_1"}, {"latest_charge": "ch_1"}),
        ("2023-10-16", "invoice", {"rendering_options": {"pdf": None}}, {"rendering": {"pdf": None}}),
        (ACACIA, "subscription", {"discount": DISCOUNT}, {"discounts": [DISCOUNT]}),
        (ACACIA, "subscription", {"discount": DISCOUNT, "discounts": ["a", "di_1"]}, {"discounts": ["a", DISCOUNT]}),
        (ACACIA, "subscription", {"discount": None, "discounts": []}, {"discounts": []}),
        (ACACIA, "invoice", {"discount": DISCOUNT, "discounts": None}, {"discounts": [DISCOUNT]}),
        (ACACIA, "subscription_schedule", {"phases": [{"coupon": "c"}]}, {"phases": [{"discounts": [GIVEN]}]}),
        (ACACIA, "subscription_schedule", {"phases": [{"coupon": None}]}, {"phases": [{}]}),
        (ACACIA, "price", {"recurring": {"aggregate_usage": None, "meter": "m"}}, {"recurring": {"meter": "m"}}),
        (ACACIA, "price", {"recurring": None}, {"recurring": None}),
        (ACACIA, "plan", {"aggregate_usage": "sum", "meter": None}, {"meter": None}),
        (ACACIA, "line_item", {"amount_excluding_tax": 5}, {}),
        (ACACIA, "credit_note_line_item", {"amount_excluding_tax": 5, "unit_amount_excluding_tax": "5"}, {}),
        (ACACIA, "line_item", {"price": USD_1}, priced("100", price=USD_1, product="prod_1")),
        (ACACIA, "line_item", {"price": None, "unit_amount_excluding_tax": "2.5"}, priced("2.5")),
        (ACACIA, "invoiceitem", {"price": None, "plan": PLAN, "unit_amount_decimal": "9"}, OF_PLAN),
        (ACACIA, "invoice", {"subscription": "sub_1", "subscription_proration_date": 5}, {"parent": PRORATED}),
        (ACACIA, "invoice", {"subscription": None, "quote": "qt_1"}, {"parent": QUOTED}),
        (ACACIA, "invoice", {"subscription": None, "quote": None, "tax": None}, {}),
        (ACACIA, "credit_note", {"refund": "re_1"}, {"refunds": [{"refund": "re_1", "type": "refund"}]}),
        (ACACIA, "charge", {"invoice": "in_1"}, {}),
        ("2025-08-27.basil", "discount", {"coupon": "c"}, {"source": {"coupon": "c", "type": "coupon"}}),
        ("2026-02-25.clover", "checkout.session", {"ui_mode": "custom"}, {"ui_mode": "elements"}),
        ("2026-02-25.clover", "checkout.session", {"ui_mode": None}, {"ui_mode": None}),
    ],
)  # fmt: skip
def test_a_field_is_where_the_pinned_version_has_it(version: str, kind: str, before: Row, after: Row) -> None:
    assert _turned(version, kind, **before) == after


def test_metadata_is_the_users_and_stays() -> None:
    metadata = {"object": "discount", "coupon": "mine"}
    assert _turned(OLDEST, "customer", metadata=metadata) == {"metadata": metadata}


def test_objects_inside_lists_and_hashes_are_turned_too() -> None:
    code = {"id": "promo_1", "object": "promotion_code", "coupon": "c"}
    session = _turned(OLDEST, "checkout.session", discounts=[{"coupon": None, "promotion_code": code}])
    assert session["discounts"][0]["promotion_code"]["promotion"] == {"coupon": "c", "type": "coupon"}
