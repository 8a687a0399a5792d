"""Declines ordered in advance: "fail the next payment" of one customer, or of whoever pays next."""

from typing import Any

from payment_kit.sandbox.call import Call
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.payments.cards import DECLINES, Decline
from payment_kit.sandbox.store import Row, Store

PLANNED_MAX = 1_000
COUNT_MAX = 1_000


def plan(store: Store, decline: str, customer: str | None = None, count: int = 1) -> list[dict[str, Any]]:
    """Decline the next `count` payments of `customer`, or of anybody; all that is planned then.

    Raises `ApiError` 400 for a decline that is not in `cards.DECLINES`, an unknown customer or a count out of bounds.
    """
    if decline not in DECLINES:
        raise _invalid("decline", f"must be one of {', '.join(DECLINES)}")
    if customer is not None and _gone(store.get("customer", customer)):
        raise _invalid("customer", f"there is no customer {customer}")
    if not 1 <= count <= COUNT_MAX:
        raise _invalid("count", f"must be 1 to {COUNT_MAX}")
    planned = listed(store)
    if len(planned) >= PLANNED_MAX:
        raise _invalid("decline", f"more than {PLANNED_MAX} are planned already")
    _keep(store, [*planned, {"customer": customer, "decline": decline, "count": count}])
    return listed(store)


def listed(store: Store) -> list[dict[str, Any]]:
    """What is planned, in the order in which it was."""
    planned: list[dict[str, Any]] = store.meta.get("fail_payments", [])
    return planned


def cancel(store: Store) -> None:
    """Plan nothing any more."""
    _keep(store, [])


def take(call: Call, customer: str | None) -> Decline | None:
    """The decline planned for a payment that is made now, used up with this; None when it may go on."""
    planned = listed(call.store)
    for at, one in enumerate(planned):
        if one["customer"] in (None, customer):
            left = [{**one, "count": one["count"] - 1}] if one["count"] > 1 else []
            call.store.set_meta(fail_payments=[*planned[:at], *left, *planned[at + 1 :]])
            return DECLINES[one["decline"]]
    return None


def _keep(store: Store, planned: list[dict[str, Any]]) -> None:
    store.set_meta(fail_payments=planned)
    store.commit()


def _gone(row: Row | None) -> bool:
    return row is None or "deleted" in row


def _invalid(param: str, message: str) -> ApiError:
    return ApiError(400, f"Invalid {param}: {message}.", param=param, stored=False)
