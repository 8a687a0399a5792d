"""Plays a plan against the gRPC service, as the apps of two businesses would; customers and banks act in the sandbox.

A day of the plan ends before the next one begins, so what falls on which day (and into which payout) does not depend on
how fast the machine is or how often the service is killed. Every write carries its planned request_id: a call that
meets a dead service is repeated with the same one, and must not happen twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from random import Random
from typing import Any, cast

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from payment_kit.cli.demo_stripe import SandboxControl
from payment_kit.cli.screen import Report
from payment_kit.errors import Broken
from payment_kit.money import Money
from payment_kit.sandbox.scenario import Scenario, actions
from payment_kit.v1 import (
    common_pb2,
    customer_pb2,
    customer_pb2_grpc,
    payment_intent_pb2,
    payment_intent_pb2_grpc,
    payment_method_pb2,
    payment_method_pb2_grpc,
    price_pb2,
    price_pb2_grpc,
    product_pb2,
    product_pb2_grpc,
    refund_pb2,
    refund_pb2_grpc,
)

IN_FLIGHT_MAX = 16
ATTEMPTS_MAX = 20
ATTEMPT_SECONDS = 30.0
BACKOFF_SECONDS_MAX = 2.0
REPEATED = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
State = payment_intent_pb2.PaymentIntent.State
OUTCOMES: dict[int, str] = {
    State.STATE_SUCCEEDED: "succeeded",
    State.STATE_REQUIRES_ACTION: "requires_action",
}
Launched = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class Played:
    """How it went: calls that were answered, repeats after a dead or busy service, answers the plan did not expect."""

    calls: int = 0
    repeats: int = 0
    declined: int = 0
    surprises: list[str] = field(default_factory=list)


class Business:
    """Plays one plan. `target` is the service's address; it may go away and come back at the same place."""

    def __init__(self, target: str, sandbox: SandboxControl, *, seed: int) -> None:
        self.played = Played()
        self.in_flight = 0
        self._target = target
        self._sandbox = sandbox
        self._random = Random(f"backoff {seed}")  # noqa: S311  # jitter only
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._ids: dict[str, asyncio.Future[str]] = {}
        self._latest: dict[str, asyncio.Future[str]] = {}

    async def play(self, plan: Scenario, report: Report, launched: Launched) -> Played:
        """Plays every step; `launched` is awaited after the start of each, with its number. Raises `Problem`."""
        payments = 0
        total = sum(isinstance(step.action, actions.Pay) for step in plan.steps)
        async with grpc.aio.insecure_channel(self._target, options=CHANNEL_OPTIONS) as channel:
            self._open(channel)
            for day, steps in groupby(enumerate(plan.steps), key=lambda numbered: _day(numbered[1].at)):
                async with asyncio.TaskGroup() as tasks:
                    for number, step in steps:
                        await self._slots.acquire()
                        await self._sandbox.advance(step.at)
                        self._ids[step.name] = asyncio.get_running_loop().create_future()
                        tasks.create_task(self._do(step, self._needed(step)))
                        await launched(number)
                        payments += isinstance(step.action, actions.Pay)
                        report(payments, total, day)
        return self.played

    def _open(self, channel: grpc.aio.Channel) -> None:
        self._products = product_pb2_grpc.ProductServiceStub(channel)
        self._prices = price_pb2_grpc.PriceServiceStub(channel)
        self._customers = customer_pb2_grpc.CustomerServiceStub(channel)
        self._methods = payment_method_pb2_grpc.PaymentMethodServiceStub(channel)
        self._payments = payment_intent_pb2_grpc.PaymentIntentServiceStub(channel)
        self._refunds = refund_pb2_grpc.RefundServiceStub(channel)

    def _needed(self, step: actions.Step) -> list[asyncio.Future[str]]:
        """What has to be over before the step: whatever it refers to, and the step before it on the same payment."""
        needed = [self._ids[name] for name in actions.refs(step.action)]
        payment = getattr(step.action, "payment", None)
        if payment is not None:
            needed.append(self._latest.get(payment, self._ids[payment]))
            self._latest[payment] = self._ids[step.name]
        return needed

    async def _do(self, step: actions.Step, needed: list[asyncio.Future[str]]) -> None:
        try:
            for future in needed:
                await future
            self._ids[step.name].set_result(await self._act(step))
        finally:
            self._slots.release()

    def _id(self, name: str | None) -> str:
        """The id a step made; a test card stands for itself, and nobody for nobody."""
        if not name or name.startswith(actions.TEST_CARD):
            return name or ""
        return self._ids[name].result()

    async def _act(self, step: actions.Step) -> str:
        match step.action:
            case actions.Pay() | actions.PayAgain():
                return await self._pay(step, step.action)
            case actions.GiveUp(payment):
                reason = payment_intent_pb2.CancelPaymentIntentRequest.Reason.REASON_ABANDONED
                cancel = payment_intent_pb2.CancelPaymentIntentRequest(
                    request_id=step.request_id, id=self._id(payment), reason=reason
                )
                await self._call(self._payments.CancelPaymentIntent, cancel)
            case actions.Refund(payment, amount):
                refund = refund_pb2.CreateRefundRequest(
                    request_id=step.request_id, payment_intent=self._id(payment), amount=_money(amount)
                )
                return str((await self._call(self._refunds.CreateRefund, refund)).refund.id)
            case actions.Authenticate(payment, succeed):
                await self._sandbox.authenticate(self._id(payment), succeed=succeed)
            case actions.AnswerDispute(payment, win):
                await self._sandbox.answer_dispute(self._id(payment), win=win)
            case actions.FailPayout(currency, code):
                await self._sandbox.fail_next_payout(currency, code)
            case _:
                return await self._set_up(step)
        return ""

    async def _set_up(self, step: actions.Step) -> str:
        match step.action:
            case actions.CreateProduct(title, description):
                product = product_pb2.CreateProductRequest(
                    request_id=step.request_id, name=title, description=description
                )
                return str((await self._call(self._products.CreateProduct, product)).product.id)
            case actions.CreatePrice(product_name, amount, monthly):
                every = price_pb2.Recurring(interval=price_pb2.Recurring.Interval.INTERVAL_MONTH) if monthly else None
                price = price_pb2.CreatePriceRequest(
                    request_id=step.request_id,
                    product=self._id(product_name),
                    unit_amount=_money(amount),
                    recurring=every,
                )
                return str((await self._call(self._prices.CreatePrice, price)).price.id)
            case actions.CreateCustomer(person, email, business):
                customer = customer_pb2.CreateCustomerRequest(
                    request_id=step.request_id, name=person, email=email, metadata={"business": business}
                )
                return str((await self._call(self._customers.CreateCustomer, customer)).customer.id)
            case actions.SavePaymentMethod(customer_name, card):
                method = payment_method_pb2.CreatePaymentMethodRequest(
                    request_id=step.request_id, customer=self._id(customer_name), payment_method=card
                )
                return str((await self._call(self._methods.CreatePaymentMethod, method)).payment_method.id)
            case actions.SetDefaultCard(customer_name, card):
                changed = customer_pb2.Customer(id=self._id(customer_name), default_payment_method=self._id(card))
                update = customer_pb2.UpdateCustomerRequest(request_id=step.request_id, customer=changed)
                update.update_mask.paths.append("default_payment_method")
                return str((await self._call(self._customers.UpdateCustomer, update)).customer.id)
            case other:
                raise AssertionError(f"nobody plays {other}")

    async def _pay(self, step: actions.Step, action: actions.Pay | actions.PayAgain) -> str:
        """A payment or a further try; what came out is held against the plan."""
        method: Any
        request: Any
        if isinstance(action, actions.Pay):
            method, request = self._payments.CreatePaymentIntent, self._payment(step, action)
        else:
            method = self._payments.ConfirmPaymentIntent
            request = payment_intent_pb2.ConfirmPaymentIntentRequest(
                request_id=step.request_id,
                id=self._id(action.payment),
                payment_method=self._id(action.card),
                off_session=action.off_session,
            )
        try:
            intent = (await self._call(method, request)).payment_intent
            outcome, made = OUTCOMES.get(intent.state, "neither paid nor declined"), intent.id
        except grpc.aio.AioRpcError as error:
            outcome, made = "declined", _declined_payment(error)
            self.played.declined += 1
        if outcome != action.outcome:
            self.played.surprises.append(f"{step.name}: {outcome} instead of {action.outcome}")
        return str(made)

    def _payment(self, step: actions.Step, action: actions.Pay) -> payment_intent_pb2.CreatePaymentIntentRequest:
        return payment_intent_pb2.CreatePaymentIntentRequest(
            request_id=step.request_id,
            amount=_money(action.amount),
            customer=self._id(action.customer),
            payment_method=self._id(action.card),
            confirm=True,
            off_session=action.off_session,
            description=action.description,
            metadata={"business": action.business, "step": step.name},
        )

    async def _call(self, method: Any, request: Any) -> Any:
        """One rpc, repeated with the same request_id while the service is away; raises AioRpcError for an answer."""
        self.in_flight += 1
        try:
            for attempt in range(ATTEMPTS_MAX):
                try:
                    answer = await method(request, timeout=ATTEMPT_SECONDS, wait_for_ready=True)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in REPEATED:
                        self.played.calls += 1
                        raise
                    self.played.repeats += 1
                    await asyncio.sleep(min(BACKOFF_SECONDS_MAX, 0.05 * 2**attempt) * self._random.uniform(0.5, 1))
                else:
                    self.played.calls += 1
                    return answer
            raise Broken("DEMO_FAILED", f"The service did not answer {ATTEMPTS_MAX} tries of one call.")
        finally:
            self.in_flight -= 1


def _declined_payment(error: grpc.aio.AioRpcError) -> str:
    """The payment intent a decline is about; any other refusal is a `Broken` demo."""
    status: Any = rpc_status.from_call(cast("Any", error))
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info) and error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            payment = info.metadata.get("payment_intent", "")
            if payment:
                return str(payment)
    raise Broken("DEMO_FAILED", f"The service answered {error.code().name}: {error.details()}")


def _money(amount: Money) -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount.minor, currency=amount.currency)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%-d %B")
