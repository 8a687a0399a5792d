"""Requests as Stripe's parameters, checked by what the contract says of each field before anything happens.

Every broken rule raises `UsageProblem` FIELD_INVALID with the field's path. What only Stripe can judge (lengths of
texts, minimum amounts) is left to Stripe.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from payment_kit.api.contract import currency_at_stripe, is_metadata, name_at_stripe, stripe_option, words
from payment_kit.payments import rules
from payment_kit.payments.reading import Filter, Match
from payment_kit.v1 import options_pb2
from payment_kit.v1.common_pb2 import Money

NOT_STRIPES = frozenset({"request_id", "id", "page_size", "page_token", "update_mask"})
"""What of a request is not passed on as a parameter."""
_WHOLE = (Money.DESCRIPTOR, Timestamp.DESCRIPTOR)
"""Messages that are one value."""
_MATCHES: Mapping[int, Match] = {
    options_pb2.MATCH_UNSPECIFIED: "same",
    options_pb2.MATCH_ANY_CASE: "any_case",
    options_pb2.MATCH_PREFIX: "prefix",
    options_pb2.MATCH_CONTAINS: "contains",
}


def params(message: Any, prefix: str = "") -> dict[str, Any]:
    """The parameters a request means: what is empty is left out; `prefix` is the path of `message` in the request."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        path = f"{prefix}{field.name}"
        _check(message, field, path)
        if prefix or field.name not in NOT_STRIPES:
            _put(found, field, _given(message, field, path))
    for one in message.DESCRIPTOR.oneofs:
        chosen = message.WhichOneof(one.name)
        nothing = chosen is None or getattr(message, chosen) == ""
        if one.GetOptions().Extensions[options_pb2.choice].required and nothing:
            rules.invalid(f"{prefix}{one.name}", f"{prefix}{one.name} is required: {' or '.join(_names(one))}.")
    return found


def checked_id(message: Any, prefix: str) -> str:
    """The id of the resource that an update is about."""
    _check(message, message.DESCRIPTOR.fields_by_name["id"], f"{prefix}.id")
    id_: str = message.id
    return id_


def filters(message: Any) -> dict[str, Filter]:
    """The filters of a list by their columns; the value of one that is not applied is None."""
    given = params(message)
    wanted = [field for field in message.DESCRIPTOR.fields if field.name not in NOT_STRIPES]
    columns = {name_at_stripe(field)[0]: _MATCHES[stripe_option(field).match] for field in wanted}
    return {column: Filter(given.get(column), match) for column, match in columns.items()}


def changes(message: Any, paths: list[str], prefix: str) -> dict[str, Any]:
    """The parameters that set the fields `paths` of a resource to what `message` holds; an empty value unsets."""
    found: dict[str, Any] = {}
    for path in paths:
        holder, field = _reached(message, path)
        _check(holder, field, f"{prefix}.{path}", masked=True)
        nested = found
        for name in path.split(".")[:-1]:
            nested = nested.setdefault(name, {})
        _put(nested, field, _changed(holder, field, f"{prefix}.{path}"))
    return found


def changeable(descriptor: Any, prefix: str = "") -> list[str]:
    """The fields of a resource that an update may name, down to the last: ``["name", "card.exp_month"]``."""
    found: list[str] = []
    for field in descriptor.fields:
        if stripe_option(field).output_only:
            continue
        nested = field.message_type is not None and not is_metadata(field) and field.message_type not in _WHOLE
        found += changeable(field.message_type, f"{prefix}{field.name}.") if nested else [f"{prefix}{field.name}"]
    return found


# ---- values ---------------------------------------------------------------------------------------------------------


def _given(message: Any, field: FieldDescriptor, path: str) -> Any:
    """The value of a field as Stripe takes it; None when it is empty."""
    value = getattr(message, field.name)
    if field.is_repeated and not is_metadata(field):
        return [_plain(item, field, f"{path}[{index}]") for index, item in enumerate(value)] or None
    if field.has_presence:
        return _plain(value, field, path) if message.HasField(field.name) else None
    plain = _plain(value, field, path)
    return plain if plain not in ("", 0, False, {}, None) else None


def _changed(message: Any, field: FieldDescriptor, path: str) -> Any:
    """What sets a field to what `message` holds; an empty text unsets it."""
    if field.message_type in _WHOLE and not message.HasField(field.name):
        return ""
    value = _plain(getattr(message, field.name), field, path)
    return "" if value is None else value


def _plain(value: Any, field: FieldDescriptor, path: str) -> Any:
    option = stripe_option(field)
    if is_metadata(field):
        return dict(value)
    if field.enum_type is not None:
        return _word(value, field, path)
    if isinstance(value, Money):
        return value
    if isinstance(value, Timestamp):
        return value.seconds
    if field.message_type is not None:
        return params(value, f"{path}.")
    return option.word if option.word and value else value


def _word(value: int, field: FieldDescriptor, path: str) -> str | None:
    if value == 0:
        return None
    found = next((word for word, number in words(field.enum_type).items() if number == value), None)
    return found or rules.invalid(path, f"{path} is not one this version knows.")


def _put(found: dict[str, Any], field: FieldDescriptor, value: Any) -> None:
    """Set a parameter where Stripe wants it; an amount brings its currency."""
    if value is None:
        return
    if isinstance(value, Money):
        put(found, currency_at_stripe(field), value.currency)
        value = value.amount_minor
    put(found, name_at_stripe(field), value)


def put(found: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set what stands at a path of parameters."""
    for name in path[:-1]:
        found = found.setdefault(name, {})
    found[path[-1]] = value


def _reached(message: Any, path: str) -> tuple[Any, FieldDescriptor]:
    *above, name = path.split(".")
    for one in above:
        message = getattr(message, one)
    return message, message.DESCRIPTOR.fields_by_name[name]


def _names(one: Any) -> Iterator[str]:
    return (field.name for field in one.fields)


# ---- rules ----------------------------------------------------------------------------------------------------------


def _check(message: Any, field: FieldDescriptor, path: str, *, masked: bool = False) -> None:
    option, value = stripe_option(field), getattr(message, field.name)
    if is_metadata(field):
        rules.metadata(path, value)
    elif option.required and field.is_repeated and not value:
        rules.invalid(path, f"{path} is required.")
    elif field.is_repeated:
        for index, item in enumerate(value):
            _check_text(option, f"{path}[{index}]", item)
    elif field.type == FieldDescriptor.TYPE_STRING:
        _check_text(option, path, value)
    elif field.message_type is Money.DESCRIPTOR:
        if message.HasField(field.name) or option.required:
            rules.money(path, value.amount_minor, value.currency, zero_allowed=option.zero_allowed)
    elif option.required and not (message.HasField(field.name) if field.has_presence else value):
        rules.invalid(path, f"{path} is required.")
    elif option.most and (value or masked) and not option.least <= value <= option.most:
        rules.invalid(path, f"{path} must be {option.least} to {option.most}.")


def _check_text(option: options_pb2.Field, path: str, value: Any) -> None:
    if not isinstance(value, str):
        return
    if option.id_of and (value or option.required):
        rules.id_of(option.id_of, path, value)
    elif option.decimal and (value or option.required):
        rules.decimal(path, value, least=option.least, most=option.most)
    elif option.required:
        rules.text(path, value)
