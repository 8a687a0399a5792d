"""The HTTP endpoint Stripe delivers webhooks to: bounded, verified, stored, acknowledged, in this order."""

from collections.abc import Mapping

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from payment_kit.errors import Problem, Unavailable, UsageProblem
from payment_kit.mirror.intake import Intake, too_large

PATH = "/webhooks/stripe"
_log = structlog.get_logger()


def receiver(intake: Intake, of_accounts: Mapping[str, Intake] | None = None) -> Starlette:
    """An ASGI app with POST /webhooks/stripe, POST /webhooks/stripe/{account} and GET /healthz.

    The plain path is `intake`'s, the others are those `of_accounts` names. Answers 200 once the event is durable (also
    for types no table knows) or when it is a connected account's of the other mode, 400 for what is not a fresh, signed
    event of our mode, 404 for an account we have no key of, 413 over the body bound, 503 while the database is away, so
    that Stripe sends it again.
    """

    async def deliver(request: Request) -> Response:
        account = request.path_params.get("account")
        chosen = intake if account is None else (of_accounts or {}).get(account)
        return await _deliver(request, chosen) if chosen else _unknown_account()

    async def healthy(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    paths = [Route(path, deliver, methods=["POST"]) for path in (PATH, f"{PATH}/{{account}}")]
    return Starlette(routes=[*paths, Route("/healthz", healthy, methods=["GET"])])


async def _deliver(request: Request, intake: Intake) -> Response:
    try:
        body = await _bounded_body(request, intake.body_bytes_max)
        receipt = await intake.accept(body, request.headers.get("stripe-signature"), "webhook")
    except ClientDisconnect:
        return Response(status_code=400)
    except Problem as problem:
        return _ignored(problem) or _refused(problem)
    return JSONResponse({"received": receipt.event_id, "new": receipt.new})


def _ignored(problem: Problem) -> Response | None:
    """A platform's live endpoint is sent its accounts' test events too, and a refused one would be sent for days.

    Source: docs.stripe.com/connect/webhooks ("both live and test webhooks are sent to your live webhook URLs").
    """
    if problem.reason != "LIVEMODE_MISMATCH" or "account" not in problem.metadata:
        return None
    return JSONResponse({"ignored": problem.what})


def _unknown_account() -> Response:
    return _refused(UsageProblem("ACCOUNT_UNKNOWN", "No key of this installation belongs to the account in the path."))


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
    statuses = {"BODY_TOO_LARGE": 413, "WEBHOOK_SECRET_MISSING": 503, "ACCOUNT_UNKNOWN": 404}
    status = 503 if isinstance(problem, Unavailable) else statuses.get(problem.reason, 400)
    _log.warning("webhook refused", code=problem.code, status=status)
    return JSONResponse({"error": {"code": problem.code, "message": problem.what}}, status_code=status)
