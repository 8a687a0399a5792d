"""The contract as its descriptors tell it: every method, what it does at Stripe, and what it takes and answers.

Nothing here knows a resource by name. A method without a `call` option that stands in no table of `handlers.py` is a
mistake a test finds.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from payment_kit import descriptors
from payment_kit.resources import PACKAGE
from payment_kit.v1 import options_pb2

Kind = Literal["get", "list", "write", "update", "delete", "ask", "own"]
"""What a method is: a read of the mirror, a write at Stripe, a question to Stripe that changes nothing (``ask``), or
something about our own state (``own``)."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract.

    `object` is Stripe's name of what it is about (empty when it shows none), `shown` the field of the answer that holds
    it, always the first (empty when the answer itself is what is shown), `path` what is asked of Stripe
    ("/v1/customers/{id}"; empty for a read of the mirror), `sends` what it is told every time, a path and a value each,
    `role` the number of who may call it. `streams`: it answers with many messages.
    """

    name: str
    full_name: str
    kind: Kind
    object: str
    shown: str
    shows: type[Message]
    verb: str
    path: str
    expand: tuple[str, ...]
    sends: tuple[tuple[str, str], ...]
    role: "options_pb2.Role.ValueType"
    takes: type[Message]
    answers: type[Message]
    streams: bool


def services() -> list[ServiceDescriptor]:
    """Every service of the package, in the order of their files."""
    return descriptors.services()


@cache
def methods(service: ServiceDescriptor) -> tuple[Method, ...]:
    """The methods of one service."""
    return tuple(_method(method) for method in service.methods)


def stripe_option(field: FieldDescriptor) -> options_pb2.Field:
    """What a field is at Stripe, and what it must be like."""
    return field.GetOptions().Extensions[options_pb2.stripe]


def name_at_stripe(field: FieldDescriptor) -> tuple[str, ...]:
    """The path under which Stripe keeps a field."""
    return tuple((stripe_option(field).at or field.name).split("."))


def currency_at_stripe(field: FieldDescriptor) -> tuple[str, ...]:
    """The path under which Stripe keeps the currency of an amount: beside it, unless the contract says otherwise."""
    said = stripe_option(field).currency
    return tuple(said.split(".")) if said else (*name_at_stripe(field)[:-1], "currency")


def is_metadata(field: FieldDescriptor) -> bool:
    """A map of texts: the caller's own keys and values."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def object_of(message: Any) -> str:
    """The object of Stripe's that a message shows; empty for any other message."""
    found: str = message.GetOptions().Extensions[options_pb2.object]
    return found


def words(enum: Any) -> dict[str, int]:
    """Stripe's words for the values of an enum: ``STATE_REQUIRES_ACTION`` of `State` is ``requires_action``."""
    unspecified = enum.values_by_number[0].name
    prefix = unspecified.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix).lower(): value.number for value in enum.values if value.number}


@cache
def comments() -> dict[str, str]:
    """What the contract says of each method, by its full name, in one line."""
    found: dict[str, str] = {}
    described = FileDescriptorSet.FromString((PACKAGE / "v1" / "payment_kit.binpb").read_bytes())
    for file in described.file:
        said = {tuple(place.path): " ".join(place.leading_comments.split()) for place in file.source_code_info.location}
        for at, service in enumerate(file.service):
            for number, method in enumerate(service.method):
                found[f"/{file.package}.{service.name}/{method.name}"] = said.get((6, at, 2, number), "")
    return found


def _method(method: MethodDescriptor) -> Method:
    call = method.GetOptions().Extensions[options_pb2.call]
    shown = next((field for field in method.output_type.fields[:1] if _shows(field)), None)
    shows: Any = method.output_type if shown is None else shown.message_type
    return Method(
        name=method.name,
        full_name=f"/{method.containing_service.full_name}/{method.name}",
        kind=_kind(method, call, shown),
        object=object_of(shows) or call.object,
        shown=shown.name if shown is not None else "",
        shows=GetMessageClass(shows),
        verb=call.stripe.partition(" ")[0],
        path=call.stripe.partition(" ")[2],
        expand=tuple(call.expand),
        sends=tuple((at, value) for at, _, value in (text.partition("=") for text in call.sends)),
        role=call.role,
        takes=GetMessageClass(method.input_type),
        answers=GetMessageClass(method.output_type),
        streams=method.server_streaming,
    )


def _kind(method: MethodDescriptor, call: options_pb2.Call, shown: FieldDescriptor | None) -> Kind:
    if call.stripe.startswith("DELETE "):
        return "delete"
    if call.stripe and "request_id" not in method.input_type.fields_by_name:
        return "ask"
    if call.stripe:
        return "update" if "update_mask" in method.input_type.fields_by_name else "write"
    if shown is None:
        return "own"
    return "list" if shown.is_repeated else "get"


def _shows(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(object_of(field.message_type))
