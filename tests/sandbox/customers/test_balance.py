"""The credit balance of customers: every change is a transaction, per currency."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payment_kit.sandbox import Sandbox
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.customers import balance
from tests.sandbox.acts import get, post, refused, types
from tests.sandbox.memory import ask, pages


def test_a_balance_on_creation_is_the_first_transaction() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers", balance="-500")
    assert (customer["balance"], customer["currency"]) == (-500, "usd")
    (row,) = pages(sandbox, f"/v1/customers/{customer['id']}/balance_transactions")
    assert (row["amount"], row["ending_balance"], row["type"]) == (-500, -500, "initial")


def test_a_new_balance_is_a_transaction_over_the_difference() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers", balance="-500")["id"]
    assert post(sandbox, f"customers/{customer}", balance="200")["balance"] == 200
    rows = pages(sandbox, f"/v1/customers/{customer}/balance_transactions")
    assert [(row["amount"], row["ending_balance"], row["type"]) for row in rows] == [
        (700, 200, "adjustment"),
        (-500, -500, "initial"),
    ]
    assert types(sandbox, "customer.updated") == ["customer.updated", "customer.updated"]
    assert post(sandbox, f"customers/{customer}", balance="200")["balance"] == 200
    assert len(pages(sandbox, f"/v1/customers/{customer}/balance_transactions")) == 2


def test_the_first_transaction_gives_the_currency_and_others_have_balances_of_their_own() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    path = f"customers/{customer}/balance_transactions"
    for currency, amount in (("jpy", "-300"), ("kwd", "1250"), ("jpy", "-50")):
        post(sandbox, path, currency=currency, amount=amount)
    shown = get(sandbox, f"customers/{customer}", **{"expand[]": "invoice_credit_balance"})
    assert (shown["currency"], shown["balance"]) == ("jpy", -350)
    assert shown["invoice_credit_balance"] == {"jpy": 350, "kwd": -1250}
    assert [row["ending_balance"] for row in pages(sandbox, f"/v1/{path}")] == [-350, 1250, -300]


def test_description_and_metadata_of_a_transaction_change_and_nothing_else() -> None:
    sandbox = Sandbox()
    customer, other = post(sandbox, "customers")["id"], post(sandbox, "customers")["id"]
    row = post(
        sandbox, f"customers/{customer}/balance_transactions", currency="usd", amount="-5", **{"metadata[a]": "1"}
    )
    path = f"customers/{customer}/balance_transactions/{row['id']}"
    changed = post(sandbox, path, description="Sorry", **{"metadata[b]": "2"})
    assert (changed["description"], changed["metadata"]) == ("Sorry", {"a": "1", "b": "2"})
    assert get(sandbox, path, **{"expand[]": "customer"})["customer"]["id"] == customer
    assert refused(sandbox, path, amount="9")["code"] == "parameter_unknown"
    assert ask(sandbox, "GET", f"/v1/customers/{other}/balance_transactions/{row['id']}")[0] == 404


@pytest.mark.parametrize(
    ("data", "param"),
    [({"amount": "0", "currency": "usd"}, "amount"), ({"amount": "5"}, "currency"),
     ({"amount": "5", "currency": "usd", "description": "x" * 351}, "description")],
)  # fmt: skip
def test_a_transaction_that_cannot_be_is_refused(data: dict[str, str], param: str) -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    assert refused(sandbox, f"customers/{customer}/balance_transactions", **data)["param"] == param


def test_transactions_of_an_invoice_are_found() -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    call, row = Call(sandbox.store, "test"), sandbox.store.get("customer", customer)
    assert row is not None
    balance.adjust(call, row, -10, "usd", "adjustment")
    balance.adjust(call, row, 10, "usd", "applied_to_invoice", "in_1")
    sandbox.store.commit()
    (found,) = pages(sandbox, f"/v1/customers/{customer}/balance_transactions", {"invoice": "in_1"})
    assert (found["type"], found["ending_balance"]) == ("applied_to_invoice", 0)


@given(st.lists(st.tuples(st.sampled_from(["usd", "jpy", "kwd"]), st.integers(-(10**6), 10**6).filter(bool))))
@settings(max_examples=30)
def test_a_balance_is_the_sum_of_its_transactions(steps: list[tuple[str, int]]) -> None:
    sandbox = Sandbox()
    customer = post(sandbox, "customers")["id"]
    call, row = Call(sandbox.store, "test"), sandbox.store.get("customer", customer)
    assert row is not None
    sums: dict[str, int] = {}
    for currency, amount in steps:
        sums[currency] = sums.get(currency, 0) + amount
        assert balance.adjust(call, row, amount, currency, "adjustment")["ending_balance"] == sums[currency]
    now = sandbox.store.get("customer", customer)
    assert now is not None
    assert now["balance"] == (sums[steps[0][0]] if steps else 0)
    assert {currency: balance.in_currency(now, currency) for currency in sums} == sums
