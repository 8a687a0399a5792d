"""What customers and banks do, on order."""

from typing import Any

from payment_kit.sandbox import triggers
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.checkout import completion, links
from payment_kit.sandbox.checkout.items import QUANTITY_MAX
from payment_kit.sandbox.connect import accounts
from payment_kit.sandbox.controls.desk import Desk, Operation, hash_of, only, text, truth, whole
from payment_kit.sandbox.happenings import dispute, fail_payout, happen, return_payout
from payment_kit.sandbox.payments import intents, planned, setups
from payment_kit.sandbox.store import Row

ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def trigger(desk: Desk) -> dict[str, Any]:
    """POST trigger"""
    only(desk.given, "event")
    return triggers.run(desk.store, desk.world.delivery, text(desk.given, "event"))


def fail_payments(desk: Desk) -> list[dict[str, Any]]:
    """POST payments/fail_next"""
    only(desk.given, "decline", "customer", "count")
    customer = text(desk.given, "customer") if desk.given.get("customer") is not None else None
    count = whole(desk.given, "count", 1, planned.COUNT_MAX, 1)
    return planned.plan(desk.store, text(desk.given, "decline", "generic_decline"), customer, count)


def fail_no_payment(desk: Desk) -> list[dict[str, Any]]:
    """POST payments/fail_next/cancel"""
    planned.cancel(desk.store)
    return planned.listed(desk.store)


def fail_payouts(desk: Desk) -> dict[str, str]:
    """POST payouts/fail_next"""
    only(desk.given, "currency", "code")
    return fail_payout(desk.store, desk.given.get("currency"), desk.given.get("code", "account_closed"))


def return_one(desk: Desk) -> Row:
    """POST payouts/{id}/fail"""
    only(desk.given, "code")
    code = text(desk.given, "code", "account_closed")
    return happen(desk.store, desk.world.delivery, desk.path[0], lambda call: return_payout(call, code))


def authenticate(desk: Desk) -> Row:
    """POST payment_intents/{id}/authenticate"""
    only(desk.given, "succeed")
    succeed = truth(desk.given, "succeed", default=True)
    return happen(desk.store, desk.world.delivery, desk.path[0], lambda call: intents.authenticate(call, succeed))


def authenticate_setup(desk: Desk) -> Row:
    """POST setup_intents/{id}/authenticate"""
    only(desk.given, "succeed")
    succeed = truth(desk.given, "succeed", default=True)
    return happen(desk.store, desk.world.delivery, desk.path[0], lambda call: setups.authenticate(call, succeed))


def complete_session(desk: Desk) -> Row:
    """POST checkout/sessions/{id}/complete"""
    given = dict(desk.given)
    texts = ("payment_method", "email", "name", "phone", "promotion_code")
    only(given, *texts, "address", "quantities", "succeed")
    typed: dict[str, Any] = {name: text(given, name) for name in texts if name in given}
    if "address" in given:
        wanted = hash_of(given, "address")
        only(wanted, *ADDRESS)
        typed["address"] = {name: text(wanted, name) for name in wanted}
    if "quantities" in given:
        wanted = hash_of(given, "quantities")
        typed["quantities"] = {id_: whole(wanted, id_, 0, QUANTITY_MAX, 0) for id_ in wanted}
    succeed = truth(given, "succeed", default=True)

    def action(call: Call) -> Row:
        session = call.find("checkout.session", call.path[0])
        return completion.complete(call, session, authenticates=succeed, **typed)

    return happen(desk.store, desk.world.delivery, desk.path[0], action)


def open_link(desk: Desk) -> Row:
    """POST payment_links/{id}/checkout"""
    only(desk.given)
    return happen(
        desk.store,
        desk.world.delivery,
        desk.path[0],
        lambda call: links.visit(call, call.find("payment_link", call.path[0])),
    )


def open_dispute(desk: Desk) -> Row:
    """POST charges/{id}/dispute"""
    only(desk.given, "reason")
    reason = text(desk.given, "reason", "fraudulent")
    return happen(desk.store, desk.world.delivery, desk.path[0], lambda call: dispute(call, reason))


def onboard(desk: Desk) -> Row:
    """POST accounts/{id}/onboard"""
    only(desk.given)
    return happen(desk.world.store, desk.world.delivery, desk.path[0], accounts.onboard)


def deauthorize(desk: Desk) -> Row:
    """POST accounts/{id}/deauthorize"""
    only(desk.given)
    return happen(desk.world.store, desk.world.delivery, desk.path[0], accounts.deauthorize)


OPERATIONS = (
    Operation(
        "POST",
        "trigger",
        trigger,
        '`{"event": "invoice.paid"}`',
        '`{"event", "events"}`: the event, made to happen through real objects, and the ids of all that came with it',
    ),
    Operation("GET", "trigger", lambda desk: sorted(triggers.RECIPES), "", "the types there is a recipe for"),
    Operation(
        "POST",
        "payments/fail_next",
        fail_payments,
        '`{"customer", "decline", "count"}`: decline the next payments of a customer, or of anybody',
        "all that is planned",
    ),
    Operation("GET", "payments/fail_next", lambda desk: planned.listed(desk.store), "", "all that is planned"),
    Operation("POST", "payments/fail_next/cancel", fail_no_payment, "", "`[]`"),
    Operation(
        "POST",
        "payouts/fail_next",
        fail_payouts,
        '`{"currency", "code"}`',
        "the same: the bank returns the next payout made in it",
    ),
    Operation(
        "POST",
        "payouts/*/fail",
        return_one,
        '`{"code"}`',
        "the payout after its bank returned it now, even when it was paid",
    ),
    Operation(
        "POST",
        "payment_intents/*/authenticate",
        authenticate,
        '`{"succeed"}`',
        "the payment intent after the customer's answer to the bank",
    ),
    Operation(
        "POST",
        "setup_intents/*/authenticate",
        authenticate_setup,
        '`{"succeed"}`',
        "the setup intent after the customer's answer to the bank",
    ),
    Operation(
        "POST",
        "checkout/sessions/*/complete",
        complete_session,
        '`{"payment_method": "pm_card_visa", "email", "name", "phone", "address", "promotion_code", "quantities": '
        '{"li_…": 2}, "succeed"}`',
        "the checkout session after its customer confirmed; `succeed` is his answer should the bank ask, a decline is "
        "answered 402 and leaves the session open",
    ),
    Operation(
        "POST",
        "payment_links/*/checkout",
        open_link,
        "",
        "the open checkout session of somebody who followed the payment link",
    ),
    Operation("POST", "accounts/*/onboard", onboard, "", "the connected account after its owner's onboarding"),
    Operation(
        "POST",
        "accounts/*/deauthorize",
        deauthorize,
        "",
        "what is left of the connected account after its owner left the platform: only "
        "`account.application.deauthorized` tells",
    ),
    Operation("POST", "charges/*/dispute", open_dispute, '`{"reason"}`', "the dispute"),
)
