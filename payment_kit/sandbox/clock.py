"""The virtual clock: it stands still until told, and then does everything that falls due on the way, in time order."""

from payment_kit.sandbox import disputes, payments, refunds, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Row, Store

STEP_SECONDS_MAX = 31 * settlement.DAY


def advance(store: Store, to: int) -> list[str]:
    """Move the clock to `to` (unix seconds, not before now); returns the deliveries it made owed.

    Every instant at which something is due is a unit of its own, and what it makes is dated with that instant.
    """
    owed: list[str] = []
    while True:
        midnight = (store.now // settlement.DAY + 1) * settlement.DAY
        at = min(store.next_due() or midnight, midnight)
        if at > to:
            break
        store.set_meta(now=max(at, store.now))
        _instant(store, at, midnight == at)
        owed += store.commit()
    if to != store.now:
        store.set_meta(now=to)
        store.commit()
    return owed


def _instant(store: Store, at: int, midnight: bool) -> None:
    due = sorted(store.take_due(at), key=lambda row: (_RANK[row["object"]], row["created"], row["id"]))
    available = [row for row in due if row["object"] == "balance_transaction"]
    settlement.become_available(Call(store, f"available {at}"), available)
    for row in due[len(available) :]:
        _step(Call(store, f"due {row['id']} {at}"), row)
    if midnight:
        settlement.pay_out(Call(store, f"payouts {at}"))


# what happens first when several things fall due in one second
_RANK = {"balance_transaction": 0, "payout": 1, "refund": 2, "dispute": 3, "charge": 4}


def _step(call: Call, row: Row) -> None:
    match row["object"]:
        case "payout":
            settlement.move_payout(call, row)
        case "refund":
            refunds.move_refund(call, row)
        case "dispute":
            disputes.expire_dispute(call, row)
        case "charge":
            payments.expire_authorization(call, row)
