"""An object's JSON and its digest: made once, compared and sent to PostgreSQL from then on."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

DIGEST_BYTES = 12


class Content(NamedTuple):
    """`raw`, the same as JSON with sorted keys, and what tells it apart from other contents."""

    raw: Mapping[str, Any]
    json: bytes
    digest: bytes


def content(raw: Mapping[str, Any]) -> Content:
    """Of an object as the mirror keeps it."""
    return content_of(raw, orjson.dumps(raw, option=orjson.OPT_SORT_KEYS))


def content_of(raw: Mapping[str, Any], json: bytes) -> Content:
    """The same when its JSON is there already."""
    return Content(raw, json, blake2b(json, digest_size=DIGEST_BYTES).digest())
