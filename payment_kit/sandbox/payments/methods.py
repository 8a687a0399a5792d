"""Payment methods: made from Stripe's test tokens, attached to customers and detached."""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, get
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import fields, integer, one_of, string
from payment_kit.sandbox.params import BILLING_DETAILS, REDISPLAY
from payment_kit.sandbox.parts import address, merged
from payment_kit.sandbox.payments import cards, debits
from payment_kit.sandbox.store import Row

EXPIRY_YEAR = 2034
TYPES = ("card", "us_bank_account", "sepa_debit")


def create_payment_method(call: Call) -> Row:
    """POST /v1/payment_methods with ``card[token]=tok_…``; raw numbers are refused as on ordinary accounts."""
    return make(call, call.params)


def make(call: Call, params: dict[str, Any], inside: str = "") -> Row:
    """A new payment method from the parameters of its own endpoint or of ``payment_method_data``."""
    type_ = params["type"]
    name = f"{inside}[{type_}]" if inside else type_
    details = params.get(type_) or {}
    if type_ != "card":
        _named(params, inside, *(("name", "email") if type_ == "sepa_debit" else ("name",)))
        shown, behaviour = debits.details(type_, details, name)
        return _add(call, type_, shown, behaviour, params)
    if "number" in details:
        raise ApiError(
            402,
            "Sending credit card numbers directly to the Stripe API is generally unsafe. "
            "Use a test token such as tok_visa.",
        )
    token = details.get("token")
    if token is None:
        raise missing(f"{name}[token]")
    return _of_card(call, token, f"{name}[token]", params)


def _named(params: dict[str, Any], inside: str, *wanted: str) -> None:
    given = params.get("billing_details") or {}
    for name in wanted:
        if not given.get(name):
            raise missing(f"{inside}[billing_details][{name}]" if inside else f"billing_details[{name}]")


def _of_card(call: Call, token: str, param: str, params: dict[str, Any]) -> Row:
    card = cards.card(token)
    if card is None:
        raise ApiError(400, f"No such token: '{token}'", code="resource_missing", param=param)
    return _add(call, "card", _card(card), card.behaviour, params)


def _add(call: Call, type_: str, shown: Row, behaviour: str, params: dict[str, Any]) -> Row:
    row: Row = {
        "id": call.new_id("payment_method"),
        "object": "payment_method",
        "allow_redisplay": params.get("allow_redisplay") or "unspecified",
        "billing_details": _billing(params.get("billing_details") or {}),
        type_: shown,
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merged({}, params),
        "type": type_,
        "_behaviour": behaviour,
        "_used": False,
    }
    return call.add(row)


def _billing(value: dict[str, Any]) -> Row:
    return {
        "address": address(value.get("address") or {}),
        "email": value.get("email"),
        "name": value.get("name"),
        "phone": value.get("phone"),
        "tax_id": None,
    }


def _card(card: cards.Card) -> Row:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": card.postal_code_check,
            "cvc_check": card.cvc_check,
        },
        "country": card.country,
        "display_brand": "american_express" if card.brand == "amex" else card.brand,
        "exp_month": 11,
        "exp_year": EXPIRY_YEAR,
        "fingerprint": ids.text(16, "fingerprint", card.brand, card.last4, *_abroad(card)),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _abroad(card: cards.Card) -> tuple[str, ...]:
    return () if card.country == "US" else (card.country,)


def resolve(call: Call, id_: str, param: str = "payment_method", status: int = 400) -> Row:
    """The payment method of an id; a test name such as ``pm_card_visa`` makes a new one, as in Stripe's test mode."""
    if cards.card(id_) is not None and id_.startswith("pm_card_"):
        return _of_card(call, id_, param, {})
    bank = debits.named(id_)
    if bank is not None:
        return make(call, bank)
    return call.find("payment_method", id_, param, status)


def given(call: Call, customer: str | None, what: str) -> Row | None:
    """The payment method a call names or describes, checked against the customer of its intent; `what` is its kind."""
    if call.params.get("payment_method_data"):
        return make(call, call.params["payment_method_data"], "payment_method_data")
    if not call.params.get("payment_method"):
        return None
    method = resolve(call, call.params["payment_method"])
    if method["customer"] is not None and method["customer"] != customer:
        message = f"The PaymentMethod {method['id']} belongs to a Customer; pass that Customer with the {what}."
        raise ApiError(400, message, param="payment_method")
    if method["customer"] is None and method["_used"]:
        raise used()
    return method


def types(params: dict[str, Any], name: str, currency: str | None) -> list[str]:
    """The types an intent takes: those named, of which the currency leaves some out as at Stripe, else all it has."""
    possible = [type_ for type_ in TYPES if currency is None or debits.CURRENCIES.get(type_, currency) == currency]
    wanted: list[str] | None = params.get(name)
    found = [type_ for type_ in wanted if type_ in possible] if wanted else possible
    if not found:
        message = f"No valid payment method types for this intent: the sandbox has {', '.join(TYPES)}"
        raise invalid(name, f"{message}, a debit only in the currency of its country.")
    return found


def check_type(method: Row, allowed: list[str], what: str) -> None:
    """Refuse a method of a type that the intent does not take."""
    if method["type"] not in allowed:
        raise ApiError(
            400,
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {what}. Please attempt the "
            f"transaction again with a PaymentMethod of a different type: {', '.join(allowed)}.",
            param="payment_method",
        )


def attach(call: Call, id_: str, customer: Row) -> Row:
    """Save a payment method to a customer; a card that declines is declined here too."""
    row = resolve(call, id_, status=404 if call.path else 400)
    decline = cards.DECLINES.get(row["_behaviour"])
    if decline is not None and row["type"] == "card":
        raise cards.refusal(decline)
    if row["customer"] == customer["id"]:
        return row
    if row["customer"] is not None:
        raise ApiError(400, "The payment method you provided has already been attached to a customer.")
    if row["_used"]:
        raise used()
    return call.change(row, "payment_method.attached", customer=customer["id"])


def used() -> ApiError:
    """What Stripe says about a payment method that was used once without a customer."""
    return ApiError(
        400,
        "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, "
        "and may not be used again.",
        param="payment_method",
    )


def attach_payment_method(call: Call) -> Row:
    """POST /v1/payment_methods/{id}/attach"""
    return attach(call, call.path[0], call.find("customer", call.params["customer"], "customer", 400))


def detach_payment_method(call: Call) -> Row:
    """POST /v1/payment_methods/{id}/detach: for good, it cannot be attached again."""
    row = call.find("payment_method", call.path[0])
    if row["customer"] is None:
        raise ApiError(
            400, "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    customer = call.store.get("customer", row["customer"])
    if customer and customer["invoice_settings"]["default_payment_method"] == row["id"]:
        settings = {**customer["invoice_settings"], "default_payment_method": None}
        call.change(customer, "customer.updated", invoice_settings=settings)
    return call.change(row, "payment_method.detached", customer=None, _used=True)


def update_payment_method(call: Call) -> Row:
    """POST /v1/payment_methods/{id}: only while attached to a customer."""
    row, params = call.find("payment_method", call.path[0]), call.params
    if row["customer"] is None:
        raise ApiError(400, "You must save this PaymentMethod to a customer before you can update it.")
    changes: dict[str, Any] = {"metadata": merged(row, params)}
    if params.get("billing_details"):
        changes["billing_details"] = {**row["billing_details"], **_given_billing(params["billing_details"])}
    if params.get("card"):
        if row["type"] != "card":
            raise invalid("card", f"You cannot update card on a PaymentMethod of type {row['type']}.")
        changes["card"] = {**row["card"], **params["card"]}
        if not 1 <= changes["card"]["exp_month"] <= 12:
            raise invalid("card[exp_month]", "Your card's expiration month is invalid.", "invalid_expiry_month")
    if params.get("allow_redisplay"):
        changes["allow_redisplay"] = params["allow_redisplay"]
    return call.change(row, "payment_method.updated", **changes)


def _given_billing(value: dict[str, Any]) -> dict[str, Any]:
    whole = _billing(value)
    return {name: whole[name] for name in value}


def _payment_methods(call: Call) -> Row:
    """GET /v1/payment_methods"""
    call.referenced("customer", "customer")
    return listing.page(call, "payment_method", "/v1/payment_methods")


_CARD = {"token": string, "number": string, "exp_month": integer, "exp_year": integer, "cvc": string}
_BANK = {
    "account_holder_type": one_of("individual", "company"),
    "account_number": string,
    "account_type": one_of("checking", "savings"),
    "routing_number": string,
}
_METHOD = {
    **META,
    "allow_redisplay": REDISPLAY,
    "billing_details": BILLING_DETAILS,
    "card": fields(_CARD),
    "sepa_debit": fields({"iban": string}, ("iban",)),
    "type": one_of(*TYPES),
    "us_bank_account": fields(_BANK),
}
_UPDATE = {**_METHOD, "card": fields({"exp_month": integer, "exp_year": integer})}
del _UPDATE["type"], _UPDATE["sepa_debit"], _UPDATE["us_bank_account"]
_FILTERS = {**PAGE, "customer": string, "type": one_of(*TYPES), "allow_redisplay": REDISPLAY}
DATA = fields({name: kind for name, kind in _METHOD.items() if name != "expand"}, ("type",))

ENDPOINTS = (
    Endpoint("GET", "payment_methods", _payment_methods, _FILTERS),
    Endpoint("POST", "payment_methods", create_payment_method, _METHOD, ("type",)),
    Endpoint("GET", "payment_methods/*", get("payment_method", "payment_method"), EXPAND),
    Endpoint("POST", "payment_methods/*", update_payment_method, _UPDATE),
    Endpoint("POST", "payment_methods/*/attach", attach_payment_method, {**EXPAND, "customer": string}, ("customer",)),
    Endpoint("POST", "payment_methods/*/detach", detach_payment_method, EXPAND),
)
