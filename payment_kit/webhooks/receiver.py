"""The HTTP endpoint Stripe delivers webhooks to: bounded, verified, stored, acknowledged, in this order."""

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from payment_kit.errors import Problem, Unavailable
from payment_kit.mirror.intake import Intake, too_large

PATH = "/webhooks/stripe"
_log = structlog.get_logger()


def receiver(intake: Intake) -> Starlette:
    """An ASGI app with POST /webhooks/stripe and GET /healthz.

    Answers 200 once the event is durable (also for types no table knows), 400 for what is not a fresh, signed event of
    our mode, 413 over the body bound, 503 while the database is away, so that Stripe sends it again.
    """

    async def deliver(request: Request) -> Response:
        try:
            body = await _bounded_body(request, intake.body_bytes_max)
            receipt = await intake.accept(body, request.headers.get("stripe-signature"), "webhook")
        except ClientDisconnect:
            return Response(status_code=400)
        except Problem as problem:
            return _refused(problem)
        return JSONResponse({"received": receipt.event_id, "new": receipt.new})

    async def healthy(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route(PATH, deliver, methods=["POST"]), Route("/healthz", healthy, methods=["GET"])])


async def _bounded_body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def _refused(problem: Problem) -> Response:
    statuses = {"BODY_TOO_LARGE": 413, "WEBHOOK_SECRET_MISSING": 503}
    status = 503 if isinstance(problem, Unavailable) else statuses.get(problem.reason, 400)
    _log.warning("webhook refused", code=problem.code, status=status)
    return JSONResponse({"error": {"code": problem.code, "message": problem.what}}, status_code=status)
