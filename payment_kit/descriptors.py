"""The services of the contract as their descriptors tell them: what the server carries out and the client offers."""

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor

from payment_kit import v1


def services() -> list[ServiceDescriptor]:
    """Every service of the package, in the order of their files."""
    return [service for file in _files() for service in file.services_by_name.values()]


def plural(service: str) -> str:
    """What a client calls a service: ``PaymentIntentService`` is `payment_intents`."""
    name = snake(service.removesuffix("Service"))
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch")) else f"{name}s"


def snake(name: str) -> str:
    """``CreateCustomer`` as Python writes it: `create_customer`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def listed(method: MethodDescriptor) -> FieldDescriptor | None:
    """The field of the answer that holds one page of objects; None when `method` answers no pages (AIP-158)."""
    answer = method.output_type
    if "next_page_token" not in answer.fields_by_name or "page_token" not in method.input_type.fields_by_name:
        return None
    return next((field for field in answer.fields if field.is_repeated), None)


def is_write(method: MethodDescriptor) -> bool:
    """Whether it happens once for each request_id (AIP-155)."""
    return "request_id" in method.input_type.fields_by_name


def _files() -> Iterator[Any]:
    for module in sorted(module.name for module in iter_modules(v1.__path__) if module.name.endswith("_pb2")):
        yield import_module(f"payment_kit.v1.{module}").DESCRIPTOR
