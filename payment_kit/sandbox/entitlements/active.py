"""Active entitlements: the features a customer has by the products he is subscribed to.

They follow from his subscriptions and from the features of their products, and are worked out anew whenever one of
these changes; a change of the set is told by one ``entitlements.active_entitlement_summary.updated``.
"""

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import subscription_rows
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, PAGE, Endpoint, get
from payment_kit.sandbox.form import string
from payment_kit.sandbox.store import Row, Store

ENTITLEMENT = "entitlements.active_entitlement"
SUMMARY = "entitlements.active_entitlement_summary"
# Stripe tells to revoke access when a subscription is canceled or unpaid; in arrears it is still provisioned
# (docs.stripe.com/billing/subscriptions/overview#subscription-statuses)
GRANTING = ("active", "past_due", "trialing")


def attached(store: Store, product: str) -> list[Row]:
    """The attachments of features to a product, oldest first."""
    return store.tables["product_feature"].having("_product", product)


def subscription_changed(call: Call, row: Row) -> None:
    """A subscription began, changed or ended."""
    if call.store.tables["product_feature"].rows:
        _renew(call, row["customer"], row.get("_clock"))


def product_changed(call: Call, product: str) -> None:
    """A product gained or lost a feature: so may everybody who is subscribed to it."""
    tables = call.store.tables
    subscribed: dict[str, str | None] = {}
    for price in tables["price"].having("product", product):
        for item in tables["subscription_item"].having("_price", price["id"]):
            subscription = tables["subscription"].rows[item["subscription"]]
            subscribed[subscription["customer"]] = subscription.get("_clock")
    for customer, clock in subscribed.items():
        _renew(call, customer, clock)


def _renew(call: Call, customer: str, clock: str | None) -> None:
    """Bring a customer's entitlements up to date, by the time he lives in; tells of it when they differ."""
    store, before = call.store, call.clock
    held = {row["feature"]: row for row in store.tables[ENTITLEMENT].having("_customer", customer)}
    wanted = _wanted(store, customer)
    if held.keys() == wanted.keys():
        return
    was = _list(store, customer)["data"]
    call.clock = clock
    for feature, row in held.items():
        if feature not in wanted:
            store.put({"id": row["id"], "object": ENTITLEMENT, "deleted": True})
    for feature, key in wanted.items():
        if feature not in held:
            call.add(
                {
                    "id": call.new_id(ENTITLEMENT),
                    "object": ENTITLEMENT,
                    "feature": feature,
                    "livemode": False,
                    "lookup_key": key,
                    "_customer": customer,
                }
            )
    summary = {
        "object": SUMMARY,
        "customer": customer,
        "entitlements": _list(store, customer),
        "livemode": False,
    }
    call.emit(f"{SUMMARY}.updated", summary, {"entitlements": {"data": was}})
    call.clock = before


def _wanted(store: Store, customer: str) -> dict[str, str]:
    """The lookup keys of the features he should have, by their ids."""
    wanted = {}
    for subscription in store.tables["subscription"].having("customer", customer):
        if subscription["status"] in GRANTING:
            for item in subscription_rows.items_of(store, subscription["id"]):
                for row in attached(store, item["price"]["product"]):
                    wanted[row["_feature"]] = row["entitlement_feature"]["lookup_key"]
    return wanted


def _list(store: Store, customer: str) -> Row:
    newest = store.tables[ENTITLEMENT].having("_customer", customer)[::-1]
    return listing.nested(newest, f"/v1/customer/{customer}/entitlements")


def _entitlements(call: Call) -> Row:
    """GET /v1/entitlements/active_entitlements?customer="""
    customer = call.find("customer", call.params.pop("customer"), "customer", 400)
    return listing.page(call, ENTITLEMENT, "/v1/entitlements/active_entitlements", _customer=customer["id"])


ENDPOINTS = (
    Endpoint("GET", "entitlements/active_entitlements", _entitlements, {**PAGE, "customer": string}, ("customer",)),
    Endpoint("GET", "entitlements/active_entitlements/*", get(ENTITLEMENT), EXPAND),
)
LISTENERS = {
    f"customer.subscription.{what}": subscription_changed
    for what in ("created", "deleted", "paused", "pending_update_applied", "resumed", "updated")
}
