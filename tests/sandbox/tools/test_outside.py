"""What customers and banks do on order: declines, disputes, and events triggered through real objects."""

import pytest

from payment_kit.sandbox import triggers
from tests.sandbox.tools.desk import Desk, pay


@pytest.mark.parametrize("type_", triggers.RECIPES)
async def test_every_recipe_makes_its_event(type_: str) -> None:
    desk = Desk()
    made = await desk.order("trigger", event=type_)
    assert made["event"]["type"] == type_
    assert made["event"]["id"] in made["events"]


async def test_a_type_without_a_recipe_is_refused_with_those_there_are() -> None:
    desk = Desk()
    assert "invoice.paid" in await desk.refused("trigger", event="invoice.payed")
    assert "payment_intent.succeeded" in await desk.read("trigger")


async def test_the_next_payment_of_one_customer_is_declined_as_chosen_and_the_one_after_is_not() -> None:
    desk = Desk()
    ada, eva = await desk.post("customers", name="Ada"), await desk.post("customers", name="Eva")
    await desk.order("payments/fail_next", customer=ada["id"], decline="insufficient_funds")
    assert (await pay(desk, customer=eva["id"]))["status"] == "succeeded"
    refused = await pay(desk, customer=ada["id"])
    assert refused["error"]["decline_code"] == "insufficient_funds"
    assert (await pay(desk, customer=ada["id"]))["status"] == "succeeded"


async def test_the_next_payments_of_anybody_are_declined_until_they_are_used_up_or_canceled() -> None:
    desk = Desk()
    await desk.order("payments/fail_next", count=2)
    assert [("error" in await pay(desk)) for _ in range(3)] == [True, True, False]
    await desk.order("payments/fail_next", count=2)
    assert await desk.order("payments/fail_next/cancel") == []
    assert (await pay(desk))["status"] == "succeeded"


async def test_impossible_declines_are_refused() -> None:
    desk = Desk()
    assert "insufficient_funds" in await desk.refused("payments/fail_next", decline="bad_luck")
    assert "cus_1" in await desk.refused("payments/fail_next", customer="cus_1")
    assert "count" in await desk.refused("payments/fail_next", count=0)


async def test_a_charge_is_disputed_once() -> None:
    desk = Desk()
    charge = (await pay(desk))["latest_charge"]
    assert (await desk.order(f"charges/{charge}/dispute"))["status"] == "needs_response"
    assert "already disputed" in await desk.refused(f"charges/{charge}/dispute")
    assert "reason" in await desk.refused(f"charges/{charge}/dispute", reason="boredom")
