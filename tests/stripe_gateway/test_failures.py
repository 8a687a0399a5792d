"""Stripe's failures mean the right problem to the caller, and carry no secret."""

from typing import Any

import pytest
import stripe

from payment_kit import errors
from payment_kit.stripe_gateway.failures import problem


def _error(status: int, **details: Any) -> stripe.StripeError:
    return stripe.StripeError("said", "the body", status, {"error": details}, {"request-id": "req_1"})


@pytest.mark.parametrize(
    ("status", "details", "kind", "reason"),
    [
        (400, {"code": "parameter_missing", "param": "amount"}, errors.UsageProblem, "STRIPE_REFUSED_PARAMETER"),
        (400, {"code": "resource_missing", "param": "customer"}, errors.NotFound, "RESOURCE_NOT_FOUND"),
        (404, {"code": "resource_missing"}, errors.NotFound, "RESOURCE_NOT_FOUND"),
        (400, {"code": "resource_already_exists"}, errors.Refused, "ALREADY_EXISTS"),
        (400, {"code": "payment_intent_unexpected_state"}, errors.Refused, "STRIPE_STATE"),
        (400, {"code": "charge_already_refunded"}, errors.Refused, "STRIPE_STATE"),
        (400, {"type": "invalid_request_error"}, errors.Refused, "STRIPE_STATE"),
        (400, {"type": "idempotency_error"}, errors.UsageProblem, "REQUEST_ID_REUSED"),
        (401, {}, errors.Broken, "STRIPE_KEY_REFUSED"),
        (402, {"code": "card_declined"}, errors.Declined, "CARD_DECLINED"),
        (402, {"code": "authentication_required"}, errors.Declined, "AUTHENTICATION_REQUIRED"),
        (403, {}, errors.Refused, "STRIPE_PERMISSION_DENIED"),
        (409, {"code": "idempotency_key_in_use"}, errors.Conflict, "STRIPE_BUSY"),
        (429, {"code": "rate_limit"}, errors.Busy, "STRIPE_RATE_LIMITED"),
        (429, {"code": "lock_timeout"}, errors.Conflict, "STRIPE_BUSY"),
    ],
)
def test_each_answer_of_stripe_is_the_problem_of_the_table(
    status: int, details: dict[str, Any], kind: type[errors.Problem], reason: str
) -> None:
    found = problem(_error(status, **details), write=True)
    assert (type(found), found.reason) == (kind, reason)


@pytest.mark.parametrize(("write", "reason"), [(True, "STRIPE_OUTCOME_UNKNOWN"), (False, "STRIPE_UNREACHABLE")])
@pytest.mark.parametrize("error", [_error(500), stripe.StripeError("no route")])
def test_only_a_write_without_an_answer_has_an_unknown_outcome(
    error: stripe.StripeError, write: bool, reason: str
) -> None:
    assert problem(error, write=write).reason == reason


def test_a_decline_carries_what_the_caller_decides_by() -> None:
    declined = _error(
        402,
        code="card_declined",
        decline_code="insufficient_funds",
        advice_code="try_again_later",
        charge="ch_1",
        payment_intent={"id": "pi_1", "client_secret": "pi_1_secret_x"},
    )
    assert problem(declined, write=True).metadata == {
        "stripe_code": "card_declined",
        "stripe_request_id": "req_1",
        "http_status": "402",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "advice_code": "try_again_later",
        "charge": "ch_1",
        "payment_intent": "pi_1",
    }


def test_a_refused_parameter_names_its_field() -> None:
    assert problem(_error(400, param="amount"), write=True).field == "amount"


def test_a_refused_key_is_never_repeated_in_the_text() -> None:
    refused = _error(401, message="Invalid API Key provided: sk_test_********wxyz")
    assert "sk_test" not in str(problem(refused, write=False))


def test_a_rate_limit_passes_on_when_to_come_back() -> None:
    error = stripe.RateLimitError("slow", "", 429, {"error": {}}, {"Retry-After": "3"})
    assert problem(error, write=False).retry_after_seconds == 3.0
