"""A small business in the sandbox, and the comparison of its truth with the mirror, field by field."""

from typing import Any

import aiohttp
import orjson

from payment_kit.database.connection import Pool
from payment_kit.errors import Declined
from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.normalise import read_states
from payment_kit.sandbox import Sandbox
from payment_kit.stripe_gateway import StripeGateway

DAY = 86_400
AMOUNTS = {"usd": 1999, "eur": 4950, "jpy": 1200, "kwd": 12_340}
Json = dict[str, Any]
Rows = dict[str, dict[str, Json]]
"""Raw objects by catalogue name and id."""


class Business:
    """Sells through `gateway`; time passes only when told."""

    def __init__(self, gateway: StripeGateway, sandbox: Sandbox) -> None:
        self.gateway = gateway
        self.sandbox = sandbox

    async def post(self, path: str, **params: Any) -> Json:
        """One write to Stripe's API."""
        return (await self.gateway.request("post", f"/v1/{path}", params)).body

    async def pay(self, currency: str, customer: str | None = None, card: str = "pm_card_visa") -> Json:
        """One payment, confirmed at once; a declined one is the payment intent it left."""
        params: Json = {"amount": AMOUNTS[currency], "currency": currency, "payment_method": card, "confirm": True}
        params |= {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}} | (
            {"customer": customer} if customer else {}
        )
        try:
            return await self.post("payment_intents", **params)
        except Declined as declined:
            return {"id": declined.metadata["payment_intent"]}

    async def trade(self, payments: int, *, days: int = 4) -> None:
        """`payments` in four currencies over `days`, with refunds, declines, a dispute, a deletion and edits."""
        product = await self.post("products", name="Tea")
        await self.post("prices", product=product["id"], unit_amount=500, currency="usd")
        customers = [(await self.post("customers", name=f"Customer {number}"))["id"] for number in range(8)]
        for customer in customers[:4]:
            await self.post("payment_methods/pm_card_visa/attach", customer=customer)
        for number in range(payments):
            currency = list(AMOUNTS)[number % len(AMOUNTS)]
            paid = await self.pay(currency, customers[number % len(customers)], _card(number))
            if number % 9 == 4 and paid.get("status") == "succeeded":
                await self.post("refunds", payment_intent=paid["id"], amount=AMOUNTS[currency] // 2)
            if number % 7 == 0:
                await self.post(f"customers/{customers[number % len(customers)]}", description=f"after {number}")
            self.pass_time(days * DAY // payments)
        gone = await self.post("customers", name="Gone")
        self.pass_time(5)
        await self.gateway.request("delete", f"/v1/customers/{gone['id']}")

    def pass_time(self, seconds: int) -> None:
        """Move Stripe's clock."""
        self.sandbox.advance_to(self.sandbox.now + seconds)

    async def truth(self) -> Rows:
        """Everything Stripe tells about, in canonical shape, without deleted objects.

        A payment method that hangs on no customer has neither an event nor a place in a list.
        """
        found: Rows = {name: {} for name in CATALOGUE}
        headers = {"Authorization": f"Bearer {self.sandbox.api_key}"}
        async with aiohttp.ClientSession(self.sandbox.url, headers=headers) as session:
            for name in CATALOGUE:
                async with session.get(f"/_sandbox/objects/{name}?limit=10000") as answer:
                    lines = (await answer.read()).splitlines()
                for state in read_states(map(orjson.loads, lines), time=0, request_id="", api_version=None):
                    if state.object == name and not state.deleted:
                        found[name][state.id] = dict(state.raw)
        attached = {key: raw for key, raw in found["payment_method"].items() if raw["customer"]}
        return found | {"payment_method": attached}


def _card(number: int) -> str:
    special = {3: "pm_card_visa_chargeDeclined", 11: "pm_card_createDispute", 17: "pm_card_bypassPending"}
    return special.get(number, "pm_card_visa")


async def mirrored(pool: Pool) -> Rows:
    """Everything the mirror has, without tombstones."""
    found: Rows = {}
    async with pool.connection() as connection:
        for entry in CATALOGUE.values():
            query = f"select id, raw from stripe.{entry.table} where deleted_at is null".encode()
            found[entry.name] = dict(await (await connection.execute(query)).fetchall())
    return found


def different(mirror: Rows, truth: Rows) -> list[str]:
    """The objects that are missing, too many or not equal, in words."""
    words = []
    for name in CATALOGUE:
        ours, theirs = mirror.get(name, {}), truth.get(name, {})
        words += [f"missing {name} {one}" for one in theirs.keys() - ours.keys()]
        words += [f"not in Stripe: {name} {one}" for one in ours.keys() - theirs.keys()]
        for one in ours.keys() & theirs.keys():
            fields = {key for key in ours[one] | theirs[one] if ours[one].get(key) != theirs[one].get(key)}
            words += [f"{name} {one}: {sorted(fields)}"] if fields else []
    return words
