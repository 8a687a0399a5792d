"""The balance and its transactions as the API shows them."""

from payment_kit.sandbox import listing
from payment_kit.sandbox.balance import settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.form import currency
from payment_kit.sandbox.store import Row


def _transactions(call: Call) -> Row:
    """GET /v1/balance_transactions, with `payout` what that automatic payout paid."""
    params = call.params
    payout = call.referenced("payout", "payout")
    if payout is None:
        return listing.page(call, "balance_transaction", "/v1/balance_transactions")
    if not payout["automatic"]:
        message = "Balance transaction history can only be filtered on automatic transfers, not manual."
        raise ApiError(400, message, param="payout")
    params.pop("payout")
    if payout["reconciliation_status"] != "completed":
        params["source"] = payout["id"]
    return listing.page(call, "balance_transaction", "/v1/balance_transactions", _payout=payout["id"])


def _balance(call: Call) -> Row:
    """GET /v1/balance"""
    return settlement.balance(call.store)


_FILTERS = {**filters("source", "payout", "type"), "currency": currency}

ENDPOINTS = (
    Endpoint("GET", "balance", _balance, EXPAND),
    Endpoint("GET", "balance_transactions", _transactions, _FILTERS),
    Endpoint("GET", "balance_transactions/*", get("balance_transaction"), EXPAND),
    Endpoint("GET", "balance/history", _transactions, _FILTERS),
    Endpoint("GET", "balance/history/*", get("balance_transaction"), EXPAND),
)
