"""Lists in pages: opaque tokens that say where the next page begins and belong to one query of one account.

A token holds the last object's creation time and id with a hash over both and the query. Sent with another query, or
changed, it is refused. It is no secret and gives no right: whoever makes one up sees a page of his own list.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from payment_kit.payments import rules

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 100
TOKEN_LENGTH_MAX = 1024
_DIGEST_BYTES = 12
# Later than anything Stripe can have created: the year 9999.
_END_OF_TIME = 253_402_300_799


class Position(NamedTuple):
    """A list goes on after the object created at `created` (Unix seconds) with this id, newest first."""

    created: int
    id: str


START = Position(_END_OF_TIME, "")


def size(value: int) -> int:
    """The number of objects on a page: 0 is the default, more than the maximum is the maximum (AIP-158)."""
    if value < 0:
        rules.invalid("page_size", "page_size must not be negative.")
    return min(value or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def token(position: Position, query: Mapping[str, Any]) -> str:
    """The url-safe token of the page after `position` in the list that `query` describes."""
    body = orjson.dumps([position.created, position.id])
    return base64.urlsafe_b64encode(_digest(body, query) + body).decode().rstrip("=")


def position(text: str, query: Mapping[str, Any]) -> Position:
    """Where the page of a token begins; the empty token is the first page. FIELD_INVALID for any other text."""
    if not text:
        return START
    try:
        if len(text) > TOKEN_LENGTH_MAX:
            raise ValueError
        whole = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        digest, body = whole[:_DIGEST_BYTES], whole[_DIGEST_BYTES:]
        if not hmac.compare_digest(digest, _digest(body, query)):
            raise ValueError
        created, last_id = orjson.loads(body)
        if type(created) is not int or not 0 <= created <= _END_OF_TIME:
            raise ValueError
        return Position(created, rules.id_of("product", "page_token", last_id))
    except (ValueError, TypeError, binascii.Error):
        rules.invalid("page_token", "page_token is not one this list gave, or another field of the request changed.")


def _digest(body: bytes, query: Mapping[str, Any]) -> bytes:
    bound = orjson.dumps([sorted(query.items()), body.hex()])
    return hashlib.blake2b(bound, digest_size=_DIGEST_BYTES, person=b"pk page token").digest()
