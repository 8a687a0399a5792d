"""Errors carry a stable code, the cause and the next step, and the code list is complete."""

import re
from pathlib import Path

import pytest

from payment_kit.errors import REASONS, Problem, UsageProblem

PACKAGE = Path(__file__).resolve().parents[1] / "payment_kit"


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_one_google_rpc_accepts(reason: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]", reason)


@pytest.mark.parametrize("reason", REASONS)
def test_cause_and_next_step_are_sentences(reason: str) -> None:
    assert all(text.endswith((".", "request.")) and text[0].isupper() for text in REASONS[reason])


def test_what_people_read_is_the_code_the_sentence_and_the_next_step() -> None:
    problem = UsageProblem("PORT_TAKEN", "Port 8080 is taken.", next_step="Choose another.")

    assert str(problem) == "PK-PORT_TAKEN: Port 8080 is taken. Choose another."
    assert problem.exit_code == 2


def test_an_unlisted_reason_is_a_programming_error() -> None:
    with pytest.raises(AssertionError, match="NOT_LISTED"):
        Problem("NOT_LISTED", "x")


def test_every_reason_is_raised_somewhere_and_every_raised_one_is_listed() -> None:
    code = "\n".join(
        path.read_text() for path in PACKAGE.rglob("*.py") if path != PACKAGE / "errors.py" and "v1" not in path.parts
    )

    unused = {reason for reason in REASONS if f'"{reason}"' not in code}

    assert unused == set()
