"""Only what Stripe signed just now gets in."""

import pytest
import stripe

from payment_kit.errors import UsageProblem
from payment_kit.mirror.signature import sign, verify

NOW = 1_782_907_200
BODY = b'{"id": "evt_1"}'
SECRETS = ["whsec_new", "whsec_old"]


def _reason(header: str | None, *, body: bytes = BODY, now: float = NOW) -> str:
    try:
        verify(body, header, SECRETS, now, 300)
    except UsageProblem as problem:
        return problem.reason
    return "accepted"


def test_it_agrees_with_the_sdk() -> None:
    header = stripe.WebhookSignature.generate_signature_header(BODY.decode(), "whsec_new", NOW)
    assert (_reason(header), header) == ("accepted", sign(BODY, "whsec_new", NOW))


@pytest.mark.parametrize("secret", SECRETS)
def test_every_secret_of_a_rotation_is_accepted(secret: str) -> None:
    assert _reason(sign(BODY, secret, NOW)) == "accepted"


def test_one_right_signature_among_several_is_enough() -> None:
    right = sign(BODY, "whsec_old", NOW).partition(",")[2]
    assert _reason(f"t={NOW},v1={'0' * 64},v0=abc,{right}") == "accepted"


@pytest.mark.parametrize("offset", [-300, 300])
def test_the_tolerance_includes_its_ends(offset: int) -> None:
    assert _reason(sign(BODY, "whsec_new", NOW + offset)) == "accepted"


@pytest.mark.parametrize("offset", [-301, 301])
def test_a_time_outside_the_tolerance_is_refused_both_ways(offset: int) -> None:
    assert _reason(sign(BODY, "whsec_new", NOW + offset)) == "TIMESTAMP_OUT_OF_TOLERANCE"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"v1={'0' * 64}",
        f"t={NOW},v1={'0' * 64}",
        f"t={NOW},v1=é",
        f"t=x,v1={'0' * 64}",
        f"t=-1,v1={'0' * 64}",
        f"t={'9' * 400},v1={'0' * 64}",
        sign(BODY, "whsec_other", NOW),
        sign(BODY, "whsec_new", NOW).replace("v1=", "v0="),
        sign(BODY, "whsec_new", NOW) + f",t={NOW + 1}",
        sign(BODY, "whsec_new", NOW) + ",v1=x" * 20,
        sign(BODY, "whsec_new", NOW) + "," + "x" * 5000,
    ],
)
def test_anything_else_is_no_signature(header: str | None) -> None:
    assert _reason(header) == "SIGNATURE_INVALID"


def test_a_changed_body_is_refused() -> None:
    assert _reason(sign(BODY, "whsec_new", NOW), body=BODY + b" ") == "SIGNATURE_INVALID"


def test_a_changed_time_is_refused() -> None:
    header = sign(BODY, "whsec_new", NOW - 999).replace(f"t={NOW - 999}", f"t={NOW}")
    assert _reason(header) == "SIGNATURE_INVALID"


def test_without_a_secret_nothing_is_accepted() -> None:
    with pytest.raises(UsageProblem):
        verify(BODY, sign(BODY, "", NOW), [], NOW)
