"""Secrets and personal data leave any text; ordinary numbers and ids stay."""

import pytest

from payment_kit.telemetry.redaction import REDACTED, holds_card_number, redact, redact_named, redact_value


@pytest.mark.parametrize(
    "secret",
    [
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "rk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "pk_live_7gk_2b0f",
        "sk_test_sandbox0123456789",
        "whsec_8hX2k/ab+c=",
        "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
        "jane.o'neil+shop@mail.example.co.uk",
        "4242424242424242",
        "4242 4242 4242 4242",
        "3782-822463-10005",
    ],
)
def test_a_secret_is_replaced_wherever_it_stands(secret: str) -> None:
    assert redact(f"before {secret}, after") == f"before {REDACTED}, after"


def test_a_row_the_database_quotes_is_replaced() -> None:
    shown = redact("new row breaks a rule\nDETAIL:  Failing row contains (cus_1, Jo\nDoe).\n\nThe above exception")

    assert shown == f"new row breaks a rule\nDETAIL: {REDACTED}\n\nThe above exception"


@pytest.mark.parametrize(
    "dsn", ["postgresql://shop:hunter2@db:5432/kit", "host=db password=hunter2 user=shop", "password = 'hun\\'ter2'"]
)
def test_a_database_password_is_replaced(dsn: str) -> None:
    shown = redact(dsn)

    assert "ter2" not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "text",
    [
        "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "cus_9s6XKzkNRiz8i3",
        "1700000000003",
        "amount 4242424242424241",
        "0.4242424242424242",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4000056655665556", True),
        ("card: 5555-5555-5555-4444.", True),
        ("tok_4242424242424242", True),
        ("6011000990139424", True),
        ("378282246310005", True),
        ("4222222222222", True),
        ("4242424242424243", False),
        ("+4242424242424242", False),
        ("42424242424242424242424242424242", False),
        ("a4242424242424242", False),
        ("2026-10-28 12 30 45", False),
        ("", False),
    ],
)
def test_a_card_number_is_thirteen_to_nineteen_digits_that_pass_luhn(text: str, found: bool) -> None:
    assert holds_card_number(text) is found


def test_a_secret_name_hides_any_value() -> None:
    assert redact_named("client_secret", "anything") == REDACTED
    assert redact_named("Stripe-Signature", "t=1,v1=ab") == REDACTED
    assert redact_value({"outer": {"api_key": "short", "id": "cus_1"}}) == {
        "outer": {"api_key": REDACTED, "id": "cus_1"}
    }


def test_nesting_is_cut_off_and_bytes_are_counted() -> None:
    deep: object = "jane@example.com"
    for _ in range(20):
        deep = [deep]

    assert "jane" not in str(redact_value(deep))
    assert redact_value(b"jane@example.com") == "<16 bytes>"
