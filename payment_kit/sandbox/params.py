"""Hashes that parameters of several operations share."""

from payment_kit.sandbox.form import (
    amount,
    boolean,
    currency,
    decimal,
    email,
    fields,
    integer,
    metadata,
    one_of,
    string,
)

ADDRESS = fields(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), string))
SHIPPING = fields({"address": ADDRESS, "name": string, "phone": string}, ("address", "name"))
BILLING_DETAILS = fields({"address": ADDRESS, "email": email, "name": string, "phone": string})
TAX_BEHAVIOR = one_of("exclusive", "inclusive", "unspecified")
REDISPLAY = one_of("always", "limited", "unspecified")
INTERVAL = {"interval": one_of("day", "week", "month", "year"), "interval_count": integer}
RECURRING = fields(INTERVAL, ("interval",))
PRICED = {
    "currency": currency,
    "metadata": metadata,
    "recurring": RECURRING,
    "tax_behavior": TAX_BEHAVIOR,
    "unit_amount": amount,
    "unit_amount_decimal": decimal,
}
PRODUCT_DATA = fields(
    {
        "active": boolean,
        "id": string,
        "metadata": metadata,
        "name": string,
        "statement_descriptor": string,
        "tax_code": string,
        "unit_label": string,
    },
    ("name",),
)
