"""JSON that PostgreSQL can hold: NUL characters and lone surrogates become U+FFFD, everything else stays as it came.

Both are valid JSON escapes and appear in names and metadata people paste, but ``jsonb`` and ``text`` refuse them.
"""

import json
from typing import Any

import orjson

REPLACEMENT = "\ufffd"


def clean_json(body: bytes) -> bytes:
    """`body` itself when nothing in it offends PostgreSQL, otherwise the same JSON with those characters replaced.

    Raises ValueError when it has to look closer and finds no JSON in UTF-8; a body without suspects is not parsed.
    """
    if b"\\u0000" not in body and not _may_hold_lone_surrogate(body):
        return body
    try:
        value = json.loads(body.decode("utf-8", "surrogatepass"), parse_constant=_refuse)
        return orjson.dumps(_clean(value))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _may_hold_lone_surrogate(body: bytes) -> bool:
    return b"\\ud" in body or b"\\uD" in body or b"\xed" in body


def _clean(value: Any) -> Any:
    match value:
        case str():
            text = value.replace("\0", REPLACEMENT)
            return text if text.isprintable() or text.isascii() else _without_surrogates(text)
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case list():
            return [_clean(item) for item in value]
        case _:
            return value


def _without_surrogates(text: str) -> str:
    # json.loads has already joined the pairs, so every surrogate left is a lone one.
    return "".join(REPLACEMENT if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
