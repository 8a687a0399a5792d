"""Stripe's payloads as our messages, by what the contract says of each field.

A value this version does not know becomes UNSPECIFIED, an object shown whole becomes its id, null becomes empty: what
Stripe may send tomorrow is never an error.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.api.contract import currency_at_stripe, is_metadata, name_at_stripe, words
from payment_kit.v1.common_pb2 import Money

Payload = Mapping[str, Any]
M = TypeVar("M", bound=Message)
Read = Callable[[Payload, str], Any]
"""From an object and the currency of its amounts to the value of a field; None leaves it empty."""


def message(kind: type[M], payload: Payload) -> M:
    """`payload` as a message of that kind."""
    made: M = _maker(kind.DESCRIPTOR)(payload, "")
    return made


@cache
def _maker(descriptor: Descriptor) -> Callable[[Payload, str], Any]:
    made = GetMessageClass(descriptor)
    fields = [(field.name, _reader(field)) for field in descriptor.fields]

    def make(payload: Payload, currency: str) -> Any:
        currency = payload.get("currency") or currency
        found = ((name, read(payload, currency)) for name, read in fields)
        return made(**{name: value for name, value in found if value is not None})

    return make


def _reader(field: FieldDescriptor) -> Read:
    path = name_at_stripe(field)
    one = _value(field)
    if is_metadata(field):
        return lambda payload, _: _at(payload, path) or None
    if field.is_repeated:
        return lambda payload, currency: [one(item, currency) for item in _items(_at(payload, path))]
    if field.message_type is Money.DESCRIPTOR and (beside := currency_at_stripe(field)) != ("currency",):
        return lambda payload, currency: one(_at(payload, path), _at(payload, beside) or currency)
    return lambda payload, currency: one(_at(payload, path), currency)


def _value(field: FieldDescriptor) -> Callable[[Any, str], Any]:
    if field.message_type is not None:
        return _message_value(field.message_type)
    if field.enum_type is not None:
        known = words(field.enum_type)
        return lambda value, _: known.get(value, 0) if isinstance(value, str) else None
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda value, _: _text(value)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda value, _: value if isinstance(value, bool) else None
    return lambda value, _: value if isinstance(value, int) else None


def _message_value(descriptor: Descriptor) -> Callable[[Any, str], Any]:
    if descriptor is Money.DESCRIPTOR:
        return _money
    if descriptor is Timestamp.DESCRIPTOR:
        return lambda value, _: Timestamp(seconds=value) if value else None
    # Looked up when it is needed: a message may hold one of its own kind.
    return lambda value, currency: _maker(descriptor)(value, currency) if isinstance(value, Mapping) else None


def _money(value: Any, currency: str) -> Money | None:
    """An amount, which may bring its own currency (as those of the balance do); None where there is neither."""
    if isinstance(value, Mapping):
        value, currency = value.get("amount"), value.get("currency") or currency
    return Money(amount_minor=value or 0, currency=currency) if currency or value is not None else None


def _at(payload: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(payload, Mapping):
            return None
        payload = payload.get(name)
    return payload


def _items(value: Any) -> Any:
    return (value.get("data") if isinstance(value, Mapping) else value) or ()


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("id")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A percentage or a rate: its shortest text is what was sent.
        return format(Decimal(repr(value)), "f")
    return value if isinstance(value, str) else None
