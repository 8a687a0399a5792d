"""Stripe's form encoding (``a[b]=1&a[c][]=2``) into nested values, and the kinds a parameter can have.

A *kind* is a function ``(raw, path) -> value`` that raises `ApiError` naming the parameter as Stripe does. ``""`` means
"unset" and becomes None wherever a value can be unset.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from payment_kit.money import CURRENCIES
from payment_kit.sandbox.errors import ApiError, invalid, missing, unknown

FIELDS_MAX = 1000
DEPTH_MAX = 10
STRING_MAX = 5000
METADATA_KEYS_MAX, METADATA_KEY_MAX, METADATA_VALUE_MAX = 50, 40, 500  # docs.stripe.com/metadata
INTEGER_MAX = 99_999_999_999

Kind = Callable[[Any, str], Any]
Kinds = Mapping[str, Kind]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_POSITION = re.compile(r"[0-9]{1,4}")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(encoded: str) -> dict[str, Any]:
    """Nested dicts of strings; an array is a dict keyed by position. Raises `ApiError` 400 for what is not a form."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (ValueError, UnicodeError):
        raise ApiError(400, f"Invalid form: not UTF-8, or more than {FIELDS_MAX} fields.", stored=False) from None
    values: dict[str, Any] = {}
    for key, value in pairs:
        found = _KEY.fullmatch(key)
        if found is None:
            raise unknown(key[:100])
        path = [found[1], *_PART.findall(found[2])]
        if len(path) > DEPTH_MAX:
            raise invalid(key[:100], f"Invalid parameter: nested deeper than {DEPTH_MAX} levels.")
        _insert(values, path, value, key)
    return values


def _insert(values: dict[str, Any], path: list[str], value: str, key: str) -> None:
    for at, part in enumerate(path):
        name = part or _position(values, path[at + 1 :])
        if at == len(path) - 1:
            if isinstance(values.get(name), dict):
                raise invalid(key, f"Invalid parameter: {key} is both a value and a hash.")
            values[name] = value
            return
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            raise invalid(key, f"Invalid parameter: {key} is both a value and a hash.")
        values = inner


def _position(values: dict[str, Any], rest: list[str]) -> str:
    """Where ``a[]`` goes: the next place, or the last one while that is a hash without what `rest` names.

    So ``a[][b]=1&a[][c]=2&a[][b]=3`` is two hashes, as servers of Stripe's kind read it.
    """
    last: Any = values.get(str(len(values) - 1))
    if rest and isinstance(last, dict):
        for part in rest:
            last = last.get(part) if isinstance(last, dict) else None
        if last is None:
            return str(len(values) - 1)
    taken = len(values)
    while str(taken) in values:
        taken += 1
    return str(taken)


def read(kinds: Kinds, raw: Mapping[str, Any], required: tuple[str, ...] = (), inside: str = "") -> dict[str, Any]:
    """`raw` checked and converted by `kinds`; unknown, missing and ill-typed parameters raise `ApiError` 400."""
    result: dict[str, Any] = {}
    for name, value in raw.items():
        path = f"{inside}[{name}]" if inside else name
        kind = kinds.get(name)
        if kind is None:
            raise unknown(path)
        result[name] = kind(value, path)
    for name in required:
        path = f"{inside}[{name}]" if inside else name
        if name not in result:
            raise missing(path)
        if result[name] is None:
            raise invalid(
                path, f"You passed an empty string for '{path}'. It cannot be unset.", "parameter_invalid_empty"
            )
    return result


def string(raw: Any, path: str) -> str | None:
    """Text; "" unsets."""
    if not isinstance(raw, str):
        raise invalid(path, f"Invalid string: {path} is a hash.", "parameter_invalid_string_empty")
    if len(raw) > STRING_MAX:
        raise invalid(path, f"Invalid string: must be at most {STRING_MAX} characters.")
    return raw or None


def integer(raw: Any, path: str) -> int:
    """A whole number."""
    if not isinstance(raw, str) or not re.fullmatch(r"[+-]?[0-9]{1,18}", raw):
        raise invalid(path, f"Invalid integer: {_shown(raw)}", "parameter_invalid_integer")
    return int(raw)


def amount(raw: Any, path: str) -> int:
    """Minor units, not negative."""
    value = integer(raw, path)
    if value < 0:
        raise invalid(path, "This value must be greater than or equal to 0.", "parameter_invalid_integer")
    if value > INTEGER_MAX:
        raise invalid(path, f"This value must be at most {INTEGER_MAX}.", "amount_too_large")
    return value


def boolean(raw: Any, path: str) -> bool:
    """true or false."""
    if raw not in ("true", "false", "True", "False"):
        raise invalid(path, f"Invalid boolean: {_shown(raw)}")
    return raw in ("true", "True")


def currency(raw: Any, path: str) -> str:
    """The code of a currency Stripe has, lower-cased. Stripe refuses any other without a code, with the whole list."""
    if raw == "":
        raise invalid(path, f"You passed an empty string for '{path}'. It cannot be unset.", "parameter_invalid_empty")
    code = _shown(raw).lower()
    if code not in CURRENCIES:
        raise invalid(
            path, f"Invalid currency: {code}. Stripe currently supports these currencies: {', '.join(CURRENCIES)}"
        )
    return code


def email(raw: Any, path: str) -> str | None:
    """An address with something on both sides of one @."""
    value = string(raw, path)
    if value is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise invalid(path, f"Invalid email address: {value}", "email_invalid")
    return value


def url(raw: Any, path: str) -> str | None:
    """An http or https URL."""
    value = string(raw, path)
    if value is not None and not re.fullmatch(r"https?://\S+", value):
        raise invalid(path, "Not a valid URL", "url_invalid")
    return value


def decimal(raw: Any, path: str) -> str:
    """A decimal with at most 12 places, as text."""
    if not isinstance(raw, str) or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", raw):
        raise invalid(path, f"Invalid decimal: {_shown(raw)}", "parameter_invalid_decimal")
    return raw


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a closed set of words; "" unsets."""

    allowed: tuple[str, ...]

    def __call__(self, raw: Any, path: str) -> str | None:
        """The word."""
        if raw == "":
            return None
        if raw not in self.allowed:
            raise invalid(path, f"Invalid {path}: must be one of {', '.join(self.allowed)}")
        return str(raw)


@dataclass(frozen=True, slots=True)
class Array:
    """A list, sent as ``a[]=``, ``a[0]=``; "" empties it."""

    of: Kind

    def __call__(self, raw: Any, path: str) -> list[Any]:
        """The values in their order."""
        if raw == "":
            return []
        if not isinstance(raw, dict) or not all(_POSITION.fullmatch(name) for name in raw):
            raise invalid(path, "Invalid array")
        return [self._whole(self.of(raw[name], f"{path}[{name}]"), f"{path}[{name}]") for name in sorted(raw, key=int)]

    def _whole(self, value: Any, path: str) -> Any:
        """One value of the list, which cannot be unset: "" only empties the list as a whole."""
        if value is None:
            raise invalid(path, f"You passed an empty string for '{path}'.", "parameter_invalid_empty")
        return value


@dataclass(frozen=True, slots=True)
class Fields:
    """A hash with known fields; "" unsets it."""

    kinds: Kinds
    required: tuple[str, ...] = ()

    def __call__(self, raw: Any, path: str) -> dict[str, Any] | None:
        """The hash, its values converted."""
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise invalid(path, "Invalid object")
        return read(self.kinds, raw, self.required, path)


@dataclass(frozen=True, slots=True)
class Either:
    """A plain value or a hash."""

    simple: Kind
    nested: Kind

    def __call__(self, raw: Any, path: str) -> Any:
        """What the fitting kind makes of it."""
        return self.nested(raw, path) if isinstance(raw, dict) else self.simple(raw, path)


def one_of(*allowed: str) -> Kind:
    """One of a closed set of words; "" unsets."""
    return OneOf(allowed)


def array(of: Kind) -> Kind:
    """A list of one kind."""
    return Array(of)


def fields(kinds: Kinds, required: tuple[str, ...] = ()) -> Kind:
    """A hash with known fields; "" unsets it."""
    return Fields(kinds, required)


def either(simple: Kind, nested: Kind) -> Kind:
    """A plain value or a hash."""
    return Either(simple, nested)


def metadata(raw: Any, path: str) -> dict[str, str] | None:
    """Free keys and values within Stripe's bounds; None ("") clears all, an empty value removes its key."""
    if raw == "":
        return None
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise invalid(path, "Invalid metadata: metadata must be a set of key-value pairs of strings.")
    if len(raw) > METADATA_KEYS_MAX:
        raise invalid(path, f"Metadata can have up to {METADATA_KEYS_MAX} keys.")
    for name, value in raw.items():
        if len(name) > METADATA_KEY_MAX or len(value) > METADATA_VALUE_MAX:
            raise invalid(f"{path}[{name}]", "Metadata keys can have up to 40 and values up to 500 characters.")
    return raw


def _shown(raw: Any) -> str:
    return str(raw)[:100] if isinstance(raw, str) else "a hash"
