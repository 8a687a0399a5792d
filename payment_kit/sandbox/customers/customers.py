"""Customers: made, changed and deleted as Stripe does it, metadata merged, "" unsetting."""

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, PAGE, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, no_such
from payment_kit.sandbox.form import array, email, fields, integer, one_of, string
from payment_kit.sandbox.params import ADDRESS, REDISPLAY, SHIPPING
from payment_kit.sandbox.parts import address, merged, shipping
from payment_kit.sandbox.payments import methods
from payment_kit.sandbox.store import Row

_INVOICE_SETTINGS = ("custom_fields", "default_payment_method", "footer", "rendering_options")


def create_customer(call: Call) -> Row:
    """POST /v1/customers"""
    params = call.params
    id_ = call.new_id("customer")
    row: Row = {
        "id": id_,
        "object": "customer",
        "address": address(params.get("address")),
        "balance": params.get("balance", 0),
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
        "next_invoice_sequence": 1,
        "phone": params.get("phone"),
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": shipping(params.get("shipping")),
        "tax_exempt": params.get("tax_exempt") or "none",
        "test_clock": None,
    }
    call.add(row, "customer.created")
    if params.get("payment_method"):
        methods.attach(call, params["payment_method"], row)
    if params.get("invoice_settings"):
        return call.change(row, "customer.updated", invoice_settings=_invoice_settings(call, row))
    return row


def _invoice_settings(call: Call, row: Row) -> Row:
    """The settings after the call; the default payment method has to be attached to this customer already."""
    settings = {**row["invoice_settings"], **(call.params["invoice_settings"] or {})}
    method = settings["default_payment_method"]
    if method is not None:
        param = "invoice_settings[default_payment_method]"
        if call.find("payment_method", method, param, 400)["customer"] != row["id"]:
            raise ApiError(400, "The customer does not have a payment method with this ID attached.", param=param)
    return settings


def update_customer(call: Call) -> Row:
    """POST /v1/customers/{id}"""
    row, params = call.find("customer", call.path[0]), call.params
    changes = {name: value for name, value in params.items() if name not in ("metadata", "expand")}
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
    """DELETE /v1/customers/{id}: payment methods are detached, a tombstone stays."""
    row = call.find("customer", call.path[0])
    for method in call.store.tables["payment_method"].having("customer", row["id"]):
        call.change(method, "payment_method.detached", customer=None)
    call.emit("customer.deleted", row)
    return call.add({"id": row["id"], "object": "customer", "deleted": True})


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


_CUSTOMER = {
    **META,
    "address": ADDRESS,
    "balance": integer,
    "description": string,
    "email": email,
    "invoice_prefix": string,
    "invoice_settings": fields({"default_payment_method": string, "footer": string}),
    "name": string,
    "phone": string,
    "preferred_locales": array(string),
    "shipping": SHIPPING,
    "tax_exempt": one_of("none", "exempt", "reverse"),
}
_METHODS = {**PAGE, "type": one_of("card"), "allow_redisplay": REDISPLAY}

ENDPOINTS = (
    Endpoint("GET", "customers", listed("customer"), {**DATED, "email": string}),
    Endpoint("POST", "customers", create_customer, {**_CUSTOMER, "payment_method": string}),
    Endpoint("GET", "customers/*", get("customer", deleted=True), EXPAND),
    Endpoint("POST", "customers/*", update_customer, _CUSTOMER),
    Endpoint("DELETE", "customers/*", delete_customer, {}),
    Endpoint("GET", "customers/*/payment_methods", _payment_methods, _METHODS),
    Endpoint("GET", "customers/*/payment_methods/*", _payment_method, EXPAND),
)
