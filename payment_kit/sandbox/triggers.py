"""Make an event of a type happen through real objects, as ``stripe trigger invoice.paid`` does.

A recipe is a list of requests anybody could send. ``name = POST path form`` keeps the answer under a name, ``$name`` is
its id and ``$name.field`` a field of it; ``!`` before a line expects a decline; ``clock 86400`` advances the account's
clock by seconds; ``complete``, ``dispute`` and ``fail_payout`` are what customers and banks do.
"""

import re
from collections.abc import Callable
from typing import Any

from payment_kit.sandbox import clock, collector, form, happenings, registry
from payment_kit.sandbox.call import Call, public, unit
from payment_kit.sandbox.checkout import completion
from payment_kit.sandbox.delivery import Delivery
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row, Store

DAY = 86_400
EVENTS_TOLD_MAX = 100

_CUSTOMER = "customer = POST customers email=jenny@example.com&name=Jenny Rosen"
_CARD = "method = POST payment_methods/pm_card_visa/attach customer=$customer"
_DEFAULT = "POST customers/$customer invoice_settings[default_payment_method]=$method"
_PAYER = (_CUSTOMER, _CARD, _DEFAULT)
_PRODUCT = "product = POST products name=Sandbox plan"
_PRICE = "price = POST prices product=$product&unit_amount=2000&currency=usd&recurring[interval]=month"
_SUBSCRIBED = (*_PAYER, _PRODUCT, _PRICE, "subscription = POST subscriptions customer=$customer&items[0][price]=$price")
_ENTITLED = (
    *_PAYER,
    _PRODUCT,
    _PRICE,
    "feature = POST entitlements/features name=Export&lookup_key=export",
    "POST products/$product/features entitlement_feature=$feature",
    "subscription = POST subscriptions customer=$customer&items[0][price]=$price",
)
_TRIAL = (
    *_PAYER,
    _PRODUCT,
    _PRICE,
    "subscription = POST subscriptions customer=$customer&items[0][price]=$price&trial_period_days=5",
)
_NO_REDIRECT = "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never"
_PAY = "intent = POST payment_intents amount=2000&currency=usd&confirm=true&" + _NO_REDIRECT
_PAID = f"{_PAY}&payment_method=pm_card_visa"
_AVAILABLE = f"{_PAY}&payment_method=pm_card_bypassPending"
_DECLINED = f"!{_PAY}&payment_method=pm_card_chargeDeclined"
_MANUAL = f"{_PAID}&capture_method=manual"
_INVOICE = (
    *_PAYER,
    "invoice = POST invoices customer=$customer&auto_advance=false",
    "item = POST invoiceitems customer=$customer&amount=2000&currency=usd&invoice=$invoice",
)
_FINAL = (*_INVOICE, "invoice = POST invoices/$invoice/finalize")
_SESSION = (
    _PRODUCT,
    "price = POST prices product=$product&unit_amount=2000&currency=usd",
    "session = POST checkout/sessions mode=payment&success_url=https://example.com/done&line_items[0][price]=$price"
    "&line_items[0][quantity]=1",
)
_LINK = (
    _PRODUCT,
    "price = POST prices product=$product&unit_amount=2000&currency=usd",
    "link = POST payment_links line_items[0][price]=$price&line_items[0][quantity]=1",
)
_QUOTE = (
    _CUSTOMER,
    _PRODUCT,
    "price = POST prices product=$product&unit_amount=2000&currency=usd",
    "quote = POST quotes customer=$customer&line_items[0][price]=$price",
)
_OPEN_QUOTE = (*_QUOTE, "POST quotes/$quote/finalize")
_BAD_CARD = (
    "bad = POST payment_methods/pm_card_chargeCustomerFail/attach customer=$customer",
    "POST customers/$customer invoice_settings[default_payment_method]=$bad",
)

RECIPES: dict[str, tuple[str, ...]] = {
    "charge.captured": (_MANUAL, "POST payment_intents/$intent/capture"),
    "charge.dispute.closed": (_PAID, "dispute = dispute $intent.latest_charge", "POST disputes/$dispute/close"),
    "charge.dispute.created": (_PAID, "dispute = dispute $intent.latest_charge"),
    "charge.dispute.updated": (
        _PAID,
        "dispute = dispute $intent.latest_charge",
        "POST disputes/$dispute evidence[customer_name]=Jenny Rosen",
    ),
    "charge.expired": (_MANUAL, f"clock {8 * DAY}"),
    "charge.failed": (_DECLINED,),
    "charge.refunded": (_PAID, "POST refunds payment_intent=$intent"),
    "charge.succeeded": (_PAID,),
    "charge.updated": (_PAID, "POST charges/$intent.latest_charge description=Updated"),
    "checkout.session.completed": (*_SESSION, "complete $session"),
    "checkout.session.expired": (*_SESSION, "POST checkout/sessions/$session/expire"),
    "customer.created": (_CUSTOMER,),
    "customer.deleted": (_CUSTOMER, "DELETE customers/$customer"),
    "customer.subscription.created": _SUBSCRIBED,
    "customer.subscription.deleted": (*_SUBSCRIBED, "DELETE subscriptions/$subscription"),
    "customer.subscription.trial_will_end": (*_TRIAL, f"clock {3 * DAY}"),
    "customer.subscription.updated": (*_SUBSCRIBED, "POST subscriptions/$subscription metadata[foo]=bar"),
    "customer.updated": (_CUSTOMER, "POST customers/$customer description=Updated"),
    "entitlements.active_entitlement_summary.updated": _ENTITLED,
    "invoice.created": _INVOICE,
    "invoice.finalized": _FINAL,
    "invoice.marked_uncollectible": (*_FINAL, "POST invoices/$invoice/mark_uncollectible"),
    "invoice.paid": (*_FINAL, "POST invoices/$invoice/pay"),
    "invoice.payment_failed": (*_FINAL, *_BAD_CARD, "!POST invoices/$invoice/pay"),
    "invoice.payment_succeeded": (*_FINAL, "POST invoices/$invoice/pay"),
    "invoice.voided": (*_FINAL, "POST invoices/$invoice/void"),
    "payment_intent.amount_capturable_updated": (_MANUAL,),
    "payment_intent.canceled": (
        f"intent = POST payment_intents amount=2000&currency=usd&{_NO_REDIRECT}",
        "POST payment_intents/$intent/cancel",
    ),
    "payment_intent.created": (_PAID,),
    "payment_intent.payment_failed": (_DECLINED,),
    "payment_intent.requires_action": (f"{_PAY}&payment_method=pm_card_authenticationRequired",),
    "payment_intent.succeeded": (_PAID,),
    "payment_method.attached": (_CUSTOMER, _CARD),
    "payment_method.detached": (_CUSTOMER, _CARD, "POST payment_methods/$method/detach"),
    "payment_link.created": _LINK,
    "payment_link.updated": (*_LINK, "POST payment_links/$link active=false"),
    "payout.created": (_AVAILABLE, f"clock {2 * DAY}"),
    "payout.failed": (_AVAILABLE, "fail_payout usd", f"clock {6 * DAY}"),
    "payout.paid": (_AVAILABLE, f"clock {6 * DAY}"),
    "price.created": (_PRODUCT, _PRICE),
    "price.updated": (_PRODUCT, _PRICE, "POST prices/$price nickname=Updated"),
    "product.created": (_PRODUCT,),
    "product.updated": (_PRODUCT, "POST products/$product description=Updated"),
    "quote.accepted": (*_OPEN_QUOTE, "POST quotes/$quote/accept"),
    "quote.canceled": (*_OPEN_QUOTE, "POST quotes/$quote/cancel"),
    "quote.created": _QUOTE,
    "quote.finalized": _OPEN_QUOTE,
    "refund.created": (_PAID, "POST refunds payment_intent=$intent"),
    "refund.failed": (
        f"{_PAY}&payment_method=pm_card_refundFail",
        "POST refunds payment_intent=$intent",
        f"clock {8 * DAY}",
    ),
    "setup_intent.created": (f"POST setup_intents {_NO_REDIRECT}",),
    "setup_intent.succeeded": (f"POST setup_intents confirm=true&payment_method=pm_card_visa&{_NO_REDIRECT}",),
}

_OUTSIDE: dict[str, Callable[[Call], Row]] = {
    "complete": lambda call: completion.complete(call, call.find("checkout.session", call.path[0])),
    "dispute": lambda call: happenings.dispute(call, "fraudulent"),
}
_LINE = re.compile(r"(!?)(?:(\w+) = )?(\S+) ?(\S*) ?(.*)")
_NAME = re.compile(r"\$(\w+)(?:\.(\w+))?")


def run(store: Store, delivery: Delivery, type_: str) -> dict[str, Any]:
    """Follow the recipe of a type; ``{"event", "events"}``: the event, and the ids of all that were made.

    Raises `ApiError`: 400 for a type without a recipe, and what a request of the recipe was answered.
    """
    if type_ not in RECIPES:
        message = f"Invalid event: there is no recipe for {type_[:100]}; there are: {', '.join(RECIPES)}."
        raise ApiError(400, message, param="event", stored=False)
    before = collector.latest(store)
    names: dict[str, Row] = {}
    for line in RECIPES[type_]:
        _follow(store, delivery, line, names)
    made = collector.since(store, before)
    found = [event for event in made if event["type"] == type_]
    if not found:
        raise ApiError(500, f"The recipe of {type_} did not make such an event.", kind="api_error", stored=False)
    return {"event": public(found[-1]), "events": [event["id"] for event in made][:EVENTS_TOLD_MAX]}


def _follow(store: Store, delivery: Delivery, line: str, names: dict[str, Row]) -> None:
    found = _LINE.fullmatch(line)
    assert found is not None
    declines, name, verb, path, text = found.groups()
    path, text = _filled(path, names), _filled(text, names)
    if verb == "clock":
        delivery.add(clock.advance(store, store.now + int(path)))
        return
    if verb == "fail_payout":
        happenings.fail_payout(store, path, "account_closed")
        return
    do: Callable[[Call], Row]
    ids: tuple[str, ...]
    if verb in _OUTSIDE:
        do, ids = _OUTSIDE[verb], (path,)
        params: dict[str, Any] = {}
    else:
        endpoint, ids = registry.match(verb, path)
        do, params = endpoint.handler, form.read(endpoint.kinds, form.decode(text), endpoint.required)
    call = Call(store, f"trigger {store.meta['requests']}", params=params, path=ids)
    store.set_meta(requests=store.meta["requests"] + 1)
    try:
        row = unit(call, do)
        if name:
            names[name] = row
    except ApiError as error:
        if not (declines and error.keep):
            raise
    finally:
        delivery.add(store.commit())


def _filled(text: str, names: dict[str, Row]) -> str:
    return _NAME.sub(lambda found: str(names[found[1]][found[2] or "id"]), text)
