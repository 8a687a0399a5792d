"""The demo's proof can fail: whatever is missing, too much, different, deleted or off the plan is seen and named."""

from dataclasses import replace
from typing import Any

import pytest

from payment_kit.cli.demo_proof import Comparison, Proof, compare, off_plan
from payment_kit.sandbox.scenario import Totals

TRUTH = {"ch_1": ({"id": "ch_1", "amount": 500}, False), "ch_2": ({"id": "ch_2", "amount": 900}, False)}


def test_equal_objects_are_equal() -> None:
    assert compare("charges", TRUTH, dict(TRUTH)) == Comparison("charges", 2, 2, 2, ())


@pytest.mark.parametrize(
    ("mirror", "said"),
    [
        ({"ch_1": TRUTH["ch_1"]}, "ch_2: only in Stripe"),
        (TRUTH | {"ch_3": ({"id": "ch_3"}, False)}, "ch_3: only in PostgreSQL"),
        (
            TRUTH | {"ch_2": ({"id": "ch_2", "amount": 901}, False)},
            "ch_2: amount (Stripe 900, PostgreSQL 901)",
        ),
        (TRUTH | {"ch_2": (None, True)}, "ch_2: deleted in PostgreSQL only"),
    ],
)
def test_a_difference_is_named(mirror: dict[str, tuple[object, bool]], said: str) -> None:
    comparison = compare("charges", TRUTH, mirror)
    assert not comparison.ok
    assert comparison.differences == (said,)


def test_a_payment_made_twice_is_off_the_plan() -> None:
    charge = {"status": "succeeded", "currency": "jpy", "amount": 300}
    plan = {"jpy": Totals(paid_count=1, paid=300)}
    assert off_plan(plan, {"charge": [charge], "refund": []}) == []
    assert off_plan(plan, {"charge": [charge, charge], "refund": []}) == [
        "jpy payments: 2 instead of 1",
        "jpy paid: 600 instead of 300",
    ]


@pytest.mark.parametrize("count", ["lost", "applied_twice", "duplicate_payments"])
def test_one_lost_or_doubled_thing_fails_the_proof(count: str) -> None:
    good = Proof((Comparison("charges", 1, 1, 1, ()),), acknowledged=9, lost=0, applied_twice=0, duplicate_payments=0)
    bad: Any = {count: 1}
    assert good.ok
    assert not replace(good, **bad).ok
