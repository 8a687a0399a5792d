"""An outcome comes out of the store as it went in, without its secrets."""

import pytest

from payment_kit.errors import Broken, Busy, Conflict, Declined, NotFound, Problem, Refused, Unavailable, UsageProblem
from payment_kit.payments import outcomes

DEFINITE: list[Problem] = [
    Declined("CARD_DECLINED", "No.", metadata={"decline_code": "lost_card", "http_status": "402"}),
    Refused("STRIPE_STATE", "It is paid.", field="amount"),
    NotFound("RESOURCE_NOT_FOUND", "No such customer.", field="customer"),
    UsageProblem("STRIPE_REFUSED_PARAMETER", "Wrong.", field="card[token]", next_step="Look."),
]
PASSING: list[Problem] = [
    Unavailable("STRIPE_OUTCOME_UNKNOWN", "?"),
    Busy("STRIPE_RATE_LIMITED", "Later."),
    Conflict("STRIPE_BUSY", "Later."),
    Broken("STRIPE_KEY_REFUSED", "Key."),
    Refused("STRIPE_PERMISSION_DENIED", "Restricted."),
    UsageProblem("REQUEST_ID_REUSED", "Other parameters."),
]


@pytest.mark.parametrize("problem", DEFINITE, ids=lambda problem: problem.reason)
def test_a_definite_error_is_raised_again_as_it_was(problem: Problem) -> None:
    again = outcomes.decode(outcomes.encode(problem)[1])

    assert isinstance(again, type(problem))
    assert vars(again) == vars(problem)
    assert outcomes.is_definite(problem)


@pytest.mark.parametrize("problem", PASSING, ids=lambda problem: problem.reason)
def test_an_error_that_can_pass_is_not_definite(problem: Problem) -> None:
    assert not outcomes.is_definite(problem)


def test_an_answer_comes_back_without_its_client_secret() -> None:
    status, stored = outcomes.encode({"id": "pi_1", "client_secret": "pi_1_secret_x", "amount": 5})

    assert status == 200
    assert b"secret" not in stored
    assert outcomes.decode(stored) == {"id": "pi_1", "amount": 5}
