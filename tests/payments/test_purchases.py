"""A purchase that dies between any two of its requests is brought to its end by whoever repeats it, and paid once."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from payment_kit.errors import Problem
from payment_kit.payments.desk import Desk
from payment_kit.payments.idempotency import Request
from payment_kit.payments.purchases import purchase
from payment_kit.payments.resources import Target
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway

from ..fix_service import new_id
from ..waiting import SECONDS_MAX
from .faulty import Faulty, execute

TARGET = Target("", "", "/v1/invoices")
ENDS = {
    "pm_card_visa": ("succeeded", {"paid"}, 1),
    "pm_card_chargeCustomerFail": ("declined", {"void"}, 0),
    "pm_card_authenticationRequired": ("requires_action", {"open"}, 0),
}


async def params(gateway: StripeGateway, card: str, currency: str, *, monthly: bool) -> dict[str, Any]:
    async def made(path: str, given: dict[str, Any]) -> dict[str, Any]:
        return (await gateway.request("post", f"/v1/{path}", given)).body

    product = await made("products", {"name": "Tea"})
    recurring = {"recurring": {"interval": "month"}} if monthly else {}
    price = await made("prices", {"product": product["id"], "unit_amount": 700, "currency": currency, **recurring})
    customer = await made("customers", {"name": "Jo"})
    saved = await made(f"payment_methods/{card}/attach", {"customer": customer["id"]})
    await made(f"customers/{customer['id']}", {"invoice_settings": {"default_payment_method": saved["id"]}})
    return {"customer": customer["id"], "price": price["id"]}


@dataclass(slots=True)
class Death:
    """The process dies after Stripe has answered its `step`th write, or only that answer is lost."""

    faulty: Faulty
    step: int
    dies: bool
    met: asyncio.Event = field(default_factory=asyncio.Event)
    answered: int = 0

    async def __call__(self) -> None:
        self.answered += 1
        now = self.answered == self.step
        self.faulty.hang, self.faulty.lose = now and self.dies, now and not self.dies
        if now:
            self.met.set()


async def until_it_dies(desk: Desk, death: Death, asked: Request, given: dict[str, Any]) -> None:
    call, met = asyncio.create_task(purchase(desk, asked, TARGET, given)), asyncio.create_task(death.met.wait())
    await asyncio.wait((call, met), timeout=SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
    met.cancel()
    if death.dies and death.met.is_set():
        for task in desk.writes._running:
            task.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await desk.writes.settle(SECONDS_MAX)
    await execute(desk.reader._pool, "update payment_kit.requests set locked_until = now()")


@pytest.mark.parametrize("dies", [True, False], ids=["dies", "answer lost"])
@pytest.mark.parametrize("monthly", [False, True], ids=["once", "monthly"])
@pytest.mark.parametrize(("card", "currency"), list(zip(ENDS, ("usd", "jpy", "kwd"), strict=True)))
async def test_a_purchase_that_dies_after_any_request_is_ended_by_a_repetition(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox, card: str, currency: str, monthly: bool, dies: bool
) -> None:
    state, invoices, charges = ENDS[card]
    for step in range(1, 6):
        given = await params(desk.gateway, card, currency, monthly=monthly)
        asked, death = Request(new_id(), "Purchase", b"body"), Death(faulty, step, dies)
        faulty.then = death

        await until_it_dies(faulty_desk, death, asked, given)
        outcome = await purchase(desk, asked, TARGET, given)

        assert outcome.payload["state"] == state
        mine = [one for one in sandbox.store.rows("invoice") if one["customer"] == given["customer"]]
        assert {one["status"] for one in mine} <= invoices
        assert len(mine) == 1 or (monthly and state == "declined")
        paid = Counter(one["status"] for one in sandbox.store.rows("charge") if one["customer"] == given["customer"])
        assert paid["succeeded"] == charges


async def test_an_error_that_passes_is_no_outcome(
    faulty: Faulty, faulty_desk: Desk, desk: Desk, sandbox: Sandbox
) -> None:
    given, asked = await params(desk.gateway, "pm_card_visa", "usd", monthly=False), Request(new_id(), "Purchase", b"b")
    faulty.lose = True
    for _ in range(3):
        with pytest.raises(Problem) as caught:
            await purchase(faulty_desk, asked, TARGET, given)
        assert caught.value.reason == "STRIPE_OUTCOME_UNKNOWN"
    assert len(list(sandbox.store.rows("invoice"))) == 1
    assert list(sandbox.store.rows("charge")) == []

    assert (await purchase(desk, asked, TARGET, given)).payload["state"] == "succeeded"
