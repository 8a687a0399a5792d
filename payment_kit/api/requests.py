"""What is made sure of every request before it is handed down: no card numbers, a request_id, a mask, a hash."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from payment_kit.access.callers import Caller
from payment_kit.payments import rules
from payment_kit.payments.idempotency import Request
from payment_kit.telemetry.redaction import holds_card_number

# Fields whose text is ours or Stripe's and random, so that it may look like anything.
_UNCHECKED = frozenset({"request_id", "page_token", "signature"})


def write_request(message: Any, method: str, seconds_left: float | None, caller: Caller) -> Request:
    """The identity of a write: `message` has a request_id and holds no card number; raises `UsageProblem` otherwise."""
    request_id = rules.request_id(message.request_id)
    refuse_card_numbers(message)
    rest = type(message)()
    rest.CopyFrom(message)
    rest.ClearField("request_id")
    digest = hashlib.sha256(method.encode() + b"\0" + rest.SerializeToString(deterministic=True)).digest()
    return Request(request_id, method, digest, seconds_left, caller)


def refuse_card_numbers(message: Message) -> None:
    """Raises FIELD_INVALID naming the field in which a card number stands: none may pass through here."""
    for path, text in _texts(message, ""):
        if holds_card_number(text):
            rules.invalid(path, f"{path} holds a card number; send a token made by Stripe.js instead.")


def masked(message: Any, mask: FieldMask, changeable: Sequence[str], field: str) -> list[str]:
    """The paths of `message` that an update changes, of those in `changeable`.

    Without a mask those that are not empty, with ``*`` all (AIP-134). `field` is what the caller calls the message.
    """
    named = _expanded(mask, changeable) if mask.paths else [path for path in changeable if _value(message, path)]
    if not named:
        rules.invalid("update_mask", f"update_mask names nothing to change, and {field} holds no value to set.")
    return named


def _expanded(mask: FieldMask, changeable: Sequence[str]) -> list[str]:
    if list(mask.paths) == ["*"]:
        return list(changeable)
    paths: list[str] = []
    for path in mask.paths:
        matching = [name for name in changeable if name == path or name.startswith(f"{path}.")]
        if not matching:
            rules.invalid("update_mask", f"update_mask may name {', '.join(changeable)}, not {path[:100]!r}.")
        paths += matching
    return list(dict.fromkeys(paths))


def _value(message: Any, path: str) -> Any:
    *above, last = path.split(".")
    for name in above:
        message = getattr(message, name)
    value = getattr(message, last)
    return message.HasField(last) if isinstance(value, Message) else value


def _texts(message: Message, prefix: str) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        if field.name in _UNCHECKED:
            continue
        path = f"{prefix}{field.name}"
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key, item in value.items():
                yield path, str(key)
                yield path, str(item)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in value if field.is_repeated else (value,):
                yield from _texts(item, f"{path}.")
        elif field.type == FieldDescriptor.TYPE_STRING:
            for item in value if field.is_repeated else (value,):
                yield path, item
