"""Every rule refuses what breaks it, naming the field, and lets through what just keeps it."""

from collections.abc import Callable

import pytest

from payment_kit.errors import UsageProblem
from payment_kit.payments import rules


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ("request_id", lambda: rules.request_id("not-a-uuid")),
        ("request_id", lambda: rules.request_id("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}")),
        ("request_id", lambda: rules.request_id("6ba7b8109dad11d180b400c04fd430c8")),
        ("id", lambda: rules.id_of("customer", "id", "")),
        ("id", lambda: rules.id_of("customer", "id", "pi_1")),
        ("id", lambda: rules.id_of("customer", "id", "cus_1/../../v1/payouts")),
        ("id", lambda: rules.id_of("customer", "id", "cus_1\n")),
        ("id", lambda: rules.id_of("product", "id", "a" * 256)),
        ("name", lambda: rules.text("name", "  ")),
        ("amount.amount_minor", lambda: rules.money("amount", 0, "usd")),
        ("amount.amount_minor", lambda: rules.money("amount", -1, "usd", zero_allowed=True)),
        ("amount.currency", lambda: rules.money("amount", 1, "USD")),
        ("amount.currency", lambda: rules.money("amount", 1, "usd\n")),
        ("amount.currency", lambda: rules.money("amount", 1, "")),
        ("metadata", lambda: rules.metadata("metadata", {f"k{n}": "v" for n in range(51)})),
        ("metadata", lambda: rules.metadata("metadata", {"k" * 41: "v"})),
        ("metadata", lambda: rules.metadata("metadata", {"a[b]": "v"})),
        ("metadata", lambda: rules.metadata("metadata", {"": "v"})),
        ("metadata.k", lambda: rules.metadata("metadata", {"k": "v" * 501})),
        ("metadata.k", lambda: rules.metadata("metadata", {"k": ""})),
    ],
)
def test_what_breaks_a_rule_is_refused_naming_the_field(field: str, check: Callable[[], object]) -> None:
    with pytest.raises(UsageProblem) as caught:
        check()

    assert (caught.value.reason, caught.value.field) == ("FIELD_INVALID", field)


def test_what_just_keeps_the_rules_passes() -> None:
    rules.metadata("metadata", {f"{n:040}": "v" * 500 for n in range(50)})
    rules.money("amount", 1, "jpy")
    rules.money("amount", 0, "kwd", zero_allowed=True)
    assert rules.id_of("product", "id", "gold-plan") == "gold-plan"
    assert rules.id_of("payment_method", "id", "card_1") == "card_1"


def test_a_missing_request_id_has_its_own_reason() -> None:
    with pytest.raises(UsageProblem) as caught:
        rules.request_id("")

    assert caught.value.reason == "REQUEST_ID_MISSING"


def test_a_request_id_is_the_same_in_upper_and_lower_case() -> None:
    assert rules.request_id("6BA7B810-9DAD-11D1-80B4-00C04FD430C8") == "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
