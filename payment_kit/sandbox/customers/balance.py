"""The credit balance of a customer: every change of it is a transaction. A credit is negative, a debt positive."""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, Endpoint
from payment_kit.sandbox.errors import invalid, no_such
from payment_kit.sandbox.form import INTEGER_MAX, currency, integer, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row, Store

DESCRIPTION_MAX = 350


def adjust(
    call: Call,
    customer: Row,
    amount: int,
    currency: str,
    type: str,  # noqa: A002  # the API's own word
    invoice: str | None = None,
    credit_note: str | None = None,
    *,
    checkout_session: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Row:
    """Change what a customer has in `currency` by `amount` minor units (negative: a credit); the transaction of it.

    `type` is one of Stripe's: adjustment, applied_to_invoice, unapplied_from_invoice, credit_note, invoice_overpaid,
    invoice_too_large, invoice_too_small, initial, … . The first transaction gives a customer without a currency its
    own; `customer.balance` shows that currency only, other currencies have balances of their own.
    """
    customer = call.store.get("customer", customer["id"]) or customer
    own = customer["currency"] or currency
    balances: dict[str, int] = dict(customer.get("_balances") or {})
    balances[currency] = balances.get(currency, 0) + amount
    call.change(customer, "customer.updated", balance=balances.get(own, 0), currency=own, _balances=balances)
    row: Row = {
        "id": call.new_id("customer_balance_transaction"),
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": checkout_session,
        "created": call.now,
        "credit_note": credit_note,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "description": description,
        "ending_balance": balances[currency],
        "invoice": invoice,
        "livemode": False,
        "metadata": metadata or {},
        "type": type,
    }
    return call.add(row)


def in_currency(customer: Row, currency: str) -> int:
    """The balance in minor units of `currency`; negative is a credit."""
    return int((customer.get("_balances") or {}).get(currency, 0))


def create_transaction(call: Call) -> Row:
    """POST /v1/customers/{id}/balance_transactions"""
    customer, params = call.find("customer", call.path[0], "customer"), call.params
    _short(call)
    if not 0 < abs(params["amount"]) <= INTEGER_MAX:
        raise invalid("amount", "Invalid amount: it must not be 0.", "parameter_invalid_integer")
    return adjust(
        call,
        customer,
        params["amount"],
        params["currency"],
        "adjustment",
        description=params.get("description"),
        metadata=merged({}, params),
    )


def update_transaction(call: Call) -> Row:
    """POST /v1/customers/{id}/balance_transactions/{id}: description and metadata only."""
    row = get_transaction(call)
    _short(call)
    changes: dict[str, Any] = {name: call.params[name] for name in ("description",) if name in call.params}
    return call.change(row, None, **changes, metadata=merged(row, call.params))


def get_transaction(call: Call) -> Row:
    """GET /v1/customers/{id}/balance_transactions/{id}"""
    call.find("customer", call.path[0], "customer")
    row = call.find("customer_balance_transaction", call.path[1], "transaction")
    if row["customer"] != call.path[0]:
        raise no_such("customer_balance_transaction", call.path[1], "transaction")
    return row


def _transactions(call: Call) -> Row:
    """GET /v1/customers/{id}/balance_transactions"""
    customer = call.find("customer", call.path[0], "customer")["id"]
    url = f"/v1/customers/{customer}/balance_transactions"
    return listing.page(call, "customer_balance_transaction", url, customer=customer)


def _short(call: Call) -> None:
    if len(call.params.get("description") or "") > DESCRIPTION_MAX:
        raise invalid("description", f"Invalid string: must be at most {DESCRIPTION_MAX} characters.")


def _credit_balances(store: Store, row: Row) -> dict[str, int]:
    """Per currency what the customer has to spend; here a credit is positive, unlike everywhere else."""
    balances: dict[str, int] = (store.get("customer", row["id"]) or {}).get("_balances") or {}
    return {name: -amount for name, amount in balances.items()}


_UPDATE = {**META, "description": string}

INCLUDES = {("customer", "invoice_credit_balance"): _credit_balances}
ENDPOINTS = (
    Endpoint("GET", "customers/*/balance_transactions", _transactions, {**DATED, "invoice": string}),
    Endpoint("POST", "customers/*/balance_transactions", create_transaction,
             {**_UPDATE, "amount": integer, "currency": currency}, ("amount", "currency")),
    Endpoint("GET", "customers/*/balance_transactions/*", get_transaction, EXPAND),
    Endpoint("POST", "customers/*/balance_transactions/*", update_transaction, _UPDATE),
)  # fmt: skip
