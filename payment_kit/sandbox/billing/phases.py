"""The phases of a subscription schedule: read from parameters, shown, and turned into what a subscription is asked."""

from collections.abc import Sequence
from typing import Any

from payment_kit.sandbox.billing import periods
from payment_kit.sandbox.billing import subscription_params as params_of
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import invalid, missing
from payment_kit.sandbox.form import Kind, amount, array, boolean, fields, integer, metadata, one_of, string
from payment_kit.sandbox.products.discounts import DISCOUNTS, redeemable
from payment_kit.sandbox.store import Row, Store

NOW = params_of.NOW
SENT = "send_invoice"
DURATION_MAX = 5000  # days, weeks, months or years; the end has to lie before `TIME_MAX` besides
PHASES_MAX = 10  # docs.stripe.com/billing/subscriptions/subscription-schedules: "up to 10 current or future phases"
_ANCHOR = one_of("automatic", "phase_start")
_METHOD = one_of("charge_automatically", SENT)
_INVOICES = fields({"days_until_due": amount})

moment = params_of.moment
ITEM: dict[str, Kind] = {
    "discounts": DISCOUNTS,
    "metadata": metadata,
    "price": string,
    "price_data": params_of.PRICE_DATA,
    "quantity": amount,
    "tax_rates": array(string),
}
PHASE: dict[str, Kind] = {
    "billing_cycle_anchor": _ANCHOR,
    "collection_method": _METHOD,
    "default_payment_method": string,
    "default_tax_rates": array(string),
    "description": string,
    "discounts": DISCOUNTS,
    "duration": fields({"interval": params_of.INTERVAL, "interval_count": integer}, ("interval",)),
    "end_date": integer,
    "invoice_settings": _INVOICES,
    "items": array(fields(ITEM)),
    "metadata": metadata,
    "proration_behavior": params_of.PRORATION_BEHAVIOR,
    "trial": boolean,
    "trial_end": integer,
}
SETTINGS = fields(
    {
        "billing_cycle_anchor": _ANCHOR,
        "collection_method": _METHOD,
        "default_payment_method": string,
        "description": string,
        "invoice_settings": _INVOICES,
    }
)


def settings(before: Row, given: dict[str, Any]) -> Row:
    """The default settings of a schedule after `given`."""
    days = (given.get("invoice_settings") or {}).get("days_until_due")
    kept = (before.get("invoice_settings") or {}).get("days_until_due")
    plain = {
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": "automatic",
        "billing_thresholds": None,
        "collection_method": "charge_automatically",
        "default_payment_method": None,
        "description": None,
        "on_behalf_of": None,
        "transfer_data": None,
        **before,
        **{name: value for name, value in given.items() if value is not None},
    }
    due = kept if days is None else days
    return {**plain, "invoice_settings": {"account_tax_ids": None, "days_until_due": due, "issuer": {"type": "self"}}}


def read(call: Call, row: Row, given: Sequence[dict[str, Any]], start: int) -> list[Row]:
    """The phases of the parameter for the schedule `row`, one after the other from `start` in unix seconds.

    Raises 400 for what cannot be, in later phases too: when those begin nobody is there to hear of it.
    """
    if len(given) > PHASES_MAX:
        raise invalid("phases", f"A subscription schedule can have at most {PHASES_MAX} phases.")
    found: list[Row] = []
    code = row["phases"][0]["currency"] if row["subscription"] else None
    for at, phase in enumerate(given):
        path = f"phases[{at}]"
        if found and phase.get("start_date", start) != start:
            raise invalid(f"{path}[start_date]", "A phase starts when the one before it ends.")
        found.append(_phase(call, phase, start, code, path))
        start, code = found[-1]["end_date"], found[-1]["currency"]
        _possible(call, row, found[-1], path)
    return found


def _possible(call: Call, row: Row, phase: Row, path: str) -> None:
    """Raises 400 for a phase its subscription could not enter."""
    customer = call.find("customer", row["customer"], "customer", 400)
    params_of.payment_method(call, customer, phase["default_payment_method"], f"{path}[default_payment_method]")
    for inside, discounts in ((path, phase["discounts"]), *((path, item["discounts"]) for item in phase["items"])):
        for at, discount in enumerate(discounts):
            for name, id_ in discount.items():
                if id_ is not None:
                    call.find(name, id_, f"{inside}[discounts][{at}][{name}]", 400)
    start, until = phase["start_date"], phase["trial_end"]
    if until is not None and not start < until <= min(phase["end_date"], start + params_of.TRIAL_DAYS_MAX * rows.DAY):
        message = f"A trial has to end within its phase, and after at most {params_of.TRIAL_DAYS_MAX} days."
        raise invalid(f"{path}[trial_end]", message)
    if _days_until_due(row["default_settings"], phase) is None and _method(row["default_settings"], phase) == SENT:
        raise missing(f"{path}[invoice_settings][days_until_due]")


def _method(defaults: Row, phase: Row) -> str:
    return str(phase["collection_method"] or defaults["collection_method"])


def _days_until_due(defaults: Row, phase: Row) -> int | None:
    days: int | None = (phase["invoice_settings"] or defaults["invoice_settings"]).get("days_until_due")
    return days


def _phase(call: Call, given: dict[str, Any], start: int, code: str | None, path: str) -> Row:
    items = []
    if len(given["items"] or ()) > params_of.ITEMS_MAX:
        raise invalid(f"{path}[items]", f"A phase can have at most {params_of.ITEMS_MAX} items.")
    for at, wanted in enumerate(given["items"] or ()):
        wish = params_of.wished(call, wanted or {}, code, f"{path}[items][{at}]")
        code = code or wish.price["currency"]
        items.append((wish, _item(call, wish)))
    if not items:
        raise invalid(f"{path}[items]", "A phase has to have at least one item.")
    end = _end(given, start, items[0][0].price, path)
    method = given.get("collection_method")
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": given.get("billing_cycle_anchor"),
        "billing_thresholds": None,
        "collection_method": method,
        "currency": code,
        "default_payment_method": given.get("default_payment_method"),
        "default_tax_rates": params_of.tax_rates(call, given.get("default_tax_rates"), f"{path}[default_tax_rates]"),
        "description": given.get("description"),
        "discounts": _discounts(given),
        "end_date": end,
        "invoice_settings": _invoice_settings(given),
        "items": [item for _, item in items],
        "metadata": {name: value for name, value in (given.get("metadata") or {}).items() if value},
        "on_behalf_of": None,
        "proration_behavior": given.get("proration_behavior") or "create_prorations",
        "start_date": start,
        "transfer_data": None,
        "trial_end": end if given.get("trial") else given.get("trial_end"),
    }


def _item(call: Call, wish: params_of.Wish) -> Row:
    item: Row = {
        "billing_thresholds": None,
        "discounts": _discounts(wish.given),
        "metadata": {},
        "price": wish.price["id"],
        "tax_rates": [],
        **params_of.item_fields(call, wish),
    }
    if wish.price["recurring"]["usage_type"] != "metered":
        item.setdefault("quantity", 1)
    return item


def _discounts(given: dict[str, Any]) -> list[Row]:
    names = ("coupon", "discount", "promotion_code")
    return [{name: (one or {}).get(name) for name in names} for one in given.get("discounts") or ()]


def _invoice_settings(given: dict[str, Any]) -> Row | None:
    days = (given.get("invoice_settings") or {}).get("days_until_due")
    return None if days is None else {"account_tax_ids": None, "days_until_due": days, "issuer": None}


def _end(given: dict[str, Any], start: int, price: Row, path: str) -> int:
    """The end of a phase: as given, after its duration, or after one interval of its first price."""
    end, lasts = given.get("end_date"), given.get("duration")
    if end is not None and lasts is not None:
        raise invalid(f"{path}[duration]", "You may only specify one of these parameters: end_date, duration.")
    if end is None:
        lasts = lasts or price["recurring"]
        count = lasts.get("interval_count", 1)
        if not 1 <= count <= DURATION_MAX:
            raise invalid(f"{path}[duration][interval_count]", f"This value must be from 1 to {DURATION_MAX}.")
        end = periods.Cycle(start, lasts["interval"], count).end(1)
    if end <= start:
        raise invalid(f"{path}[end_date]", "The end date of a phase must be after its start date.")
    return params_of.ahead(end, start, f"{path}[end_date]")


def of_subscription(store: Store, subscription: Row) -> Row:
    """The phase a subscription is in as it is."""
    held = rows.items_of(store, subscription["id"])
    items: list[Row] = []
    for item in held:
        kept: Row = {name: item[name] for name in ("metadata", "quantity", "tax_rates") if name in item}
        given = [{"coupon": None, "discount": id_, "promotion_code": None} for id_ in item["discounts"]]
        items.append(kept | {"billing_thresholds": None, "discounts": given, "price": item["_price"]})
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": subscription["currency"],
        "default_payment_method": subscription["default_payment_method"],
        "default_tax_rates": subscription["default_tax_rates"],
        "description": subscription["description"],
        "discounts": [{"coupon": None, "discount": id_, "promotion_code": None} for id_ in subscription["discounts"]],
        "end_date": min(item["current_period_end"] for item in held),
        "invoice_settings": None,
        "items": items,
        "metadata": subscription["metadata"],
        "on_behalf_of": None,
        "proration_behavior": "create_prorations",
        "start_date": max(item["current_period_start"] for item in held),
        "transfer_data": None,
        "trial_end": subscription["trial_end"] if subscription["status"] == "trialing" else None,
    }


def span(phase: Row) -> Row:
    """Start and end, as ``current_phase`` shows them."""
    return {"end_date": phase["end_date"], "start_date": phase["start_date"]}


def wanted(call: Call, row: Row, phase: Row, *, first: bool) -> dict[str, Any]:
    """What the subscription is asked for when it enters a phase, as its parameters.

    What was possible when the phase was written and is no longer does not keep it from beginning: an archived price is
    billed all the same, a payment method or a coupon that is gone is left out.
    """
    defaults = row["default_settings"]
    asked: dict[str, Any] = {
        "collection_method": _method(defaults, phase),
        "items": [
            {
                "price": call.store.get("price", item["price"]),
                "metadata": item["metadata"],
                "tax_rates": [rate["id"] for rate in item["tax_rates"]],
                "discounts": _left(call, item["discounts"]),
                **({"quantity": item["quantity"]} if "quantity" in item else {}),
            }
            for item in phase["items"]
        ],
        "metadata": phase["metadata"],
    }
    method = phase["default_payment_method"] or defaults["default_payment_method"]
    if method and (call.store.get("payment_method", method) or {}).get("customer") == row["customer"]:
        asked["default_payment_method"] = method
    if phase["description"] or defaults["description"]:
        asked["description"] = phase["description"] or defaults["description"]
    if asked["collection_method"] == SENT:
        asked["days_until_due"] = _days_until_due(defaults, phase)
    if phase["discounts"] or not first:
        asked["discounts"] = _left(call, phase["discounts"])
    if phase["default_tax_rates"]:
        asked["default_tax_rates"] = [rate["id"] for rate in phase["default_tax_rates"]]
    if phase["trial_end"] is not None and phase["trial_end"] > call.now:
        asked["trial_end"] = phase["trial_end"]
    elif not first and (phase["billing_cycle_anchor"] or defaults["billing_cycle_anchor"]) == "phase_start":
        asked["billing_cycle_anchor"] = "now"
    return asked


def _left(call: Call, given: Sequence[Row]) -> list[Row]:
    """The discounts of a phase that can still be given."""
    return [one for one in given if redeemable(call, one)]


def moved(held: Sequence[Row], wanted_items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items parameter that turns the items a subscription has into those a phase wants."""
    left = list(held)
    result, unmatched = [], []
    for item in wanted_items:
        same = next((one for one in left if one["_price"] == item["price"]["id"]), None)
        if same is None:
            unmatched.append(item)
        else:
            left.remove(same)
            result.append({**item, "id": same["id"], "price": None})
    result += [{**item, "id": left.pop(0)["id"]} if left else item for item in unmatched]
    return result + [{"id": one["id"], "deleted": True} for one in left]
