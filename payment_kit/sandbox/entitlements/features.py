"""Features: what a product lets its buyer do; and their attachment to products.

By docs.stripe.com/billing/entitlements. No event tells of a feature or of its attachment; what follows from them for
customers is told by `active`.
"""

from payment_kit.sandbox import listing
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.entitlements import active
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.form import boolean, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.store import Row

FEATURE, ATTACHED = "entitlements.feature", "product_feature"
TEXT_MAX = 80  # docs.stripe.com/api/entitlements/feature: name and lookup_key "up to 80 characters"


def create_feature(call: Call) -> Row:
    """POST /v1/entitlements/features; its lookup key belongs to no other feature that is not archived."""
    params = call.params
    for name in ("lookup_key", "name"):
        _short(name, params[name])
    key = params["lookup_key"]
    if any(row["active"] for row in call.store.tables[FEATURE].having("lookup_key", key)):
        raise invalid("lookup_key", f"A feature with lookup_key {key} already exists.", "resource_already_exists")
    row: Row = {
        "id": call.new_id(FEATURE),
        "object": FEATURE,
        "active": True,
        "livemode": False,
        "lookup_key": key,
        "metadata": merged({}, params),
        "name": params["name"],
    }
    return call.add(row)


def update_feature(call: Call) -> Row:
    """POST /v1/entitlements/features/{id}; an archived feature stays as it is."""
    row, params = call.find(FEATURE, call.path[0], "feature"), call.params
    if not row["active"]:
        raise ApiError(400, f"Feature {row['id']} is archived and cannot be updated.")
    if "name" in params:
        _short("name", params["name"])
    changes = {name: params[name] for name in ("active", "name") if params.get(name) is not None}
    row = call.change(row, **changes, metadata=merged(row, params))
    for attached in call.store.tables[ATTACHED].having("_feature", row["id"]):
        call.change(attached, entitlement_feature=public(row))
    return row


def attach(call: Call) -> Row:
    """POST /v1/products/{id}/features"""
    product = call.find("product", call.path[0], "product")
    feature = call.find(FEATURE, call.params["entitlement_feature"], "entitlement_feature", 400)
    if not feature["active"]:
        raise invalid("entitlement_feature", f"Feature {feature['id']} is archived and cannot be attached.")
    if any(row["_feature"] == feature["id"] for row in active.attached(call.store, product["id"])):
        message = f"Feature {feature['id']} is already attached to product {product['id']}."
        raise invalid("entitlement_feature", message, "resource_already_exists")
    row: Row = {
        "id": call.new_id(ATTACHED),
        "object": ATTACHED,
        "entitlement_feature": public(feature),
        "livemode": False,
        "_feature": feature["id"],
        "_product": product["id"],
    }
    call.add(row)
    active.product_changed(call, product["id"])
    return row


def detach(call: Call) -> Row:
    """DELETE /v1/products/{id}/features/{id}"""
    row = _attached(call)
    gone = call.add({"id": row["id"], "object": ATTACHED, "deleted": True})
    active.product_changed(call, row["_product"])
    return gone


def product_deleted(call: Call, product: Row) -> None:
    """What was attached to a product goes with it; nobody is subscribed to it, for it has no prices."""
    for row in active.attached(call.store, product["id"]):
        call.add({"id": row["id"], "object": ATTACHED, "deleted": True})


def _attached(call: Call) -> Row:
    """GET /v1/products/{id}/features/{id}"""
    call.find("product", call.path[0], "product")
    row = call.find(ATTACHED, call.path[1])
    if row["_product"] != call.path[0]:
        raise no_such(ATTACHED, call.path[1])
    return row


def _all_attached(call: Call) -> Row:
    """GET /v1/products/{id}/features"""
    product = call.find("product", call.path[0], "product")["id"]
    return listing.page(call, ATTACHED, f"/v1/products/{product}/features", _product=product)


def _features(call: Call) -> Row:
    """GET /v1/entitlements/features: "inactive features … will not be returned", unless `archived` asks for them."""
    archived = call.params.pop("archived", None) or False
    return listing.page(call, FEATURE, "/v1/entitlements/features", active=not archived)


def _short(name: str, value: str | None) -> None:
    if not value:
        raise invalid(name, f"You cannot unset '{name}'.", "parameter_invalid_empty")
    if len(value) > TEXT_MAX:
        raise invalid(name, f"Invalid {name}: must be at most {TEXT_MAX} characters.")


_LISTED = {**PAGE, "archived": boolean, "lookup_key": string}

ENDPOINTS = (
    Endpoint("GET", "entitlements/features", _features, _LISTED),
    Endpoint("POST", "entitlements/features", create_feature,
             {**META, "lookup_key": string, "name": string}, ("lookup_key", "name")),
    Endpoint("GET", "entitlements/features/*", get(FEATURE, "feature"), EXPAND),
    Endpoint("POST", "entitlements/features/*", update_feature, {**META, "active": boolean, "name": string}),
    Endpoint("GET", "products/*/features", _all_attached, PAGE),
    Endpoint("POST", "products/*/features", attach, {**EXPAND, "entitlement_feature": string},
             ("entitlement_feature",)),
    Endpoint("GET", "products/*/features/*", _attached, EXPAND),
    Endpoint("DELETE", "products/*/features/*", detach, {}),
)  # fmt: skip
LISTENERS = {"product.deleted": product_deleted}
