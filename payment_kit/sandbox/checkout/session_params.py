"""The parameters of checkout sessions."""

from payment_kit.sandbox.checkout.items import LINE_ITEM
from payment_kit.sandbox.endpoint import META
from payment_kit.sandbox.form import (
    Kind,
    array,
    boolean,
    currency,
    email,
    fields,
    integer,
    metadata,
    one_of,
    string,
    url,
)
from payment_kit.sandbox.params import SHIPPING
from payment_kit.sandbox.payments.methods import TYPES

LOCALES = (
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro ru "
    "sk sl sv th tr vi zh zh-HK zh-TW"
).split()
UI_MODES = ("hosted_page", "embedded_page", "elements")
SUBMIT_TYPE = one_of("auto", "book", "donate", "pay", "subscribe")
CUSTOMER_CREATION = one_of("always", "if_required")
COLLECTION = one_of("always", "if_required")
ENABLED = fields({"enabled": boolean}, ("enabled",))
TRIAL_SETTINGS = fields(
    {"end_behavior": fields({"missing_payment_method": one_of("cancel", "create_invoice", "pause")},
                            ("missing_payment_method",))},
    ("end_behavior",),
)  # fmt: skip
INTENT_DATA: dict[str, Kind] = {
    **dict.fromkeys(("description", "statement_descriptor", "statement_descriptor_suffix", "transfer_group"), string),
    "capture_method": one_of("automatic", "automatic_async", "manual"),
    "metadata": metadata,
    "setup_future_usage": one_of("off_session", "on_session"),
}
SUBSCRIPTION_DATA: dict[str, Kind] = {
    "description": string,
    "metadata": metadata,
    "trial_period_days": integer,
    "trial_settings": TRIAL_SETTINGS,
}
INVOICE_CREATION = fields(
    {
        "enabled": boolean,
        "invoice_data": fields(
            {
                "custom_fields": array(fields({"name": string, "value": string}, ("name", "value"))),
                "description": string,
                "footer": string,
                "metadata": metadata,
            }
        ),
    },
    ("enabled",),
)
CREATE: dict[str, Kind] = {
    **META,
    "allow_promotion_codes": boolean,
    "billing_address_collection": one_of("auto", "required"),
    "cancel_url": url,
    "client_reference_id": string,
    "currency": currency,
    "customer": string,
    "customer_creation": CUSTOMER_CREATION,
    "customer_email": email,
    "discounts": array(fields({"coupon": string, "promotion_code": string})),
    "expires_at": integer,
    "invoice_creation": INVOICE_CREATION,
    "line_items": array(fields({**LINE_ITEM, "metadata": metadata, "tax_rates": array(string)})),
    "locale": one_of(*LOCALES),
    "mode": one_of("payment", "setup", "subscription"),
    "payment_intent_data": fields({**INTENT_DATA, "receipt_email": email, "shipping": SHIPPING}),
    "payment_method_collection": COLLECTION,
    "payment_method_types": array(one_of(*TYPES)),
    "phone_number_collection": ENABLED,
    "redirect_on_completion": one_of("always", "if_required", "never"),
    "return_url": url,
    "setup_intent_data": fields({"description": string, "metadata": metadata}),
    "submit_type": SUBMIT_TYPE,
    "subscription_data": fields(
        {
            **SUBSCRIPTION_DATA,
            "billing_mode": fields({"type": one_of("classic", "flexible")}, ("type",)),
            "default_tax_rates": array(string),
            "trial_end": integer,
        }
    ),
    "success_url": url,
    "ui_mode": one_of(*UI_MODES),
}
