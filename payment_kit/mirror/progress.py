"""What only ever grows while an object lives, kind by kind: the order of states that share a second.

Each function gives numbers that are compared left to right. Source: the state machines of docs.stripe.com/api; a fact
that can also go back (a subscription that recovers from past_due) is not among them.
"""

from collections.abc import Mapping

from payment_kit.mirror.stripe_object import Payload, Progress

_REFUND = {"pending": 1, "requires_action": 1, "succeeded": 2, "failed": 3, "canceled": 3}
_PAYOUT = {"pending": 1, "in_transit": 2, "paid": 3, "failed": 4, "canceled": 4}
_RECONCILIATION = {"not_applicable": 0, "in_progress": 1, "completed": 2}
_DISPUTE = {
    "warning_needs_response": 1,
    "warning_under_review": 2,
    "warning_closed": 3,
    "needs_response": 4,
    "under_review": 5,
    "won": 6,
    "lost": 6,
    "prevented": 6,
}
_PAYMENT_INTENT = {"requires_capture": 1, "succeeded": 2, "canceled": 2}
_CHARGE = {"pending": 0, "succeeded": 1, "failed": 1}
_INVOICE = {"draft": 0, "open": 1, "uncollectible": 2, "paid": 3, "void": 3}
_SUBSCRIPTION = {"incomplete": 0, "incomplete_expired": 2, "canceled": 2}
_SCHEDULE = {"not_started": 0, "active": 1, "completed": 2, "released": 2, "canceled": 2}
_QUOTE = {"draft": 0, "open": 1, "accepted": 2, "canceled": 2}
_TOPUP = {"pending": 0, "succeeded": 1, "failed": 1, "canceled": 1, "reversed": 2}
_ENDS = {"succeeded": 1, "canceled": 1, "complete": 1, "expired": 1, "void": 1, "paid": 1}


def _rank(payload: Payload, ranks: Mapping[str, int], other: int = 0) -> int:
    return ranks.get(payload.get("status") or "", other)


def _flag(payload: Payload, key: str) -> int:
    return 1 if payload.get(key) else 0


def _number(payload: Payload, key: str) -> int:
    value = payload.get(key)
    return value if isinstance(value, int) else 0


def updated(payload: Payload) -> Progress:
    """Products and meters carry the time of their last change."""
    return (_number(payload, "updated"),)


def redeemed(payload: Payload) -> Progress:
    """Coupons and promotion codes count their redemptions."""
    return (_number(payload, "times_redeemed"),)


def ended(payload: Payload) -> Progress:
    """Setup intents, credit notes, invoice payments: one end, from which nothing leads back."""
    return (_rank(payload, _ENDS),)


def payment_intent(payload: Payload) -> Progress:
    """Authorised, then ended; what was received grows."""
    return (_rank(payload, _PAYMENT_INTENT), _number(payload, "amount_received"))


def charge(payload: Payload) -> Progress:
    """Captured, disputed and settled, each never undone; what was refunded shrinks again when a refund fails."""
    settled = _flag(payload, "balance_transaction") + _flag(payload, "failure_balance_transaction")
    return (
        _rank(payload, _CHARGE),
        _flag(payload, "captured"),
        _flag(payload, "disputed"),
        settled,
    )


def refund(payload: Payload) -> Progress:
    """Succeeded, and perhaps failed after that."""
    return (_rank(payload, _REFUND), _flag(payload, "failure_balance_transaction"))


def dispute(payload: Payload) -> Progress:
    """Towards its decision, and the transactions it made."""
    return (_rank(payload, _DISPUTE), len(payload.get("balance_transactions") or ()))


def payout(payload: Payload) -> Progress:
    """Towards the bank, and its reconciliation."""
    return (_rank(payload, _PAYOUT), _RECONCILIATION.get(payload.get("reconciliation_status") or "", 0))


def balance_transaction(payload: Payload) -> Progress:
    """Pending, then available."""
    return (1 if payload.get("status") == "available" else 0,)


def invoice(payload: Payload) -> Progress:
    """Towards its end, then attempts and money."""
    return (_rank(payload, _INVOICE), _number(payload, "attempt_count"), _number(payload, "amount_paid"))


def subscription(payload: Payload) -> Progress:
    """Begun once, ended once; in between it may go back and forth."""
    return (_rank(payload, _SUBSCRIPTION, other=1),)


def schedule(payload: Payload) -> Progress:
    """Started once, ended once."""
    return (_rank(payload, _SCHEDULE),)


def session(payload: Payload) -> Progress:
    """Complete or expired, then paid."""
    return (_rank(payload, _ENDS), 0 if payload.get("payment_status") in (None, "unpaid") else 1)


def quote(payload: Payload) -> Progress:
    """Finalized, then accepted or canceled."""
    return (_rank(payload, _QUOTE),)


def topup(payload: Payload) -> Progress:
    """Arrived, and perhaps reversed after that."""
    return (_rank(payload, _TOPUP),)


def transfer(payload: Payload) -> Progress:
    """What was reversed grows."""
    return (_number(payload, "amount_reversed"),)


def application_fee(payload: Payload) -> Progress:
    """What was refunded grows."""
    return (_number(payload, "amount_refunded"),)


def review(payload: Payload) -> Progress:
    """Open, then closed."""
    return (0 if payload.get("open") else 1,)


def test_clock(payload: Payload) -> Progress:
    """A test clock only moves forward."""
    return (_number(payload, "frozen_time"),)
