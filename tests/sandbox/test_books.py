"""Whatever is done, in whatever order, with however much time between: the books balance, and a replay is the same.

The history goes across all parts at once: one-off payments, checkout sessions, subscriptions on the account's time and
on test clocks, refunds, disputes, credit notes, top-ups, payouts that fail or are made by hand, transfers to connected
accounts. What Stripe refuses is left at that; a 500 never is.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.kinds import KINDS
from tests.sandbox import ledger, memory
from tests.sandbox.billing import books
from tests.sandbox.billing.till import flat
from tests.sandbox.protocol import visitor
from tests.sandbox.tools.desk import Desk

DAY = 86_400
STORIES, STEPS_TAKEN = 44, 48
# smallest step of a price in minor units: gbp has no balance of its own, kwd moves in tens
STEPS = {"usd": 1, "jpy": 1, "kwd": 10, "gbp": 1}
CARDS = (
    "visa", "bypassPending", "chargeDeclined", "chargeCustomerFail", "createDispute", "createDisputeInquiry",
    "refundFail", "pendingRefund", "authenticationRequired",
)  # fmt: skip
Step = tuple[str, tuple[Any, ...]]


def history(seed: int) -> list[Step]:
    """What happens, in a random order; the same for the same seed."""
    draw = random.Random(seed)

    def at() -> int:
        return draw.randrange(8)

    def units() -> int:
        return draw.randrange(60, 5000)

    currency = sorted(STEPS)
    kinds: dict[str, Callable[[], tuple[Any, ...]]] = {
        "pay": lambda: (draw.choice(currency), units(), draw.choice(CARDS), draw.random() < 0.3),
        "subscribe": lambda: (draw.choice(currency), units(), draw.choice(CARDS[:4]), draw.randrange(21), at()),
        "wait": lambda: (draw.randrange(1, 40),),
        "advance": lambda: (at(), draw.randrange(1, 40)),
        "refund": lambda: (at(), draw.choice((30, units()))),
        "capture": lambda: (at(), draw.choice((60, units()))),
        "answer": lambda: (at(), draw.choice(("winning_evidence", "losing_evidence", "nothing"))),
        "change": lambda: (at(), draw.randrange(1, 5), draw.choice(("create_prorations", "always_invoice", "none"))),
        "cancel": lambda: (at(), draw.random() < 0.5),
        "charge": lambda: (at(), draw.randrange(-900, 900)),
        "card": lambda: (at(), draw.choice(CARDS[:4])),
        "payout": lambda: (draw.choice(currency), units(), draw.random() < 0.4),
        "fail_payout": lambda: (draw.choice(currency),),
        "undo_payout": lambda: (at(),),
        "schedule": lambda: (draw.choice(("manual", "daily")),),
        "shop": lambda: (draw.choice(currency), units(), draw.choice(CARDS[:4]), draw.random() < 0.3),
        "note": lambda: (
            at(),
            draw.randrange(1, 900),
            draw.choice(("refund_amount", "credit_amount", "of an open one")),
        ),
        "topup": lambda: (draw.choice(currency), units(), draw.random() < 0.8),
        "transfer": lambda: (draw.choice(currency), units(), at(), draw.random() < 0.5),
        "reverse": lambda: (at(), draw.choice((30, units()))),
        "sell": lambda: (draw.choice(currency), units(), draw.choice(CARDS), draw.random() < 0.5),
        "fee_back": lambda: (at(), units()),
    }
    often = [
        *kinds,
        "pay",
        "pay",
        "subscribe",
        "wait",
        "wait",
        "refund",
        "advance",
        "payout",
        "transfer",
        "shop",
        "answer",
    ]
    names = draw.choices(often, k=STEPS_TAKEN)
    return [(name, kinds[name]()) for name in names] + [("wait", (1,)), ("wait", (30,))]


REACHED = (
    "charge.captured charge.dispute.closed charge.dispute.funds_reinstated charge.failed charge.refunded "
    "application_fee.created application_fee.refunded "
    "checkout.session.completed credit_note.created topup.succeeded topup.canceled transfer.created transfer.reversed "
    "payout.canceled customer.subscription.deleted customer.subscription.trial_will_end customer.subscription.updated "
    "invoice.paid invoice.payment_failed invoiceitem.created payment_intent.requires_action payout.failed "
    "payout.paid payout.reconciliation_completed refund.failed test_helpers.test_clock.ready"
).split()


class Business:
    """One account to which anything may happen."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self.payments: list[str] = []
        self.customers: list[tuple[str, str]] = []
        self.subscriptions: list[str] = []
        self.clocks: list[str] = []
        self.account = ""

    def ask(self, path: str, method: str = "POST", **data: Any) -> dict[str, Any]:
        """Any answer but a failure of the sandbox."""
        status, body = memory.ask(self.sandbox, method, path if path[0] == "/" else f"/v1/{path}", flat(data))
        assert status < 500, body
        return dict(body)

    def pay(self, currency: str, units: int, card: str, manual: bool) -> None:
        """A payment at once, or held for capture."""
        made = self.ask(
            "payment_intents",
            amount=units * STEPS[currency],
            currency=currency,
            payment_method=f"pm_card_{card}",
            capture_method="manual" if manual else "automatic",
            allowed_payment_method_types=["card"],
            confirm=True,
        )
        made = made.get("error", {}).get("payment_intent", made)
        self.payments += [made["id"]] if "id" in made else []

    def capture(self, at: int, units: int) -> None:
        """A part of what is held."""
        held = [row["id"] for row in self.sandbox.store.rows("payment_intent") if row["status"] == "requires_capture"]
        if held:
            self.ask(f"payment_intents/{_of(held, at)}/capture", amount_to_capture=units)

    def refund(self, at: int, units: int) -> None:
        """A part, perhaps more than there is."""
        if self.payments:
            self.ask("refunds", payment_intent=_of(self.payments, at), amount=units)

    def answer(self, at: int, evidence: str) -> None:
        """Evidence for a dispute."""
        disputes = list(self.sandbox.store.rows("dispute"))
        if disputes:
            path = f"disputes/{_of(disputes, at)['id']}"
            self.ask(path, evidence={"uncategorized_text": evidence}, submit=True)

    def subscribe(self, currency: str, units: int, card: str, trial: int, clock: int) -> None:
        """A customer with a monthly price; every other one lives by a test clock."""
        on_clock: dict[str, Any] = {}
        if clock % 2:
            made = self.ask("test_helpers/test_clocks", frozen_time=self.sandbox.now)["id"]
            self.clocks.append(made)
            on_clock = {"test_clock": made}
        customer = self.ask("customers", **on_clock)["id"]
        self.customers.append((customer, currency))
        self.card(len(self.customers) - 1, card)
        price = self.ask(
            "prices",
            currency=currency,
            unit_amount=units * STEPS[currency],
            recurring={"interval": "month"},
            product_data={"name": "Tea"},
        )["id"]
        more: dict[str, Any] = {"trial_period_days": trial} if trial else {}
        subscription = self.ask("subscriptions", customer=customer, items=[{"price": price}], **more)
        self.subscriptions += [subscription["id"]] if "id" in subscription else []

    def change(self, at: int, quantity: int, behaviour: str) -> None:
        """Another quantity within the period."""
        if self.subscriptions:
            path = f"subscriptions/{_of(self.subscriptions, at)}"
            for item in self.ask(path, "GET").get("items", {}).get("data", ()):
                self.ask(path, items=[{"id": item["id"], "quantity": quantity}], proration_behavior=behaviour)

    def cancel(self, at: int, now: bool) -> None:
        """A subscription ends, at once or with its period."""
        if self.subscriptions:
            path = f"subscriptions/{_of(self.subscriptions, at)}"
            self.ask(path, "DELETE") if now else self.ask(path, cancel_at_period_end=True)

    def charge(self, at: int, units: int) -> None:
        """Something extra on the next invoice, or something off it."""
        if self.customers:
            customer, currency = _of(self.customers, at)
            self.ask("invoiceitems", customer=customer, currency=currency, amount=units * STEPS[currency])

    def card(self, at: int, card: str) -> None:
        """Another card for a customer, if the bank lets it be saved."""
        if self.customers:
            customer, _ = _of(self.customers, at)
            method = self.ask(f"payment_methods/pm_card_{card}/attach", customer=customer)
            if "id" in method:
                self.ask(f"customers/{customer}", invoice_settings={"default_payment_method": method["id"]})

    def wait(self, days: int) -> None:
        """The account's time goes on."""
        self.sandbox.advance_to(self.sandbox.now + days * DAY)

    def advance(self, at: int, days: int) -> None:
        """A test clock's time goes on."""
        if self.clocks:
            path = f"test_helpers/test_clocks/{_of(self.clocks, at)}"
            held = self.ask(path, "GET")
            if "frozen_time" in held:  # it is gone with all that hangs on it 30 days after it was made
                self.ask(f"{path}/advance", frozen_time=held["frozen_time"] + days * DAY)

    def payout(self, currency: str, units: int, canceled: bool) -> None:
        """A payout by hand, as far as there is something; perhaps canceled at once."""
        made = self.ask("payouts", currency=currency, amount=units * STEPS[currency])
        if "id" in made and canceled:
            self.ask(f"payouts/{made['id']}/cancel")

    def fail_payout(self, currency: str) -> None:
        """The bank will send the next payout back."""
        self.sandbox.store.set_meta(fail_next={**self.sandbox.store.meta["fail_next"], currency: "account_closed"})

    def undo_payout(self, at: int) -> None:
        """One of the last payouts is debited from the bank again, if it arrived."""
        payouts = list(self.sandbox.store.rows("payout"))[-3:]
        if payouts:
            self.ask(f"payouts/{_of(payouts, at)['id']}/reverse")

    def schedule(self, interval: str) -> None:
        """Payouts go out daily, or only by hand."""
        self.ask("balance_settings", payments={"payouts": {"schedule": {"interval": interval}}})

    def shop(self, currency: str, units: int, card: str, monthly: bool) -> None:
        """A customer buys something, or subscribes to it, on a page of checkout."""
        price = {"currency": currency, "unit_amount": units * STEPS[currency], "product_data": {"name": "Tea"}}
        session = self.ask(
            "checkout/sessions",
            mode="subscription" if monthly else "payment",
            success_url="https://shop.test/thanks",
            line_items=[
                {"price_data": price | ({"recurring": {"interval": "month"}} if monthly else {}), "quantity": 1}
            ],
        )
        order = f"/_sandbox/checkout/sessions/{session['id']}/complete"
        confirmed = Desk(self.sandbox).client.post(
            order, json={"payment_method": f"pm_card_{card}", "email": "a@b.test"}
        )
        assert asyncio.run(confirmed).status_code in (200, 402)
        intent = self.ask(f"checkout/sessions/{session['id']}", "GET")["payment_intent"]
        self.payments += [intent] if intent else []

    def note(self, at: int, units: int, how: str) -> None:
        """A credit note on an invoice."""
        status = "open" if how == "of an open one" else "paid"
        invoices = [
            row for row in self.sandbox.store.rows("invoice") if row.get("status") == status and row["total"] > 0
        ]
        if invoices:
            amount = units * STEPS[_of(invoices, at)["currency"]]
            back: dict[str, Any] = {} if status == "open" else {how: amount}
            self.ask("credit_notes", invoice=_of(invoices, at)["id"], amount=amount, **back)

    def topup(self, currency: str, units: int, arrives: bool) -> None:
        """Money from the bank, unless it is canceled."""
        made = self.ask("topups", currency=currency, amount=units * STEPS[currency])
        if "id" in made and not arrives:
            self.ask(f"topups/{made['id']}/cancel")

    def transfer(self, currency: str, units: int, at: int, of_charge: bool) -> None:
        """Money for a connected account, from the balance or from one charge."""
        self.connect()
        charges = list(self.sandbox.store.rows("charge"))
        source = {"source_transaction": _of(charges, at)["id"]} if of_charge and charges else {}
        currency = _of(charges, at)["currency"] if source else currency
        self.ask("transfers", currency=currency, amount=units * STEPS[currency], destination=self.account, **source)

    def connect(self) -> None:
        """There is a connected account."""
        if not self.account:
            accepted = {"date": self.sandbox.now, "ip": "203.0.113.7"}
            wanted = {name: {"requested": True} for name in ("card_payments", "transfers")}
            self.account = self.ask("accounts", type="custom", capabilities=wanted, tos_acceptance=accepted)["id"]

    def sell(self, currency: str, units: int, card: str, refunded: bool) -> None:
        """A payment on the connected account, with a fee; perhaps given back in part, the fee with it."""
        self.connect()
        amount, there = units * STEPS[currency], {"stripe_account": self.account}
        paid = {"amount": amount, "currency": currency, "payment_method": f"pm_card_{card}", "confirm": True}
        paid |= {"allowed_payment_method_types": ["card"], "application_fee_amount": amount // 10 // 10 * 10 or 10}
        made = visitor.ask(self.sandbox, "POST", "/v1/payment_intents", flat(paid), None, **there)
        assert made.status < 500, made.body
        if made.status == 200 and refunded:
            back = {"payment_intent": made.body["id"], "amount": amount // 20 * 10, "refund_application_fee": True}
            assert visitor.ask(self.sandbox, "POST", "/v1/refunds", flat(back), None, **there).status < 500

    def fee_back(self, at: int, units: int) -> None:
        """A part of a fee goes back on its own, perhaps more than there is."""
        fees = list(self.sandbox.store.rows("application_fee"))
        if fees:
            self.ask(f"application_fees/{_of(fees, at)['id']}/refunds", amount=units // 10 * 10)

    def reverse(self, at: int, units: int) -> None:
        """A part of a transfer comes back, perhaps more than there is."""
        transfers = list(self.sandbox.store.rows("transfer"))
        if transfers:
            self.ask(f"transfers/{_of(transfers, at)['id']}/reversals", amount=units)

    def balance_disagreements(self) -> list[str]:
        """Where the balance is not the sum of its transactions."""
        balance = self.ask("balance", "GET")
        found = []
        for part in ("available", "pending"):
            stands = {one["currency"]: one["amount"] for one in balance[part]}
            summed = ledger.sums(self.sandbox.store, part)
            if any(stands.get(code, 0) != summed[code] for code in stands.keys() | summed.keys()):
                found.append(f"{part}: {stands}, not {dict(summed)}")
        return found

    def payout_disagreements(self) -> list[str]:
        """Where an automatic payout is not the sum of what it lists, or something is listed twice."""
        found, listed = [], Counter[str]()
        for payout in memory.pages(self.sandbox, "/v1/payouts"):
            if not payout["automatic"] or payout["reconciliation_status"] != "completed":
                continue
            items = memory.pages(self.sandbox, "/v1/balance_transactions", {"payout": payout["id"]})
            listed.update(item["id"] for item in items)
            others = sum(item["net"] for item in items if item["id"] != payout["balance_transaction"])
            if others != payout["amount"]:
                found.append(f"{payout['id']}: {payout['amount']}, not {others}")
        return found + [f"{id_}: in {times} payouts" for id_, times in listed.items() if times > 1]

    def everything(self) -> bytes:
        """All it holds, as bytes."""
        stores = [self.sandbox.store, *self.sandbox.store.connected.values()]
        return orjson.dumps([{kind: list(store.rows(kind)) for kind in KINDS} for store in stores])


def _of(found: list[Any], at: int) -> Any:
    return found[at % len(found)]


def _played(seed: int) -> Business:
    business = Business()
    for name, values in history(seed):
        getattr(business, name)(*values)
    return business


def test_the_books_balance() -> None:
    met = Counter[str]()
    for seed in range(STORIES):
        business = Business()
        for at, (name, values) in enumerate(history(seed)):
            getattr(business, name)(*values)
            assert business.balance_disagreements() == [], f"seed {seed}, after step {at}, {name}{values}"
        found = [*business.payout_disagreements(), *ledger.disagreements(business.sandbox.store)]
        assert [*found, *books.disagreements(business.sandbox.store)] == [], f"seed {seed}"
        met.update(row["type"] for row in business.sandbox.store.rows("event"))
    # a story that never gets there proves nothing about it
    assert [type_ for type_ in REACHED if not met[type_]] == []


@pytest.mark.parametrize("seed", range(4))
def test_the_same_story_gives_the_same_bytes(seed: int) -> None:
    assert _played(seed).everything() == _played(seed).everything()
