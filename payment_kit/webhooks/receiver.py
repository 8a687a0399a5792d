"""The HTTP endpoint Stripe delivers webhooks to: bounded, verified, stored, acknowledged, in this order.

A plain ASGI application: a router and request objects would cost more than the work itself.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

import orjson
import structlog

from payment_kit.errors import Problem, Unavailable, UsageProblem
from payment_kit.mirror.intake import Intake, too_large

PATH = "/webhooks/stripe"
HEALTH = "/healthz"
STATUSES: Mapping[str, int] = {"BODY_TOO_LARGE": 413, "WEBHOOK_SECRET_MISSING": 503, "ACCOUNT_UNKNOWN": 404}
_log = structlog.get_logger()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class Answer(NamedTuple):
    """An HTTP answer; `body` is shown as JSON."""

    status: int
    body: Mapping[str, Any]
    allow: str = ""


class _Gone(Exception):
    """The sender went away before its body was whole."""


def receiver(intake: Intake, of_accounts: Mapping[str, Intake] | None = None) -> App:
    """An ASGI app with POST /webhooks/stripe, POST /webhooks/stripe/{account} and GET /healthz.

    The plain path is `intake`'s, the others are those `of_accounts` names. Answers 200 once the event is durable (also
    for types no table knows) or when it is a connected account's of the other mode, 400 for what is not a fresh, signed
    event of our mode, 404 for an account we have no key of, 413 over the body bound, 503 while the database is away, so
    that Stripe sends it again.
    """
    doors = {PATH: intake} | {f"{PATH}/{account}": one for account, one in (of_accounts or {}).items()}

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "the server speaks HTTP only (webhooks/server.py)"
        try:
            answer = await _answer(scope, receive, doors)
        except _Gone:
            return
        body = orjson.dumps(answer.body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += [(b"allow", answer.allow.encode())] if answer.allow else []
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _answer(scope: Mapping[str, Any], receive: Receive, doors: Mapping[str, Intake]) -> Answer:
    path, method = scope["path"], scope["method"]
    intake = doors.get(path)
    wanted = "POST" if intake or path.startswith(f"{PATH}/") else "GET" if path == HEALTH else ""
    if not wanted:
        return Answer(404, {"error": {"code": "", "message": f"Webhooks are taken at {PATH}."}})
    if method != wanted:
        return Answer(405, {"error": {"code": "", "message": f"{path} takes {wanted}."}}, wanted)
    if wanted == "GET":
        return Answer(200, {"status": "ok"})
    if intake is None:
        what = "No key of this installation belongs to the account in the path."
        return _refused(UsageProblem("ACCOUNT_UNKNOWN", what))
    return await _deliver(scope, receive, intake)


async def _deliver(scope: Mapping[str, Any], receive: Receive, intake: Intake) -> Answer:
    headers = {name: value for name, value in scope["headers"] if name in (b"content-length", b"stripe-signature")}
    signature = headers.get(b"stripe-signature")
    try:
        body = await _bounded_body(headers.get(b"content-length", b""), receive, intake.body_bytes_max)
        receipt = await intake.accept(body, signature.decode("latin-1") if signature else None, "webhook")
    except Problem as problem:
        return _ignored(problem) or _refused(problem)
    return Answer(200, {"received": receipt.event_id, "new": receipt.new})


async def _bounded_body(declared: bytes, receive: Receive, limit: int) -> bytes:
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += bytes(message.get("body", b""))
        if len(body) > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return body


def _ignored(problem: Problem) -> Answer | None:
    """A platform's live endpoint is sent its accounts' test events too, and a refused one would be sent for days.

    Source: docs.stripe.com/connect/webhooks ("both live and test webhooks are sent to your live webhook URLs").
    """
    if problem.reason != "LIVEMODE_MISMATCH" or "account" not in problem.metadata:
        return None
    return Answer(200, {"ignored": problem.what})


def _refused(problem: Problem) -> Answer:
    status = 503 if isinstance(problem, Unavailable) else STATUSES.get(problem.reason, 400)
    _log.warning("webhook refused", code=problem.code, status=status)
    return Answer(status, {"error": {"code": problem.code, "message": problem.what}})
