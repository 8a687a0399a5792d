"""Takes secrets, card numbers and e-mail addresses out of anything that is about to be logged or kept.

What is replaced is what we know by its shape; that no such value is logged in the first place is the first rule.
"""

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
DEPTH_MAX = 8

# Names whose values are never shown, whatever they look like.
_SECRET_NAME = re.compile(
    r"secret|password|passwd|authorization|cookie|api_?key|card_?(number|token)|signature|^(e_?mail|receipt_email|phone)$",
    re.IGNORECASE,
)
_KEY = r"\b(?:sk|rk|pk|ek)_(?:test|live|sandbox|[a-z]{2,12})_[A-Za-z0-9_]{4,}"
_SECRETS = re.compile(rf"{_KEY}|\bwhsec_[A-Za-z0-9+/=_-]{{4,}}|\b[A-Za-z0-9]+_[A-Za-z0-9]+_secret_[A-Za-z0-9_-]+")
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_URL_PASSWORD = re.compile(r"(://[^\s:/@'\"]*:)(?!\[redacted\])[^\s@'\"]+(@)")
# PostgreSQL quotes whole rows here; whatever follows belongs to it up to an empty line.
_QUOTED_ROW = re.compile(r"^((?:DETAIL|CONTEXT):)\s+\S.*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_KEYWORD_PASSWORD = re.compile(r"(\bpassword\s*=\s*)(?!\*|\[redacted\])('(?:[^'\\]|\\.)*'|[^\s'\"&]+)", re.IGNORECASE)

# Thirteen to nineteen digits in one piece, or grouped as cards print them (ISO/IEC 7812; American Express and Diners
# print 4-6-5 and 4-6-4). A sign or a decimal point in front means another kind of number.
_CARD_NUMBER = re.compile(
    r"(?<![A-Za-z0-9+.])(?:"
    r"[2-6]\d{12,18}"
    r"|[2-6]\d{3}(?P<a>[ -])\d{4}(?P=a)\d{4}(?P=a)\d{1,7}"
    r"|3\d{3}(?P<b>[ -])\d{6}(?P=b)\d{4,5}"
    r")(?![A-Za-z0-9])"
)

# What every one of the patterns above has to contain: most texts have none of it and are done after one look.
_SUSPECT = re.compile(r"@|[srpe]k_|whsec_|_secret_|\d(?:[ -]?\d){11}|(?i:password)|DETAIL:|CONTEXT:")


def redact(text: str) -> str:
    """`text` with every secret, card number, e-mail address and database password replaced."""
    if not _SUSPECT.search(text):
        return text
    # Secrets first: the end of password@host looks like an e-mail address.
    text = _QUOTED_ROW.sub(rf"\1 {REDACTED}", text)
    text = _EMAIL.sub(REDACTED, redact_secrets(text))
    return _CARD_NUMBER.sub(lambda match: REDACTED if _luhn(match[0]) else match[0], text)


def redact_secrets(text: str) -> str:
    """`text` without keys, signing secrets, client secrets and passwords; people's own data stays."""
    text = _SECRETS.sub(REDACTED, text)
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}\2", text)
    return _KEYWORD_PASSWORD.sub(rf"\1{REDACTED}", text)


def holds_secret(text: str) -> bool:
    """True when `text` has the shape of a key, a signing secret, a client secret or an address with a password."""
    return redact_secrets(text) != text


def redact_value(value: Any, depth: int = 0) -> Any:
    """The same for what a log line can hold: strings, bytes, mappings and sequences, `DEPTH_MAX` deep at most."""
    if depth >= DEPTH_MAX:
        return REDACTED
    match value:
        case str():
            return redact(value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case Mapping():
            return {key: redact_named(str(key), item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact_value(item, depth + 1) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            return redact(repr(value))


def redact_named(name: str, value: Any, depth: int = 0) -> Any:
    """The value of a field: gone altogether when its name says that it is a secret."""
    return REDACTED if value and _SECRET_NAME.search(name) else redact_value(value, depth)


def holds_card_number(text: str) -> bool:
    """True when `text` holds what can be a card number: 13–19 digits, a card's first digit, a right check digit."""
    return any(_luhn(match[0]) for match in _CARD_NUMBER.finditer(text))


def _luhn(text: str) -> bool:
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
