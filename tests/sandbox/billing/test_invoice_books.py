"""Whatever is done to invoices in whatever order, their amounts agree and nobody is credited more than there was."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox import memory
from tests.sandbox.billing import books
from tests.sandbox.billing.till import DAY, Till, flat

STEPS = {"usd": 1, "jpy": 1, "kwd": 10}
CARDS = ("visa", "chargeCustomerFail", "authenticationRequired")


@st.composite
def stories(draw: st.DrawFn) -> tuple[str, list[tuple[str, Any]]]:
    """A currency and what happens to the invoices of one customer."""
    currency = draw(st.sampled_from(sorted(STEPS)))
    amount = st.integers(-300, 3000).map(lambda units: units * STEPS[currency])
    which = st.integers(0, 3)
    invoice = st.fixed_dictionaries(
        {
            "amounts": st.lists(amount, max_size=4),
            "coupon": st.sampled_from([None, "third", "much"]),
            "tax": st.sampled_from([None, "inclusive", "exclusive"]),
            "advance": st.booleans(),
        }
    )
    operations = st.one_of(
        st.tuples(st.just("invoice"), invoice),
        st.tuples(st.just("credit"), st.tuples(which, amount, st.sampled_from(["refund", "credit", "out_of_band"]))),
        st.tuples(st.just("card"), st.sampled_from(CARDS)),
        st.tuples(st.just("balance"), amount),
        st.tuples(st.just("wait"), st.integers(1, 3 * DAY)),
        st.tuples(st.sampled_from(["finalize", "pay", "void", "mark_uncollectible", "refund", "outside"]), which),
    )
    return currency, [("invoice", draw(invoice)), *draw(st.lists(operations, max_size=14))]


class Story:
    """One customer's invoices, to which anything may be done; what Stripe refuses is left at that."""

    def __init__(self, currency: str) -> None:
        self.till, self.currency = Till(), currency
        self.customer = self.till.customer()
        self.till.post("coupons", id="third", percent_off="33.33")
        self.till.post("coupons", id="much", amount_off=1000, currency=currency)
        self.taxes = {
            name: self.till.post("tax_rates", display_name="VAT", percentage="19.6", inclusive=name == "inclusive")[
                "id"
            ]
            for name in ("inclusive", "exclusive")
        }
        self.invoices: list[str] = []

    def ask(self, path: str, **data: Any) -> tuple[int, Any]:
        """Any answer but a failure of the sandbox."""
        status, body = memory.ask(self.till.sandbox, "POST", f"/v1/{path}", flat(data))
        assert status < 500, body
        return status, body

    def do(self, name: str, value: Any) -> None:
        """One thing that happens."""
        match name:
            case "invoice":
                self.bill(value)
            case "credit":
                at, amount, how = value
                self.credit(self.invoices[at % len(self.invoices)], amount, how)
            case "card":
                self.till.card(self.customer, value)
            case "balance":
                self.ask(f"customers/{self.customer}/balance_transactions", amount=value, currency=self.currency)
            case "wait":
                self.till.wait(value)
            case "refund":
                self.refund(self.invoices[value % len(self.invoices)])
            case "outside":
                self.ask(f"invoices/{self.invoices[value % len(self.invoices)]}/pay", paid_out_of_band=True)
            case _:
                self.ask(f"invoices/{self.invoices[value % len(self.invoices)]}/{name}")

    def bill(self, asked: dict[str, Any]) -> None:
        """A draft."""
        data: dict[str, Any] = {"auto_advance": asked["advance"]}
        if asked["coupon"]:
            data["discounts"] = [{"coupon": asked["coupon"]}]
        if asked["tax"]:
            data["default_tax_rates"] = [self.taxes[asked["tax"]]]
        draft = self.till.post("invoices", customer=self.customer, currency=self.currency, **data)["id"]
        self.invoices.append(draft)
        for amount in asked["amounts"]:
            self.ask("invoiceitems", customer=self.customer, invoice=draft, amount=amount, currency=self.currency)

    def credit(self, invoice: str, amount: int, how: str) -> None:
        """A credit note, given back in one way as far as it was paid."""
        if amount <= 0:
            return
        row = self.till.get(f"invoices/{invoice}")
        back = max(0, amount - (row["amount_remaining"] if row["status"] != "paid" else 0))
        self.ask("credit_notes", invoice=invoice, amount=amount, **({f"{how}_amount": back} if back else {}))

    def refund(self, invoice: str) -> None:
        """A refund of a part, without a credit note."""
        for payment in self.till.get("invoice_payments", invoice=invoice, status="paid")["data"]:
            self.ask("refunds", payment_intent=payment["payment"]["payment_intent"], amount=10 * STEPS[self.currency])


@given(stories())
@settings(max_examples=25)
def test_the_amounts_of_every_invoice_agree(told: tuple[str, list[tuple[str, Any]]]) -> None:
    currency, operations = told
    story = Story(currency)
    for name, value in operations:
        story.do(name, value)
        assert books.disagreements(story.till.sandbox.store) == []
    customer = story.till.get(f"customers/{story.customer}")
    moved = memory.pages(story.till.sandbox, f"/v1/customers/{story.customer}/balance_transactions")
    assert customer["balance"] == sum(row["amount"] for row in moved if row["currency"] == customer["currency"])
    for charge in memory.pages(story.till.sandbox, "/v1/charges"):
        assert charge["amount_refunded"] <= charge["amount_captured"]
