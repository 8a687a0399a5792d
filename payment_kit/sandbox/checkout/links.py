"""Payment links: an address anybody can open; each visit is a checkout session of its own."""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.checkout import items as basket
from payment_kit.sandbox.checkout import session_params as forms
from payment_kit.sandbox.checkout import sessions
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import Kind, amount, array, boolean, currency, fields, integer, one_of, string, url
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.payments import intents
from payment_kit.sandbox.payments.methods import TYPES
from payment_kit.sandbox.store import Row

PATH = "payment_links"
LINE_ITEMS_MAX = 20  # "Up to 20 line items are supported"
SESSION_URL = "https://buy.stripe.com"
_INTENT_DATA = tuple(name for name in forms.INTENT_DATA if name != "metadata")
_PLAIN = (
    "active",
    "allow_promotion_codes",
    "billing_address_collection",
    "customer_creation",
    "inactive_message",
    "payment_method_collection",
    "phone_number_collection",
    "submit_type",
)
# what a session is told of its link by the same name
_SESSION = ("billing_address_collection", "phone_number_collection", "submit_type")


def create_link(call: Call) -> Row:
    """POST /v1/payment_links: what recurs makes it a link to subscribe by."""
    params = call.params
    if len(params["line_items"]) > LINE_ITEMS_MAX:
        raise invalid("line_items", f"A payment link can have at most {LINE_ITEMS_MAX} line items.")
    id_ = call.new_id("payment_link")
    sold = basket.new(call, id_, params["line_items"], params.get("currency"))
    if not sold:
        raise invalid("line_items", "A payment link needs at least one line item.")
    code, subscribes = sold[0]["currency"], any(basket.recurs(item) for item in sold)
    _fitting(params, subscribes)
    sold, sums = basket.computed(call.store, sold, code)
    if not subscribes and sums.total:
        intents.check_amount(sums.total, code)
    basket.keep(call, sold)
    row = {**_row(call, id_, code, subscribes), **_changes(call, {}, subscribes)}
    return call.add(row, "payment_link.created")


def _fitting(params: dict[str, Any], subscribes: bool) -> None:
    """Raises 400 for what belongs to the other kind of link."""
    names = ("payment_intent_data", "customer_creation", "invoice_creation") if subscribes else ("subscription_data",)
    for name in names if subscribes else (*names, "payment_method_collection"):
        if params.get(name):
            kind = "recurring" if subscribes else "one-time"
            raise invalid(name, f"You can not pass `{name}` when the payment link has {kind} prices.")


def _row(call: Call, id_: str, code: str, subscribes: bool) -> Row:
    token = ids.text(18, "payment link", call.store.meta["account_seed"], id_)
    return {
        "id": id_,
        "object": "payment_link",
        "active": True,
        "after_completion": {"hosted_confirmation": {"custom_message": None}, "type": "hosted_confirmation"},
        "allow_promotion_codes": False,
        "application": call.store.application,
        "application_fee_amount": None,
        "application_fee_percent": None,
        "automatic_tax": {"enabled": False, "liability": None},
        "billing_address_collection": "auto",
        "consent_collection": None,
        "currency": code,
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "customer_creation": "always" if subscribes else "if_required",
        "inactive_message": None,
        "invoice_creation": None if subscribes else sessions.invoice_creation(None),
        "livemode": False,
        "metadata": merged({}, call.params),
        "on_behalf_of": None,
        "optional_items": None,
        "payment_intent_data": None,
        "payment_method_collection": "always",
        "payment_method_options": None,
        "payment_method_types": None,
        "phone_number_collection": {"enabled": False},
        "restrictions": None,
        "shipping_address_collection": None,
        "shipping_options": [],
        "submit_type": "auto",
        "subscription_data": _subscription_data(None) if subscribes else None,
        "tax_id_collection": {"enabled": False, "required": "never"},
        "transfer_data": None,
        "url": f"{SESSION_URL}/test_{token}",
        "_subscribes": subscribes,
    }


def _changes(call: Call, row: Row, subscribes: bool) -> Row:
    """The fields of a link that the call names."""
    params = call.params
    changes: Row = {name: params[name] for name in _PLAIN if params.get(name) is not None}
    if "inactive_message" in params:
        changes["inactive_message"] = params["inactive_message"]
    if params.get("after_completion"):
        changes["after_completion"] = _after(params["after_completion"])
    if params.get("invoice_creation"):
        changes["invoice_creation"] = sessions.invoice_creation(params["invoice_creation"])
    if params.get("payment_intent_data"):
        data = params["payment_intent_data"]
        changes["payment_intent_data"] = {
            **{name: data.get(name) for name in _INTENT_DATA},
            "metadata": merged({}, data),
        }
    if subscribes and params.get("subscription_data"):
        changes["subscription_data"] = _subscription_data(params["subscription_data"])
    if "payment_method_types" in params:
        changes["payment_method_types"] = params["payment_method_types"] or None
    if "restrictions" in params:
        changes["restrictions"] = _restrictions(row, params["restrictions"])
    return changes


def _after(given: dict[str, Any]) -> Row:
    if given["type"] == "redirect":
        if not given.get("redirect"):
            raise invalid("after_completion[redirect]", "Missing required param: after_completion[redirect][url].")
        return {"redirect": given["redirect"], "type": "redirect"}
    message = (given.get("hosted_confirmation") or {}).get("custom_message")
    return {"hosted_confirmation": {"custom_message": message}, "type": "hosted_confirmation"}


def _subscription_data(given: dict[str, Any] | None) -> Row:
    data = {**dict.fromkeys(("description", "trial_period_days", "trial_settings")), **(given or {})}
    return {**data, "invoice_settings": {"issuer": {"type": "self"}}, "metadata": merged({}, data)}


def _restrictions(row: Row, given: dict[str, Any] | None) -> Row | None:
    if given is None:
        return None
    count = ((row.get("restrictions") or {}).get("completed_sessions") or {}).get("count", 0)
    return {"completed_sessions": {"count": count, "limit": given["completed_sessions"]["limit"]}}


def update_link(call: Call) -> Row:
    """POST /v1/payment_links/{id}"""
    row = call.find("payment_link", call.path[0], "payment_link")
    _fitting(call.params, row["_subscribes"])
    changes = _changes(call, row, row["_subscribes"])
    return call.change(row, "payment_link.updated", **changes, metadata=merged(row, call.params))


def visit(call: Call, link: Row) -> Row:
    """Somebody opens the link: an open checkout session; raises 400, with the link's own words, when it is inactive."""
    if not link["active"]:
        raise ApiError(400, link["inactive_message"] or "This link is no longer active.", param="payment_link")
    after = link["after_completion"]
    params: dict[str, Any] = {
        "currency": link["currency"],
        "line_items": [_again(item) for item in basket.of(call.store, link["id"])],
        "metadata": link["metadata"],
        "mode": "subscription" if link["_subscribes"] else "payment",
        "payment_method_types": link["payment_method_types"],
        "success_url": after["redirect"]["url"] if after["type"] == "redirect" else "https://stripe.com",
        **{name: link[name] for name in _SESSION},
    }
    if link["allow_promotion_codes"]:
        params["allow_promotion_codes"] = True
    if link["_subscribes"]:
        data = {name: value for name, value in link["subscription_data"].items() if value is not None}
        data.pop("invoice_settings")
        params |= {"subscription_data": data, "payment_method_collection": link["payment_method_collection"]}
    else:
        params |= {"customer_creation": link["customer_creation"], "payment_intent_data": link["payment_intent_data"]}
        params["invoice_creation"] = link["invoice_creation"]
    return sessions.create(call, params, link["id"])


def _again(item: Row) -> Row:
    """What asks for the same item once more."""
    return {name: item[name] for name in ("adjustable_quantity", "quantity")} | {"price": item["price"]}


def completed(call: Call, session: Row) -> None:
    """A session of a link was completed; a link that sells a limited number is closed by its last one."""
    link = call.store.get("payment_link", session["payment_link"]) if session["payment_link"] else None
    if link is None or link["restrictions"] is None:
        return
    sold = link["restrictions"]["completed_sessions"]
    sold = {**sold, "count": sold["count"] + 1}
    active = link["active"] and sold["count"] < sold["limit"]
    call.change(link, "payment_link.updated", restrictions={"completed_sessions": sold}, active=active)


def _links(call: Call) -> Row:
    """GET /v1/payment_links"""
    return listing.page(call, "payment_link", f"/v1/{PATH}")


def _line_items(call: Call) -> Row:
    """GET /v1/payment_links/{id}/line_items"""
    return basket.page(call, call.find("payment_link", call.path[0], "payment_link"), PATH)


_AFTER = fields(
    {
        "hosted_confirmation": fields({"custom_message": string}),
        "redirect": fields({"url": url}, ("url",)),
        "type": one_of("hosted_confirmation", "redirect"),
    },
    ("type",),
)
_UPDATE: dict[str, Kind] = {
    **META,
    "active": boolean,
    "after_completion": _AFTER,
    "allow_promotion_codes": boolean,
    "billing_address_collection": one_of("auto", "required"),
    "customer_creation": forms.CUSTOMER_CREATION,
    "inactive_message": string,
    "invoice_creation": forms.INVOICE_CREATION,
    "payment_method_collection": forms.COLLECTION,
    "payment_method_types": array(one_of(*TYPES)),
    "phone_number_collection": forms.ENABLED,
    "restrictions": fields({"completed_sessions": fields({"limit": amount}, ("limit",))}, ("completed_sessions",)),
    "submit_type": forms.SUBMIT_TYPE,
}
_CREATE: dict[str, Kind] = {
    **{name: kind for name, kind in _UPDATE.items() if name != "active"},
    "currency": currency,
    "line_items": array(fields(basket.LINE_ITEM, ("quantity",))),
    "payment_intent_data": fields(forms.INTENT_DATA),
    "subscription_data": fields({**forms.SUBSCRIPTION_DATA, "trial_period_days": integer}),
}

LISTENERS = {"checkout.session.completed": completed}
INCLUDES = {("payment_link", "line_items"): lambda store, row: basket.nested(store, row, PATH)}
ENDPOINTS = (
    Endpoint("GET", PATH, _links, {**PAGE, "active": boolean}),
    Endpoint("POST", PATH, create_link, _CREATE, ("line_items",)),
    Endpoint("GET", f"{PATH}/*", get("payment_link", "payment_link"), EXPAND),
    Endpoint("POST", f"{PATH}/*", update_link, _UPDATE),
    Endpoint("GET", f"{PATH}/*/line_items", _line_items, PAGE),
)
