"""A handler for every method about Stripe's objects, from what its options say; the few others are in own.py."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from google.protobuf.message import Message

from payment_kit.access.callers import NAMES
from payment_kit.api.contract import Method
from payment_kit.api.interceptors.authenticate import CALLER
from payment_kit.api.messages import message
from payment_kit.api.params import changeable, changes, checked_id, filters, params, put
from payment_kit.api.requests import masked, refuse_card_numbers, write_request
from payment_kit.payments import (
    intents,
    limits,
    payment_intents,
    payment_methods,
    purchases,
    refunds,
    resources,
    subscriptions,
)
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Outcome, Request
from payment_kit.payments.resources import Target

Handler = Callable[[Any, Any], Awaitable[Message | None]]
"""A stream writes to its context and answers None."""
Write = Callable[[Desk, Request, Target, Payload], Awaitable[Outcome]]

WRITES: Mapping[str, Write] = {
    "CreatePaymentIntent": intents.create,
    "ConfirmPaymentIntent": intents.write,
    "CancelPaymentIntent": intents.write,
    "CapturePaymentIntent": payment_intents.capture,
    "CreatePaymentMethod": payment_methods.create,
    "CreateRefund": refunds.create,
    "CreateSetupIntent": intents.create,
    "ConfirmSetupIntent": intents.write,
    "Purchase": purchases.purchase,
    "ResumeSubscription": subscriptions.resume,
}
"""Writes that are more than one request of Stripe, or have rules no single field can say."""


def handler(method: Method, desk: Desk) -> Handler:
    """What answers the calls of a method that is about Stripe's objects."""
    if method.kind == "get":
        return _get(method, desk)
    if method.kind == "list":
        return _list(method, desk)
    if method.kind == "ask":
        return _ask(method, desk)
    if method.kind == "update":
        return _update(method, desk)
    if method.kind == "delete":
        return _write(method, desk, resources.delete)
    return _write(method, desk, WRITES.get(method.name, resources.write))


def _get(method: Method, desk: Desk) -> Handler:
    async def get(request: Any, _context: Any) -> Message:
        params(request)
        return _shown(method, await desk.reader.get(method.object, request.id))

    return get


def _list(method: Method, desk: Desk) -> Handler:
    async def list_(request: Any, _context: Any) -> Message:
        page = await desk.reader.list(
            method.object, filters(request), page_size=request.page_size, page_token=request.page_token
        )
        found = [message(method.shows, payload) for payload in page.payloads]
        return method.answers(**{method.shown: found, "next_page_token": page.next_page_token})

    return list_


def _write(method: Method, desk: Desk, write: Write) -> Handler:
    expand: Payload = {"expand": list(method.expand)} if method.expand else {}
    about_one = "{id}" in method.path

    async def act(request: Any, context: Any) -> Message:
        identity = write_request(request, method.name, context.time_remaining(), CALLER.get())
        given = params(request) | expand
        for at, value in method.sends:
            put(given, at.split("."), value)
        id_ = request.id if about_one else ""
        target = Target(method.object, id_, method.path.replace("{id}", id_))
        await limits.require(desk, identity.caller, NAMES[method.role], method.name, target, given)
        return _shown(method, (await write(desk, identity, target, given)).payload)

    return act


def _update(method: Method, desk: Desk) -> Handler:
    names = changeable(method.shows.DESCRIPTOR)

    async def update(request: Any, context: Any) -> Message:
        identity = write_request(request, method.name, context.time_remaining(), CALLER.get())
        resource = getattr(request, method.shown)
        id_ = checked_id(resource, method.shown)
        given = changes(resource, masked(resource, request.update_mask, names, method.shown), method.shown)
        target = Target(method.object, id_, method.path.replace("{id}", id_))
        await limits.require(desk, identity.caller, NAMES[method.role], method.name, target, given)
        return _shown(method, (await resources.update(desk, identity, target, given)).payload)

    return update


def _ask(method: Method, desk: Desk) -> Handler:
    verb: Literal["get", "post"] = "get" if method.verb == "GET" else "post"

    async def ask(request: Any, _context: Any) -> Message:
        refuse_card_numbers(request)
        return _shown(method, await resources.ask(desk, verb, method.path, params(request)))

    return ask


def _shown(method: Method, payload: Payload) -> Message:
    shown = message(method.shows, payload)
    return method.answers(**{method.shown: shown}) if method.shown else shown
