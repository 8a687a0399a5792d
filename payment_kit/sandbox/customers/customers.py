"""Customers: made, changed and deleted as Stripe does it, metadata merged, "" unsetting."""

import re
from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.balance.exchange import DEFAULT_CURRENCY
from payment_kit.sandbox.billing import test_clocks
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.customers import balance, tax_ids
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.form import array, email, fields, integer, one_of, string
from payment_kit.sandbox.params import ADDRESS, REDISPLAY, SHIPPING
from payment_kit.sandbox.parts import address, merged, shipping
from payment_kit.sandbox.payments import methods
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row, Store

CUSTOM_FIELDS_MAX = 4
LENGTHS = {"email": 512, "name": 256, "phone": 20}
_INVOICE_SETTINGS = ("custom_fields", "default_payment_method", "footer", "rendering_options")
_OWN = ("address", "balance", "invoice_settings", "metadata", "shipping", "tax_exempt", "expand")


def create_customer(call: Call) -> Row:
    """POST /v1/customers"""
    params = call.params
    _checked(params)
    if params.get("test_clock"):
        test_clocks.follow(call, params["test_clock"])
    id_ = call.new_id("customer")
    row: Row = {
        "id": id_,
        "object": "customer",
        "address": address(params.get("address")),
        "balance": 0,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": params.get("description"),
        "discount": None,
        "email": params.get("email"),
        "invoice_prefix": params.get("invoice_prefix") or ids.text(8, "invoice_prefix", id_).upper(),
        "invoice_settings": dict.fromkeys(_INVOICE_SETTINGS),
        "livemode": False,
        "metadata": merged({}, params),
        "name": params.get("name"),
        "next_invoice_sequence": params.get("next_invoice_sequence", 1),
        "phone": params.get("phone"),
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": shipping(params.get("shipping")),
        "tax_exempt": params.get("tax_exempt") or "none",
        "test_clock": params.get("test_clock"),
    }
    call.add(row, "customer.created")
    if params.get("balance"):
        balance.adjust(call, row, params["balance"], DEFAULT_CURRENCY, "initial")
    for at, tax_id in enumerate(params.get("tax_id_data") or ()):
        tax_ids.add(call, row, tax_id["type"], tax_id["value"], f"tax_id_data[{at}][value]")
    if params.get("payment_method"):
        methods.attach(call, params["payment_method"], row)
    row = call.find("customer", id_)
    if params.get("invoice_settings"):
        return call.change(row, "customer.updated", invoice_settings=_invoice_settings(call, row))
    return row


def _checked(params: dict[str, Any]) -> None:
    for name, most in LENGTHS.items():
        if len(params.get(name) or "") > most:
            raise invalid(name, f"Invalid string: must be at most {most} characters.")
    prefix = params.get("invoice_prefix")
    if prefix is not None and not re.fullmatch("[A-Z0-9]{3,12}", prefix):
        raise invalid("invoice_prefix", "The invoice prefix must be 3 to 12 uppercase letters or numbers.")
    if params.get("next_invoice_sequence", 1) < 1:
        raise invalid("next_invoice_sequence", "This value must be greater than or equal to 1.")
    if len((params.get("invoice_settings") or {}).get("custom_fields") or ()) > CUSTOM_FIELDS_MAX:
        raise invalid("invoice_settings[custom_fields]", f"There can be at most {CUSTOM_FIELDS_MAX} custom fields.")


def _invoice_settings(call: Call, row: Row) -> Row:
    """The settings after the call; the default payment method has to be attached to this customer already."""
    settings = {**row["invoice_settings"], **(call.params["invoice_settings"] or {})}
    settings["custom_fields"] = settings["custom_fields"] or None
    if settings["rendering_options"] is not None:
        settings["rendering_options"] = {"amount_tax_display": None, "template": None, **settings["rendering_options"]}
    method = settings["default_payment_method"]
    if method is not None:
        param = "invoice_settings[default_payment_method]"
        if call.find("payment_method", method, param, 400)["customer"] != row["id"]:
            raise ApiError(400, "The customer does not have a payment method with this ID attached.", param=param)
    return settings


def update_customer(call: Call) -> Row:
    """POST /v1/customers/{id}; a new `balance` is a transaction over the difference."""
    row, params = call.find("customer", call.path[0]), call.params
    _checked(params)
    if "balance" in params and params["balance"] != row["balance"]:
        currency = row["currency"] or DEFAULT_CURRENCY
        balance.adjust(call, row, params["balance"] - row["balance"], currency, "adjustment")
        row = call.find("customer", row["id"])
    changes = {name: value for name, value in params.items() if name not in _OWN}
    changes["metadata"] = merged(row, params)
    if "address" in params:
        changes["address"] = address(params["address"])
    if "shipping" in params:
        changes["shipping"] = shipping(params["shipping"])
    if "tax_exempt" in params:
        changes["tax_exempt"] = params["tax_exempt"] or "none"
    if "invoice_settings" in params:
        changes["invoice_settings"] = _invoice_settings(call, row)
    return call.change(row, "customer.updated", **changes)


def delete_customer(call: Call) -> Row:
    """DELETE /v1/customers/{id}: payment methods are detached, its discount and tax ids go, a tombstone stays.

    Its subscriptions end where subscriptions listen to ``customer.deleted``.
    """
    row = call.find("customer", call.path[0])
    for method in call.store.tables["payment_method"].having("customer", row["id"]):
        call.change(method, "payment_method.detached", customer=None)
    for discount in discounts.held(call.store, [row["discount"]["id"]] if row["discount"] else []):
        discounts.drop(call, discount)
    for tax_id in tax_ids.of(call.store, row["id"]):
        tax_ids.remove(call, tax_id)
    call.emit("customer.deleted", row)
    return call.add({"id": row["id"], "object": "customer", "deleted": True})


def _customers(call: Call) -> Row:
    """GET /v1/customers; those of a test clock are listed with `test_clock` only."""
    fixed = {} if call.params.get("test_clock") else {"test_clock": None}
    return listing.page(call, "customer", "/v1/customers", **fixed)


def _payment_methods(call: Call) -> Row:
    """GET /v1/customers/{id}/payment_methods"""
    customer = call.find("customer", call.path[0])
    url = f"/v1/customers/{customer['id']}/payment_methods"
    return listing.page(call, "payment_method", url, customer=customer["id"])


def _payment_method(call: Call) -> Row:
    """GET /v1/customers/{id}/payment_methods/{id}"""
    row = call.find("payment_method", call.path[1])
    if row["customer"] != call.path[0]:
        raise no_such("payment_method", call.path[1], "payment_method")
    return row


def get_discount(call: Call) -> Row:
    """GET /v1/customers/{id}/discount"""
    row = call.find("customer", call.path[0])
    if row["discount"] is None:
        raise ApiError(404, f"No active discount for customer: {row['id']}", code="resource_missing")
    return call.find("discount", row["discount"]["id"])


def delete_discount(call: Call) -> Row:
    """DELETE /v1/customers/{id}/discount"""
    tombstone = discounts.drop(call, get_discount(call))
    call.change(call.find("customer", call.path[0]), "customer.updated", discount=None)
    return tombstone


def _subscriptions(store: Store, row: Row) -> Row:
    """What a customer is subscribed to now, newest first."""
    held = store.tables["subscription"].having("customer", row["id"])
    current = [one for one in held[::-1] if one["status"] not in ("canceled", "incomplete_expired")]
    return listing.nested(current, f"/v1/customers/{row['id']}/subscriptions")


def _sources(store: Store, row: Row) -> Row:
    return listing.nested([], f"/v1/customers/{row['id']}/sources")


_CUSTOM_FIELD = fields({"name": string, "value": string}, ("name", "value"))
_RENDERING = fields({"amount_tax_display": one_of("exclude_tax", "include_inclusive_tax"), "template": string})
_CUSTOMER = {
    **META,
    "address": ADDRESS,
    "balance": integer,
    "description": string,
    "email": email,
    "invoice_prefix": string,
    "invoice_settings": fields(
        {
            "custom_fields": array(_CUSTOM_FIELD),
            "default_payment_method": string,
            "footer": string,
            "rendering_options": _RENDERING,
        }
    ),
    "name": string,
    "next_invoice_sequence": integer,
    "phone": string,
    "preferred_locales": array(string),
    "shipping": SHIPPING,
    "tax_exempt": one_of("none", "exempt", "reverse"),
}
_TAX_IDS = array(fields(tax_ids.DATA, ("type", "value")))
_METHODS = {**PAGE, "type": one_of(*methods.TYPES), "allow_redisplay": REDISPLAY}

INCLUDES = {("customer", "sources"): _sources, ("customer", "subscriptions"): _subscriptions}
ENDPOINTS = (
    Endpoint("GET", "customers", _customers, {**DATED, "email": string, "test_clock": string}),
    Endpoint("POST", "customers", create_customer,
             {**_CUSTOMER, "payment_method": string, "tax_id_data": _TAX_IDS, "test_clock": string}),
    Endpoint("GET", "customers/*", get("customer", deleted=True), EXPAND),
    Endpoint("POST", "customers/*", update_customer, _CUSTOMER),
    Endpoint("DELETE", "customers/*", delete_customer, {}),
    Endpoint("GET", "customers/*/discount", get_discount, EXPAND),
    Endpoint("DELETE", "customers/*/discount", delete_discount, {}),
    Endpoint("GET", "customers/*/payment_methods", _payment_methods, _METHODS),
    Endpoint("GET", "customers/*/payment_methods/*", _payment_method, EXPAND),
)  # fmt: skip
