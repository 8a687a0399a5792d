"""Coupons: a percentage or an amount off, for a while. What they take off never changes; `discounts` applies them."""

from typing import Any

from payment_kit.money import exponent
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import amount, array, currency, fields, integer, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import percent
from payment_kit.sandbox.products.currencies import by_currency
from payment_kit.sandbox.store import Row, Store

NAME_MAX = 40
REDEEM_YEARS_MAX = 5
MONTHS_MAX = 1200
ID_MAX = 200
_YEAR = 366 * 86_400


def create_coupon(call: Call) -> Row:
    """POST /v1/coupons, with an id of one's own choice or a made-up one."""
    params = call.params
    _checked(call)
    id_ = params.get("id") or call.new_id("coupon")
    before = call.store.get("coupon", id_)
    if before is not None and "deleted" not in before:
        raise ApiError(400, f"Coupon already exists: {id_}.", code="resource_already_exists", param="id")
    row: Row = {
        "id": id_,
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": call.now,
        "currency": params.get("currency") if params.get("amount_off") else None,
        "duration": params.get("duration") or "once",
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merged({}, params),
        "name": params.get("name"),
        "percent_off": params.get("percent_off"),
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
        "_currency_options": params.get("currency_options") or {},
        "_products": _products(call),
        "_due": None if params.get("redeem_by") is None else params["redeem_by"] + 1,
    }
    return call.add(row, "coupon.created")


def update_coupon(call: Call) -> Row:
    """POST /v1/coupons/{id}: name, metadata and amounts in more currencies."""
    row, params = call.find("coupon", call.path[0], "coupon"), call.params
    _named(params)
    options = {**row["_currency_options"], **(params.get("currency_options") or {})}
    _options(options, row["amount_off"], row["currency"])
    changes: dict[str, Any] = {"name": params["name"]} if "name" in params else {}
    return call.change(row, "coupon.updated", **changes, metadata=merged(row, params), _currency_options=options)


def delete_coupon(call: Call) -> Row:
    """DELETE /v1/coupons/{id}: who has it keeps it; its promotion codes are no longer active."""
    row = call.find("coupon", call.path[0], "coupon")
    call.emit("coupon.deleted", {**row, "valid": False})
    deactivate_codes(call, row["id"])
    return call.add({"id": row["id"], "object": "coupon", "deleted": True})


def deactivate_codes(call: Call, coupon: str) -> None:
    """A promotion code is only active if its coupon is valid."""
    for code in call.store.tables["promotion_code"].having("_coupon", coupon):
        call.change(code, "promotion_code.updated", active=False)


def _expire(call: Call, row: Row) -> None:
    """The clock is past `redeem_by`."""
    if "deleted" not in row:
        call.change(row, "coupon.updated", valid=False, _due=None)
        deactivate_codes(call, row["id"])


def _checked(call: Call) -> None:
    params = call.params
    _named(params)
    _value(params)
    months = params.get("duration_in_months")
    if (params.get("duration") == "repeating") != (months is not None):
        message = "duration_in_months is required for, and only for, coupons whose duration is repeating."
        raise invalid("duration_in_months", message, "parameter_missing" if months is None else None)
    for name in ("duration_in_months", "max_redemptions"):
        if params.get(name, 1) < 1:
            raise invalid(name, "This value must be greater than or equal to 1.", "parameter_invalid_integer")
    if (months or 0) > MONTHS_MAX:
        raise invalid("duration_in_months", f"This value must be at most {MONTHS_MAX}.", "parameter_invalid_integer")
    by = params.get("redeem_by")
    if by is not None and not call.now < by <= call.now + REDEEM_YEARS_MAX * _YEAR:
        raise invalid("redeem_by", "redeem_by must be in the future, and no more than 5 years away.")
    if len(params.get("id") or "") > ID_MAX:
        raise invalid("id", f"Invalid string: must be at most {ID_MAX} characters.")


def _value(params: dict[str, Any]) -> None:
    """Raises 400 unless the coupon takes either a percentage or amounts off."""
    percent_off, amount_off = params.get("percent_off"), params.get("amount_off")
    if (percent_off is None) == (amount_off is None):
        raise invalid(
            "percent_off", "Must specify either percent_off or amount_off, and not both.", "parameter_missing"
        )
    if 0 in (percent_off, amount_off):
        raise invalid("percent_off" if percent_off == 0 else "amount_off", "A coupon must take something off.")
    if amount_off is not None and params.get("currency") is None:
        raise missing("currency")
    _options(params.get("currency_options") or {}, amount_off, params.get("currency"))


def _options(options: dict[str, Any], amount_off: int | None, own: str | None) -> None:
    amounts = {currency: option["amount_off"] for currency, option in options.items()}
    if own is not None and amount_off is not None:
        amounts[own] = amount_off
    if any(exponent(currency) == 3 and value % 10 for currency, value in amounts.items()):
        raise invalid("amount_off", "Invalid amount: the last digit must be 0 in three-decimal currencies.")
    if options and amount_off is None:
        raise invalid("currency_options", "currency_options are only supported for coupons with amount_off.")
    if own in options:
        raise invalid(f"currency_options[{own}]", "The coupon's own currency cannot be an option.")


def _named(params: dict[str, Any]) -> None:
    if len(params.get("name") or "") > NAME_MAX:
        raise invalid("name", f"Invalid string: must be at most {NAME_MAX} characters.")


def _products(call: Call) -> list[str]:
    wanted = (call.params.get("applies_to") or {}).get("products") or []
    for at, id_ in enumerate(wanted):
        call.find("product", id_, f"applies_to[products][{at}]", 400)
    return list(dict.fromkeys(wanted))


def _applies_to(store: Store, row: Row) -> Row | None:
    products = (store.get("coupon", row["id"]) or {}).get("_products")
    return {"products": products} if products else None


def _currency_options(store: Store, row: Row) -> Row | None:
    """The coupon's own currency is among them."""
    whole = store.get("coupon", row["id"])
    if whole is None or whole.get("amount_off") is None:
        return None
    return {whole["currency"]: {"amount_off": whole["amount_off"]}, **whole["_currency_options"]}


_OPTIONS = by_currency({"amount_off": amount}, ("amount_off",))
_COUPON = {**META, "currency_options": _OPTIONS, "name": string}
_CREATE = {
    **_COUPON,
    "amount_off": amount,
    "applies_to": fields({"products": array(string)}),
    "currency": currency,
    "duration": one_of("forever", "once", "repeating"),
    "duration_in_months": integer,
    "id": string,
    "max_redemptions": integer,
    "percent_off": percent.percentage,
    "redeem_by": integer,
}

INCLUDES = {("coupon", "applies_to"): _applies_to, ("coupon", "currency_options"): _currency_options}
DUE = {"coupon": _expire}
ENDPOINTS = (
    Endpoint("GET", "coupons", listed("coupon"), DATED),
    Endpoint("POST", "coupons", create_coupon, _CREATE),
    Endpoint("GET", "coupons/*", get("coupon", "coupon"), EXPAND),
    Endpoint("POST", "coupons/*", update_coupon, _COUPON),
    Endpoint("DELETE", "coupons/*", delete_coupon, {}),
)
