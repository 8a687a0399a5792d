"""Checkout sessions: a page where somebody pays, subscribes or saves a way to pay; made, read, listed, expired.

What its customer does there stands in `completion`.
"""

from typing import Any

from payment_kit.sandbox import ids, listing
from payment_kit.sandbox.billing import pricing
from payment_kit.sandbox.billing.subscription_params import trial_end
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.checkout import items as basket
from payment_kit.sandbox.checkout import session_params as forms
from payment_kit.sandbox.endpoint import EXPAND, META, PAGE, Endpoint, filters, get
from payment_kit.sandbox.errors import ApiError, invalid, missing
from payment_kit.sandbox.form import email, fields, one_of
from payment_kit.sandbox.parts import address, merged
from payment_kit.sandbox.payments import intents, methods, setups
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row, Store

PATH = "checkout/sessions"
LIFE_MIN, LIFE_MAX = 1800, 86_400  # "anywhere from 30 minutes to 24 hours after Checkout Session creation"
REFERENCE_MAX = 200
DATA = ("payment_intent_data", "setup_intent_data", "subscription_data")
# parameters that only some modes have
MODES: dict[str, tuple[str, ...]] = {
    "payment_intent_data": ("payment",),
    "setup_intent_data": ("setup",),
    "subscription_data": ("subscription",),
    "invoice_creation": ("payment",),
    "customer_creation": ("payment", "setup"),
    "payment_method_collection": ("subscription",),
    "line_items": ("payment", "subscription"),
    "discounts": ("payment", "subscription"),
    "allow_promotion_codes": ("payment", "subscription"),
}
_EITHER = (("customer", "customer_email"), ("customer", "customer_creation"), ("allow_promotion_codes", "discounts"))
_INVOICE_DATA = ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "metadata", "rendering_options")


def create(call: Call, params: dict[str, Any], link: str | None = None) -> Row:
    """A new session from the parameters of POST /v1/checkout/sessions; `link` is the payment link somebody opened.

    Raises 400 for what no customer could complete.
    """
    call = call.part(**params)
    mode = params.get("mode")
    if mode is None:
        raise missing("mode")
    _fitting(params, mode, call.now, link)
    customer = call.referenced("customer", "customer")
    id_ = call.new_id("checkout.session")
    sold = basket.new(call, id_, params.get("line_items") or [], params.get("currency"))
    _sellable(sold, mode)
    code: str | None = sold[0]["currency"] if sold else params.get("currency")
    row = _row(call, params, id_, mode, code, customer, link)
    if mode == "setup":
        intent = setups.new(call, _setup_data(params), str(customer["id"]) if customer else None, _session=id_)
        return call.add({**row, "setup_intent": call.add(intent, "setup_intent.created")["id"]})
    _, whole = basket.computed(call.store, sold, str(code))
    reduced = discounts.resolve(
        call, params.get("discounts"), customer=customer, currency=code, amount=whole.subtotal, keep=False
    )  # fmt: skip
    row |= {"_discounts": reduced, "discounts": _shown(reduced), "_tax_exempt": (customer or {}).get("tax_exempt")}
    row, sold = priced(call.store, row, sold)
    _payable(row)
    basket.keep(call, sold)
    return call.add(row)


def _payable(session: Row) -> None:
    if session["mode"] == "payment" and session["amount_total"]:
        intents.check_amount(session["amount_total"], session["currency"])


def _fitting(params: dict[str, Any], mode: str, now: int, link: str | None) -> None:
    """Raises 400 for parameters that do not go together, or not with the mode."""
    for name, modes in MODES.items():
        if params.get(name) and mode not in modes:
            raise invalid(name, f"You can not pass `{name}` in `{mode}` mode.")
    for one, other in _EITHER:
        if params.get(one) and params.get(other):
            raise invalid(other, f"You may only specify one of these parameters: {one}, {other}.")
    wanted = ("currency", "payment_method_types") if mode == "setup" else ("line_items",)
    if not any(params.get(name) for name in wanted):
        raise missing(wanted[0])
    if len(params.get("discounts") or ()) > 1:
        raise invalid("discounts", "You can only apply one coupon or promotion code to a Checkout Session.")
    if len(params.get("client_reference_id") or "") > REFERENCE_MAX:
        raise invalid("client_reference_id", f"Invalid string: must be at most {REFERENCE_MAX} characters.")
    if not now + LIFE_MIN <= (params.get("expires_at") or now + LIFE_MAX) <= now + LIFE_MAX:
        message = "The `expires_at` timestamp must be from 30 minutes to 24 hours after Checkout Session creation."
        raise invalid("expires_at", message)
    if link is None:
        _returning(params)


def _returning(params: dict[str, Any]) -> None:
    """Raises 400 when the customer would not know where to go, by how the page is shown."""
    mode = params.get("ui_mode") or "hosted_page"
    here, there = ("success_url", "cancel_url"), ("return_url", "redirect_on_completion")
    wanted, others = ("success_url", there) if mode == "hosted_page" else ("return_url", here)
    stays = mode != "hosted_page" and params.get("redirect_on_completion") == "never"
    for name in (*others, "return_url") if stays else others:
        if params.get(name):
            raise invalid(name, f"`{name}` cannot be used with this ui_mode and redirect_on_completion.")
    if not stays and not params.get(wanted):
        raise missing(wanted)


def _sellable(sold: list[Row], mode: str) -> None:
    if mode == "payment" and any(basket.recurs(item) for item in sold):
        message = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or "
        raise invalid("line_items", message + "use only one-time prices.")
    if mode == "subscription":
        if not any(basket.recurs(item) for item in sold):
            message = "You must provide at least one recurring price in `subscription` mode when using prices."
            raise invalid("line_items", message)
        basket.together(sold)


def _setup_data(params: dict[str, Any]) -> dict[str, Any]:
    data = params.get("setup_intent_data") or {}
    return {**data, "allowed_payment_method_types": params.get("payment_method_types")}


def _row(
    call: Call, params: dict[str, Any], id_: str, mode: str, code: str | None, customer: Row | None, link: str | None
) -> Row:
    ui_mode = params.get("ui_mode") or "hosted_page"
    ends = params.get("expires_at") or call.now + LIFE_MAX
    data = params.get("subscription_data") or {}
    until = trial_end(data, call.now)
    rates = pricing.tax_rates(call, data.get("default_tax_rates"), "subscription_data[default_tax_rates]")
    hosted = ui_mode == "hosted_page"
    secret = ids.text(40, "client_secret", call.store.meta["account_seed"], id_)
    row: Row = {
        "id": id_,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False} if mode == "payment" else None,
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "amount_subtotal": None,
        "amount_total": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None if hosted else f"{id_}_secret_{secret}",
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": call.now,
        "currency": code,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "customer": customer and customer["id"],
        "customer_account": None,
        "customer_creation": _creation(params, mode),
        "customer_details": _known(params, customer),
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": ends,
        "invoice": None,
        "invoice_creation": invoice_creation(params.get("invoice_creation")) if mode == "payment" else None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged({}, params),
        "mode": mode,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": link,
        "payment_method_collection": params.get("payment_method_collection") or _collection(mode),
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": methods.types(params, "payment_method_types", code),
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "permissions": None,
        "phone_number_collection": params.get("phone_number_collection") or {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params.get("success_url"),
        "total_details": None,
        "ui_mode": ui_mode,
        "url": f"https://checkout.stripe.com/c/pay/{id_}" if hosted else None,
        "wallet_options": None,
        "_data": {name: params[name] for name in DATA if params.get(name)},
        "_due": ends,
        "_tax_rates": [rate["id"] for rate in rates],
        "_trial": until is not None,
    }
    if not hosted:
        row["redirect_on_completion"] = params.get("redirect_on_completion") or "always"
        if params.get("return_url"):
            row["return_url"] = params["return_url"]
    return row


def _creation(params: dict[str, Any], mode: str) -> str | None:
    if params.get("customer"):
        return None
    return params.get("customer_creation") or ("always" if mode == "subscription" else "if_required")


def _collection(mode: str) -> str:
    return "always" if mode == "subscription" else "if_required"


def _known(params: dict[str, Any], customer: Row | None) -> Row | None:
    """What is known of the customer before he comes."""
    if customer is not None:
        facts = {name: customer[name] for name in ("address", "email", "name", "phone", "tax_exempt")}
    elif params.get("customer_email"):
        facts = {"email": params["customer_email"]}
    else:
        return None
    return details(**facts)


def details(**facts: Any) -> Row:
    """``customer_details`` with these facts."""
    whole = dict.fromkeys(("address", "business_name", "email", "individual_name", "name", "phone"))
    found = {**whole, "tax_exempt": "none", "tax_ids": [], **facts}
    return {**found, "address": address(found["address"])}


def invoice_creation(given: dict[str, Any] | None) -> Row:
    """``invoice_creation`` as a session or a link shows it."""
    data = {**dict.fromkeys(_INVOICE_DATA), "metadata": {}, **((given or {}).get("invoice_data") or {})}
    return {"enabled": bool(given and given["enabled"]), "invoice_data": {**data, "metadata": merged({}, data)}}


def _shown(reduced: list[Row]) -> list[Row]:
    """The session's ``discounts``: a code, or the coupon itself."""
    shown = []
    for row in reduced:
        code = row["promotion_code"]
        shown.append({"coupon": None if code else row["source"]["coupon"], "promotion_code": code})
    return shown


def priced(store: Store, session: Row, sold: list[Row]) -> tuple[Row, list[Row]]:
    """The session and its items with their amounts as they are now."""
    sold, sums = basket.computed(
        store,
        sold,
        session["currency"],
        reduced=session["_discounts"],
        tax_rates=session["_tax_rates"],
        tax_exempt=session.get("_tax_exempt") or "none",
        trial=session["_trial"],
    )
    changes = {"amount_subtotal": sums.subtotal, "amount_total": sums.total, "total_details": sums.details}
    return {**session, **changes, "_breakdown": sums.breakdown}, sold


def choose(call: Call, session: Row, reduced: list[Row], sold: list[Row]) -> Row:
    """The session after its customer chose quantities or a promotion code; nobody is told."""
    after, sold = priced(call.store, {**session, "_discounts": reduced, "discounts": _shown(reduced)}, sold)
    _payable(after)
    basket.keep(call, sold)
    return call.change(session, **after)


def create_session(call: Call) -> Row:
    """POST /v1/checkout/sessions"""
    return create(call, call.params)


def update_session(call: Call) -> Row:
    """POST /v1/checkout/sessions/{id}: its metadata, whatever its status."""
    row = call.find("checkout.session", call.path[0], "session")
    return call.change(row, metadata=merged(row, call.params))


def expire_session(call: Call) -> Row:
    """POST /v1/checkout/sessions/{id}/expire"""
    row = call.find("checkout.session", call.path[0], "session")
    if row["status"] != "open":
        message = 'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status '
        raise ApiError(400, message + f"of `{row['status']}`.")
    return expire(call, row)


def expire(call: Call, row: Row) -> Row:
    """The end of a session nobody completed; what it had begun is canceled."""
    if row["setup_intent"]:
        setup = call.find("setup_intent", row["setup_intent"])
        if setup["status"] in setups.CONFIRMABLE:
            call.change(setup, "setup_intent.canceled", status="canceled", next_action=None)
    if row["payment_intent"]:
        intent = call.find("payment_intent", row["payment_intent"])
        if intent["status"] in intents.CANCELABLE:
            intents.cancel(call, intent, "automatic")
    row = call.change(row, status="expired", url=None, _due=None)
    call.emit("checkout.session.expired", row)
    return row


def _sessions(call: Call) -> Row:
    """GET /v1/checkout/sessions"""
    wanted = (call.params.pop("customer_details", None) or {}).get("email")

    def of_email(row: Row) -> bool:
        return wanted is None or (row["customer_details"] or {}).get("email") == wanted

    return listing.page(call, "checkout.session", f"/v1/{PATH}", where=of_email)


def _line_items(call: Call) -> Row:
    """GET /v1/checkout/sessions/{id}/line_items"""
    return basket.page(call, call.find("checkout.session", call.path[0], "session"), PATH)


def _breakdown(store: Store, row: Row) -> Any:
    return (store.get("checkout.session", row["id"]) or {}).get("_breakdown")


_FILTERS = {
    **filters("customer", "payment_intent", "payment_link", "subscription"),
    "customer_details": fields({"email": email}, ("email",)),
    "status": one_of("complete", "expired", "open"),
}

DUE = {"checkout.session": expire}
INCLUDES = {
    ("checkout.session", "line_items"): lambda store, row: basket.nested(store, row, PATH),
    ("checkout.session", "total_details.breakdown"): _breakdown,
}
ENDPOINTS = (
    Endpoint("GET", PATH, _sessions, _FILTERS),
    Endpoint("POST", PATH, create_session, forms.CREATE),
    Endpoint("GET", f"{PATH}/*", get("checkout.session", "session"), EXPAND),
    Endpoint("POST", f"{PATH}/*", update_session, META),
    Endpoint("POST", f"{PATH}/*/expire", expire_session, EXPAND),
    Endpoint("GET", f"{PATH}/*/line_items", _line_items, PAGE),
)
