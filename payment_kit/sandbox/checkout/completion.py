"""What a customer does on the page of a checkout session, and what becomes of it when the bank answers later."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from payment_kit.sandbox.billing import collection, invoice_payments, invoices, subscriptions
from payment_kit.sandbox.billing import subscription_rows as rows
from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.checkout import items as basket
from payment_kit.sandbox.checkout import sessions
from payment_kit.sandbox.customers import customers
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.parts import shipping
from payment_kit.sandbox.payments import intents, mandates, methods, setups
from payment_kit.sandbox.products import discounts
from payment_kit.sandbox.store import Row

EMAIL = "customer@example.com"  # who gives no address and is not known by one
_INTENT_FIELDS = ("receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group")


class Visitor(NamedTuple):
    """Who is at the page: the customer's row if there is one, what he typed, what he pays with, how he answers."""

    customer: Row | None
    details: Row
    payment_method: str
    authenticates: bool


def complete(
    call: Call,
    session: Row,
    payment_method: str = "pm_card_visa",
    *,
    email: str | None = None,
    name: str | None = None,
    phone: str | None = None,
    address: Mapping[str, str] | None = None,
    promotion_code: str | None = None,
    quantities: Mapping[str, int] | None = None,
    authenticates: bool = True,
) -> Row:
    """The customer fills the page and confirms; the session then is complete and checkout.session.completed is told.

    `payment_method` is a test name or a saved method of the session's customer, `promotion_code` what he types,
    `quantities` his choice by item id, `authenticates` his answer should the bank ask. Raises 402 for a decline, which
    leaves the session open for another try, and 400 for what the page would not let him do.
    """
    if session["status"] != "open":
        raise ApiError(400, f"This Checkout Session is no longer active. Its status is {session['status']}.")
    session = _chosen(call, session, promotion_code, quantities or {})
    known = session["customer_details"] or {}
    typed = {"address": address, "email": email, "name": name, "phone": phone}
    told = {field: value or known.get(field) for field, value in typed.items()}
    told["email"] = told["email"] or EMAIL
    details = sessions.details(**{**told, "tax_exempt": known.get("tax_exempt") or "none"})
    customer = _customer(call, session, details)
    if customer is not None:
        session = call.change(session, _customer=customer["id"])
    visitor = Visitor(customer, details, payment_method, authenticates)
    return _BY_MODE[session["mode"]](call, session, visitor)


def _chosen(call: Call, session: Row, code: str | None, quantities: Mapping[str, int]) -> Row:
    """The session after the customer's choices on the page."""
    if code is None and not quantities:
        return session
    if session["payment_intent"] or session.get("_subscription"):
        raise ApiError(400, "A payment was tried already: what is bought can no longer be changed.")
    reduced, sold = session["_discounts"], basket.of(call.store, session["id"])
    for id_ in quantities:
        if all(item["id"] != id_ for item in sold):
            raise invalid("quantities", f"This session has no item {id_[:100]}.")
    sold = [{**item, "quantity": _quantity(item, quantities[item["id"]])} if item["id"] in quantities else item
            for item in sold]  # fmt: skip
    if code is not None:
        reduced = _typed(call, session, code)
    return sessions.choose(call, session, reduced, sold)


def _quantity(item: Row, wanted: int) -> int:
    bounds = item["adjustable_quantity"]
    if not bounds or not bounds["enabled"]:
        raise invalid("quantities", f"The quantity of {item['id']} is not adjustable.")
    if not max(1, bounds["minimum"]) <= wanted <= bounds["maximum"]:
        raise invalid("quantities", f"The quantity of {item['id']} must be from {bounds['minimum']} to "
                                    f"{bounds['maximum']}.")  # fmt: skip
    return wanted


def _typed(call: Call, session: Row, code: str) -> list[Row]:
    if not session["allow_promotion_codes"]:
        raise invalid("promotion_code", "This session takes no promotion codes.")
    known = call.store.tables["promotion_code"].having("_code", code.lower())
    active = [row for row in known if row["active"]]
    if not active:
        raise invalid("promotion_code", f"This code is invalid: {code[:100]}")
    customer = call.store.get("customer", session["customer"]) if session["customer"] else None
    return discounts.resolve(
        call, [{"promotion_code": active[0]["id"]}], customer=customer, currency=session["currency"],
        amount=session["amount_subtotal"], keep=False,
    )  # fmt: skip


def _customer(call: Call, session: Row, details: Row) -> Row | None:
    """The session's customer: the one it names, the one an earlier try made, a new one where one is needed."""
    held = session["customer"] or session.get("_customer")
    if held:
        return call.find("customer", held, "customer", 400)
    needed = session["mode"] == "subscription" or session["customer_creation"] == "always"
    needed = needed or bool((session["invoice_creation"] or {}).get("enabled")) or session["amount_total"] == 0
    if not needed:
        return None
    facts = {field: details[field] for field in ("address", "email", "name", "phone") if details[field]}
    return customers.create_customer(call.part(**facts))


def _method(call: Call, session: Row, visitor: Visitor) -> Row:
    """What the customer pays with, his own and of a type the session takes; it keeps what he typed."""
    method = methods.resolve(call, visitor.payment_method)
    owner = visitor.customer and visitor.customer["id"]
    if method["customer"] not in (None, owner):
        raise ApiError(400, "The payment method belongs to another customer.", param="payment_method")
    if method["customer"] is None and method["_used"]:
        raise methods.used()
    methods.check_type(method, session["payment_method_types"], "Checkout Session")
    if method["customer"] is not None:
        return method
    typed = {field: visitor.details[field] for field in ("email", "name", "phone")}
    held = method["billing_details"]
    fresh = {**held, **{field: held[field] or value for field, value in typed.items()}}
    return call.change(method, billing_details={**fresh, "address": visitor.details["address"] or held["address"]})


def _pay(call: Call, session: Row, visitor: Visitor) -> Row:
    if session["amount_total"] == 0:
        session = _redeemed(call, session, visitor)
        return _finish(call, session, visitor, payment_status="no_payment_required")
    method = _method(call, session, visitor)
    intent = _intent(call, session, visitor)
    session = call.change(session, payment_intent=intent["id"])
    intent = call.change(intent, payment_method=method["id"], status="requires_confirmation", next_action=None)
    intent = _answered(call, intents.confirm(call, intent), visitor)
    session = _redeemed(call, session, visitor)
    paid = intent["status"] == "succeeded"
    session = call.change(session, _awaits=intent["status"] == "processing")
    if paid:
        session = _invoiced(call, session, intent)
    return _finish(call, session, visitor, payment_status="paid" if paid else "unpaid")


def _intent(call: Call, session: Row, visitor: Visitor) -> Row:
    """The payment intent of the session, made when a payment is first tried."""
    if session["payment_intent"]:
        return call.find("payment_intent", session["payment_intent"])
    data = session["_data"].get("payment_intent_data") or {}
    fields = {name: data.get(name) for name in _INTENT_FIELDS}
    types = session["payment_method_types"]
    return intents.new(
        call,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=visitor.customer,
        description=data.get("description"),
        metadata=data.get("metadata"),
        setup_future_usage=data.get("setup_future_usage"),
        capture_method=data.get("capture_method") or "automatic_async",
        private={
            **fields, "payment_method_types": types, "shipping": shipping(data.get("shipping")),
            "_session": session["id"],
        },
    )  # fmt: skip


def _answered(call: Call, intent: Row, visitor: Visitor) -> Row:
    """The intent after the customer answered the bank, if it asked; raises 402 when he could not."""
    if intent["status"] != "requires_action":
        return intent
    action = setups.authenticate if intent["object"] == "setup_intent" else intents.authenticate
    part = call.part()
    part.path = (intent["id"],)
    intent = action(part, visitor.authenticates)
    error = intent.get("last_payment_error") or intent.get("last_setup_error")
    if intent["status"] == "requires_payment_method" and error:
        refused = ApiError(402, error["message"], code=error["code"], keep=True)
        refused.error[intent["object"]] = public(intent)
        raise refused
    return intent


def _redeemed(call: Call, session: Row, visitor: Visitor) -> Row:
    """The session's discount counts from now on."""
    if not session["_discounts"]:
        return session
    asked = basket.asked(session["_discounts"])
    kept = discounts.resolve(
        call, asked, customer=visitor.customer, currency=session["currency"], amount=session["amount_subtotal"],
        checkout_session=session["id"],
    )  # fmt: skip
    return sessions.choose(call, session, kept, basket.of(call.store, session["id"]))


def _invoiced(call: Call, session: Row, intent: Row) -> Row:
    """The session with the invoice for what was paid, when it is to make one (a post-purchase invoice)."""
    wanted = session["invoice_creation"]
    if not wanted["enabled"] or session["invoice"]:
        return session
    data = {name: value for name, value in wanted["invoice_data"].items() if value is not None}
    sold = basket.of(call.store, session["id"])
    invoice = invoices.draft(
        call,
        call.find("customer", intent["customer"]),
        billing_reason="manual",
        currency=session["currency"],
        lines=basket.invoice_lines(call.store, sold, call.now),
        discounts=discounts.held(call.store, [row["id"] for row in session["_discounts"]]),
        pending_items=False,
        auto_advance=False,
        **data,
    )
    invoices.finalize(call, invoice, intent=intent)
    collection.hear(call, intent)
    return call.change(session, invoice=invoice["id"])


def _subscribe(call: Call, session: Row, visitor: Visitor) -> Row:
    nothing = session["amount_total"] == 0
    if nothing and session["payment_method_collection"] == "if_required":
        method = None
    else:
        method = _method(call, session, visitor)
    if nothing and method is not None and visitor.customer is not None:
        method = methods.attach(call, method["id"], visitor.customer)
    row = _subscription(call, session, visitor, method if nothing else None)
    session = call.change(session, _subscription=row["id"])
    status = "no_payment_required" if nothing else "unpaid"
    invoice = call.store.get("invoice", row["latest_invoice"]) if row["latest_invoice"] else None
    if invoice is not None and method is not None and invoice["status"] == "open":
        session = _pay_first(call, session, invoice, method, visitor)
        invoice = call.find("invoice", invoice["id"])
        row = call.find("subscription", row["id"])
    elif method is not None and visitor.customer is not None:
        methods.attach(call, method["id"], visitor.customer)
    if not nothing and invoice is not None and invoice["status"] == "paid":
        status = "paid"
    if method is not None:
        _keep_method(call, row, method)
    found = {"invoice": invoice and invoice["id"], "subscription": row["id"]}
    return _finish(call, session, visitor, payment_status=status, **found)


def _subscription(call: Call, session: Row, visitor: Visitor, method: Row | None) -> Row:
    """The subscription of the session: incomplete until its first invoice is paid, if something is due."""
    if session.get("_subscription"):
        return call.find("subscription", session["_subscription"])
    assert visitor.customer is not None
    data = session["_data"].get("subscription_data") or {}
    params = {
        **data,
        **basket.subscription_params(call.store, basket.of(call.store, session["id"])),
        "currency": session["currency"],
        "customer": visitor.customer["id"],
        "default_payment_method": method and method["id"],
        "discounts": basket.asked(session["_discounts"]),
        "payment_behavior": "default_incomplete" if session["amount_total"] else "allow_incomplete",
    }
    return subscriptions.create(call, params)


def _pay_first(call: Call, session: Row, invoice: Row, method: Row, visitor: Visitor) -> Row:
    """One try to pay the first invoice; raises 402 when it is declined, the subscription then stays incomplete."""
    intent = call.change(invoice_payments.default(call, invoice), _session=session["id"])
    _, error = collection.attempt(call, invoice, payment_method=method["id"], off_session=False)
    intent = call.find("payment_intent", intent["id"])
    if intent["status"] == "requires_action":
        intent = _answered(call, intent, visitor)
    elif error is not None:
        raise error
    call.settle()
    return call.change(session, _awaits=intent["status"] == "processing")


def _keep_method(call: Call, row: Row, method: Row) -> None:
    """What paid the first invoice pays the next ones."""
    method = call.find("payment_method", method["id"])
    if method["customer"] == row["customer"]:
        rows.save(call, row, default_payment_method=method["id"])


def _set_up(call: Call, session: Row, visitor: Visitor) -> Row:
    method = _method(call, session, visitor)
    intent = call.find("setup_intent", session["setup_intent"])
    owner = visitor.customer and visitor.customer["id"]
    intent = call.change(intent, customer=owner, payment_method=method["id"], status="requires_confirmation")
    back = session["success_url"] or session.get("return_url") or session["url"] or "https://checkout.stripe.com"
    intent = setups.confirm(call, intent, return_url=back, mandate_data=mandates.OFFLINE)
    _answered(call, intent, visitor)
    return _finish(call, session, visitor, payment_status="no_payment_required")


def _finish(call: Call, session: Row, visitor: Visitor, **changes: Any) -> Row:
    """The session is complete; tells of it."""
    owner = visitor.customer and visitor.customer["id"]
    session = call.change(
        session, status="complete", url=None, customer=owner, customer_details=visitor.details, _due=None, **changes
    )
    call.emit("checkout.session.completed", session)
    return session


_BY_MODE = {"payment": _pay, "subscription": _subscribe, "setup": _set_up}


def _of(call: Call, intent: Row) -> Row | None:
    """The complete but unpaid session a payment intent pays."""
    session = call.store.get("checkout.session", intent["_session"]) if intent.get("_session") else None
    waits = session is not None and session["status"] == "complete" and session["payment_status"] == "unpaid"
    return session if waits else None


def paid(call: Call, intent: Row) -> None:
    """The money came after the session was complete: a bank debited, or the authorization was captured."""
    session = _of(call, intent)
    if session is None:
        return
    if session["mode"] == "payment":
        session = _invoiced(call, session, intent)
    elif session["subscription"]:
        _keep_method(call, call.find("subscription", session["subscription"]), {"id": intent["payment_method"]})
    session = call.change(session, payment_status="paid")
    if session.get("_awaits"):
        call.emit("checkout.session.async_payment_succeeded", call.change(session, _awaits=False))


def failed(call: Call, intent: Row) -> None:
    """The bank refused a debit days later."""
    session = _of(call, intent)
    if session is not None and session.get("_awaits"):
        call.emit("checkout.session.async_payment_failed", call.change(session, _awaits=False))


LISTENERS = {"payment_intent.succeeded": paid, "payment_intent.payment_failed": failed}
