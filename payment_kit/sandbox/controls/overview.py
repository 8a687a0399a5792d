"""Everything the live page shows, in one bounded answer."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from payment_kit.sandbox.call import TEST_CLOCK
from payment_kit.sandbox.controls.desk import Desk, Operation
from payment_kit.sandbox.payments import planned
from payment_kit.sandbox.payments.cards import DECLINES
from payment_kit.sandbox.store import Row, Store

ROWS_MAX = 25
_CUSTOMER = ("id", "name", "email", "created", "delinquent", "test_clock")
_PAYOUT = ("id", "amount", "currency", "status", "arrival_date", "automatic")
_PAYMENT = ("id", "amount", "currency", "status", "customer", "created", "disputed", "refunded", "failure_code")
_ENDPOINT = ("id", "url", "status", "enabled_events")
_CLOCK = ("id", "name", "frozen_time", "status")


def overview(desk: Desk) -> dict[str, Any]:
    """GET overview"""
    world, store = desk.world, desk.store
    return {
        "account": world.account_id,
        "now": store.now,
        "speed": world.pace.speed,
        "next_due": store.next_due(),
        "next_renewal": _next_renewal(store),
        "balance": {currency: dict(sums) for currency, sums in sorted(store.sums.items())},
        "counts": {kind: len(table.rows) for kind, table in store.tables.items() if table.rows},
        "customers": [_part(row, _CUSTOMER) for row in _newest(store, "customer")],
        "payments": [_part(row, _PAYMENT) for row in _newest(store, "charge")],
        "payouts": [_part(row, _PAYOUT) for row in _newest(store, "payout")],
        "clocks": [_part(row, _CLOCK) for row in _newest(store, TEST_CLOCK)],
        "endpoints": [_part(row, _ENDPOINT) for row in _newest(store, "webhook_endpoint")],
        "events": [_event(row) for row in _newest(store, "event")],
        "deliveries": [entry.shown() for entry in world.delivery.log.latest(ROWS_MAX)],
        "requests": world.seen.listed(ROWS_MAX),
        "plan": dict(vars(world.delivery.plan)),
        "fail_next": planned.listed(store),
        "declines": list(DECLINES),
    }


def _newest(store: Store, kind: str, count: int = ROWS_MAX) -> Iterable[Row]:
    if kind not in store.tables:
        return ()
    newest = reversed(store.tables[kind].rows.values())
    return islice((row for row in newest if "deleted" not in row), count)


def _part(row: Row, names: tuple[str, ...]) -> Row:
    return {name: row.get(name) for name in names}


def _event(row: Row) -> Row:
    return {**_part(row, ("id", "type", "created")), "object": row["data"]["object"].get("id")}


def _next_renewal(store: Store) -> int | None:
    """When the account's clock next meets a subscription."""
    times = [
        at
        for at, kind, id_ in store.agendas.get(None, ())
        # the agenda is cleared of what was put off or rolled back only when its time comes
        if kind == "subscription" and (store.get(kind, id_) or {}).get("_due") == at
    ]
    return min(times, default=None)


OPERATIONS = (Operation("GET", "overview", overview, "", "what the live page shows, the newest 25 of each"),)
