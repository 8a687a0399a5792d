"""Prices: what a product costs, once or per interval, per unit or in tiers, in one currency or several."""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import array, boolean, currency, fields, one_of, string
from payment_kit.sandbox.params import PRICED, PRODUCT_DATA, TAX_BEHAVIOR
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import make, price_terms
from payment_kit.sandbox.store import Row, Store

LOOKUP_KEYS_MAX = 10
_NOT_FIELDS = ("metadata", "expand", "currency_options", "transfer_lookup_key")


def create_price(call: Call) -> Row:
    """POST /v1/prices, one-time or recurring, for a product or with `product_data` for a new one."""
    params = call.params
    product = call.referenced("product", "product")
    if product is not None and params.get("product_data") is not None:
        raise invalid("product_data", "You may only specify one of these parameters: product, product_data.")
    if product is None:
        if params.get("product_data") is None:
            raise missing("product")
        product = make.product(call, params["product_data"])
    return make.price(call, product, params)


def update_price(call: Call) -> Row:
    """POST /v1/prices/{id}: amounts never change, but there can be more currencies."""
    row, params = call.find("price", call.path[0], "price"), call.params
    changes: dict[str, Any] = {name: value for name, value in params.items() if name not in _NOT_FIELDS}
    if "lookup_key" in changes:
        make.free_lookup_key(call, params, row["id"])
    if changes.get("active") is False:
        _archivable(call, row)
    if "tax_behavior" in changes:
        changes["tax_behavior"] = changes["tax_behavior"] or "unspecified"
        if row["tax_behavior"] not in ("unspecified", changes["tax_behavior"]):
            raise invalid("tax_behavior", "Once a price is inclusive or exclusive of tax, that cannot be changed.")
    if "currency_options" in params:
        given = params["currency_options"]
        if given is None:
            _removable(call, row)
        more = price_terms.options(given, row["currency"], row["billing_scheme"] == "tiered")
        changes["_currency_options"] = {} if given is None else {**(row.get("_currency_options") or {}), **more}
    return call.change(row, "price.updated", **changes, metadata=merged(row, params))


def _removable(call: Call, row: Row) -> None:
    """Raises 400 when the currency options are to go, and subscriptions are billed by them."""
    for item in call.store.tables["subscription_item"].having("_price", row["id"]):
        subscription = call.store.get("subscription", item["subscription"])
        if subscription is not None and subscription["currency"] != row["currency"]:
            message = f"The price cannot lose its currency options: {subscription['id']} is billed by them."
            raise invalid("currency_options", message)


def _archivable(call: Call, row: Row) -> None:
    product = call.store.get("product", row["product"])
    if product is not None and product.get("default_price") == row["id"]:
        raise ApiError(400, "This price cannot be archived because it is the default price of its product.")


def _prices(call: Call) -> Row:
    """GET /v1/prices: "your active prices, excluding inline prices. For the list of inactive prices, set active to
    false."
    """
    if len(call.params.get("lookup_keys") or ()) > LOOKUP_KEYS_MAX:
        raise invalid("lookup_keys", f"Invalid array: at most {LOOKUP_KEYS_MAX} lookup keys at once.")
    params = {"active": True, **call.params}
    if len(params.get("lookup_keys") or ()) == 1:  # there is an index for one
        params["lookup_key"] = params.pop("lookup_keys")[0]
    return listing.page(call.part(**params), "price", "/v1/prices", _inline=None)


def _tiers(store: Store, row: Row) -> list[Row] | None:
    return (store.get("price", row["id"]) or {}).get("_tiers")


def _currency_options(store: Store, row: Row) -> dict[str, Row]:
    return price_terms.shown(store.get("price", row["id"]) or row)


_PRICE = {
    **META,
    "active": boolean,
    "currency_options": price_terms.OPTIONS,
    "lookup_key": string,
    "nickname": string,
    "tax_behavior": TAX_BEHAVIOR,
    "transfer_lookup_key": boolean,
}
_FILTERS = {
    **filters("product"),
    "active": boolean,
    "currency": currency,
    "lookup_keys": array(string),
    "recurring": fields(
        {
            "interval": one_of("day", "week", "month", "year"),
            "meter": string,
            "usage_type": one_of("licensed", "metered"),
        }
    ),
    "type": one_of("one_time", "recurring"),
}
_CREATE = {
    **_PRICE,
    **PRICED,
    "billing_scheme": one_of("per_unit", "tiered"),
    "custom_unit_amount": price_terms.CUSTOM,
    "product": string,
    "product_data": PRODUCT_DATA,
    "recurring": price_terms.RECURRING,
    "tiers": price_terms.TIERS,
    "tiers_mode": one_of("graduated", "volume"),
    "transform_quantity": price_terms.TRANSFORM,
}

INCLUDES = {("price", "tiers"): _tiers, ("price", "currency_options"): _currency_options}
ENDPOINTS = (
    Endpoint("GET", "prices", _prices, _FILTERS),
    Endpoint("POST", "prices", create_price, _CREATE, ("currency",)),
    Endpoint("GET", "prices/*", get("price", "price"), EXPAND),
    Endpoint("POST", "prices/*", update_price, _PRICE),
)
