"""Products: what is sold."""

from decimal import Decimal
from typing import Any

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import array, boolean, decimal, fields, string, url
from payment_kit.sandbox.params import PRICED
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import make, price_terms
from payment_kit.sandbox.store import Row


def create_product(call: Call) -> Row:
    """POST /v1/products, with `default_price_data` also its first price."""
    row, data = make.product(call, call.params), call.params.get("default_price_data")
    if not data:
        return row
    price = make.price(call, row, data, "default_price_data")
    return call.change(row, "product.updated", default_price=price["id"])


def update_product(call: Call) -> Row:
    """POST /v1/products/{id}; `updated` moves with every change."""
    row, params = call.find("product", call.path[0]), call.params
    make.fitting(params)
    if (
        params.get("default_price")
        and call.find("price", params["default_price"], "default_price", 400)["product"] != row["id"]
    ):
        raise invalid("default_price", "The price does not belong to this product.")
    if "name" in params and params["name"] is None:
        raise invalid("name", "You cannot unset 'name'.", "parameter_invalid_empty")
    changes = {name: value for name, value in params.items() if name not in ("metadata", "expand")}
    changes["metadata"] = merged(row, params)
    if any(row.get(name) != value for name, value in changes.items()):
        changes["updated"] = call.now
    return call.change(row, "product.updated", **changes)


def delete_product(call: Call) -> Row:
    """DELETE /v1/products/{id}: refused as soon as it has prices."""
    row = call.find("product", call.path[0])
    if call.store.tables["price"].matching("product", row["id"]):
        raise ApiError(400, "This product cannot be deleted because it has one or more user-created prices.")
    call.emit("product.deleted", row)
    return call.add({"id": row["id"], "object": "product", "deleted": True})


def _measure(raw: Any, path: str) -> int | float:
    """A length in inches or a weight in ounces: a positive number, "maximum precision is 2 decimal places"."""
    value = Decimal(decimal(raw, path))
    if value <= 0 or value != round(value, 2):
        raise invalid(path, "Package dimensions are positive numbers with at most 2 decimal places.")
    return int(value) if value == int(value) else float(value)


_SIDES = ("height", "length", "weight", "width")
_PRODUCT = {
    **META,
    "active": boolean,
    "description": string,
    "images": array(url),
    "marketing_features": array(fields({"name": string}, ("name",))),
    "name": string,
    "package_dimensions": fields(dict.fromkeys(_SIDES, _measure), _SIDES),
    "shippable": boolean,
    "statement_descriptor": string,
    "tax_code": string,
    "unit_label": string,
    "url": url,
}
_FILTERS = {**DATED, "active": boolean, "ids": array(string), "shippable": boolean, "url": string}
_DEFAULT_PRICE = fields(
    {**PRICED, "currency_options": price_terms.OPTIONS, "custom_unit_amount": price_terms.CUSTOM}, ("currency",)
)

ENDPOINTS = (
    Endpoint("GET", "products", listed("product"), _FILTERS),
    Endpoint("POST", "products", create_product,
             {**_PRODUCT, "id": string, "default_price_data": _DEFAULT_PRICE}, ("name",)),
    Endpoint("GET", "products/*", get("product"), EXPAND),
    Endpoint("POST", "products/*", update_product, {**_PRODUCT, "default_price": string}),
    Endpoint("DELETE", "products/*", delete_product, {}),
)  # fmt: skip
