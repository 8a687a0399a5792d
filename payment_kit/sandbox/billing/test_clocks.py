"""Test clocks: a time of their own for a few customers and all that hangs on them.

By docs.stripe.com/billing/testing/test-clocks/api-advanced-usage.

Stripe advances a clock in the background. Here all of it has happened when the answer goes out, but the answer is what
Stripe's is: the clock as it was when it began (`advancing`). Whoever asks again finds it `ready`.
"""

from payment_kit.sandbox.billing.periods import Cycle
from payment_kit.sandbox.call import TEST_CLOCK, Call
from payment_kit.sandbox.endpoint import EXPAND, PAGE, Endpoint, get, listed
from payment_kit.sandbox.errors import ApiError, invalid
from payment_kit.sandbox.form import integer, string
from payment_kit.sandbox.store import Row

DAY = 86_400
LIVES_DAYS = 30  # docs.stripe.com/api/test_clocks/object, deletes_after
INTERVALS_MAX = 2  # "you can only advance them two intervals at a time"
IDLE_SECONDS_MAX = 2 * 366 * DAY  # "two years" without a subscription
CUSTOMERS_MAX, SUBSCRIPTIONS_MAX = 3, 3
STEPS_MAX = 100_000
TIME_MAX = 4_102_444_800  # 2100-01-01
_ENDED = ("canceled", "incomplete_expired")


def create_test_clock(call: Call) -> Row:
    """POST /v1/test_helpers/test_clocks"""
    frozen = call.params["frozen_time"]
    if not 0 < frozen <= TIME_MAX:
        raise invalid("frozen_time", f"Invalid timestamp: must be an integer Unix timestamp up to {TIME_MAX}.")
    row: Row = {
        "id": call.new_id(TEST_CLOCK),
        "object": TEST_CLOCK,
        "created": call.now,
        "deletes_after": call.now + LIVES_DAYS * DAY,
        "frozen_time": frozen,
        "livemode": False,
        "name": call.params.get("name"),
        "status": "ready",
        "status_details": {},
        "_due": call.now + LIVES_DAYS * DAY,
    }
    return call.add(row, "test_helpers.test_clock.created")


def follow(call: Call, id_: str, param: str = "test_clock") -> Row:
    """Let the call live by a test clock, as a new customer of it does; raises 400 when it has its customers already."""
    clock = call.find(TEST_CLOCK, id_, param, 400)
    if len(customers(call, id_)) >= CUSTOMERS_MAX:
        raise ApiError(400, f"A test clock can have at most {CUSTOMERS_MAX} customers.", param=param)
    call.clock = id_
    return clock


def customers(call: Call, id_: str) -> list[Row]:
    """The customers that live by a test clock, oldest first."""
    return [row for row in call.store.rows("customer") if row.get("test_clock") == id_]


def advance_test_clock(call: Call) -> Row:
    """POST /v1/test_helpers/test_clocks/{id}/advance"""
    from payment_kit.sandbox import clock as time  # it knows all parts of the sandbox, this one too

    clock, to = call.find(TEST_CLOCK, call.path[0], "test_clock"), call.params["frozen_time"]
    if to <= clock["frozen_time"]:
        raise invalid("frozen_time", "Invalid frozen_time: a test clock can only be advanced to a later time.")
    latest = _latest(call, clock)
    if to > latest:
        message = (
            f"Invalid frozen_time: a test clock can be advanced by at most {INTERVALS_MAX} intervals of its shortest "
            f"subscription, or 2 years without one; that is {latest} here."
        )
        raise invalid("frozen_time", message)
    details = {"advancing": {"target_frozen_time": to}}
    begun = call.change(clock, status="advancing", status_details=details)
    call.emit("test_helpers.test_clock.advancing", begun)
    call.settle()
    for _ in range(STEPS_MAX):
        at = call.store.next_due(clock["id"])
        if at is None or at > to:
            break
        _set(call, clock["id"], frozen_time=max(at, _now(call, clock["id"])))
        time.fall_due(call.store, at, clock["id"])
    else:
        raise RuntimeError(f"more than {STEPS_MAX} steps of one test clock")
    _set(call, clock["id"], frozen_time=to, status="ready", status_details={})
    call.emit("test_helpers.test_clock.ready", call.find(TEST_CLOCK, clock["id"]))
    return begun


def _now(call: Call, id_: str) -> int:
    return int(call.find(TEST_CLOCK, id_)["frozen_time"])


def _set(call: Call, id_: str, **values: object) -> None:
    call.change(call.find(TEST_CLOCK, id_), **values)


def _latest(call: Call, clock: Row) -> int:
    """How far the clock may go in one step."""
    shortest: list[Cycle] = []
    for customer in customers(call, clock["id"]):
        for subscription in call.store.tables["subscription"].having("customer", customer["id"]):
            if subscription["status"] not in _ENDED:
                shortest += [_cycle(item, clock["frozen_time"]) for item in subscription["items"]["data"]]
    if not shortest:
        return int(clock["frozen_time"] + IDLE_SECONDS_MAX)
    return min(shortest, key=Cycle.length).end(INTERVALS_MAX)


def _cycle(item: Row, anchor: int) -> Cycle:
    recurring = item["price"]["recurring"]
    return Cycle(anchor, recurring["interval"], recurring["interval_count"])


def delete_test_clock(call: Call) -> Row:
    """DELETE /v1/test_helpers/test_clocks/{id}: its customers go with it, and their subscriptions end."""
    return _delete(call, call.find(TEST_CLOCK, call.path[0], "test_clock"))


def _delete(call: Call, clock: Row) -> Row:
    from payment_kit.sandbox.customers.customers import delete_customer  # customers may come to know their clocks

    for customer in customers(call, clock["id"]):
        one = call.part()
        one.path = (customer["id"],)
        delete_customer(one)
    call.settle()
    call.clock = None
    call.emit("test_helpers.test_clock.deleted", clock)
    tombstone = {"id": clock["id"], "object": TEST_CLOCK, "deleted": True}
    call.store.put({**tombstone, "_frozen_time": clock["frozen_time"]})
    return tombstone


DUE = {TEST_CLOCK: _delete}

ENDPOINTS = (
    Endpoint("GET", "test_helpers/test_clocks", listed(TEST_CLOCK), PAGE),
    Endpoint("POST", "test_helpers/test_clocks", create_test_clock,
             {**EXPAND, "frozen_time": integer, "name": string}, ("frozen_time",)),
    Endpoint("GET", "test_helpers/test_clocks/*", get(TEST_CLOCK, "test_clock"), EXPAND),
    Endpoint("DELETE", "test_helpers/test_clocks/*", delete_test_clock, {}),
    Endpoint("POST", "test_helpers/test_clocks/*/advance", advance_test_clock,
             {**EXPAND, "frozen_time": integer}, ("frozen_time",)),
)  # fmt: skip
