"""How a product and a price come to be: each can be made together with the other."""

from typing import Any

from payment_kit.money import exponent
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row


def product(call: Call, params: dict[str, Any]) -> Row:
    """A new product from the parameters of its own endpoint or of ``product_data``."""
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
    return call.add(row, "product.created")


def price(call: Call, product: Row, params: dict[str, Any], inside: str = "") -> Row:
    """A new price of `product` from the parameters of its own endpoint or of the hash named `inside`."""
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
        "lookup_key": free_lookup_key(call, params.get("lookup_key")),
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


def free_lookup_key(call: Call, key: str | None, owner: str = "") -> str | None:
    """`key`, which no other price may use."""
    if key is not None and any(row["lookup_key"] == key and row["id"] != owner for row in call.store.rows("price")):
        raise ApiError(400, f"A price already uses the lookup key {key}.", param="lookup_key")
    return key
