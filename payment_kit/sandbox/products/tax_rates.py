"""Tax rates: what part of an amount is tax, on top of it or inside. They are archived, never deleted."""

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, META, Endpoint, get, listed
from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.form import boolean, one_of, string
from payment_kit.sandbox.parts import merged
from payment_kit.sandbox.products import percent
from payment_kit.sandbox.store import Row

NAME_MAX = 50


def tax(rate: Row, amount: int) -> int:
    """The tax on `amount` minor units: to be added when the rate is exclusive, contained when it is inclusive.

    Rounded half away from zero, so that a credit takes back what its charge took.
    """
    return (percent.within if rate["inclusive"] else percent.of)(rate["percentage"], amount)


def create_tax_rate(call: Call) -> Row:
    """POST /v1/tax_rates"""
    params = call.params
    _short(call)
    row: Row = {
        "id": call.new_id("tax_rate"),
        "object": "tax_rate",
        "active": params.get("active", True),
        "country": params.get("country"),
        "created": call.now,
        "description": params.get("description"),
        "display_name": params["display_name"],
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": params["inclusive"],
        "jurisdiction": params.get("jurisdiction"),
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": merged({}, params),
        "percentage": params["percentage"],
        "rate_type": "percentage",
        "state": params.get("state"),
        "tax_type": params.get("tax_type"),
    }
    return call.add(row, "tax_rate.created")


def update_tax_rate(call: Call) -> Row:
    """POST /v1/tax_rates/{id}: the percentage never changes."""
    row, params = call.find("tax_rate", call.path[0], "tax_rate"), call.params
    _short(call)
    changes = {name: value for name, value in params.items() if name not in ("metadata", "expand")}
    if changes.get("display_name", row["display_name"]) is None:
        raise invalid("display_name", "You cannot unset 'display_name'.", "parameter_invalid_empty")
    return call.change(row, "tax_rate.updated", **changes, metadata=merged(row, params))


def _short(call: Call) -> None:
    for name in ("display_name", "jurisdiction"):
        if len(call.params.get(name) or "") > NAME_MAX:
            raise invalid(name, f"Invalid string: must be at most {NAME_MAX} characters.")


TAX_TYPES = (
    "amusement_tax",
    "communications_tax",
    "gst",
    "hst",
    "igst",
    "jct",
    "lease_tax",
    "pst",
    "qst",
    "retail_delivery_fee",
    "rst",
    "sales_tax",
    "service_tax",
    "vat",
)
_RATE = {
    **META,
    "active": boolean,
    "country": string,
    "description": string,
    "display_name": string,
    "jurisdiction": string,
    "state": string,
    "tax_type": one_of(*TAX_TYPES),
}

ENDPOINTS = (
    Endpoint("GET", "tax_rates", listed("tax_rate"), {**DATED, "active": boolean, "inclusive": boolean}),
    Endpoint("POST", "tax_rates", create_tax_rate,
             {**_RATE, "inclusive": boolean, "percentage": percent.percentage},
             ("display_name", "inclusive", "percentage")),
    Endpoint("GET", "tax_rates/*", get("tax_rate", "tax_rate"), EXPAND),
    Endpoint("POST", "tax_rates/*", update_tax_rate, _RATE),
)  # fmt: skip
