"""The text of an API key: ``pk_<test|live>_<id>_<secret>``, the id 16 and the secret 64 hexadecimal digits.

The secret is 256 random bits, so nobody can guess it and its SHA-256 needs no salt and no slowness.
"""

import hashlib
import re
import secrets
from typing import NamedTuple

ID_BYTES = 8
SECRET_BYTES = 32
_KEY = re.compile(r"pk_(test|live)_([0-9a-f]{16})_([0-9a-f]{64})")


class Key(NamedTuple):
    """A key as somebody presents it: its id, the SHA-256 of its secret, and its mode."""

    id: str
    digest: bytes
    livemode: bool


def new_key(*, livemode: bool) -> str:
    """The text of a fresh key."""
    mode = "live" if livemode else "test"
    return f"pk_{mode}_{secrets.token_hex(ID_BYTES)}_{secrets.token_hex(SECRET_BYTES)}"


def read_key(text: str) -> Key | None:
    """The parts of a key; None for any other text."""
    found = _KEY.fullmatch(text)
    if found is None:
        return None
    return Key(found[2], hashlib.sha256(found[3].encode()).digest(), found[1] == "live")
