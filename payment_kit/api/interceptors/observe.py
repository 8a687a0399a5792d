"""One log line per call: method, code, milliseconds, request_id; never what the request or the answer says."""

import asyncio
import re
import time
from typing import Any

import grpc
import structlog

from payment_kit.api.interceptors.around import Context, Handler

log = structlog.get_logger(__name__)

# Answers that say something about us, not about the request.
_TROUBLE = frozenset({"INTERNAL", "UNAVAILABLE", "UNKNOWN", "DATA_LOSS"})
_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_QUIET = "/grpc."
# Anything else a caller may send as its request_id could be about a person.
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def observe(method: str, handler: Handler) -> Handler:
    """`handler` with its end logged; calls of gRPC's own services (health) are not worth a line."""
    if method.startswith(_QUIET):
        return handler

    async def call(request: Any, context: Context) -> Any:
        began = time.perf_counter()
        code = "OK"
        try:
            return await handler(request, context)
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except BaseException:
            code = _code(context)
            raise
        finally:
            write = log.warning if code in _TROUBLE else log.info
            milliseconds = round((time.perf_counter() - began) * 1000, 2)
            write("call", method=method, code=code, ms=milliseconds, request_id=_request_id(request))

    return call


def _request_id(request: Any) -> str:
    given: str = getattr(request, "request_id", "")
    return given if _UUID.fullmatch(given) else ""


def _code(context: Context) -> str:
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code, "UNKNOWN")
