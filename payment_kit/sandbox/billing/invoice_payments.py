"""Invoice payments: which payment pays how much of which invoice; the only link between the two."""

from payment_kit.sandbox import listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.endpoint import DATED, EXPAND, Endpoint, get
from payment_kit.sandbox.form import fields, one_of, string
from payment_kit.sandbox.payments import intents
from payment_kit.sandbox.store import Row, Store

_OPEN = (*intents.CONFIRMABLE, "processing", "requires_capture")


def attach(call: Call, invoice: Row, intent: Row, *, default: bool) -> Row:
    """Count a payment intent as a payment of the invoice, for what the intent asks."""
    row: Row = {
        "id": call.new_id("invoice_payment"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": intent["amount"],
        "created": call.now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": default,
        "livemode": False,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
        "_intent": intent["id"],
    }
    return call.add(row)


def of(store: Store, invoice: str) -> list[Row]:
    """The payments of an invoice, oldest first."""
    return store.tables["invoice_payment"].having("invoice", invoice)


def by_intent(store: Store, intent: str) -> Row | None:
    """The invoice payment a payment intent makes, None when it pays no invoice."""
    found = store.tables["invoice_payment"].having("_intent", intent)
    return found[0] if found else None


def default(call: Call, invoice: Row) -> Row:
    """The payment intent that pays what is left of the invoice: the one it has, or a new one."""
    for row in of(call.store, invoice["id"]):
        if row["is_default"] and row["status"] == "open":
            intent = call.find("payment_intent", row["_intent"])
            return ask(call, row, intent, invoice["amount_remaining"])
    return request(call, invoice)


def request(call: Call, invoice: Row) -> Row:
    """A new payment intent for what is left of the invoice."""
    subject = "Subscription creation" if invoice["billing_reason"] == "subscription_create" else "Invoice"
    intent = intents.new(
        call,
        amount=invoice["amount_remaining"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description=subject if invoice["_subscription"] else f"Payment for Invoice {invoice['number']}",
        setup_future_usage="off_session" if invoice["_subscription"] else None,
        off_session=False,
        private={"_invoice": invoice["id"]},
    )
    attach(call, invoice, intent, default=True)
    return intent


def ask(call: Call, row: Row, intent: Row, amount: int) -> Row:
    """Let an intent that nobody paid yet ask for `amount`, what is left to pay."""
    if row["amount_requested"] == amount or intent["status"] not in intents.CONFIRMABLE:
        return intent
    call.change(row, amount_requested=amount)
    return call.change(intent, amount=amount)


def withdraw(call: Call, invoice: Row, reason: str | None) -> None:
    """Cancel what still asks for money for the invoice."""
    for row in of(call.store, invoice["id"]):
        if row["status"] == "open":
            intent = call.find("payment_intent", row["_intent"])
            canceled(call, row)
            if intent["status"] in _OPEN:
                intents.cancel(call, intent, reason)


def canceled(call: Call, row: Row) -> Row:
    """The payment will not come."""
    transitions = {**row["status_transitions"], "canceled_at": call.now}
    return call.change(row, status="canceled", status_transitions=transitions)


def paid(call: Call, row: Row, amount: int) -> Row:
    """The payment came."""
    transitions = {**row["status_transitions"], "paid_at": call.now}
    row = call.change(row, amount_paid=amount, status="paid", status_transitions=transitions)
    call.emit("invoice_payment.paid", row)
    return row


def _invoice_payments(call: Call) -> Row:
    """GET /v1/invoice_payments"""
    payment = call.params.pop("payment", None) or {}
    fixed = {"_intent": payment["payment_intent"]} if payment.get("payment_intent") else {}
    return listing.page(call, "invoice_payment", "/v1/invoice_payments", **fixed)


def _expanded(store: Store, invoice: Row) -> Row:
    return listing.nested(of(store, invoice["id"])[::-1], f"/v1/invoice_payments?invoice={invoice['id']}")


def _confirmation_secret(store: Store, invoice: Row) -> Row | None:
    for row in of(store, invoice["id"]):
        intent = store.get("payment_intent", row["_intent"])
        if row["is_default"] and row["status"] != "canceled" and intent is not None:
            return {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return None


_PAYMENT = fields({"payment_intent": string, "type": one_of("payment_intent")}, ("type",))
_FILTERS = {**DATED, "invoice": string, "payment": _PAYMENT, "status": one_of("open", "paid", "canceled")}

ENDPOINTS = (
    Endpoint("GET", "invoice_payments", _invoice_payments, _FILTERS),
    Endpoint("GET", "invoice_payments/*", get("invoice_payment", "invoice_payment"), EXPAND),
)
INCLUDES = {("invoice", "payments"): _expanded, ("invoice", "confirmation_secret"): _confirmation_secret}
