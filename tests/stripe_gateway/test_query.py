"""Parameters of reads look as the SDK's do."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from payment_kit.stripe_gateway.query import encode

Leaf = st.text(max_size=5) | st.integers()
Value = Leaf | st.booleans() | st.none() | st.lists(Leaf, max_size=3) | st.dictionaries(st.text(max_size=3), Leaf)


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"created": {"gte": 1, "lt": 2}}, "created[gte]=1&created[lt]=2"),
        ({"expand": ["data.source", "data.customer"]}, "expand[0]=data.source&expand[1]=data.customer"),
        ({"active": True, "limit": 100}, "active=true&limit=100"),
        ({"email": "a+b&c@x.de"}, "email=a%2Bb%26c%40x.de"),
        ({"starting_after": None}, ""),
        ({"payment": {"of": ["a", {"b": False}]}}, "payment[of][0]=a&payment[of][1][b]=false"),
    ],
)
def test_parameters_are_written_as_stripe_reads_them(params: dict[str, Any], query: str) -> None:
    assert encode(params) == query


@given(st.dictionaries(st.text(max_size=5), Value, max_size=4))
def test_any_parameters_are_written_as_the_sdk_writes_them(params: dict[str, Any]) -> None:
    wanted = [(name, str(value)) for name, value in _api_encode(params)]
    assert parse_qsl(encode(params), keep_blank_values=True) == wanted
