"""A business played into a sandbox, request by request and day by day, by the same operations a client has."""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple

from payment_kit.sandbox import form, happenings, registry
from payment_kit.sandbox.balance import settlement
from payment_kit.sandbox.business.business import Business, Good, Plan
from payment_kit.sandbox.call import Call, unit
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.payments import planned
from payment_kit.sandbox.scenario.goods import person
from payment_kit.sandbox.server import Sandbox
from payment_kit.sandbox.store import Row

DAY = 86_400
MONTH_DAYS = 30
REFUND_AFTER_DAYS = (1, 20)
DISPUTE_AFTER_DAYS = (5, 25)
CARDS = {"pm_card_visa": 6, "pm_card_mastercard": 3, "pm_card_amex": 1}
BAD_CARD = "pm_card_chargeCustomerFail"
_CARD_ONLY = {"enabled": "true", "allow_redirects": "never"}

Progress = Callable[[int, int], object]


class Told(NamedTuple):
    """What the sandbox holds when the business was played: objects per kind, and its clock (unix seconds)."""

    objects: Mapping[str, int]
    now: int


def play(sandbox: Sandbox, business: Business, progress: Progress = lambda _done, _all: None) -> Told:
    """Play the whole `business`; `progress` hears of every month. The same business gives the same bytes.

    From then on the sandbox forgets events after 30 days, as Stripe does: years of them would fill the memory. Its
    clock has to stand at or before the start; raises ValueError otherwise.
    """
    if sandbox.now > business.start:
        raise ValueError(f"the sandbox's clock stands at {sandbox.now}, after the business begins ({business.start})")
    sandbox.store.set_meta(forgets_events=True)
    _Play(sandbox, business).run(progress)
    sandbox.store.compact()
    tables = sandbox.store.tables
    return Told({kind: len(table.rows) for kind, table in tables.items() if table.rows}, sandbox.now)


class _Play:
    """One play: the dice, what is to happen when, and the prices by plan and currency."""

    def __init__(self, sandbox: Sandbox, business: Business) -> None:
        self.sandbox, self.business = sandbox, business
        self.dice = Random(f"business {business.seed}")  # noqa: S311  # repeatable on purpose
        self.ahead: list[tuple[int, int, Callable[[], object]]] = []
        self.prices: dict[tuple[str, str], str] = {}
        self._scheduled = self._asked = self._people = self._charges = 0

    def run(self, progress: Progress) -> None:
        business, start = self.business, self.business.start
        self.sandbox.advance_to(start)
        self._stock()
        due = {"sign-ups": 0.0, "orders": 0.0}
        for day in range(business.months * MONTH_DAYS):
            growth = (1 + business.growth / 100) ** (day // MONTH_DAYS)
            due["sign-ups"] += business.first_month * growth / MONTH_DAYS
            due["orders"] += business.orders * growth / MONTH_DAYS
            for what, do in (("sign-ups", self._sign_up), ("orders", self._order)):
                while due[what] >= 1:
                    due[what] -= 1
                    self._at(start + day * DAY + self.dice.randrange(DAY), do)
            self._until(start + (day + 1) * DAY)
            self._roll_charges()
            if (day + 1) % MONTH_DAYS == 0:
                progress((day + 1) // MONTH_DAYS, business.months)

    def _until(self, end: int) -> None:
        while self.ahead and self.ahead[0][0] < end:
            at, _, do = heappop(self.ahead)
            self.sandbox.advance_to(max(at, self.sandbox.now))
            do()
        self.sandbox.advance_to(end)

    def _at(self, at: int, do: Callable[[], object]) -> None:
        self._scheduled += 1
        heappush(self.ahead, (at, self._scheduled, do))

    def _hit(self, percent: float) -> bool:
        return self.dice.random() * 100 < percent

    def _stock(self) -> None:
        for plan in self.business.plans:
            self._priced(plan, {"recurring": {"interval": plan.interval}})
        for good in self.business.goods:
            self._priced(good, {})

    def _priced(self, sold: Plan | Good, more: dict[str, Any]) -> None:
        product = self._ask("POST", "products", name=sold.name)["id"]
        for currency, minor in sold.price.items():
            price = self._ask("POST", "prices", product=product, currency=currency, unit_amount=minor, **more)
            self.prices[sold.name, currency] = price["id"]

    def _sign_up(self) -> None:
        plan = self.dice.choices(self.business.plans, [plan.share for plan in self.business.plans])[0]
        currency = self._currency()
        customer = self._customer()
        item = {"price": self.prices[plan.name, currency], "quantity": self.dice.randint(*plan.seats)}
        trial = {"trial_period_days": plan.trial_days} if plan.trial_days else {}
        made = self._ask("POST", "subscriptions", customer=customer, items=[item], **trial)
        self._at(self.sandbox.now + MONTH_DAYS * DAY, lambda: self._month(made["id"]))

    def _customer(self) -> str:
        self._people += 1
        name, email = person(self.dice, self._people)
        customer: str = self._ask("POST", "customers", name=name, email=email)["id"]
        self._card(customer, self.dice.choices(list(CARDS), list(CARDS.values()))[0])
        return customer

    def _card(self, customer: str, card: str) -> None:
        method = self._ask("POST", f"payment_methods/{card}/attach", customer=customer)["id"]
        self._ask("POST", f"customers/{customer}", invoice_settings={"default_payment_method": method})

    def _month(self, id_: str) -> None:
        """The monthly dice of one subscription: it leaves, grows, or its next payment fails."""
        subscription = self.sandbox.store.get("subscription", id_)
        if subscription is None or subscription["status"] not in ("active", "trialing", "past_due"):
            return
        troubles = self.business.troubles
        if self._hit(self.business.churn):
            self._ask("POST", f"subscriptions/{id_}", cancel_at_period_end=True)
            return
        if self._hit(troubles.upgrades):
            item = next(iter(self.sandbox.store.tables["subscription_item"].having("subscription", id_)))
            grown = {"id": item["id"], "quantity": item["quantity"] + 1}
            self._ask("POST", f"subscriptions/{id_}", items=[grown])
        if self._hit(troubles.declined):
            if self._hit(troubles.recovers):
                planned.plan(self.sandbox.store, "insufficient_funds", subscription["customer"])
            else:
                self._card(subscription["customer"], BAD_CARD)
        self._at(self.sandbox.now + MONTH_DAYS * DAY, lambda: self._month(id_))

    def _order(self) -> None:
        good = self.dice.choices(self.business.goods, [good.share for good in self.business.goods])[0]
        currency = self._currency()
        amount = good.price[currency] * self.dice.choice((1, 1, 1, 2, 3))
        card = self.dice.choices(list(CARDS), list(CARDS.values()))[0]
        if self._hit(self.business.troubles.declined):
            card = "pm_card_chargeDeclined"
        paid = {"amount": amount, "currency": currency, "description": good.name, "payment_method": card}
        self._ask("POST", "payment_intents", confirm=True, automatic_payment_methods=_CARD_ONLY, **paid)

    def _roll_charges(self) -> None:
        """The dice of the charges that are new since the last time: some are refunded, a few disputed."""
        table, troubles = self.sandbox.store.tables["charge"], self.business.troubles
        for id_ in table.order[self._charges :]:
            if table.rows[id_]["status"] != "succeeded":
                continue
            if self._hit(troubles.disputed):
                self._later(DISPUTE_AFTER_DAYS, id_, self._dispute)
            elif self._hit(troubles.refunded):
                self._later(REFUND_AFTER_DAYS, id_, self._refund)
        self._charges = len(table.order)

    def _later(self, days: tuple[int, int], id_: str, do: Callable[[str], object]) -> None:
        self._at(self.sandbox.now + self.dice.randint(*days) * DAY + self.dice.randrange(DAY), lambda: do(id_))

    def _refund(self, id_: str) -> None:
        charge = self.sandbox.store.tables["charge"].rows[id_]
        step = settlement.step_of(charge["currency"])
        part = charge["amount"] // 2 // step * step
        amount = {"amount": part} if part and self._hit(40) else {}
        if not charge["disputed"] and not charge["amount_refunded"]:
            self._ask("POST", "refunds", charge=id_, **amount)

    def _dispute(self, id_: str) -> None:
        charge = self.sandbox.store.tables["charge"].rows[id_]
        if not charge["disputed"] and not charge["amount_refunded"]:
            act = happenings.dispute
            happenings.happen(self.sandbox.store, self.sandbox.delivery, id_, lambda call: act(call, "fraudulent"))

    def _currency(self) -> str:
        shares = self.business.currencies
        return self.dice.choices(list(shares), list(shares.values()))[0]

    def _ask(self, method: str, path: str, **params: Any) -> Row:
        """One request, without HTTP; a decline answers with nothing and leaves what declines leave."""
        endpoint, ids = registry.match(method, path)
        self._asked += 1
        given = form.read(endpoint.kinds, _encoded(params), endpoint.required)
        call = Call(self.sandbox.store, f"business {self._asked}", params=given, path=ids)
        try:
            return unit(call, endpoint.handler)
        except ApiError as error:
            if not error.keep:
                raise
            return {}
        finally:
            self.sandbox.delivery.add(self.sandbox.store.commit())


def _encoded(value: Any) -> Any:
    """Parameters as a decoded form has them: text, and arrays keyed by position."""
    if isinstance(value, dict):
        return {name: _encoded(part) for name, part in value.items()}
    if isinstance(value, list):
        return {str(at): _encoded(part) for at, part in enumerate(value)}
    return str(value).lower() if isinstance(value, bool) else str(value)
