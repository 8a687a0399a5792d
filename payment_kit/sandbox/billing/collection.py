"""Collection: who is charged for an invoice, what an attempt does to it, and when Stripe tries again.

An attempt made here and one the customer makes on the invoice's payment intent end in the same place: `heard`.
"""

from payment_kit.sandbox.billing import invoice_payments, lifecycle
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.payments import cards, intents, methods
from payment_kit.sandbox.store import Row

# Days from one automatic attempt to the next: 8 retries within 2 weeks, Stripe's recommended Smart Retries policy
# (docs.stripe.com/billing/revenue-recovery/smart-retries). Stripe's model picks the hours; here they are fixed.
RETRY_DAYS = (1, 1, 2, 2, 2, 2, 2, 2)
# declines after which a retry is scheduled but not sent until there is another payment method (same page)
HARD_DECLINES = frozenset(
    "incorrect_number lost_card pickup_card stolen_card revocation_of_authorization revocation_of_all_authorizations "
    "authentication_required highest_risk_level transaction_not_allowed".split()
)
PAYABLE = ("open", "uncollectible")


def collect(call: Call, invoice: Row) -> Row:
    """Finalize and collect at once: charge the customer, or send the invoice when it is to be sent."""
    if invoice["collection_method"] == "charge_automatically":
        return attempt(call, invoice, automatic=True)[0]
    return send(call, invoice)


def pay(call: Call, invoice: Row, *, payment_method: str | None = None, off_session: bool = True) -> Row:
    """One attempt on a draft, open or uncollectible invoice, with this or the default payment method.

    Never raises on a decline: the invoice after the attempt tells (`status`, `next_payment_attempt`), and so do
    invoice.payment_failed and invoice.payment_action_required. Without any payment method nothing is attempted.
    """
    return attempt(call, invoice, payment_method=payment_method, off_session=off_session)[0]


def send(call: Call, invoice: Row) -> Row:
    """Finalize a draft and send the invoice to the customer; tells invoice.sent."""
    invoice = lifecycle.finalize(call, invoice)
    call.emit("invoice.sent", invoice)
    return invoice


def attempt(
    call: Call,
    invoice: Row,
    *,
    payment_method: str | None = None,
    off_session: bool = True,
    automatic: bool = False,
) -> tuple[Row, ApiError | None]:
    """`pay`, and the error a client who asked for the attempt is answered; None when the invoice is paid."""
    before = invoice
    invoice = lifecycle.finalized(call, invoice)
    if invoice["status"] not in PAYABLE:
        return lifecycle.conclude(call, before, invoice), None
    method = default_method(call, invoice) if payment_method is None else payment_method
    if method is None:
        invoice, events = _failed(call, invoice, automatic, None) if automatic else (invoice, ())
        return lifecycle.conclude(call, before, invoice, *events), no_method()
    intent = invoice_payments.default(call, invoice)
    if intent["status"] == "processing":
        return lifecycle.conclude(call, before, invoice), None
    error = _confirmed(call, intent, method, off_session)
    intent = call.find("payment_intent", intent["id"])
    if intent["status"] == "processing":
        return lifecycle.conclude(call, before, _awaited(call, invoice, intent, automatic)), None
    invoice, events = _heard(call, invoice, intent, automatic)
    if invoice["status"] != "paid" and error is None:
        error = requires_action()
    return lifecycle.conclude(call, before, invoice, *events), error


def _confirmed(call: Call, intent: Row, payment_method: str, off_session: bool) -> ApiError | None:
    """Confirm the intent; where the bank wants to hear from the customer it waits for that, though nobody is there."""
    method = methods.resolve(call, payment_method)
    intent = call.change(intent, payment_method=method["id"], status="requires_confirmation", next_action=None)
    waits = cards.wants_authentication(method, off_session=off_session)
    try:
        intents.confirm(call, intent, off_session=off_session and not waits)
    except ApiError as error:
        if not error.keep:
            raise
        return error
    return None


def _awaited(call: Call, invoice: Row, intent: Row, automatic: bool) -> Row:
    """A bank answers in some days: until then nothing is tried again, and its answer counts as this attempt."""
    payment = invoice_payments.by_intent(call.store, intent["id"])
    if payment is not None:
        call.change(payment, _automatic=automatic)
    return call.change(invoice, next_payment_attempt=None, _due=None)


def out_of_band(call: Call, invoice: Row) -> Row:
    """Record that the rest was paid outside of Stripe; what still asks for money is canceled."""
    after = lifecycle.finalized(call, invoice)
    if after["status"] in PAYABLE:
        left = after["amount_remaining"]
        after = lifecycle.paid(
            call,
            after,
            amount_paid=after["amount_paid"] + left,
            amount_paid_off_stripe=after["amount_paid_off_stripe"] + left,
            amount_remaining=0,
        )
        invoice_payments.withdraw(call, after, None)
        _delinquent(call, after, False)
    return lifecycle.conclude(call, invoice, after)


def attach(call: Call, invoice: Row, intent: Row) -> Row:
    """Let a payment intent pay for an open invoice; one that has succeeded counts at once. Raises 400 if it cannot."""
    if invoice_payments.by_intent(call.store, intent["id"]) is not None:
        raise ApiError(400, "This PaymentIntent is already attached to an invoice.", param="payment_intent")
    same = intent["currency"] == invoice["currency"] and intent["customer"] in (None, invoice["customer"])
    if not same or intent["status"] == "canceled":
        message = "The PaymentIntent has to be of the invoice's customer and currency, and not canceled."
        raise ApiError(400, message, param="payment_intent")
    invoice_payments.attach(call, invoice, intent, default=False)
    after, events = _heard(call, invoice, intent)
    return lifecycle.conclude(call, invoice, after, *events)


def owned(call: Call, payment_method: str, invoice: Row) -> None:
    """Raises 400 when a payment method belongs to another customer than the invoice."""
    method = call.store.get("payment_method", payment_method)
    if method is not None and method["customer"] not in (None, invoice["customer"]):
        message = "The customer does not have a payment method with this ID attached."
        raise ApiError(400, message, param="payment_method")


def default_method(call: Call, invoice: Row) -> str | None:
    """Whom an invoice charges: its own method, its subscription's, the customer's default, the customer's source."""
    subscription = call.store.get("subscription", invoice["_subscription"]) if invoice["_subscription"] else None
    customer = call.store.get("customer", invoice["customer"])
    if customer is None or "deleted" in customer:
        return None
    named = [invoice["default_payment_method"], invoice["default_source"]]
    if subscription is not None:
        named += [subscription.get("default_payment_method"), subscription.get("default_source")]
    named += [customer["invoice_settings"]["default_payment_method"], customer["default_source"]]
    for id_ in named:
        method = call.store.get("payment_method", id_) if id_ else None
        if method is not None and method["customer"] == customer["id"]:
            return str(method["id"])
    return None


def _heard(call: Call, invoice: Row, intent: Row, automatic: bool = False) -> tuple[Row, tuple[str, ...]]:
    """What a payment intent's state does to the invoice it pays, once for each state; and the events to tell after."""
    payment = invoice_payments.by_intent(call.store, intent["id"])
    state = f"{intent['status']} {intent['latest_charge']}"
    if payment is None or payment["status"] != "open" or payment.get("_heard") == state:
        return invoice, ()
    payment = call.change(payment, _heard=state)
    if intent["status"] == "succeeded":
        return _credited(call, invoice, payment, intent["amount_received"], automatic), ()
    if intent["status"] == "canceled":
        invoice_payments.canceled(call, payment)
    elif invoice["status"] in PAYABLE:
        if intent["status"] == "requires_action":
            return _failed(call, invoice, automatic, intent, "invoice.payment_action_required")
        if intent["status"] == "requires_payment_method" and intent["last_payment_error"]:
            return _failed(call, invoice, automatic, intent)
    return invoice, ()


def _credited(call: Call, invoice: Row, payment: Row, amount: int, automatic: bool) -> Row:
    """Money came: it pays what is left, and what is too much becomes the customer's credit."""
    invoice_payments.paid(call, payment, amount)
    left = invoice["amount_remaining"]
    changes = {
        "amount_overpaid": invoice["amount_overpaid"] + max(0, amount - left),
        "amount_paid": invoice["amount_paid"] + amount,
        "amount_remaining": max(0, left - amount),
        "attempt_count": invoice["attempt_count"] + (automatic or not invoice["attempted"]),
        "attempted": True,
    }
    if amount > left:
        lifecycle.move_balance(call, invoice, left - amount, "invoice_overpaid")
    if changes["amount_remaining"] or invoice["status"] not in PAYABLE:
        return call.change(invoice, **changes)
    _delinquent(call, invoice, False)
    invoice = lifecycle.paid(call, invoice, **changes)
    invoice_payments.withdraw(call, invoice, None)
    return invoice


def _failed(call: Call, invoice: Row, automatic: bool, intent: Row | None, *events: str) -> tuple[Row, tuple[str, ...]]:
    """No money came: when Stripe tries next, if it does."""
    counts = automatic or not invoice["attempted"]
    count = invoice["attempt_count"] + counts
    later = _next_attempt(call, invoice, count) if counts else invoice["next_payment_attempt"]
    error = (intent or {}).get("last_payment_error") or {}
    hard = bool(events) or error.get("decline_code", error.get("code")) in HARD_DECLINES
    refused = intent and (intent["payment_method"] or (error.get("payment_method") or {}).get("id"))
    if automatic:
        _delinquent(call, invoice, True)
    changed = call.change(
        invoice,
        attempt_count=count,
        attempted=True,
        next_payment_attempt=later,
        _due=later,
        _refused=refused if hard else None,
    )
    return changed, (*events, "invoice.payment_failed")


def _next_attempt(call: Call, invoice: Row, count: int) -> int | None:
    """The time of the next retry; none for an invoice that is not advanced, or that begins a subscription.

    A first invoice is the customer's to pay: its subscription is incomplete
    (docs.stripe.com/billing/subscriptions/overview).
    """
    charged = invoice["collection_method"] == "charge_automatically" and invoice["status"] == "open"
    if not (charged and invoice["auto_advance"]) or invoice["billing_reason"] == "subscription_create":
        return None
    return call.now + RETRY_DAYS[count - 1] * lifecycle.DAY if count <= len(RETRY_DAYS) else None


def _delinquent(call: Call, invoice: Row, value: bool) -> None:
    customer = call.store.get("customer", invoice["customer"])
    if customer is not None and "deleted" not in customer:
        call.change(customer, "customer.updated", delinquent=value)


def _fall_due(call: Call, invoice: Row) -> None:
    """The clock came to an invoice: a draft is finalized and collected, a payment retried, a due date told of."""
    customer = call.store.get("customer", invoice["customer"])
    if customer is None or "deleted" in customer:
        call.change(invoice, "invoice.updated", auto_advance=False, next_payment_attempt=None, _due=None)
    elif invoice["status"] == "draft":
        (collect if invoice["auto_advance"] else lifecycle.finalize)(call, invoice)
    elif invoice["collection_method"] == "send_invoice":
        _remind(call, invoice)
    elif invoice.get("_refused") is not None and default_method(call, invoice) == invoice["_refused"]:
        _skip(call, invoice)
    else:
        attempt(call, invoice, automatic=True)


def _skip(call: Call, invoice: Row) -> None:
    """A retry that is counted but not sent; the last one gives up as any other would."""
    count = invoice["attempt_count"] + 1
    later = _next_attempt(call, invoice, count)
    after = call.change(invoice, attempt_count=count, next_payment_attempt=later, _due=later)
    lifecycle.conclude(call, invoice, after, *(("invoice.payment_failed",) if later is None else ()))


def _remind(call: Call, invoice: Row) -> None:
    overdue = call.now >= invoice["due_date"]
    if overdue:
        _delinquent(call, invoice, True)
    invoice = call.change(invoice, _due=lifecycle.reminder(invoice, call.now))
    call.emit("invoice.overdue" if overdue else "invoice.will_be_due", invoice)


def hear(call: Call, intent: Row) -> None:
    """React to what became of a payment intent elsewhere: the customer confirmed, authenticated or was declined."""
    payment = invoice_payments.by_intent(call.store, intent["id"])
    if payment is None or payment["status"] != "open":
        return
    before = call.find("invoice", payment["invoice"])
    automatic: bool = payment.get("_automatic", False)
    call.change(payment, _automatic=False)
    after, events = _heard(call, before, intent, automatic)
    lifecycle.conclude(call, before, after, *events)


def no_method() -> ApiError:
    """What Stripe says when there is nothing to charge."""
    message = (
        "This customer has no attached payment source or default payment method. Please consider adding a default "
        "payment method. For more information, visit "
        "https://stripe.com/docs/billing/payment-methods#setting-default-payment-method"
    )
    return ApiError(400, message, code="resource_missing")


def requires_action() -> ApiError:
    """What Stripe says when the customer has to authenticate the payment."""
    message = (
        "Payment for this invoice requires additional user action before it can be completed successfully. Payment can "
        "be completed using the PaymentIntent associated with the invoice."
    )
    return ApiError(402, message, kind="card_error", code="invoice_payment_intent_requires_action", keep=True)


DUE = {"invoice": _fall_due}
LISTENERS = {
    f"payment_intent.{state}": hear for state in ("succeeded", "payment_failed", "requires_action", "canceled")
}
