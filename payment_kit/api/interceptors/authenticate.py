"""Who calls: everything but health is closed to whoever does not say so."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from payment_kit.access.audit import Entry
from payment_kit.access.callers import ANYONE, Caller
from payment_kit.access.door import Door
from payment_kit.api.interceptors.around import Context, Handler, Wrap
from payment_kit.errors import Unauthenticated

CALLER: ContextVar[Caller] = ContextVar("caller", default=ANYONE)
"""Who makes the call that is being answered."""
OPEN = "/grpc.health."
_HEADER = "authorization"


def authenticate(door: Door) -> Wrap:
    """Around every method: `CALLER` is known inside, or the call is UNAUTHENTICATED."""

    def wrap(method: str, handler: Handler) -> Handler:
        if method.startswith(OPEN):
            return handler

        async def call(request: Any, context: Context) -> Any:
            header = _authorization(context)
            try:
                caller = await door.caller(header, identities(context) if header is None and door.asks else ())
            except Unauthenticated as problem:
                await door.refused(Entry("", method.rpartition("/")[2], "", "", problem.reason))
                raise
            CALLER.set(caller)
            return await handler(request, context)

        return call

    return wrap


def identities(context: Context) -> tuple[str, ...]:
    """Whose certificate the client has shown: its SPIFFE id, otherwise its DNS name, otherwise its common name."""
    shown: Mapping[str, Any] = context.auth_context()
    for name in ("peer_spiffe_id", "peer_dns", "x509_common_name"):
        found = shown.get(name)
        if found:
            return (found[0].decode("utf-8", "replace"),)
    return ()


def _authorization(context: Context) -> str | None:
    found = [value for name, value in context.invocation_metadata() or () if name == _HEADER]
    if not found:
        return None
    # Two of them are no good, like any other that cannot be read.
    return found[0] if len(found) == 1 and isinstance(found[0], str) else ""
