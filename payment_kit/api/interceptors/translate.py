"""Problems become google.rpc.Status; what nobody foresaw becomes INTERNAL, its details staying in our log."""

from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from payment_kit.api.interceptors.around import Context, Handler
from payment_kit.api.status import status_of
from payment_kit.errors import Broken, Problem

log = structlog.get_logger(__name__)


def translate(method: str, handler: Handler) -> Handler:
    """`handler` with every exception turned into a status."""

    async def call(request: Any, context: Context) -> Any:
        try:
            return await handler(request, context)
        except Problem as met:
            problem = met
        except grpc.aio.AbortError:
            raise
        except Exception:
            log.exception("unexpected_error", method=method)
            problem = Broken("INTERNAL", "Something went wrong in the payment service.")
        request_id = getattr(request, "request_id", "")
        if request_id and len(request_id) <= 64:
            problem.metadata.setdefault("request_id", request_id)
        return await context.abort_with_status(rpc_status.to_status(status_of(problem)))

    return call
