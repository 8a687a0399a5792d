"""Prices: what a product costs, once or per interval."""

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get, listed
from payment_kit.sandbox.errors import missing
from payment_kit.sandbox.form import array, boolean, currency, fields, one_of, string
from payment_kit.sandbox.params import INTERVAL, PRICED, PRODUCT_DATA, TAX_BEHAVIOR
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import make
from payment_kit.sandbox.store import Row


def create_price(call: Call) -> Row:
    """POST /v1/prices, one-time or recurring, for a product or with `product_data` for a new one."""
    params = call.params
    product = call.referenced("product", "product")
    if product is None:
        if params.get("product_data") is None:
            raise missing("product")
        product = make.product(call, params["product_data"])
    return make.price(call, product, params)


def update_price(call: Call) -> Row:
    """POST /v1/prices/{id}: amounts never change."""
    row, params = call.find("price", call.path[0], "price"), call.params
    changes = {name: value for name, value in params.items() if name not in ("metadata", "expand")}
    if "lookup_key" in changes:
        make.free_lookup_key(call, changes["lookup_key"], row["id"])
    return call.change(row, "price.updated", **changes, metadata=merged(row, params))


_PRICE = {**META, "active": boolean, "lookup_key": string, "nickname": string, "tax_behavior": TAX_BEHAVIOR}
_FILTERS = {
    **filters("product"),
    "active": boolean,
    "currency": currency,
    "lookup_keys": array(string),
    "recurring": fields({"interval": string, "usage_type": string}),
    "type": one_of("one_time", "recurring"),
}
_RECURRING = fields({**INTERVAL, "usage_type": one_of("licensed")}, ("interval",))
_CREATE = {
    **_PRICE,
    **PRICED,
    "billing_scheme": one_of("per_unit"),
    "product": string,
    "product_data": PRODUCT_DATA,
    "recurring": _RECURRING,
}

ENDPOINTS = (
    Endpoint("GET", "prices", listed("price"), _FILTERS),
    Endpoint("POST", "prices", create_price, _CREATE, ("currency",)),
    Endpoint("GET", "prices/*", get("price", "price"), EXPAND),
    Endpoint("POST", "prices/*", update_price, _PRICE),
)
