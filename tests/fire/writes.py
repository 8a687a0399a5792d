"""Writes of every kind, each with a request_id of its own, and how many objects each must leave at Stripe."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from google.protobuf.message import Message

from payment_kit.api import contract
from payment_kit.api.contract import Method
from tests.convergence.account import Account

METHODS: Mapping[str, Method] = {
    method.name: method for service in contract.services() for method in contract.methods(service)
}
CURRENCIES = {"usd": 1999, "jpy": 500, "kwd": 12_340}
DECLINED = "pm_card_chargeDeclinedInsufficientFunds"


@dataclass(frozen=True, slots=True)
class Write:
    """One request; `makes` is the kind of object it makes, `declined` that the card is, so that it must fail."""

    method: Method
    request: Message
    makes: str
    declined: bool = False

    @property
    def id(self) -> str:
        """Its request_id, which is also in the metadata of what it makes."""
        return str(self.request.request_id)  # type: ignore[attr-defined]


class Shop:
    """What the writes need to be there already: made at Stripe directly, before anything burns."""

    def __init__(self, account: Account, seed: int) -> None:
        self._account = account
        self._rng = Random(f"writes {seed}")
        self._customer = self._product = ""
        self._prices: dict[str, str] = {}

    async def open(self) -> None:
        """A customer with a card, a product, and a monthly price in each currency."""
        customer = await self._post("customers", name="Ada")
        method = await self._post("payment_methods/pm_card_visa/attach", customer=customer["id"])
        default = {"default_payment_method": method["id"]}
        await self._post(f"customers/{customer['id']}", invoice_settings=default)
        product = await self._post("products", name="Tea")
        self._customer, self._product = customer["id"], product["id"]
        for currency, minor in CURRENCIES.items():
            recurring = {"interval": "month"}
            price = await self._post(
                "prices", product=self._product, currency=currency, unit_amount=minor, recurring=recurring
            )
            self._prices[currency] = price["id"]

    async def writes(self, number: int) -> list[Write]:
        """So many writes, of every kind in turn."""
        kinds = (self._buy, self._refund, self._subscribe, self._enrol, self._buy, self._sell, self._be_declined)
        return [await kinds[at % len(kinds)]() for at in range(number)]

    async def _enrol(self) -> Write:
        return _write("CreateCustomer", "customer", name="Grace", email="grace@example.com")

    async def _sell(self) -> Write:
        currency, minor = self._money()
        amount = {"amount_minor": minor, "currency": currency}
        return _write("CreatePrice", "price", product=self._product, unit_amount=amount)

    async def _buy(self) -> Write:
        return self._payment("pm_card_visa")

    async def _be_declined(self) -> Write:
        return self._payment(DECLINED)

    async def _refund(self) -> Write:
        currency, minor = self._money()
        paid = await self._post(
            "payment_intents", amount=minor, currency=currency, payment_method="pm_card_visa", confirm=True,
            automatic_payment_methods={"enabled": True, "allow_redirects": "never"},
        )  # fmt: skip
        return _write("CreateRefund", "refund", payment_intent=paid["id"])

    async def _subscribe(self) -> Write:
        currency, _ = self._money()
        items = [{"price": self._prices[currency]}]
        return _write("CreateSubscription", "subscription", customer=self._customer, items=items)

    def _payment(self, card: str) -> Write:
        currency, minor = self._money()
        amount = {"amount_minor": minor, "currency": currency}
        given = {"amount": amount, "payment_method": card, "confirm": True}
        return _write("CreatePaymentIntent", "payment_intent", declined=card == DECLINED, **given)

    def _money(self) -> tuple[str, int]:
        return self._rng.choice(list(CURRENCIES.items()))

    async def _post(self, path: str, **params: Any) -> dict[str, Any]:
        status, body, _ = await self._account.ask("POST", f"/v1/{path}", params)
        assert status == 200, body
        return dict(body)


def _write(method: str, makes: str, *, declined: bool = False, **fields: Any) -> Write:
    found, id_ = METHODS[method], str(uuid.uuid4())
    return Write(found, found.takes(request_id=id_, metadata={"write": id_}, **fields), makes, declined)
