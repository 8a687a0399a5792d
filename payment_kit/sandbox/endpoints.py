"""Every operation the sandbox has, as a table: method, path, parameters, what it does.

A parameter that is not in the table is refused by name, so nothing is ever ignored silently; a path that is not in the
table is answered 501.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from payment_kit.sandbox import catalogue, disputes, ids, listing, methods, payments, refunds, settlement, webhooks
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.form import (
    Kind,
    amount,
    array,
    boolean,
    currency,
    decimal,
    either,
    email,
    fields,
    integer,
    metadata,
    one_of,
    string,
    url,
)
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

Handler = Callable[[Call], Row]
ACCOUNT_CREATED = 1_735_689_600  # 2025-01-01T00:00:00Z
EVENT_TYPES_MAX = 20  # docs.stripe.com/api/events/list


class Endpoint(NamedTuple):
    """One operation. `required` names parameters without which it is refused."""

    method: str
    path: str
    handler: Handler
    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()


def _off_session(raw: Any, path: str) -> bool:
    if raw not in ("true", "false", "True", "False", "one_off", "recurring"):
        raise invalid(path, f"Invalid off_session: {raw}")
    return raw not in ("false", "False")


def _no_longer(raw: Any, path: str) -> None:
    """Stripe refuses it since 2026-09-30.endive (docs.stripe.com/changelog/endive)."""
    message = (
        "payment_method_types is no longer supported; use allowed_payment_method_types or automatic_payment_methods."
    )
    raise invalid(path, message, "payment_method_types_no_longer_supported")


_EXPAND: dict[str, Kind] = {"expand": array(string)}
_META: dict[str, Kind] = {**_EXPAND, "metadata": metadata}
_RANGE = either(integer, fields(dict.fromkeys(("gt", "gte", "lt", "lte"), integer)))
_PAGE: dict[str, Kind] = {**_EXPAND, "limit": integer, "starting_after": string, "ending_before": string}
_DATED = {**_PAGE, "created": _RANGE}

_ADDRESS = fields(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), string))
_SHIPPING = fields({"address": _ADDRESS, "name": string, "phone": string}, ("address", "name"))
_BILLING = fields({"address": _ADDRESS, "email": email, "name": string, "phone": string})
_RECURRING = fields(
    {"interval": one_of("day", "week", "month", "year"), "interval_count": integer, "usage_type": one_of("licensed")},
    ("interval",),
)
_TAX_BEHAVIOR = one_of("exclusive", "inclusive", "unspecified")
_REDISPLAY = one_of("always", "limited", "unspecified")

_CUSTOMER: dict[str, Kind] = {
    **_META,
    "address": _ADDRESS,
    "balance": integer,
    "description": string,
    "email": email,
    "invoice_prefix": string,
    "invoice_settings": fields({"default_payment_method": string, "footer": string}),
    "name": string,
    "phone": string,
    "preferred_locales": array(string),
    "shipping": _SHIPPING,
    "tax_exempt": one_of("none", "exempt", "reverse"),
}
_PRODUCT: dict[str, Kind] = {
    **_META,
    "active": boolean,
    "description": string,
    "images": array(url),
    "marketing_features": array(fields({"name": string}, ("name",))),
    "name": string,
    "shippable": boolean,
    "statement_descriptor": string,
    "tax_code": string,
    "unit_label": string,
    "url": url,
}
_PRICED: dict[str, Kind] = {
    "currency": currency,
    "metadata": metadata,
    "recurring": _RECURRING,
    "tax_behavior": _TAX_BEHAVIOR,
    "unit_amount": amount,
    "unit_amount_decimal": decimal,
}
_PRICE: dict[str, Kind] = {
    **_META,
    "active": boolean,
    "lookup_key": string,
    "nickname": string,
    "tax_behavior": _TAX_BEHAVIOR,
}
_PRODUCT_DATA = fields(
    {
        **{k: _PRODUCT[k] for k in ("active", "metadata", "name", "statement_descriptor", "tax_code", "unit_label")},
        "id": string,
    },
    ("name",),
)
_METHOD: dict[str, Kind] = {
    **_META,
    "allow_redisplay": _REDISPLAY,
    "billing_details": _BILLING,
    "card": fields({"token": string, "number": string, "exp_month": integer, "exp_year": integer, "cvc": string}),
    "type": one_of("card"),
}
_CARD_OPTIONS = fields({"card": fields({"request_three_d_secure": one_of("automatic", "any", "challenge")})})
_CONFIRM: dict[str, Kind] = {
    **_EXPAND,
    "allowed_payment_method_types": array(string),
    "error_on_requires_action": boolean,
    "off_session": _off_session,
    "payment_method": string,
    "payment_method_data": fields({k: v for k, v in _METHOD.items() if k != "expand"}, ("type",)),
    "receipt_email": email,
    "return_url": string,
    "setup_future_usage": one_of("on_session", "off_session"),
    "shipping": _SHIPPING,
    "payment_method_types": _no_longer,
    "use_stripe_sdk": boolean,
}
_INTENT: dict[str, Kind] = {
    **_META,
    "allowed_payment_method_types": _CONFIRM["allowed_payment_method_types"],
    "amount": amount,
    "currency": currency,
    "customer": string,
    "description": string,
    "payment_method": string,
    "payment_method_data": _CONFIRM["payment_method_data"],
    "payment_method_types": _no_longer,
    "receipt_email": email,
    "setup_future_usage": _CONFIRM["setup_future_usage"],
    "shipping": _SHIPPING,
    "statement_descriptor": string,
    "statement_descriptor_suffix": string,
    "transfer_group": string,
}
_CREATE_INTENT: dict[str, Kind] = {
    **_CONFIRM,
    **_INTENT,
    "automatic_payment_methods": fields(
        {"allow_redirects": one_of("always", "never"), "enabled": boolean}, ("enabled",)
    ),
    "capture_method": one_of("automatic", "automatic_async", "manual"),
    "confirm": boolean,
    "confirmation_method": one_of("automatic", "manual"),
    "payment_method_options": _CARD_OPTIONS,
}
_CANCELED = one_of("duplicate", "fraudulent", "requested_by_customer", "abandoned")


def _get(kind: str, param: str = "id") -> Handler:
    """A row by its id; a deleted customer or product answers with its tombstone."""

    def handler(call: Call) -> Row:
        row = call.store.get(kind, call.path[0])
        if row is not None and "deleted" in row and kind == "customer":
            return row
        return call.find(kind, call.path[0], param)

    return handler


def _list(kind: str, path: str) -> Handler:
    return lambda call: listing.page(call, kind, path)


def _customer_methods(call: Call) -> Row:
    customer = call.find("customer", call.path[0])
    return listing.page(
        call, "payment_method", f"/v1/customers/{customer['id']}/payment_methods", customer=customer["id"]
    )


def _customer_method(call: Call) -> Row:
    row = call.find("payment_method", call.path[1])
    if row["customer"] != call.path[0]:
        raise no_such("payment_method", call.path[1], "payment_method")
    return row


def _payment_methods(call: Call) -> Row:
    if call.params.get("customer"):
        call.find("customer", call.params["customer"], "customer", 400)
    return listing.page(call, "payment_method", "/v1/payment_methods")


def _balance_transactions(call: Call) -> Row:
    params = call.params
    payout = call.referenced("payout", "payout")
    if payout is None:
        return listing.page(call, "balance_transaction", "/v1/balance_transactions")
    params.pop("payout")
    if payout["reconciliation_status"] != "completed":
        params["source"] = payout["id"]
    return listing.page(call, "balance_transaction", "/v1/balance_transactions", _payout=payout["id"])


def _charge_refunds(call: Call) -> Row:
    charge = call.find("charge", call.path[0])
    return listing.page(call, "refund", f"/v1/charges/{charge['id']}/refunds", charge=charge["id"])


def _update_payout(call: Call) -> Row:
    row = call.find("payout", call.path[0])
    return call.change(row, "payout.updated", metadata=merged(row, call.params))


def _events(call: Call) -> Row:
    if len(call.params.get("types") or ()) > EVENT_TYPES_MAX:
        raise invalid("types", f"You can filter by at most {EVENT_TYPES_MAX} event types.")
    if call.params.get("types") and call.params.get("type"):
        raise invalid("types", "You may only specify one of these parameters: type, types.")
    return listing.page(call, "event", "/v1/events")


def _event(call: Call) -> Row:
    row = call.find("event", call.path[0])
    if row["created"] < call.now - listing.EVENTS_WINDOW_SECONDS:
        raise no_such("event", row["id"])
    return row


def _balance(call: Call) -> Row:
    return settlement.balance(call.store)


def _account(call: Call) -> Row:
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
    account = _account(call)
    if call.path[0] != account["id"]:
        raise ApiError(
            403, f"The provided key does not have access to account '{call.path[0]}'.", code="account_invalid"
        )
    return account


_STRINGS = dict.fromkeys(("customer", "charge", "payment_intent", "product", "source", "payout", "type"), string)


def _filters(*names: str) -> dict[str, Kind]:
    return {**_DATED, **{name: _STRINGS[name] for name in names}}


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "account", _account, _EXPAND),
    Endpoint("GET", "accounts/*", _own_account, _EXPAND),
    Endpoint("GET", "balance", _balance, _EXPAND),
    Endpoint("GET", "customers", _list("customer", "/v1/customers"), {**_DATED, "email": string}),
    Endpoint("POST", "customers", catalogue.create_customer, {**_CUSTOMER, "payment_method": string}),
    Endpoint("GET", "customers/*", _get("customer"), _EXPAND),
    Endpoint("POST", "customers/*", catalogue.update_customer, _CUSTOMER),
    Endpoint("DELETE", "customers/*", catalogue.delete_customer, {}),
    Endpoint("GET", "customers/*/payment_methods", _customer_methods,
             {**_PAGE, "type": one_of("card"), "allow_redisplay": _REDISPLAY}),
    Endpoint("GET", "customers/*/payment_methods/*", _customer_method, _EXPAND),
    Endpoint("GET", "products", _list("product", "/v1/products"),
             {**_DATED, "active": boolean, "ids": array(string), "shippable": boolean, "url": string}),
    Endpoint("POST", "products", catalogue.create_product,
             {**_PRODUCT, "id": string, "default_price_data": fields(_PRICED, ("currency",))}, ("name",)),
    Endpoint("GET", "products/*", _get("product"), _EXPAND),
    Endpoint("POST", "products/*", catalogue.update_product, {**_PRODUCT, "default_price": string}),
    Endpoint("DELETE", "products/*", catalogue.delete_product, {}),
    Endpoint("GET", "prices", _list("price", "/v1/prices"),
             {**_filters("product"), "active": boolean, "currency": currency, "lookup_keys": array(string),
              "recurring": fields({"interval": string, "usage_type": string}),
              "type": one_of("one_time", "recurring")}),
    Endpoint("POST", "prices", catalogue.create_price,
             {**_PRICE, **_PRICED, "billing_scheme": one_of("per_unit"), "product": string,
              "product_data": _PRODUCT_DATA}, ("currency",)),
    Endpoint("GET", "prices/*", _get("price", "price"), _EXPAND),
    Endpoint("POST", "prices/*", catalogue.update_price, _PRICE),
    Endpoint("GET", "payment_methods", _payment_methods,
             {**_PAGE, "customer": string, "type": one_of("card"), "allow_redisplay": _REDISPLAY}),
    Endpoint("POST", "payment_methods", methods.create_payment_method, _METHOD, ("type",)),
    Endpoint("GET", "payment_methods/*", _get("payment_method", "payment_method"), _EXPAND),
    Endpoint("POST", "payment_methods/*", methods.update_payment_method,
             {**{k: v for k, v in _METHOD.items() if k != "type"},
              "card": fields({"exp_month": integer, "exp_year": integer})}),
    Endpoint("POST", "payment_methods/*/attach", methods.attach_payment_method,
             {**_EXPAND, "customer": string}, ("customer",)),
    Endpoint("POST", "payment_methods/*/detach", methods.detach_payment_method, _EXPAND),
    Endpoint("GET", "payment_intents", _list("payment_intent", "/v1/payment_intents"), _filters("customer")),
    Endpoint("POST", "payment_intents", payments.create_payment_intent, _CREATE_INTENT, ("amount", "currency")),
    Endpoint("GET", "payment_intents/*", _get("payment_intent", "intent"), {**_EXPAND, "client_secret": string}),
    Endpoint("POST", "payment_intents/*", payments.update_payment_intent, _INTENT),
    Endpoint("POST", "payment_intents/*/confirm", payments.confirm_payment_intent, _CONFIRM),
    Endpoint("POST", "payment_intents/*/capture", payments.capture_payment_intent,
             {**_META, "amount_to_capture": amount}),
    Endpoint("POST", "payment_intents/*/cancel", payments.cancel_payment_intent,
             {**_EXPAND, "cancellation_reason": _CANCELED}),
    Endpoint("GET", "charges", _list("charge", "/v1/charges"),
             {**_filters("customer", "payment_intent"), "transfer_group": string}),
    Endpoint("GET", "charges/*", _get("charge"), _EXPAND),
    Endpoint("POST", "charges/*", payments.update_charge,
             {**_META, "description": string, "receipt_email": email, "shipping": _SHIPPING, "transfer_group": string}),
    Endpoint("GET", "charges/*/refunds", _charge_refunds, _PAGE),
    Endpoint("GET", "refunds", _list("refund", "/v1/refunds"), _filters("charge", "payment_intent")),
    Endpoint("POST", "refunds", refunds.create_refund,
             {**_META, "amount": amount, "charge": string, "payment_intent": string,
              "reason": one_of("duplicate", "fraudulent", "requested_by_customer")}),
    Endpoint("GET", "refunds/*", _get("refund"), _EXPAND),
    Endpoint("POST", "refunds/*", refunds.update_refund, _META),
    Endpoint("POST", "refunds/*/cancel", refunds.cancel_refund, _EXPAND),
    Endpoint("GET", "disputes", _list("dispute", "/v1/disputes"), _filters("charge", "payment_intent")),
    Endpoint("GET", "disputes/*", _get("dispute"), _EXPAND),
    Endpoint("POST", "disputes/*", disputes.update_dispute,
             {**_META, "evidence": fields(dict.fromkeys(disputes.EVIDENCE, string)), "submit": boolean}),
    Endpoint("POST", "disputes/*/close", disputes.close_dispute, _EXPAND),
    Endpoint("GET", "balance_transactions", _balance_transactions,
             {**_filters("source", "payout", "type"), "currency": currency}),
    Endpoint("GET", "balance_transactions/*", _get("balance_transaction"), _EXPAND),
    Endpoint("GET", "balance/history", _balance_transactions,
             {**_filters("source", "payout", "type"), "currency": currency}),
    Endpoint("GET", "payouts", _list("payout", "/v1/payouts"),
             {**_DATED, "arrival_date": _RANGE, "destination": string, "status": string}),
    Endpoint("GET", "payouts/*", _get("payout"), _EXPAND),
    Endpoint("POST", "payouts/*", _update_payout, _META),
    Endpoint("GET", "events", _events, {**_DATED, "type": string, "types": array(string)}),
    Endpoint("GET", "events/*", _event, _EXPAND),
    Endpoint("GET", "webhook_endpoints", _list("webhook_endpoint", "/v1/webhook_endpoints"), _PAGE),
    Endpoint("POST", "webhook_endpoints", webhooks.create_endpoint,
             {**_META, "api_version": string, "description": string, "enabled_events": array(string), "url": url},
             ("enabled_events", "url")),
    Endpoint("GET", "webhook_endpoints/*", _get("webhook_endpoint"), _EXPAND),
    Endpoint("POST", "webhook_endpoints/*", webhooks.update_endpoint,
             {**_META, "description": string, "disabled": boolean, "enabled_events": array(string), "url": url}),
    Endpoint("DELETE", "webhook_endpoints/*", webhooks.delete_endpoint, {}),
)  # fmt: skip


_BY_SHAPE: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
for _endpoint in ENDPOINTS:
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
