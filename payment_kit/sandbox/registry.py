"""The parts of the API, each named once; every table that spans them is put together here.

A part is a module with any of: `ENDPOINTS` (its operations), `DUE` (kind -> what the clock does with a row whose
``_due`` has come), `LISTENERS` (event type -> what it does when another part tells of it), `INCLUDES` ((kind, field)
-> the list or object that `expand` puts there).
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from payment_kit.sandbox import events, search, webhooks
from payment_kit.sandbox.balance import payouts, preferences, topups, transactions
from payment_kit.sandbox.billing import (
    collection,
    credit_notes,
    invoice_items,
    invoice_lines,
    invoice_payments,
    invoices,
    meter_events,
    meters,
    pauses,
    previews,
    renewal,
    schedules,
    standing,
    subscription_items,
    subscriptions,
    test_clocks,
)
from payment_kit.sandbox.call import Call, Listener
from payment_kit.sandbox.checkout import completion, items, links, quotes, sessions
from payment_kit.sandbox.connect import accounts, application_fees, transfers
from payment_kit.sandbox.customers import balance as credit
from payment_kit.sandbox.customers import customers, tax_ids
from payment_kit.sandbox.endpoint import Endpoint
from payment_kit.sandbox.entitlements import active, features
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.listing import Include
from payment_kit.sandbox.payments import (
    charges,
    disputes,
    fraud_warnings,
    intents,
    mandates,
    methods,
    refunds,
    reviews,
    setups,
)
from payment_kit.sandbox.products import coupons, prices, products, promotion_codes, tax_rates
from payment_kit.sandbox.store import Row

# What falls due in the same second happens in this order.
MODULES: tuple[ModuleType, ...] = (
    accounts,
    transfers,
    application_fees,
    test_clocks,
    transactions,
    preferences,
    payouts,
    topups,
    customers,
    tax_ids,
    credit,
    meters,
    meter_events,
    products,
    prices,
    coupons,
    promotion_codes,
    tax_rates,
    methods,
    refunds,
    disputes,
    mandates,
    intents,
    charges,
    setups,
    reviews,
    fraud_warnings,
    collection,
    invoices,
    invoice_lines,
    invoice_items,
    invoice_payments,
    credit_notes,
    previews,
    subscriptions,
    subscription_items,
    pauses,
    schedules,
    renewal,
    standing,
    features,
    active,
    items,
    sessions,
    completion,
    links,
    quotes,
    events,
    search,
    webhooks,
)


def _gathered(name: str) -> dict[Any, Any]:
    return {key: value for module in MODULES for key, value in getattr(module, name, {}).items()}


ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for module in MODULES for endpoint in getattr(module, "ENDPOINTS", ()))
DUE: dict[str, Callable[[Call, Row], object]] = _gathered("DUE")
INCLUDES: dict[tuple[str, str], Include] = _gathered("INCLUDES")
LISTENERS: dict[str, list[Listener]] = {}
for _module in MODULES:
    for _type, _listener in getattr(_module, "LISTENERS", {}).items():
        LISTENERS.setdefault(_type, []).append(_listener)

_BY_SHAPE: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
# an operation with a name where another has an id comes first: coupons/search before coupons/*
for _endpoint in sorted(ENDPOINTS, key=lambda endpoint: endpoint.path.count("*")):
    _parts = _endpoint.path.split("/")
    _BY_SHAPE.setdefault((_endpoint.method, len(_parts)), []).append((_parts, _endpoint))


def match(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
    """The operation of a path below /v1 and the ids in it; raises 501 for an operation the sandbox does not have."""
    parts = path.strip("/").split("/")
    for pattern, endpoint in _BY_SHAPE.get((method, len(parts)), ()):
        if all(want in ("*", part) for want, part in zip(pattern, parts, strict=True)):
            return endpoint, tuple(part for want, part in zip(pattern, parts, strict=True) if want == "*")
    raise ApiError(
        501,
        f"The sandbox does not have {method} /v1/{path}; Stripe may. It never answers with something made up.",
        kind="api_error",
        code="sandbox_unsupported",
        stored=False,
    )
