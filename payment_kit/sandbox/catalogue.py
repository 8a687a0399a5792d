"""Customers, products and prices: made, changed and deleted as Stripe does it, metadata merged, "" unsetting."""

from typing import Any

from payment_kit.money import exponent
from payment_kit.sandbox import ids, methods
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.parts import address, merged, shipping
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
    table = call.store.tables["payment_method"]
    for at in table.matching("customer", row["id"]):
        method = table.rows[table.order[at]]
        call.change(method, "payment_method.detached", customer=None)
    call.emit("customer.deleted", row)
    return call.add({"id": row["id"], "object": "customer", "deleted": True})


def create_product(call: Call) -> Row:
    """POST /v1/products, with `default_price_data` also its first price."""
    params = call.params
    id_ = params.get("id") or call.new_id("product")
    if call.store.get("product", id_) is not None:
        raise ApiError(400, f"Product already exists: {id_}", code="resource_already_exists", param="id")
    row: Row = {
        "id": id_,
        "object": "product",
        "active": params.get("active", True),
        "created": call.now,
        "default_price": None,
        "description": params.get("description"),
        "images": params.get("images", []),
        "livemode": False,
        "marketing_features": params.get("marketing_features", []),
        "metadata": merged({}, params),
        "name": params["name"],
        "package_dimensions": None,
        "shippable": params.get("shippable"),
        "statement_descriptor": params.get("statement_descriptor"),
        "tax_code": params.get("tax_code"),
        "type": "service",
        "unit_label": params.get("unit_label"),
        "updated": call.now,
        "url": params.get("url"),
    }
    call.add(row, "product.created")
    if params.get("default_price_data"):
        price = _price(call, row, params["default_price_data"], "default_price_data")
        return call.change(row, "product.updated", default_price=price["id"])
    return row


def update_product(call: Call) -> Row:
    """POST /v1/products/{id}; `updated` moves with every change."""
    row, params = call.find("product", call.path[0]), call.params
    if (
        params.get("default_price")
        and call.find("price", params["default_price"], "default_price", 400)["product"] != row["id"]
    ):
        raise invalid("default_price", "The price does not belong to this product.")
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


def create_price(call: Call) -> Row:
    """POST /v1/prices, one-time or recurring, for a product or with `product_data` for a new one."""
    params = call.params
    product = call.referenced("product", "product")
    if product is None:
        data = params.get("product_data")
        if data is None:
            raise missing("product")
        product = create_product(_part(call, data))
    return _price(call, product, params, "")


def _part(call: Call, params: dict[str, Any]) -> Call:
    return Call(call.store, call.source, request_id=call.request_id, key=call.key, params=params)


def _price(call: Call, product: Row, params: dict[str, Any], inside: str) -> Row:
    decimal, unit_amount = params.get("unit_amount_decimal"), params.get("unit_amount")
    if (decimal is None) == (unit_amount is None):
        param = f"{inside}[unit_amount]" if inside else "unit_amount"
        raise (
            missing(param)
            if decimal is None
            else invalid(param, "Specify only one of unit_amount and unit_amount_decimal.")
        )
    if decimal is not None and "." not in decimal:
        unit_amount = int(decimal)
    if unit_amount is not None and exponent(params["currency"]) == 3 and unit_amount % 10:
        raise invalid("unit_amount", "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    recurring = params.get("recurring")
    row: Row = {
        "id": call.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": params["currency"],
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": _free_lookup_key(call, params.get("lookup_key")),
        "metadata": merged({}, params),
        "nickname": params.get("nickname"),
        "product": product["id"],
        "recurring": recurring
        and {
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "usage_type": recurring.get("usage_type") or "licensed",
        },
        "tax_behavior": params.get("tax_behavior") or "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": decimal if decimal is not None else str(unit_amount),
    }
    return call.add(row, "price.created")


def _free_lookup_key(call: Call, key: str | None, owner: str = "") -> str | None:
    if key is not None and any(row["lookup_key"] == key and row["id"] != owner for row in call.store.rows("price")):
        raise ApiError(400, f"A price already uses the lookup key {key}.", param="lookup_key")
    return key


def update_price(call: Call) -> Row:
    """POST /v1/prices/{id}: amounts never change."""
    row, params = call.find("price", call.path[0], "price"), call.params
    changes = {name: value for name, value in params.items() if name not in ("metadata", "expand")}
    if "lookup_key" in changes:
        _free_lookup_key(call, changes["lookup_key"], row["id"])
    return call.change(row, "price.updated", **changes, metadata=merged(row, params))
