"""One unit of work on the store: a request, or one step of the clock. It makes ids, rows and events."""

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

from payment_kit.sandbox import event_types, ids
from payment_kit.sandbox.errors import ApiError, no_such
from payment_kit.sandbox.store import Row, Store

API_VERSION = "2026-10-28.endive"

# Stripe tells previous_attributes with changes of an object, not with steps of its life
_WITHOUT_PREVIOUS = (
    "payment_intent.",
    "payout.paid",
    "payout.failed",
    "payout.reconciliation",
    "payment_method.attached",
)


REACTIONS_MAX = 10_000
TEST_CLOCK = "test_helpers.test_clock"
# the balance belongs to the account, whatever clock a customer lives by
_ON_ACCOUNT_TIME = ("balance_transaction", "payout", "event")

Listener = Callable[["Call", Row], object]
Result = TypeVar("Result")


class Call:
    """What a handler works with.

    `source` is what the ids follow from: the idempotency key, the number of the request, or the cause the clock found.
    """

    def __init__(
        self,
        store: Store,
        source: str,
        *,
        request_id: str | None = None,
        key: str | None = None,
        params: dict[str, Any] | None = None,
        path: tuple[str, ...] = (),
    ) -> None:
        self.store, self.source = store, source
        self.request_id, self.key = request_id, key
        self.params: dict[str, Any] = params or {}
        self.path = path
        self.clock: str | None = None
        self._made = 0
        self._told: list[tuple[str, str, str]] = []
        # the row that was told of last and how it looked: events that follow at once share it
        self._shown: tuple[Row, Row] = ({}, {})

    @property
    def now(self) -> int:
        """Unix seconds: the test clock's as soon as the call met an object that follows one, else the account's."""
        clock = self.store.get(TEST_CLOCK, self.clock) if self.clock else None
        return self.store.now if clock is None else int(clock.get("frozen_time") or clock["_frozen_time"])

    def part(self, **params: Any) -> "Call":
        """This call as another operation would see it, with parameters of its own."""
        other = copy(self)
        other.params, other.path = params, ()
        return other

    def inside(self, store: Store) -> "Call":
        """This call in another account of the same world; it has to be settled before this one ends."""
        other = copy(self)
        other.store, other.clock, other._told = store, None, []  # noqa: SLF001  # a call of the same class
        return other

    def new_id(self, kind: str) -> str:
        """A fresh id; the same for the same seed, source and place in the call."""
        while True:
            self._made += 1
            id_ = ids.derive(kind, self.store.meta["seed"], self.source, self._made)
            if self.store.get(kind, id_) is None:
                return id_

    def find(self, kind: str, id_: str | None, param: str = "id", status: int = 404) -> Row:
        """The row; an unknown id and a tombstone raise 404 (400 when the id came in a parameter)."""
        row = self.store.get(kind, id_) if id_ else None
        if row is None or "deleted" in row:
            raise no_such(kind, id_ or "", param, status)
        self.clock = row.get("_clock", self.clock)
        return row

    def referenced(self, kind: str, param: str) -> Row | None:
        """The row a parameter names, None without the parameter; an unknown id raises 400."""
        id_ = self.params.get(param)
        return None if id_ is None else self.find(kind, id_, param, 400)

    def add(self, row: Row, event: str | None = None) -> Row:
        """Store a new row and tell of it; it follows the test clock of the call, if there is one, from now on."""
        if self.clock is not None and row["object"] not in _ON_ACCOUNT_TIME:
            # In the row itself: whoever made it goes on changing it.
            row["_clock"] = self.clock
        self.store.put(row)
        if event:
            self.emit(event, row)
        return row

    def change(self, row: Row, event: str | None = None, /, **changes: Any) -> Row:
        """Store `row` with `changes`; tells of it only when something public differs, as Stripe does."""
        before = {name: row.get(name) for name in changes if row.get(name) != changes[name]}
        if not before:
            return row
        fresh = {**row, **changes}
        self.store.put(fresh)
        previous = {name: difference(value, changes[name]) for name, value in before.items() if name[0] != "_"}
        if event and previous:
            self.emit(event, fresh, None if event.startswith(_WITHOUT_PREVIOUS) else previous)
        return fresh

    def emit(self, type_: str, row: Row, previous: dict[str, Any] | None = None) -> None:
        """Store an event with the row as it is now and owe it to the endpoints that listen."""
        if self._shown[0] is not row:
            self._shown = row, public(row)
        data: Row = {"object": self._shown[1]}
        if previous is not None:
            data["previous_attributes"] = previous
        listening = self._listening(type_)
        event: Row = {
            "id": self.new_id("event"),
            "object": "event",
            "api_version": (self.store.platform or self.store).meta.get("api_version", API_VERSION),
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(listening),
            "request": {"id": self.request_id, "idempotency_key": self.key},
            "type": type_,
        }
        if self.store.platform is not None:
            event["account"] = self.store.meta["account"]
        self.store.put(event)
        for endpoint in listening:
            self.store.deliver(f"{event['id']}|{endpoint}")
        if type_ in self.store.listeners:
            self._told.append((type_, row["object"], row["id"]))

    def _listening(self, type_: str) -> list[str]:
        """The endpoints to tell: the account's own and, of a connected account, those its platform made for Connect."""
        store, platform = self.store, self.store.platform
        candidates = [row for row in store.rows("webhook_endpoint") if platform is not None or not row.get("_connect")]
        if platform is not None:
            candidates += [row for row in platform.rows("webhook_endpoint") if row.get("_connect")]
        return [row["id"] for row in candidates if row.get("status") == "enabled" and listens(row, type_)]

    def undo(self) -> None:
        """Take back all that this call stored and told: only what it found out is left."""
        self.store.rollback()
        self._told.clear()

    def settle(self) -> None:
        """Let the other parts of the sandbox react to what this call told so far, and to what they tell in turn.

        Runs at the end of every unit; a handler that needs the outcome before its answer calls it itself. A listener
        gets the row as it is now.
        """
        for _ in range(REACTIONS_MAX):
            if not self._told:
                return
            type_, kind, id_ = self._told.pop(0)
            for listener in self.store.listeners[type_]:
                row = self.store.get(kind, id_)
                if row is not None:
                    listener(self, row)
        raise RuntimeError(f"more than {REACTIONS_MAX} reactions in one call: {self._told[:3]}")


def unit(call: Call, action: Callable[[Call], Result]) -> Result:
    """Run `action` and all it sets off; on a failure nothing of it stays, but for what a decline leaves behind.

    The caller commits, whatever happens here.
    """
    try:
        result = action(call)
        call.settle()
    except ApiError as error:
        if error.keep:
            call.settle()
        else:
            call.store.rollback()
        raise
    except BaseException:
        call.store.rollback()
        raise
    return result


def public(row: Row) -> Row:
    """The row as a client may see it."""
    return {name: value for name, value in row.items() if name[0] != "_"}


def listens(endpoint: Row, type_: str) -> bool:
    """Whether an endpoint asked for this type of event, and can have it."""
    if endpoint.get("_payload") == "thin" and not event_types.thin(type_):
        return False
    return "*" in endpoint["enabled_events"] or type_ in endpoint["enabled_events"]


def difference(before: Any, after: Any) -> Any:
    """The part of `before` that is no longer so; a key that was added appears with None, as in Stripe's events."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return before
    names = before.keys() | after.keys()
    return {
        name: difference(before.get(name), after.get(name))
        for name in sorted(names)
        if before.get(name) != after.get(name)
    }
