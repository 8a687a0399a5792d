"""What a caller may do: the role the contract names for the method, and nothing for a method that has none."""

import re
from collections.abc import Mapping
from typing import Any

from payment_kit.access.audit import Entry
from payment_kit.access.door import Door
from payment_kit.api import contract
from payment_kit.api.interceptors.around import Context, Handler, Wrap
from payment_kit.api.interceptors.authenticate import CALLER, OPEN
from payment_kit.errors import Busy, Forbidden, Problem
from payment_kit.v1 import options_pb2

REFUSALS = frozenset({"PERMISSION_DENIED", "AMOUNT_OVER_LIMIT", "CALLER_RATE_LIMITED"})
# For whoever is let in at all.
_REFLECTION = "/grpc.reflection."
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,255}")


def authorise(door: Door) -> Wrap:
    """Around every method, inside `authenticate`; what is refused here or further in stands in the audit."""
    roles = _roles()

    def wrap(method: str, handler: Handler) -> Handler:
        if method.startswith((OPEN, _REFLECTION)):
            return handler
        role = roles.get(method, options_pb2.ROLE_UNSPECIFIED)

        async def call(request: Any, context: Context) -> Any:
            caller = CALLER.get()
            try:
                door.admit(caller, role)
                return await handler(request, context)
            except (Forbidden, Busy) as problem:
                if problem.reason in REFUSALS:
                    await door.refused(_entry(caller.name, method, request, problem))
                raise

        return call

    return wrap


def _roles() -> Mapping[str, int]:
    return {method.full_name: method.role for service in contract.services() for method in contract.methods(service)}


def _entry(caller: str, method: str, request: Any, problem: Problem) -> Entry:
    """Of the request only ids are told, and only what has their form: anything else could be about a person."""
    request_id, object_id = (_plain(getattr(request, name, "")) for name in ("request_id", "id"))
    object_id = object_id or _plain(getattr(request, "payment_intent", ""))
    return Entry(caller, method.rpartition("/")[2], request_id, object_id, problem.reason)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else ""
