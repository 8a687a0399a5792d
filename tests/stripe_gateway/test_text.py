"""JSON from Stripe can always be stored, and is touched only where it could not be."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_kit.stripe_gateway.text import clean_json


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (rb'{"a": "x\u0000y"}', {"a": "x\ufffdy"}),
        (rb'{"a": "\ud800"}', {"a": "\ufffd"}),
        (rb'{"a": "\uDC00z"}', {"a": "\ufffdz"}),
        (rb'{"\u0000": 1}', {"\ufffd": 1}),
        (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
        (rb'{"a": "\\u0000"}', {"a": "\\u0000"}),
        (b'{"a": "\xed\xa0\x80"}', {"a": "\ufffd"}),
    ],
)
def test_what_postgresql_refuses_is_replaced(body: bytes, read: object) -> None:
    assert orjson.loads(clean_json(body)) == read


def test_a_harmless_body_stays_byte_for_byte() -> None:
    body = b'{ "a" : 1.50, "b": "\xc3\xa9" }'
    assert clean_json(body) is body


@pytest.mark.parametrize("body", [b"\xed\xff", rb'{"a": NaN, "b": "\u0000"}', b"[" * 100_000 + b'"\\u0000'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        clean_json(body)


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none() | st.lists(st.booleans())))
def test_any_clean_text_survives(value: dict[str, object]) -> None:
    wanted = orjson.loads(orjson.dumps(value).replace(rb"\u0000", b"\xef\xbf\xbd"))
    assert orjson.loads(clean_json(orjson.dumps(value))) == wanted
