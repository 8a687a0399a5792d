"""Subscription items through their own endpoints: each is an update of the subscription."""

from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import changes
from payment_kit.sandbox.billing.subscription_params import CHANGE, ITEM
from payment_kit.sandbox.billing.subscription_rows import items_of
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.form import string
from payment_kit.sandbox.store import Row


def create_item(call: Call) -> Row:
    """POST /v1/subscription_items"""
    row = call.find("subscription", call.params["subscription"], "subscription", 400)
    before = {item["id"] for item in items_of(call.store, row["id"])}
    row = _changed(call, row, {})
    made = [item for item in items_of(call.store, row["id"]) if item["id"] not in before]
    waiting: list[Row] = (row["pending_update"] or {}).get("subscription_items", [])
    return made[0] if made else waiting[0]


def update_item(call: Call) -> Row:
    """POST /v1/subscription_items/{id}"""
    item = call.find("subscription_item", call.path[0], "item")
    _changed(call, call.find("subscription", item["subscription"], "subscription", 400), {"id": item["id"]})
    return call.find("subscription_item", item["id"])


def delete_item(call: Call) -> Row:
    """DELETE /v1/subscription_items/{id}; the last one stays."""
    item = call.find("subscription_item", call.path[0], "item")
    row = call.find("subscription", item["subscription"], "subscription", 400)
    _changed(call, row, {"id": item["id"], "deleted": True})
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


def _changed(call: Call, row: Row, item: dict[str, Any]) -> Row:
    """The subscription updated with what the call says of one item."""
    said = {name: value for name, value in call.params.items() if name in ITEM}
    rest = {name: value for name, value in call.params.items() if name in CHANGE and name != "expand"}
    return changes.update(call, row, {**rest, "items": [{**said, **item}]})


def _items(call: Call) -> Row:
    """GET /v1/subscription_items?subscription="""
    call.referenced("subscription", "subscription")
    return listing.page(call, "subscription_item", "/v1/subscription_items")


_UPDATE = {**CHANGE, **ITEM, **META}

ENDPOINTS = (
    Endpoint("GET", "subscription_items", _items, {**PAGE, "subscription": string}, ("subscription",)),
    Endpoint("POST", "subscription_items", create_item, {**_UPDATE, "subscription": string}, ("subscription",)),
    Endpoint("GET", "subscription_items/*", get("subscription_item", "item"), EXPAND),
    Endpoint("POST", "subscription_items/*", update_item, _UPDATE),
    Endpoint("DELETE", "subscription_items/*", delete_item, {k: v for k, v in CHANGE.items() if k != "expand"}),
)
