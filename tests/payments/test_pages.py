"""A page token opens the next page of its own list and nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.errors import UsageProblem
from payment_kit.payments import pages
from payment_kit.payments.pages import Position

QUERY = {"list": "price", "account": "acct_1", "product": "prod_1", "active": None}
POSITION = Position(1_782_864_000, "price_1")


def test_a_token_gives_its_position_back() -> None:
    assert pages.position(pages.token(POSITION, QUERY), QUERY) == POSITION


def test_no_token_is_the_first_page() -> None:
    assert pages.position("", QUERY) == pages.START


@pytest.mark.parametrize("change", [{"product": "prod_2"}, {"active": False}, {"account": "acct_2"}, {"list": "x"}])
def test_a_token_belongs_to_its_query(change: dict[str, object]) -> None:
    with pytest.raises(UsageProblem) as caught:
        pages.position(pages.token(POSITION, QUERY), {**QUERY, **change})

    assert caught.value.field == "page_token"


def test_a_changed_token_is_refused() -> None:
    token = pages.token(POSITION, QUERY)
    whole = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    changed = base64.urlsafe_b64encode(whole.replace(b"price_1", b"price_2")).decode()

    with pytest.raises(UsageProblem):
        pages.position(changed, QUERY)


@pytest.mark.parametrize(
    "body", [b'[1e400,"x"]', b'[253402300800,"x"]', b'[-1,"x"]', b'["1","x"]', b"[true,null]", b"7"]
)
def test_a_token_somebody_made_up_is_the_callers_fault(body: bytes) -> None:
    token = base64.urlsafe_b64encode(pages._digest(body, QUERY) + body).decode()

    with pytest.raises(UsageProblem) as caught:
        pages.position(token, QUERY)

    assert caught.value.field == "page_token"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_refused_as_the_callers_fault(text: str) -> None:
    if not text:
        return
    with pytest.raises(UsageProblem) as caught:
        pages.position(text, QUERY)

    assert (caught.value.reason, caught.value.field) == ("FIELD_INVALID", "page_token")


def test_a_token_is_url_safe() -> None:
    token = pages.token(Position(1, "price_" + "x" * 200), QUERY)

    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(("asked", "given_"), [(0, 50), (1, 1), (100, 100), (101, 100), (2**31 - 1, 100)])
def test_a_page_size_is_kept_in_bounds(asked: int, given_: int) -> None:
    assert pages.size(asked) == given_


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(UsageProblem):
        pages.size(-1)
