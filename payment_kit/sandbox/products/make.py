"""How a product and a price come to be: each can be made together with the other."""

from typing import Any

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import price_terms
from payment_kit.sandbox.store import Row

LOOKUP_KEY_MAX = 200
IMAGES_MAX, FEATURES_MAX = 8, 15
LENGTHS = {"statement_descriptor": 22, "unit_label": 12, "description": 40_000}


def product(call: Call, params: dict[str, Any]) -> Row:
    """A new product from the parameters of its own endpoint or of ``product_data``."""
    fitting(params)
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
        "package_dimensions": params.get("package_dimensions"),
        "shippable": params.get("shippable"),
        "statement_descriptor": params.get("statement_descriptor"),
        "tax_code": params.get("tax_code"),
        "type": "service",
        "unit_label": params.get("unit_label"),
        "updated": call.now,
        "url": params.get("url"),
    }
    return call.add(row, "product.created")


def fitting(params: dict[str, Any]) -> None:
    """Raises 400 for what is too long, or too much, for a product."""
    for name, most in LENGTHS.items():
        if len(params.get(name) or "") > most:
            raise invalid(name, f"Invalid string: must be at most {most} characters.")
    for name, most in (("images", IMAGES_MAX), ("marketing_features", FEATURES_MAX)):
        if len(params.get(name) or ()) > most:
            raise invalid(name, f"Invalid array: {name} has at most {most} entries.")
    if set(params.get("statement_descriptor") or "") & set("<>\\\"'"):
        raise invalid("statement_descriptor", "The statement descriptor may not contain <, >, \\, \" or '.")


def price(call: Call, product: Row, params: dict[str, Any], inside: str = "") -> Row:
    """A new price of `product` from the parameters of its own endpoint or of the hash named `inside`.

    One made by a ``price_data`` inside something else is inline: no list of prices has it.
    """
    tiered = params.get("billing_scheme") == "tiered"
    currency = params["currency"]
    cost = price_terms.terms(params, currency, tiered, inside)
    recurring = price_terms.recurring(call, params.get("recurring"), inside)
    if cost.custom_unit_amount is not None and recurring is not None:
        raise invalid("custom_unit_amount", "custom_unit_amount is for one-time prices only.")
    if tiered != (params.get("tiers_mode") is not None):
        message = "tiers_mode is required for, and only for, prices whose billing_scheme is tiered."
        raise invalid("tiers_mode", message, "parameter_missing" if tiered else None)
    row: Row = {
        "id": call.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "tiered" if tiered else "per_unit",
        "created": call.now,
        "currency": currency,
        "custom_unit_amount": cost.custom_unit_amount,
        "livemode": False,
        "lookup_key": free_lookup_key(call, params),
        "metadata": merged({}, params),
        "nickname": params.get("nickname"),
        "product": product["id"],
        "recurring": recurring,
        "tax_behavior": params.get("tax_behavior") or "unspecified",
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": price_terms.transform(params.get("transform_quantity"), tiered),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": cost.unit_amount,
        "unit_amount_decimal": cost.unit_amount_decimal,
    }
    private: Row = {}
    if cost.tiers is not None:
        private["_tiers"] = cost.tiers
    if params.get("currency_options"):
        path = f"{inside}[currency_options]" if inside else "currency_options"
        private["_currency_options"] = price_terms.options(params["currency_options"], currency, tiered, path)
    if inside.endswith("[price_data]") or inside == "price_data":
        private["_inline"] = True
    return call.add(row | private, "price.created")


def free_lookup_key(call: Call, params: dict[str, Any], owner: str = "") -> str | None:
    """The asked lookup key, which no other price may use; `transfer_lookup_key` takes it away from that one."""
    key: str | None = params.get("lookup_key")
    if key is None:
        return None
    if len(key) > LOOKUP_KEY_MAX:
        raise invalid("lookup_key", f"Invalid string: must be at most {LOOKUP_KEY_MAX} characters.")
    for other in call.store.tables["price"].having("lookup_key", key):
        if other["id"] == owner:
            continue
        if not params.get("transfer_lookup_key"):
            message = f"A price (`{other['id']}`) already uses that lookup key."
            raise ApiError(400, message, code="resource_already_exists", param="lookup_key")
        call.change(other, "price.updated", lookup_key=None)
    return key
