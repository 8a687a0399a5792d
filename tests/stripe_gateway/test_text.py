"""JSON from Stripe can always be stored, and is touched only where it could not be."""

import json
import re

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
        (rb'{"a": "\ud83d\ude00\ud83d"}', {"a": "😀\ufffd"}),
        (rb'{"a": "\\ud83d\ude00"}', {"a": "\\ud83d\ufffd"}),
        (rb'{"a": "\\u0000"}', {"a": "\\u0000"}),
        (b'{"a": "\xed\xa0\x80"}', {"a": "\ufffd"}),
    ],
)
def test_what_postgresql_refuses_is_replaced(body: bytes, read: object) -> None:
    assert orjson.loads(clean_json(body)) == read


@pytest.mark.parametrize(
    "body",
    [
        b'{ "a" : 1.50, "b": "\xc3\xa9" }',
        rb'{"a": "\ud83d\ude00 \" \n"}',
        rb'{"a": "\\u0000 \\ud800"}',
        '{"a": "한국어"}'.encode(),
        b'{"a": 123456789012345678901234567890}',
    ],
)
def test_a_harmless_body_stays_byte_for_byte(body: bytes) -> None:
    assert clean_json(body) == body


def test_only_what_offends_is_touched() -> None:
    assert clean_json(rb'{ "n" : 1.50, "a": "\n\u0000\u00e9" }') == rb'{ "n" : 1.50, "a": "\n\ufffd\u00e9" }'


@pytest.mark.parametrize("body", [b'"\xed\xff"', rb'{"a": NaN, "b": "\u0000"}', b"[" * 100_000 + b'"\\u0000'])
def test_what_is_no_json_stays_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        orjson.loads(clean_json(body))


@given(st.lists(st.sampled_from([r"\u0000", r"\ud83d", r"\ude00", r"\\", r"\"", "u0000", "ud83d", "a", "\xed"])))
def test_any_text_of_escapes_is_read_as_the_standard_library_reads_it(parts: list[str]) -> None:
    body = f'"{"".join(parts)}"'
    wanted = re.sub("[\0\ud800-\udfff]", "\ufffd", json.loads(body))
    assert orjson.loads(clean_json(body.encode())) == wanted


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none() | st.lists(st.booleans())))
def test_any_clean_text_survives(value: dict[str, object]) -> None:
    wanted = orjson.loads(orjson.dumps(value).replace(rb"\u0000", b"\xef\xbf\xbd"))
    assert orjson.loads(clean_json(orjson.dumps(value))) == wanted
