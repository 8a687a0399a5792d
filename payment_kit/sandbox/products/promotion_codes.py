"""Promotion codes: words customers type to get a coupon, as long as and as often as their terms allow."""

import re
from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import amount, boolean, currency, fields, integer, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products.currencies import by_currency
from payment_kit.sandbox.store import Row, Store

CODE_MAX = 500


def create_promotion_code(call: Call) -> Row:
    """POST /v1/promotion_codes"""
    params = call.params
    coupon_id = params["promotion"].get("coupon")
    if coupon_id is None:
        raise missing("promotion[coupon]")
    coupon = call.find("coupon", coupon_id, "promotion[coupon]", 400)
    if not coupon["valid"]:
        raise ApiError(400, f"Coupon {coupon['id']} is no longer valid.", code="coupon_expired", param="promotion")
    customer = (call.referenced("customer", "customer") or {}).get("id")
    _within(call, coupon)
    id_ = call.new_id("promotion_code")
    code = params.get("code") or ids.text(8, "code", id_).upper()
    if len(code) > CODE_MAX or not re.fullmatch("[A-Za-z0-9-]+", code):
        raise invalid("code", "Codes have letters, digits and dashes only, at most 500 of them.")
    active = params.get("active", True)
    if active:
        _free(call, code, customer)
    terms = _restrictions(params.get("restrictions") or {})
    row: Row = {
        "id": id_,
        "object": "promotion_code",
        "active": active,
        "code": code,
        "created": call.now,
        "customer": customer,
        "customer_account": None,
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merged({}, params),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": terms,
        "times_redeemed": 0,
        "_coupon": coupon["id"],
        "_code": code.lower(),
        "_currency_options": (params.get("restrictions") or {}).get("currency_options") or {},
        "_due": params.get("expires_at"),
    }
    return call.add(row, "promotion_code.created")


def update_promotion_code(call: Call) -> Row:
    """POST /v1/promotion_codes/{id}; active again only while it could be redeemed."""
    row, params = call.find("promotion_code", call.path[0], "promotion_code"), call.params
    if params.get("active") and not row["active"]:
        coupon = call.store.get("coupon", row["_coupon"])
        if coupon is None or "deleted" in coupon or not coupon["valid"] or _spent(call, row):
            message = "This promotion code cannot be activated: it, or its coupon, is used up or expired."
            raise ApiError(400, message, param="active")
        _free(call, row["code"], row["customer"])
    options = (params.get("restrictions") or {}).get("currency_options") or {}
    if options:
        _own_currency(row["restrictions"], options)
    return call.change(
        row,
        "promotion_code.updated",
        active=params.get("active", row["active"]),
        metadata=merged(row, params),
        _currency_options={**row["_currency_options"], **options},
    )


def _spent(call: Call, row: Row) -> bool:
    expired = row["expires_at"] is not None and call.now >= row["expires_at"]
    return bool(expired or (row["max_redemptions"] is not None and row["times_redeemed"] >= row["max_redemptions"]))


def _free(call: Call, code: str, customer: str | None) -> None:
    """Regardless of case, a code is unique across the active ones of each customer; one for all is everyone's."""
    for other in call.store.tables["promotion_code"].having("_code", code.lower()):
        if other["active"] and (customer is None or other["customer"] in (None, customer)):
            raise ApiError(400, f"An active promotion code with `code: {code}` already exists.", param="code")


def _within(call: Call, coupon: Row) -> None:
    """A code cannot outlast its coupon, nor be redeemed more often."""
    most, until = call.params.get("max_redemptions"), call.params.get("expires_at")
    if most is not None and most < 1:
        raise invalid("max_redemptions", "This value must be greater than or equal to 1.", "parameter_invalid_integer")
    if most is not None and coupon["max_redemptions"] is not None and most > coupon["max_redemptions"]:
        raise invalid("max_redemptions", "max_redemptions cannot be greater than the coupon's max_redemptions.")
    if until is not None and until <= call.now:
        raise invalid("expires_at", "expires_at must be in the future.")
    if until is not None and coupon["redeem_by"] is not None and until > coupon["redeem_by"]:
        raise invalid("expires_at", "expires_at cannot be after the coupon's redeem_by.")


def _restrictions(given: dict[str, Any]) -> Row:
    least, of = given.get("minimum_amount"), given.get("minimum_amount_currency")
    if (least is None) != (of is None):
        raise missing(f"restrictions[minimum_amount{'_currency' if of is None else ''}]")
    terms = {
        "first_time_transaction": given.get("first_time_transaction", False),
        "minimum_amount": least,
        "minimum_amount_currency": of,
    }
    _own_currency(terms, given.get("currency_options") or {})
    return terms


def _own_currency(terms: Row, options: dict[str, Any]) -> None:
    if options and terms["minimum_amount"] is None:
        raise missing("restrictions[minimum_amount]")
    if terms["minimum_amount_currency"] in options:
        path = f"restrictions[currency_options][{terms['minimum_amount_currency']}]"
        raise invalid(path, "The currency of minimum_amount cannot be an option.")


def _expire(call: Call, row: Row) -> None:
    call.change(row, "promotion_code.updated", active=False, _due=None)


def _codes(call: Call) -> Row:
    """GET /v1/promotion_codes; codes are found in any case."""
    fixed = {}
    if call.params.get("coupon"):
        fixed["_coupon"] = call.params["coupon"]
    if call.params.get("code"):
        fixed["_code"] = call.params["code"].lower()
    params = {name: value for name, value in call.params.items() if name not in ("coupon", "code")}
    return listing.page(call.part(**params), "promotion_code", "/v1/promotion_codes", **fixed)


def _currency_options(store: Store, row: Row) -> Row | None:
    whole = store.get("promotion_code", row["id"])
    if whole is None or whole["restrictions"]["minimum_amount"] is None:
        return None
    terms = whole["restrictions"]
    own = {terms["minimum_amount_currency"]: {"minimum_amount": terms["minimum_amount"]}}
    return {**own, **whole["_currency_options"]}


_OPTIONS = by_currency({"minimum_amount": amount})
_RESTRICTIONS = fields(
    {
        "currency_options": _OPTIONS,
        "first_time_transaction": boolean,
        "minimum_amount": amount,
        "minimum_amount_currency": currency,
    }
)
_CREATE = {
    **META,
    "active": boolean,
    "code": string,
    "customer": string,
    "expires_at": integer,
    "max_redemptions": integer,
    "promotion": fields({"coupon": string, "type": one_of("coupon")}, ("type",)),
    "restrictions": _RESTRICTIONS,
}
_UPDATE = {**META, "active": boolean, "restrictions": fields({"currency_options": _OPTIONS})}

INCLUDES = {("promotion_code", "restrictions.currency_options"): _currency_options}
DUE = {"promotion_code": _expire}
ENDPOINTS = (
    Endpoint("GET", "promotion_codes", _codes, {**filters("code", "coupon", "customer"), "active": boolean}),
    Endpoint("POST", "promotion_codes", create_promotion_code, _CREATE, ("promotion",)),
    Endpoint("GET", "promotion_codes/*", get("promotion_code", "promotion_code"), EXPAND),
    Endpoint("POST", "promotion_codes/*", update_promotion_code, _UPDATE),
)
