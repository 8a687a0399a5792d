"""What the world outside does to an account: customers who authenticate or dispute, banks that decline or return."""

from collections.abc import Callable
from typing import Any

from payment_kit.sandbox.balance import payouts
from payment_kit.sandbox.call import Call, public, unit
from payment_kit.sandbox.delivery import Delivery
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.payments import disputes
from payment_kit.sandbox.store import Row, Store


def happen(store: Store, delivery: Delivery, id_: str, action: Callable[[Call], Row]) -> Row:
    """Run `action` on the object `id_` as one unit; the row as clients see it."""
    call = Call(store, f"control {id_} {store.meta['requests']}", path=(id_,))
    store.set_meta(requests=store.meta["requests"] + 1)
    try:
        return public(unit(call, action))
    finally:
        delivery.add(store.commit())


def dispute(call: Call, reason: str) -> Row:
    """The customer disputes what he paid and did not get back; raises `ApiError` 400 for another reason or state."""
    if reason not in disputes.NETWORK_REASON:
        raise invalid("reason", f"must be one of {', '.join(disputes.NETWORK_REASON)}")
    charge = call.find("charge", call.path[0])
    if charge["source_transfer"] is not None:
        raise ApiError(400, f"Charge {charge['id']} is a transfer's: no customer paid it.", stored=False)
    if not charge["captured"] or charge["status"] != "succeeded" or charge["disputed"] or charge["refunded"]:
        message = f"Charge {charge['id']} is not captured, already disputed or refunded as a whole."
        raise ApiError(400, message, stored=False)
    return disputes.open_dispute(call, charge, reason)


def return_payout(call: Call, code: str) -> Row:
    """The bank returns a payout now, even when it was paid; raises `ApiError` 400 for one that gave its money back."""
    if code not in payouts.FAILURES:
        raise invalid("code", f"must be one of {', '.join(payouts.FAILURES)}")
    return payouts.fail(call, call.find("payout", call.path[0]), code)


def fail_payout(store: Store, currency: Any, code: Any) -> dict[str, str]:
    """The next payout made in `currency` is returned by the bank on arrival."""
    if not isinstance(currency, str) or len(currency) != 3:
        raise invalid("currency", "must be a three-letter currency code")
    if code not in payouts.FAILURES:
        raise invalid("code", f"must be one of {', '.join(payouts.FAILURES)}")
    store.set_meta(fail_next={**store.meta["fail_next"], currency.lower(): code})
    store.commit()
    return {"currency": currency.lower(), "code": code}


def invalid(param: str, message: str) -> ApiError:
    """400 for a parameter of the control API."""
    return ApiError(400, f"Invalid {param}: {message}.", param=param, stored=False)
