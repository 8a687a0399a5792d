"""The account itself."""

from payment_kit.sandbox import ids
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, Endpoint
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row

ACCOUNT_CREATED = 1_735_689_600  # 2025-01-01T00:00:00Z


def _account(call: Call) -> Row:
    """GET /v1/account"""
    return {
        "id": ids.account(call.store.meta["account_seed"]),
        "object": "account",
        "business_profile": None,
        "business_type": None,
        "capabilities": {"card_payments": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": ACCOUNT_CREATED,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.com",
        "payouts_enabled": True,
        "type": "standard",
    }


def _own_account(call: Call) -> Row:
    """GET /v1/accounts/{id}"""
    account = _account(call)
    if call.path[0] != account["id"]:
        raise ApiError(
            403, f"The provided key does not have access to account '{call.path[0]}'.", code="account_invalid"
        )
    return account


ENDPOINTS = (
    Endpoint("GET", "account", _account, EXPAND),
    Endpoint("GET", "accounts/*", _own_account, EXPAND),
)
