"""The sandbox makes of a plan what the plan says: every test card behaves as planned and the sums come out."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from payment_kit.sandbox import Sandbox, SandboxServer
from payment_kit.sandbox.scenario import Scenario, actions, scenario
from payment_kit.sandbox.scenario.calendar import DAY, midnight

PAYMENTS = 150
CARDS_ONLY = {"enabled": "true", "allow_redirects": "never"}


class Player:
    """Plays a plan step by step over Stripe's HTTP API."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: Sandbox, url: str) -> None:
        self.session, self.sandbox, self.url = session, sandbox, url
        self.ids: dict[str, str] = {}
        self.surprises: list[str] = []

    async def post(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.sandbox.api_key}"}
        async with self.session.post(self.url + path, data=form, headers=headers) as response:
            body: dict[str, Any] = await response.json()
            assert response.status in (200, 402), body
            return body

    async def control(self, path: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.sandbox.api_key}"}
        async with self.session.post(f"{self.url}/_sandbox/{path}", json=body, headers=headers) as response:
            assert response.status == 200, await response.text()

    def id(self, name: str | None) -> str:
        if not name or name.startswith(actions.TEST_CARD):
            return name or ""
        return self.ids[name]

    async def play(self, plan: Scenario) -> None:
        for step in plan.steps:
            self.sandbox.advance_to(step.at)
            made = await self.act(step)
            self.ids[step.name] = made.get("id", "")
        for day in range(1, 7):
            self.sandbox.advance_to(midnight(plan.end) + day * DAY)

    async def act(self, step: actions.Step) -> dict[str, Any]:
        match step.action:
            case actions.CreateProduct(title, _):
                return await self.post("/v1/products", {"name": title})
            case actions.CreatePrice(product, amount, monthly):
                form = {"product": self.id(product), "currency": amount.currency, "unit_amount": str(amount.minor)}
                return await self.post("/v1/prices", form | ({"recurring[interval]": "month"} if monthly else {}))
            case actions.CreateCustomer(person, email, _):
                return await self.post("/v1/customers", {"name": person, "email": email})
            case actions.SavePaymentMethod(customer, card):
                return await self.post(f"/v1/payment_methods/{card}/attach", {"customer": self.id(customer)})
            case actions.SetDefaultCard(customer, card):
                form = {"invoice_settings[default_payment_method]": self.id(card)}
                return await self.post(f"/v1/customers/{self.id(customer)}", form)
            case actions.Refund(payment, amount):
                form = {"payment_intent": self.id(payment), "amount": str(amount.minor)}
                return await self.post("/v1/refunds", form)
            case actions.GiveUp(payment):
                return await self.post(f"/v1/payment_intents/{self.id(payment)}/cancel", {})
            case _:
                return await self.act_beside(step)

    async def act_beside(self, step: actions.Step) -> dict[str, Any]:
        match step.action:
            case actions.Pay() | actions.PayAgain():
                return await self.pay(step, step.action)
            case actions.Authenticate(payment, succeed):
                await self.control(f"payment_intents/{self.id(payment)}/authenticate", {"succeed": succeed})
            case actions.FailPayout(currency, code):
                await self.control("payouts/fail_next", {"currency": currency, "code": code})
            case actions.AnswerDispute(payment, win):
                dispute = next(row["id"] for row in self.rows("dispute") if row["payment_intent"] == self.id(payment))
                evidence = "winning_evidence" if win else "losing_evidence"
                await self.post(f"/v1/disputes/{dispute}", {"evidence[uncategorized_text]": evidence})
        return {}

    async def pay(self, step: actions.Step, action: actions.Pay | actions.PayAgain) -> dict[str, Any]:
        form = {"payment_method": self.id(action.card)}
        if action.off_session:
            form["off_session"] = "true"
        if isinstance(action, actions.Pay):
            path = "/v1/payment_intents"
            form |= {"amount": str(action.amount.minor), "currency": action.amount.currency, "confirm": "true"}
            form |= {f"automatic_payment_methods[{key}]": value for key, value in CARDS_ONLY.items()}
            form |= {"customer": self.id(action.customer)} if action.customer else {}
        else:
            path = f"/v1/payment_intents/{self.id(action.payment)}/confirm"
        answer = await self.post(path, form)
        intent: dict[str, Any] = answer["error"]["payment_intent"] if "error" in answer else answer
        outcome = "declined" if "error" in answer else intent["status"]
        if outcome != action.outcome:
            self.surprises.append(f"{step.name}: {outcome} instead of {action.outcome}")
        return intent

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return list(self.sandbox.store.rows(kind))


@pytest.fixture(scope="module")
def plan() -> Scenario:
    return scenario(seed=3, payments=PAYMENTS)


@pytest.fixture
async def played(plan: Scenario) -> AsyncIterator[Player]:
    sandbox = Sandbox(seed=3)
    async with SandboxServer(sandbox) as server, aiohttp.ClientSession() as session:
        player = Player(session, sandbox, server.url)
        await player.play(plan)
        yield player
    sandbox.close()


async def test_a_played_plan_comes_out_as_planned(played: Player, plan: Scenario) -> None:
    paid, refunded = Counter[str](), Counter[str]()
    for charge in played.rows("charge"):
        paid[charge["currency"]] += charge["amount"] if charge["status"] == "succeeded" else 0
    for refund in played.rows("refund"):
        refunded[refund["currency"]] += refund["amount"]
    assert played.surprises == []
    assert paid == {currency: totals.paid for currency, totals in plan.totals.items()}
    assert +refunded == +Counter({currency: totals.refunded for currency, totals in plan.totals.items()})
    assert {row["status"] for row in played.rows("dispute")} == {"won", "lost"}
    assert sum(row["status"] == "failed" for row in played.rows("payout")) == 2
    assert {row["currency"] for row in played.rows("payout")} == {"usd", "eur", "jpy", "kwd"}
