"""Buying with one click: several requests of Stripe, each under a key of its own, that end paid, waiting or undone.

A one-time price goes through an invoice, so that Stripe reckons tax and discount; nothing of it advances by itself, so
a purchase that stops half-way charges nothing. A recurring price is first subscribed to in the way that makes nothing
unless it is paid; only when the bank wants to hear from the customer is a subscription made that waits for him. Whoever
repeats a purchase sends the same requests under the same keys, and gets to the same end.
"""

from typing import Any

from payment_kit.errors import Declined, NotFound, Problem
from payment_kit.payments import outcomes
from payment_kit.payments.desk import Desk, Payload
from payment_kit.payments.idempotency import Attempt, Outcome, Request
from payment_kit.payments.intents import UNFINISHED
from payment_kit.payments.resources import Target

INTENTS = "/v1/payment_intents"
INVOICES = "/v1/invoices"
ITEMS = "/v1/invoiceitems"
SUBSCRIPTIONS = "/v1/subscriptions"
NEEDS_CUSTOMER = frozenset(
    {
        "authentication_required",
        "invoice_payment_intent_requires_action",
        "subscription_payment_intent_requires_action",
    }
)
"""Stripe's codes of a payment that only waits for the customer (docs.stripe.com/error-codes)."""
_WAITING = ("requires_action", "requires_confirmation")


async def purchase(desk: Desk, request: Request, _target: Target, params: Payload) -> Outcome:
    """Buy a price off session; the payload is a PurchaseResponse: state, invoice, payment intent, why it was declined.

    Raises what Stripe refuses but a decline, with nothing left behind.
    """

    async def work(attempt: Attempt) -> Payload:
        price = await _price(desk, params["price"])
        if price["type"] == "recurring":
            return await _subscribe(attempt, params)
        return await _buy(attempt, params, price["currency"])

    outcome = await desk.writes.once(request, work)
    if outcome.payload["state"] != "requires_action":
        return outcome
    intent = (await desk.gateway.request("get", f"{INTENTS}/{outcome.payload['payment_intent']}")).body
    secret = {"client_secret": intent.get("client_secret")} if intent["status"] in UNFINISHED else {}
    return Outcome({**outcome.payload, **secret}, outcome.replayed)


async def _price(desk: Desk, id_: str) -> Payload:
    """A price; what we need of it never changes."""
    found = await desk.reader.find("price", id_)
    return found.payload if found else (await desk.gateway.request("get", f"/v1/prices/{id_}")).body


# ---- once -----------------------------------------------------------------------------------------------------------


async def _buy(attempt: Attempt, params: Payload, currency: str) -> Payload:
    draft = {
        **_terms(params),
        "currency": currency,
        "collection_method": "charge_automatically",
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
    }
    invoice = await attempt.post(INVOICES, draft, step="invoice")
    path, itself = f"{INVOICES}/{invoice['id']}", ("invoice", invoice["id"])
    item = {"customer": params["customer"], "invoice": invoice["id"], "pricing": {"price": params["price"]}}
    try:
        await attempt.post(ITEMS, item | _some(params, "quantity"), step="item")
        invoice = await attempt.post(f"{path}/finalize", {"auto_advance": False}, step="finalize", changes=itself)
        # An invoice of nothing is paid by becoming final.
        if invoice["status"] != "paid":
            await attempt.post(f"{path}/pay", {"off_session": True}, step="pay", changes=itself)
    except Problem as problem:
        if not outcomes.is_definite(problem):
            raise
        return await _unpaid(attempt, invoice["id"], problem)
    return await _answer(attempt, invoice["id"])


async def _unpaid(attempt: Attempt, invoice: str, problem: Problem) -> Payload:
    """The answer for an invoice that was refused: it waits for the customer, or nothing of it stays."""
    path, itself = f"{INVOICES}/{invoice}", ("invoice", invoice)
    try:
        answer = await _answer(attempt, invoice, problem)
    except NotFound:
        raise problem from None
    status = answer["invoice"]["status"]
    if status == "draft":
        await attempt.delete(path, {}, changes=itself)
    elif answer["state"] == "declined" and status != "void":
        answer["invoice"] = await attempt.post(f"{path}/void", {}, step="void", changes=itself)
    if isinstance(problem, Declined) or answer["state"] != "declined":
        return answer
    raise problem


# ---- again and again ------------------------------------------------------------------------------------------------


async def _subscribe(attempt: Attempt, params: Payload) -> Payload:
    wanted = {
        **_terms(params),
        "items": [{"price": params["price"], **_some(params, "quantity")}],
        "expand": ["latest_invoice"],
    }
    paid = {**wanted, "off_session": True, "payment_behavior": "error_if_incomplete"}
    try:
        made = await attempt.post(SUBSCRIPTIONS, paid, step="subscribe")
    except Declined as problem:
        if NEEDS_CUSTOMER.isdisjoint(_codes(problem)):
            return {"state": "declined", **_why(problem)}
        return await _subscribe_waiting(attempt, {**wanted, "payment_behavior": "allow_incomplete"}, problem)
    return {**await _answer(attempt, made["latest_invoice"]), "subscription": made["id"]}


async def _subscribe_waiting(attempt: Attempt, wanted: Payload, problem: Problem) -> Payload:
    """A subscription that begins when the customer has authenticated; none when it is declined after all."""
    made = await attempt.post(SUBSCRIPTIONS, wanted, step="subscribe_waiting")
    answer = await _answer(attempt, made["latest_invoice"], problem)
    if answer["state"] != "declined":
        return {**answer, "subscription": made["id"]}
    await attempt.delete(f"{SUBSCRIPTIONS}/{made['id']}", {}, changes=("subscription", made["id"]))
    return {**answer, "invoice": await attempt.look(f"{INVOICES}/{made['latest_invoice']}")}


# ---- answers --------------------------------------------------------------------------------------------------------


async def _answer(attempt: Attempt, invoice: str, problem: Problem | None = None) -> Payload:
    """How an invoice and its payment stand, both read and mirrored."""
    seen = await attempt.look(f"{INVOICES}/{invoice}", {"expand": ["payments"]})
    intent = _intent_of(attempt, invoice)
    status = (await attempt.look(f"{INTENTS}/{intent}", {"expand": ["latest_charge"]}))["status"] if intent else ""
    state = _state(seen["status"], status)
    why = _why(problem) if problem and state == "declined" else {}
    return {"state": state, "invoice": seen, "payment_intent": intent, **why}


def _intent_of(attempt: Attempt, invoice: str) -> str | None:
    """The payment intent that pays for an invoice, of the payments an answer showed whole."""
    shown = [state.raw for state in attempt.seen.states if state.object == "invoice_payment"]
    ours = (one for one in shown if one.get("invoice") == invoice and one.get("is_default"))
    return next((one["payment"].get("payment_intent") for one in ours), None)


def _state(invoice: str, intent: str) -> str:
    if invoice == "paid":
        return "succeeded"
    if invoice == "open" and intent == "processing":
        return "processing"
    return "requires_action" if invoice == "open" and intent in _WAITING else "declined"


def _codes(problem: Problem) -> set[str]:
    return {problem.metadata.get(name, "") for name in ("code", "stripe_code", "decline_code")}


def _why(problem: Problem) -> Payload:
    return {"message": problem.what, **{name: problem.metadata.get(name, "") for name in ("code", "decline_code")}}


def _terms(params: Payload) -> Payload:
    """What an invoice and a subscription are told alike."""
    found: dict[str, Any] = {"customer": params["customer"], **_some(params, "metadata")}
    if "payment_method" in params:
        found["default_payment_method"] = params["payment_method"]
    if "discount" in params:
        found["discounts"] = [params["discount"]]
    if "tax_rates" in params:
        found["default_tax_rates"] = params["tax_rates"]
    return found


def _some(params: Payload, name: str) -> Payload:
    return {name: params[name]} if name in params else {}
