"""The largest amount a caller may move at once, looked at before Stripe is asked for anything but that amount.

A limit belongs to a role: one for payments binds every write whose method needs the role payments. So a method of such
a role has to say here what it moves; one that does not is refused to whoever has a limit.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple, NoReturn

from payment_kit.access.callers import Caller
from payment_kit.errors import Forbidden
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.resources import Target

_INTENTS = CATALOGUE["payment_intent"].path


class Moved(NamedTuple):
    """An amount in minor units of a currency."""

    minor: int
    currency: str


async def require(desk: Desk, caller: Caller, role: str, method: str, target: Target, params: Payload) -> None:
    """Raises `Forbidden` AMOUNT_OVER_LIMIT when a write moves more than its caller may, or what he has no limit for."""
    most = caller.max_amounts.get(role)
    if most is None:
        return
    moves = MOVES.get(method, "unknown")
    if moves == "unknown":
        _refuse(f"{method} is closed to callers with a limit of their {role}.", role, {})
    moved = await moves(desk, target, params) if moves else None
    if moved is None:
        return
    told = {"amount_minor": str(moved.minor), "currency": moved.currency}
    if moved.currency not in most:
        _refuse(f"{caller.name} has no limit of {role} in {moved.currency}, so none are allowed.", role, told)
    if moved.minor > most[moved.currency]:
        told["max_amount_minor"] = str(most[moved.currency])
        _refuse(f"{caller.name} may move {most[moved.currency]} {moved.currency} (minor units) at most.", role, told)


async def _given(_desk: Desk, _target: Target, params: Payload) -> Moved:
    return Moved(params["amount"], params["currency"])


async def _whole(desk: Desk, target: Target, _params: Payload) -> Moved:
    intent = (await desk.gateway.request("get", f"{_INTENTS}/{target.id}")).body
    return Moved(intent["amount"], intent["currency"])


async def _captured(desk: Desk, target: Target, params: Payload) -> Moved:
    if "amount_to_capture" in params:
        return Moved(params["amount_to_capture"], params["currency"])
    intent = (await desk.gateway.request("get", f"{_INTENTS}/{target.id}")).body
    return Moved(intent["amount_capturable"], intent["currency"])


async def _refunded(desk: Desk, _target: Target, params: Payload) -> Moved:
    """Without an amount all that is left, of which Stripe knows best: the mirror may lag behind another refund."""
    if "amount" in params:
        return await _given(desk, _target, params)
    expand = {"expand": ["latest_charge"]}
    intent = (await desk.gateway.request("get", f"{_INTENTS}/{params['payment_intent']}", expand)).body
    charge = intent.get("latest_charge") or {"amount_captured": 0, "amount_refunded": 0}
    return Moved(charge["amount_captured"] - charge["amount_refunded"], intent["currency"])


MOVES: Mapping[str, Callable[[Desk, Target, Payload], Awaitable[Moved]] | Literal["unknown"] | None] = {
    "CreatePaymentIntent": _given,
    "ConfirmPaymentIntent": _whole,
    "CapturePaymentIntent": _captured,
    "CancelPaymentIntent": None,
    "CreateRefund": _refunded,
    "CancelRefund": None,
    "SubmitDisputeEvidence": None,
    "CloseDispute": None,
    "ApproveReview": None,
    "Purchase": "unknown",
    "CreateCheckoutSession": "unknown",
    "ExpireCheckoutSession": None,
}
"""What a method of a role that can be limited moves; None for one that moves nothing, ``unknown`` where only Stripe
works out how much it is (taxes, discounts, what a customer adds): it is closed to whoever has a limit."""


def _refuse(what: str, role: str, told: Mapping[str, str]) -> NoReturn:
    raise Forbidden("AMOUNT_OVER_LIMIT", what, metadata={"role": role, **told})
