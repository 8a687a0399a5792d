"""Quotes: a price offered to a customer, who accepts it in time or does not.

The statuses are those of docs.stripe.com/quotes/overview. The PDF of a quote is not drawn.
"""

from collections.abc import Sequence
from typing import Any

from payment_kit.sandbox import listing
from payment_kit.sandbox.billing import invoices, subscriptions
from payment_kit.sandbox.billing import pricing as rates
from payment_kit.sandbox.billing.subscription_params import TRIAL_DAYS_MAX
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.checkout import items as basket
from payment_kit.sandbox.checkout.items import Sums
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import Kind, amount, array, fields, integer, metadata, one_of, string
from payment_kit.sandbox.listing import Include
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row, Store

LIFE_SECONDS = 30 * 86_400  # the quote template's default
EDITABLE_WHEN_OPEN = {"expires_at", "expand"}  # "You can only edit the expiration date now"
_TEXTS = ("description", "footer", "header")


def create_quote(call: Call) -> Row:
    """POST /v1/quotes: a draft."""
    id_ = call.new_id("quote")
    row: Row = {
        "id": id_,
        "object": "quote",
        "amount_subtotal": 0,
        "amount_total": 0,
        "application": call.store.application,
        "application_fee_amount": None,
        "application_fee_percent": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "collection_method": "charge_automatically",
        "computed": None,
        "created": call.now,
        "currency": None,
        "customer": None,
        "customer_account": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "expires_at": call.now + LIFE_SECONDS,
        "footer": None,
        "from_quote": None,
        "header": None,
        "invoice": None,
        "invoice_settings": {"days_until_due": None, "issuer": {"type": "self"}},
        "livemode": False,
        "metadata": {},
        "number": None,
        "on_behalf_of": None,
        "status": "draft",
        "status_transitions": dict.fromkeys(("accepted_at", "canceled_at", "finalized_at")),
        "subscription": None,
        "subscription_data": _subscription_data(None),
        "subscription_schedule": None,
        "test_clock": None,
        "total_details": None,
        "transfer_data": None,
    }
    changes = _changes(call, row)  # meets the customer, whose clock the quote then follows
    row = {**row, **changes, "created": call.now}
    row["expires_at"] = changes.get("expires_at") or call.now + LIFE_SECONDS
    return call.add({**row, "_due": row["expires_at"]}, "quote.created")


def update_quote(call: Call) -> Row:
    """POST /v1/quotes/{id}: all of a draft, of an open quote when it expires."""
    row = call.find("quote", call.path[0], "quote")
    if row["status"] not in ("draft", "open"):
        raise _unexpected(row, "updated")
    if row["status"] == "open" and not call.params.keys() <= EDITABLE_WHEN_OPEN:
        raise _unexpected(row, "edited, but for its `expires_at`")
    if row["customer"] and call.params.get("customer", row["customer"]) != row["customer"]:
        raise invalid("customer", "The customer of a quote cannot be changed once it is specified.")
    changes = _changes(call, row) if row["status"] == "draft" else _expiry(call)
    return call.change(row, **changes, _due=changes.get("expires_at", row["expires_at"]))


def _changes(call: Call, row: Row) -> Row:
    """The fields of a draft that the call names, and all amounts anew."""
    params = call.params
    customer = call.referenced("customer", "customer")
    changes: Row = {name: params[name] for name in _TEXTS if name in params}
    changes |= {"metadata": merged(row, params), **_expiry(call), **_terms(call, row)}
    if customer is not None:
        changes |= {"customer": customer["id"], "test_clock": customer["test_clock"]}
    if "default_tax_rates" in params:
        found = rates.tax_rates(call, params["default_tax_rates"], "default_tax_rates")
        changes["default_tax_rates"] = [rate["id"] for rate in found]
    if "subscription_data" in params:
        changes["subscription_data"] = _subscription_data(params["subscription_data"])
    sold = _sold(call, row)
    after = {**row, **changes, "currency": sold[0]["currency"] if sold else None}
    if "discounts" in params:
        changes["discounts"] = _discounts(call, after)
    return {**changes, **_amounts(call, {**after, **changes}, sold)}


def _expiry(call: Call) -> Row:
    ends = call.params.get("expires_at")
    if ends is None:
        return {}
    if ends <= call.now:
        raise invalid("expires_at", "Invalid timestamp: expires_at must be in the future.")
    return {"expires_at": ends}


def _terms(call: Call, row: Row) -> Row:
    """How what is accepted will be collected."""
    params = call.params
    method = params.get("collection_method") or row["collection_method"]
    days = row["invoice_settings"]["days_until_due"]
    if "invoice_settings" in params:
        days = (params["invoice_settings"] or {}).get("days_until_due")
    if days is not None and method != "send_invoice":
        message = "You can only set `days_until_due` if collection_method is `send_invoice`."
        raise invalid("invoice_settings[days_until_due]", message)
    return {"collection_method": method, "invoice_settings": {**row["invoice_settings"], "days_until_due": days}}


def _subscription_data(given: dict[str, Any] | None) -> Row:
    data = given or {}
    mode, trial = (data.get("billing_mode") or {}).get("type") or "flexible", data.get("trial_period_days")
    if trial is not None and not 1 <= trial <= TRIAL_DAYS_MAX:
        path = "subscription_data[trial_period_days]"
        raise invalid(path, f"Invalid trial_period_days: must be from 1 to {TRIAL_DAYS_MAX}.")
    shown: Row = (
        {"type": mode} if mode == "classic" else {"flexible": {"proration_discounts": "included"}, "type": mode}
    )
    return {
        "billing_mode": shown,
        "description": data.get("description"),
        "effective_date": None,
        "metadata": merged({}, data),
        "trial_period_days": trial,
    }


def _sold(call: Call, row: Row) -> list[Row]:
    """The items after the call; those it replaces belong to nothing any more."""
    if "line_items" not in call.params:
        return basket.of(call.store, row["id"])
    for item in basket.of(call.store, row["id"]):
        call.change(item, _owner=None)
    sold = basket.new(call, row["id"], call.params["line_items"], None, quantity=False)
    basket.together(sold)
    return sold


def _discounts(call: Call, row: Row) -> list[str]:
    """The ids of the discounts the quote would give; their coupons are counted when it is accepted."""
    customer = call.store.get("customer", row["customer"]) if row["customer"] else None
    found = discounts.resolve(call, call.params["discounts"], customer=customer, currency=row["currency"], keep=False)
    return [call.add(discount)["id"] for discount in found]


def _amounts(call: Call, row: Row, sold: Sequence[Row]) -> Row:
    """What the quote comes to at once and from then on, as its discounts and rates are; stores the items."""
    code = row["currency"] or "usd"
    customer = call.store.get("customer", row["customer"]) if row["customer"] else None
    terms: dict[str, Any] = {
        "reduced": discounts.held(call.store, row["discounts"]),
        "tax_rates": row["default_tax_rates"],
        "tax_exempt": (customer or {}).get("tax_exempt") or "none",
    }
    trial = row["subscription_data"]["trial_period_days"] is not None
    items, _ = basket.computed(call.store, sold, code, **terms)
    basket.keep(call, items)
    upfront = [item for item in items if not (trial and basket.recurs(item))]
    _, now = basket.computed(call.store, upfront, code, **terms)
    again = [item for item in items if basket.recurs(item)]
    recurring = None
    if again:
        _, later = basket.computed(call.store, again, code, **terms)
        interval = again[0]["price"]["recurring"]
        recurring = {**_shown(later), **{name: interval[name] for name in ("interval", "interval_count")}}
    return {
        "amount_subtotal": now.subtotal,
        "amount_total": now.total,
        "computed": {"recurring": recurring, "upfront": _shown(now)},
        "currency": row["currency"],
        "total_details": now.details,
        "_breakdown": now.breakdown,
        "_upfront": [item["id"] for item in upfront],
    }


def _shown(sums: Sums) -> Row:
    return {"amount_subtotal": sums.subtotal, "amount_total": sums.total, "total_details": sums.details}


def finalize_quote(call: Call) -> Row:
    """POST /v1/quotes/{id}/finalize: open, with a number; wants a customer and something to offer."""
    row = call.find("quote", call.path[0], "quote")
    if row["status"] != "draft":
        raise _unexpected(row, "finalized")
    if row["customer"] is None:
        raise missing("customer")
    if not basket.of(call.store, row["id"]):
        raise missing("line_items")
    customer = call.find("customer", row["customer"], "customer", 400)
    others = call.store.tables["quote"].having("customer", customer["id"])
    number = f"QT-{customer['invoice_prefix']}-{sum(other['number'] is not None for other in others) + 1:04d}-1"
    changes = {"number": number, "status": "open", **_expiry(call), **_reached(row, "finalized_at", call.now)}
    row = call.change(row, **changes, _due=changes.get("expires_at", row["expires_at"]))
    call.emit("quote.finalized", row)
    return row


def accept_quote(call: Call) -> Row:
    """POST /v1/quotes/{id}/accept: makes the subscription, or a draft invoice when nothing recurs."""
    row = call.find("quote", call.path[0], "quote")
    if row["status"] != "open":
        raise _unexpected(row, "accepted")
    customer = call.find("customer", row["customer"], "customer", 400)
    sold = basket.of(call.store, row["id"])
    if any(basket.recurs(item) for item in sold):
        made = {"subscription": _subscription(call, row, sold)["id"]}
    else:
        made = {"invoice": _invoice(call, row, customer, sold)["id"]}
    row = call.change(row, status="accepted", _due=None, **made, **_reached(row, "accepted_at", call.now))
    call.emit("quote.accepted", row)
    return row


def _subscription(call: Call, row: Row, sold: Sequence[Row]) -> Row:
    """Its first invoice stays a draft for an hour."""
    data = {name: value for name, value in row["subscription_data"].items() if value is not None}
    data["billing_mode"] = {"type": data["billing_mode"]["type"]}
    params = {
        **data,
        **basket.subscription_params(call.store, sold),
        "collection_method": row["collection_method"],
        "currency": row["currency"],
        "customer": row["customer"],
        "days_until_due": _days(row),
        "default_tax_rates": row["default_tax_rates"],
        "discounts": basket.asked(discounts.held(call.store, row["discounts"])),
    }
    return subscriptions.create(call, params, collect=False)


def _days(row: Row) -> int | None:
    """The Dashboard's default payment term, when an invoice is to be sent and none is said."""
    days: int | None = row["invoice_settings"]["days_until_due"]
    return 30 if days is None and row["collection_method"] == "send_invoice" else days


def _invoice(call: Call, row: Row, customer: Row, sold: Sequence[Row]) -> Row:
    id_ = call.new_id("invoice")
    asked = basket.asked(discounts.held(call.store, row["discounts"]))
    found = discounts.resolve(call, asked, customer=customer, currency=row["currency"], invoice=id_)
    return invoices.draft(
        call,
        customer,
        id_=id_,
        billing_reason="manual",
        currency=row["currency"],
        lines=basket.invoice_lines(call.store, sold, call.now),
        collection_method=row["collection_method"],
        days_until_due=_days(row),
        discounts=found,
        default_tax_rates=rates.tax_rates(call, row["default_tax_rates"], "default_tax_rates"),
        pending_items=False,
        auto_advance=False,
        parent={"quote_details": {"quote": row["id"]}, "subscription_details": None, "type": "quote_details"},
    )


def cancel_quote(call: Call) -> Row:
    """POST /v1/quotes/{id}/cancel"""
    row = call.find("quote", call.path[0], "quote")
    if row["status"] not in ("draft", "open"):
        raise _unexpected(row, "canceled")
    return cancel(call, row)


def cancel(call: Call, row: Row) -> Row:
    """The end of a quote nobody accepted, by hand or because its time is over."""
    row = call.change(row, status="canceled", _due=None, **_reached(row, "canceled_at", call.now))
    call.emit("quote.canceled", row)
    return row


def _reached(row: Row, name: str, now: int) -> Row:
    return {"status_transitions": {**row["status_transitions"], name: now}}


def _unexpected(row: Row, what: str) -> ApiError:
    return ApiError(400, f"This quote cannot be {what} because it is {row['status']}.")


def _quotes(call: Call) -> Row:
    """GET /v1/quotes; those of a test clock are listed with `test_clock` or `customer` only."""
    asked = call.params.get("test_clock") or call.params.get("customer")
    return listing.page(call, "quote", "/v1/quotes", **({} if asked else {"test_clock": None}))


def _line_items(call: Call) -> Row:
    """GET /v1/quotes/{id}/line_items"""
    return basket.page(call, call.find("quote", call.path[0], "quote"), "quotes")


def _upfront_line_items(call: Call) -> Row:
    """GET /v1/quotes/{id}/computed_upfront_line_items"""
    row = call.find("quote", call.path[0], "quote")
    return basket.paged(call, _upfront(call.store, row), _upfront_url(row))


def _upfront(store: Store, row: Row) -> list[Row]:
    held = store.get("quote", row["id"]) or {"_upfront": ()}
    return [item for item in basket.of(store, row["id"]) if item["id"] in held["_upfront"]]


def _upfront_url(row: Row) -> str:
    return f"/v1/quotes/{row['id']}/computed_upfront_line_items"


def _private(name: str) -> Include:
    return lambda store, row: (store.get("quote", row["id"]) or {}).get(name)


_ITEM: dict[str, Kind] = {
    **{name: kind for name, kind in basket.LINE_ITEM.items() if name not in ("adjustable_quantity", "price_data")},
    "price_data": fields(
        {name: kind for name, kind in basket.PRICE_DATA.items() if name != "product_data"}, ("currency", "product")
    ),
    "tax_rates": array(string),
}
_UPDATE: dict[str, Kind] = {
    **META,
    **dict.fromkeys(_TEXTS, string),
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "customer": string,
    "default_tax_rates": array(string),
    "discounts": array(fields({"coupon": string, "promotion_code": string})),
    "expires_at": integer,
    "invoice_settings": fields({"days_until_due": amount}),
    "line_items": array(fields(_ITEM)),
    "subscription_data": fields(
        {
            "description": string,
            "metadata": metadata,
            "trial_period_days": integer,
        }
    ),
}
_MODE = fields({"type": one_of("classic", "flexible")}, ("type",))
_CREATE = {
    **_UPDATE,
    "subscription_data": fields(
        {"billing_mode": _MODE, "description": string, "metadata": metadata, "trial_period_days": integer}
    ),
}

DUE = {"quote": cancel}
INCLUDES: dict[tuple[str, str], Include] = {
    ("quote", "line_items"): lambda store, row: basket.nested(store, row, "quotes"),
    ("quote", "computed.upfront.line_items"): lambda store, row: listing.nested(
        _upfront(store, row), _upfront_url(row)
    ),
    ("quote", "total_details.breakdown"): _private("_breakdown"),
    ("quote", "computed.upfront.total_details.breakdown"): _private("_breakdown"),
}
ENDPOINTS = (
    Endpoint("GET", "quotes", _quotes,
             {**PAGE, "customer": string, "status": one_of("accepted", "canceled", "draft", "open"),
              "test_clock": string}),
    Endpoint("POST", "quotes", create_quote, _CREATE),
    Endpoint("GET", "quotes/*", get("quote", "quote"), EXPAND),
    Endpoint("POST", "quotes/*", update_quote, _UPDATE),
    Endpoint("POST", "quotes/*/finalize", finalize_quote, {**EXPAND, "expires_at": integer}),
    Endpoint("POST", "quotes/*/accept", accept_quote, EXPAND),
    Endpoint("POST", "quotes/*/cancel", cancel_quote, EXPAND),
    Endpoint("GET", "quotes/*/line_items", _line_items, PAGE),
    Endpoint("GET", "quotes/*/computed_upfront_line_items", _upfront_line_items, PAGE),
)  # fmt: skip
