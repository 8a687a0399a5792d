"""The parameters of subscriptions and their items, and what they mean: prices, methods, discounts, moments."""

from typing import Any, NamedTuple

from payment_kit.sandbox.billing import pricing
from payment_kit.sandbox.billing.subscription_rows import billable
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.endpoint import EXPAND, META
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import (
    INTEGER_MAX,
    Kind,
    amount,
    array,
    boolean,
    currency,
    decimal,
    fields,
    integer,
    metadata,
    one_of,
    string,
)
from payment_kit.sandbox.params import TAX_BEHAVIOR
from payment_kit.sandbox.products import make
from payment_kit.sandbox.products import pricing as prices
from payment_kit.sandbox.products.discounts import DISCOUNTS
from payment_kit.sandbox.store import Row

ITEMS_MAX = 20  # "A list of up to 20 subscription items"
DAY = 86_400
TRIAL_DAYS_MAX = 730  # "the maximum is 730 days"
TIME_MAX = 4_102_444_800  # 2100-01-01


class Now:
    """The word ``now`` where a parameter takes a moment or that word."""


NOW = Now()
Moment = int | Now


def moment(raw: Any, path: str) -> Moment:
    if raw == "now":
        return NOW
    return integer(raw, path)


def _cancel_at(raw: Any, path: str) -> int | str | None:
    if raw in ("", "min_period_end", "max_period_end"):
        return raw or None
    return integer(raw, path)


INTERVAL = one_of("day", "week", "month", "year")
PRORATION_BEHAVIOR = one_of("always_invoice", "create_prorations", "none")
PAYMENT_BEHAVIOR = one_of("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
PRICE_DATA = fields(
    {
        "currency": currency,
        "product": string,
        "recurring": fields({"interval": INTERVAL, "interval_count": integer}, ("interval",)),
        "tax_behavior": TAX_BEHAVIOR,
        "unit_amount": amount,
        "unit_amount_decimal": decimal,
    },
    ("currency", "product", "recurring"),
)
_ONCE_DATA = fields(
    {
        "currency": currency,
        "product": string,
        "tax_behavior": TAX_BEHAVIOR,
        "unit_amount": amount,
        "unit_amount_decimal": decimal,
    },
    ("currency", "product"),
)
ADD_INVOICE_ITEMS = array(
    fields({"price": string, "price_data": _ONCE_DATA, "quantity": amount, "tax_rates": array(string)})
)
ITEM: dict[str, Kind] = {
    "discounts": DISCOUNTS,
    "metadata": metadata,
    "price": string,
    "price_data": PRICE_DATA,
    "quantity": amount,
    "tax_rates": array(string),
}
CANCELLATION_DETAILS = fields(
    {
        "comment": string,
        "feedback": one_of(
            "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex",
            "too_expensive", "unused",
        ),
    }
)  # fmt: skip
BILLING_MODE = fields(
    {"flexible": fields({"proration_discounts": one_of("included")}), "type": one_of("classic", "flexible")}, ("type",)
)
SHARED: dict[str, Kind] = {
    **META,
    "add_invoice_items": ADD_INVOICE_ITEMS,
    "cancel_at": _cancel_at,
    "cancel_at_period_end": boolean,
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "days_until_due": amount,
    "default_payment_method": string,
    "default_tax_rates": array(string),
    "description": string,
    "discounts": DISCOUNTS,
    "off_session": boolean,
    "payment_behavior": PAYMENT_BEHAVIOR,
    "payment_settings": fields(
        {"payment_method_types": array(one_of("card")), "save_default_payment_method": one_of("off", "on_subscription")}
    ),
    "proration_behavior": PRORATION_BEHAVIOR,
    "trial_end": moment,
    "trial_settings": fields(
        {
            "end_behavior": fields(
                {"missing_payment_method": one_of("cancel", "create_invoice", "pause")}, ("missing_payment_method",)
            )
        },
        ("end_behavior",),
    ),
}
CREATE: dict[str, Kind] = {
    **SHARED,
    "billing_cycle_anchor": integer,
    "billing_cycle_anchor_config": fields(
        dict.fromkeys(("day_of_month", "hour", "minute", "month", "second"), integer), ("day_of_month",)
    ),
    "billing_mode": BILLING_MODE,
    "currency": currency,
    "customer": string,
    "items": array(fields(ITEM)),
    "trial_period_days": integer,
}
UPDATE: dict[str, Kind] = {
    **SHARED,
    "billing_cycle_anchor": one_of("now", "unchanged"),
    "cancellation_details": CANCELLATION_DETAILS,
    "items": array(fields({**ITEM, "deleted": boolean, "id": string})),
    "pause_collection": fields(
        {"behavior": one_of("keep_as_draft", "mark_uncollectible", "void"), "resumes_at": integer}, ("behavior",)
    ),
    "proration_date": integer,
}
CANCEL: dict[str, Kind] = {
    **EXPAND, "cancellation_details": CANCELLATION_DETAILS, "invoice_now": boolean, "prorate": boolean
}  # fmt: skip
CHANGE: dict[str, Kind] = {
    **EXPAND,
    "payment_behavior": PAYMENT_BEHAVIOR,
    "proration_behavior": PRORATION_BEHAVIOR,
    "proration_date": integer,
}


class Wish(NamedTuple):
    """An item as it was asked for: its price's row, and the rest of what was said (`given`), at ``items[...]``."""

    price: Row
    given: dict[str, Any]
    path: str


def wished(call: Call, given: dict[str, Any], code: str | None, path: str) -> Wish:
    """The item ``{price | price_data, quantity, …}`` asks for, in currency `code`; raises 400 for what cannot be.

    Inside the sandbox the price may also be a row, one made for something that was sold: it need not be active.
    """
    if given.get("price_data"):
        if given.get("price"):
            raise invalid(f"{path}[price]", "You may only specify one of these parameters: price, price_data.")
        data, param = given["price_data"], f"{path}[price_data]"
        product = call.find("product", data["product"], f"{param}[product]", 400)
        price = make.price(call, product, {**data, "active": False}, param)
    elif isinstance(given.get("price"), dict):
        price, param = given["price"], f"{path}[price_data]"
    elif given.get("price"):
        param = f"{path}[price]"
        price = call.find("price", given["price"], param, 400)
    else:
        raise missing(f"{path}[price]")
    price = billable(price, code or price["currency"], param)
    if price["recurring"]["usage_type"] == "metered" and given.get("quantity") is not None:
        raise invalid(f"{path}[quantity]", "You cannot set the quantity for metered plans.")
    within(price, given.get("quantity", 1), code, path)
    return Wish(price, given, path)


def within(price: Row, quantity: int, code: str | None, path: str) -> None:
    """Raises 400 for a quantity whose amount is more than any amount can be."""
    if prices.amount(price, quantity, code) > INTEGER_MAX:
        raise invalid(f"{path}[quantity]", f"The amount must be at most {INTEGER_MAX}.", "amount_too_large")


def item_fields(call: Call, wish: Wish) -> dict[str, Any]:
    """The fields of a new item that were asked for, but its discounts."""
    found: dict[str, Any] = {"metadata": {k: v for k, v in (wish.given.get("metadata") or {}).items() if v}}
    if wish.given.get("quantity") is not None:
        found["quantity"] = wish.given["quantity"]
    if wish.given.get("tax_rates"):
        found["tax_rates"] = tax_rates(call, wish.given["tax_rates"], f"{wish.path}[tax_rates]")
    return found


def tax_rates(call: Call, ids: list[str] | None, param: str) -> list[Row]:
    """The tax rates as subscriptions show them: whole."""
    return [public(rate) for rate in pricing.tax_rates(call, ids, param)]


def payment_method(call: Call, customer: Row, id_: str | None, param: str = "default_payment_method") -> str | None:
    """The id of a payment method of this customer; raises 400 for somebody else's."""
    if id_ is not None and call.find("payment_method", id_, param, 400)["customer"] != customer["id"]:
        message = "The customer does not have a payment method with the ID " + id_ + ". The payment method must be "
        raise ApiError(400, message + "attached to the customer.", code="resource_missing", param=param)
    return id_


def trial_end(params: dict[str, Any], now: int) -> int | None:
    """When the trial the parameters ask for ends; None without one. Raises 400 for a moment that is not ahead."""
    until, days = params.get("trial_end"), params.get("trial_period_days")
    if days is not None:
        if until is not None:
            raise invalid("trial_period_days", "You may only specify one of trial_end and trial_period_days.")
        if not 0 <= days <= TRIAL_DAYS_MAX:
            raise invalid("trial_period_days", f"Invalid trial_period_days: must be from 0 to {TRIAL_DAYS_MAX}.")
        return now + days * DAY if days else None
    if until is None or isinstance(until, Now):
        return None
    return int(ahead(until, now, "trial_end", now + TRIAL_DAYS_MAX * DAY))


def ahead(moment: int, now: int, param: str, latest: int = TIME_MAX) -> int:
    """`moment`, when it lies ahead and not too far; raises 400 otherwise."""
    if moment <= now:
        raise invalid(param, f"Invalid timestamp: {param} must be in the future.")
    if moment > latest:
        raise invalid(param, f"Invalid timestamp: {param} can be no later than {latest}.")
    return moment
