"""What the operations of payment intents take; a parameter that is not here is refused by name."""

from typing import Any

from payment_kit.sandbox.endpoint import EXPAND, META
from payment_kit.sandbox.errors import invalid
from payment_kit.sandbox.form import Kind, amount, array, boolean, currency, email, fields, one_of, string
from payment_kit.sandbox.params import SHIPPING
from payment_kit.sandbox.payments import mandates, methods


def _off_session(raw: Any, path: str) -> bool:
    if raw not in ("true", "false", "True", "False", "one_off", "recurring"):
        raise invalid(path, f"Invalid off_session: {raw}")
    return raw not in ("false", "False")


def _no_longer(raw: Any, path: str) -> None:
    """Stripe refuses it since 2026-09-30.endive (docs.stripe.com/changelog/endive)."""
    message = (
        "payment_method_types is no longer supported; use allowed_payment_method_types or automatic_payment_methods."
    )
    raise invalid(path, message, "payment_method_types_no_longer_supported")


CAPTURE: dict[str, Kind] = {
    **META,
    "amount_to_capture": amount,
    "application_fee_amount": amount,
    "final_capture": boolean,
    "statement_descriptor": string,
    "statement_descriptor_suffix": string,
}
_SHARED: dict[str, Kind] = {
    **EXPAND,
    "allowed_payment_method_types": array(string),
    "payment_method": string,
    "payment_method_data": methods.DATA,
    "payment_method_options": fields(
        {"card": fields({"request_three_d_secure": one_of("automatic", "any", "challenge")})}
    ),
    "payment_method_types": _no_longer,
    "receipt_email": email,
    "setup_future_usage": one_of("on_session", "off_session"),
    "shipping": SHIPPING,
}
CONFIRM: dict[str, Kind] = {
    **_SHARED,
    "error_on_requires_action": boolean,
    "mandate_data": mandates.MANDATE_DATA,
    "off_session": _off_session,
    "return_url": string,
    "use_stripe_sdk": boolean,
}
UPDATE: dict[str, Kind] = {
    **_SHARED,
    **META,
    "amount": amount,
    "application_fee_amount": amount,
    "currency": currency,
    "customer": string,
    "description": string,
    "statement_descriptor": string,
    "statement_descriptor_suffix": string,
    "transfer_group": string,
}
CREATE: dict[str, Kind] = {
    **CONFIRM,
    **UPDATE,
    "automatic_payment_methods": fields(
        {"allow_redirects": one_of("always", "never"), "enabled": boolean}, ("enabled",)
    ),
    "capture_method": one_of("automatic", "automatic_async", "manual"),
    "confirm": boolean,
    "confirmation_method": one_of("automatic", "manual"),
}
CANCELED = one_of("duplicate", "fraudulent", "requested_by_customer", "abandoned")
