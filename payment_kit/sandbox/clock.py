"""Time. It stands still until told, and then everything that falls due on the way happens, in time order."""

from payment_kit.sandbox import registry
from payment_kit.sandbox.balance import payouts, settlement
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.store import Store

STEP_SECONDS_MAX = 31 * settlement.DAY
_RANK = {kind: rank for rank, kind in enumerate(("balance_transaction", *registry.DUE))}


def advance(store: Store, to: int) -> list[str]:
    """Move the clock of an account and of all connected to it to `to` (unix seconds, not before now).

    Returns the deliveries it made owed. Every instant at which something is due is a unit of its own, and what it makes
    is dated with that instant.
    """
    owed: list[str] = []
    while True:
        midnight = (store.now // settlement.DAY + 1) * settlement.DAY
        at = min(midnight, *(each.next_due() or midnight for each in store.everywhere()))
        if at > to:
            break
        store.set_meta(now=max(at, store.now))
        for each in store.everywhere():
            fall_due(each, at)
            if midnight == at:
                payout = Call(each, f"payouts {at}")
                payouts.pay_out(payout)
                payout.settle()
        owed += store.commit()
        if midnight == at:
            for each in store.everywhere():
                each.forget_events()
    if to != store.now:
        store.set_meta(now=to)
        store.commit()
    return owed


def fall_due(store: Store, at: int, clock: str | None = None) -> None:
    """Do what falls due at `at` by the account's clock or by a test clock."""
    due = sorted(store.take_due(at, clock), key=lambda row: (_RANK[row["object"]], row.get("created", 0), row["id"]))
    available = [row for row in due if row["object"] == "balance_transaction"]
    settlement.become_available(Call(store, f"available {at}"), available)
    for row in due[len(available) :]:
        call = Call(store, f"due {row['id']} {at}")
        call.clock = clock
        # what fell due before it may have changed it, or put it off
        now = store.get(row["object"], row["id"])
        if now is not None and (now.get("_due") or at + 1) <= at:
            registry.DUE[row["object"]](call, now)
            call.settle()
