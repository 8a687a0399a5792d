"""The whole state of one sandbox in memory: rows by id, their order, indexes, balances, the agenda; and its journal.

A row is the API's own shape plus private fields that start with ``_``. A row is never changed in place: a change puts
a new dict. So an event can hold the row of its moment without copying, and a rollback puts the old rows back.

Private fields the store knows: ``_due`` (unix seconds at which the clock has to look at the row again), ``_clock`` (the
test clock whose time that is; without it the account's) and, on balance transactions, ``_payout`` (the payout that took
it).
"""

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

from payment_kit.sandbox import ids
from payment_kit.sandbox.journal import Journal
from payment_kit.sandbox.kinds import KINDS

Row = dict[str, Any]

EVENTS_WINDOW_SECONDS = 30 * 86_400  # docs.stripe.com/api/events/list: "up to 30 days"
IDEMPOTENCY_KEYS_MAX = 50_000
IDEMPOTENCY_SECONDS = 86_400  # docs.stripe.com/api/idempotent_requests: "removed after they're at least 24 hours old"
_SEQUENCE_BITS = 32


class Table:
    """The rows of one kind, oldest first.

    The account's clock never goes back, but a test clock runs ahead of it: so a row has its place by (created, order of
    arrival), as one integer.
    """

    def __init__(self, indexed: tuple[str, ...]) -> None:
        self.rows: dict[str, Row] = {}
        self.order: list[str] = []
        self.keys: list[int] = []
        self.key: dict[str, int] = {}
        self.index: dict[str, dict[Any, dict[str, None]]] = {field: {} for field in indexed}
        self._arrived = 0

    def between(self, first: int | None, last: int | None) -> tuple[int, int]:
        """The range of positions whose creation time lies in ``first..last`` (both inclusive)."""
        low = 0 if first is None else bisect_left(self.keys, first << _SEQUENCE_BITS)
        high = len(self.order) if last is None else bisect_left(self.keys, (last + 1) << _SEQUENCE_BITS)
        return low, high

    def position(self, id_: str) -> int | None:
        """Where a row stands, None for an unknown id."""
        key = self.key.get(id_)
        return None if key is None else bisect_left(self.keys, key)

    def matching(self, field: str, value: Any) -> list[int]:
        """Positions of the rows whose indexed `field` is `value`, oldest first."""
        return [
            bisect_left(self.keys, key) for key in sorted(self.key[id_] for id_ in self.index[field].get(value, ()))
        ]

    def made(self, id_: str) -> int:
        """When the row came (unix seconds)."""
        return self.key[id_] >> _SEQUENCE_BITS

    def having(self, field: str, value: Any) -> list[Row]:
        """The rows whose indexed `field` is `value`, oldest first; tombstones have no fields."""
        return [self.rows[self.order[at]] for at in self.matching(field, value)]

    def place(self, row: Row | None, id_: str, created: int) -> None:
        """Put `row` at `id`; None takes a row out again."""
        old = self.rows.get(id_)
        if old is None and row is not None:
            self._arrived += 1
            key = (created << _SEQUENCE_BITS) + self._arrived
            at = bisect_left(self.keys, key)
            self.keys.insert(at, key)
            self.order.insert(at, id_)
            self.key[id_] = key
        for field, values in self.index.items():
            before, after = old and old.get(field), row and row.get(field)
            if before != after:
                if before is not None:
                    values[before].pop(id_, None)
                if after is not None:
                    values.setdefault(after, {})[id_] = None
        if row is not None:
            self.rows[id_] = row
        elif old is not None:
            at = bisect_left(self.keys, self.key.pop(id_))
            del self.rows[id_], self.order[at], self.keys[at]

    def forget(self, before: int, kept: Container[str]) -> None:
        """Drop the rows created before a moment, as if they had never been; `kept` stay. Not for indexed kinds."""
        old = self.order[: self.between(before, None)[0]]
        staying = [id_ for id_ in old if id_ in kept]
        for id_ in old:
            if id_ not in kept:
                del self.rows[id_], self.key[id_]
        self.order[: len(old)] = staying
        self.keys[: len(old)] = [self.key[id_] for id_ in staying]


class Store:
    """All tables, what follows from them, and the journal. A request or clock step is one unit: commit or rollback.

    A connected account has tables of its own in a store that hangs on its `platform`'s. They share clock, unit, journal
    and the deliveries that are owed: a commit or rollback of one is that of all.
    """

    def __init__(
        self,
        journal: Journal,
        meta: dict[str, Any],
        listeners: Mapping[str, Sequence[Callable[[Any, Row], object]]],
        platform: "Store | None" = None,
    ) -> None:
        self.journal, self.listeners = journal, listeners
        self.meta = meta
        self.platform = platform
        self.clear()
        if platform is not None:
            self._touched_meta = True
            return
        state = journal.replay()
        for record in state:
            self.redo(record)
        for each in self.everywhere():
            each.forget_events()
        if journal.existed:
            self.compact()
        else:
            self._touched_meta = True
            self.commit()

    def clear(self) -> None:
        """Forget everything but `meta`."""
        self.tables = {name: Table(kind.indexed) for name, kind in KINDS.items()}
        self.sums: dict[str, dict[str, int]] = {}
        self.unpaid: dict[str, dict[str, None]] = {}
        self.agendas: dict[str | None, list[tuple[int, str, str]]] = {}
        self.connected: dict[str, Store] = {}
        self.idempotency: dict[str, dict[str, Any]] = {}
        # delivery -> None (owed now), or (attempts made, unix seconds of the next; None: given up, never received)
        self.waiting: dict[str, tuple[int, int | None] | None] = {}
        self._undo: list[tuple[str, str, Row | None]] = []
        self._new_answers: list[dict[str, Any]] = []
        self.new_deliveries: list[str] = []
        self._touched_meta = False

    @property
    def now(self) -> int:
        """The virtual clock, unix seconds; one for the platform and all accounts connected to it."""
        return int((self.platform or self).meta["now"])

    @property
    def application(self) -> str | None:
        """``ca_…``, the platform by which requests come to a connected account; None for the platform's own."""
        return None if self.platform is None else ids.application(self.platform.meta["account_seed"])

    def connect(self, account: str, meta: dict[str, Any]) -> "Store":
        """The store of a connected account, made when there is none yet."""
        if account not in self.connected:
            self.connected[account] = Store(self.journal, meta, self.listeners, self)
        return self.connected[account]

    def everywhere(self) -> "list[Store]":
        """This store and those of the accounts connected to it."""
        return [self, *self.connected.values()]

    def anywhere(self, kind: str, id_: str) -> Row | None:
        """The current row of this account or of one connected to it."""
        return next((row for store in self.everywhere() if (row := store.get(kind, id_)) is not None), None)

    def get(self, kind: str, id_: str) -> Row | None:
        """The current row, a tombstone included."""
        return self.tables[kind].rows.get(id_)

    def rows(self, kind: str) -> Iterator[Row]:
        """All rows of a kind, oldest first, tombstones included."""
        return iter(self.tables[kind].rows.values())

    def put(self, row: Row) -> None:
        """Add or replace a row of the current unit."""
        kind, id_ = row["object"], row["id"]
        self._undo.append((kind, id_, self.tables[kind].rows.get(id_)))
        self._place(kind, id_, row)

    def set_meta(self, **values: Any) -> None:
        """Change settings that outlive a restart; not undone by a rollback."""
        self.meta |= values
        self._touched_meta = True

    def remember(self, key: str, answer: dict[str, Any]) -> None:
        """Keep the answer given under an idempotency key; the oldest goes when there are too many."""
        answer = {**answer, "at": self.now}
        self.idempotency.pop(key, None)
        self.idempotency[key] = answer
        self._new_answers.append({"key": key, **answer})
        while len(self.idempotency) > IDEMPOTENCY_KEYS_MAX or self.answered(next(iter(self.idempotency))) is None:
            del self.idempotency[next(iter(self.idempotency))]

    def answered(self, key: str) -> dict[str, Any] | None:
        """The answer kept under an idempotency key, for a day of the virtual clock."""
        answer = self.idempotency.get(key)
        return None if answer is None or answer.get("at", self.now) + IDEMPOTENCY_SECONDS < self.now else answer

    def deliver(self, key: str) -> None:
        """Owe a delivery ``event|endpoint`` from the end of this unit."""
        (self.platform or self).new_deliveries.append(key)

    def delivered(self, key: str, counts: dict[str, int]) -> None:
        """A delivery is settled; `counts` are the delivery counters now."""
        if key in self.waiting:
            del self.waiting[key]
            self.meta["counts"] = dict(counts)
            self.journal.write({"settled": key, "counts": counts})

    def postpone(self, key: str, attempts: int, at: int | None, counts: dict[str, int]) -> None:
        """A delivery failed and is tried again when the account's clock says `at`; with None it never is."""
        if key in self.waiting:
            self.waiting[key] = (attempts, at)
            self.meta["counts"] = dict(counts)
            self.journal.write({"later": [key, attempts, at], "counts": counts})

    def give_up(self, key: str, counts: dict[str, int]) -> None:
        """A delivery was never received and never will be: its event goes on counting it as pending, as Stripe's."""
        self.postpone(key, 0, None, counts)

    def commit(self) -> list[str]:
        """Write the unit as one journal line; returns the deliveries that are owed from now on."""
        if self.platform is not None:
            return self.platform.commit()
        record = self.take_record()
        accounts = {id_: part for id_, store in self.connected.items() if (part := store.take_record())}
        if accounts:
            record["accounts"] = accounts
        owed = self.new_deliveries
        if owed:
            record["owed"] = owed
            self.waiting.update(dict.fromkeys(owed))
            self.new_deliveries = []
        if record:
            self.journal.write(record)
        return owed

    def take_record(self) -> dict[str, Any]:
        """What this account adds to the journal line of the unit; from now on it counts as written."""
        record: dict[str, Any] = {}
        if self._undo:
            touched = dict.fromkeys((kind, id_) for kind, id_, _ in self._undo)
            record["rows"] = [self.tables[kind].rows[id_] for kind, id_ in touched]
            self._undo = []
        if self._new_answers:
            record["answers"] = self._new_answers
            self._new_answers = []
        if self._touched_meta:
            record["meta"] = self.meta
            self._touched_meta = False
        return record

    def rollback(self) -> None:
        """Undo the rows and deliveries of the unit."""
        if self.platform is not None:
            self.platform.rollback()
            return
        for store in self.everywhere():
            store.undo()
        self.new_deliveries = []

    def undo(self) -> None:
        """Undo the rows of this account alone."""
        for kind, id_, old in reversed(self._undo):
            self._place(kind, id_, old)
        self._undo = []

    def reset(self, meta: dict[str, Any]) -> None:
        """Start again, empty, with other settings."""
        self.clear()
        self.meta = meta
        self.compact()

    def compact(self) -> None:
        """Write the journal anew, without what was overwritten since."""
        self.journal.compact(self.snapshot())

    def restore(self, records: Iterable[dict[str, Any]]) -> None:
        """Become what `records` (of a `snapshot`) say."""
        self.clear()
        self.meta = {}
        for record in records:
            self.redo(record)
        self.compact()

    def forget_events(self) -> None:
        """Drop the events Stripe would no longer list, where the settings ask for it; what is still owed stays.

        A delivery that was given up is owed no longer; it is forgotten with its event.
        """
        if self.meta.get("forgets_events"):
            waiting = (self.platform or self).waiting
            given_up = [key for key, later in waiting.items() if later is not None and later[1] is None]
            owed = {key.partition("|")[0] for key in waiting.keys() - set(given_up)}
            self.tables["event"].forget(self.now - EVENTS_WINDOW_SECONDS, owed)
            if self.platform is None:
                for key in given_up:
                    if self.anywhere("event", key.partition("|")[0]) is None:
                        del waiting[key]

    def balance(self, currency: str) -> dict[str, int]:
        """``{"available": …, "pending": …}`` in minor units: the sums of the balance transactions by status."""
        return self.sums.get(currency, {"available": 0, "pending": 0})

    def next_due(self, clock: str | None = None) -> int | None:
        """When the account's clock, or a test clock, has to look at a row next."""
        agenda = self.agendas.get(clock, [])
        while agenda:
            at, kind, id_ = agenda[0]
            row = self.tables[kind].rows.get(id_)
            if row is not None and row.get("_due") == at:
                return at
            heappop(agenda)
        return None

    def take_due(self, at: int, clock: str | None = None) -> list[Row]:
        """The rows due at `at`; each leaves the agenda."""
        taken: dict[str, Row] = {}
        while self.next_due(clock) == at:
            _, kind, id_ = heappop(self.agendas[clock])
            taken[id_] = self.tables[kind].rows[id_]
        return list(taken.values())

    def _place(self, kind: str, id_: str, row: Row | None, made: int | None = None) -> None:
        table = self.tables[kind]
        old = table.rows.get(id_)
        if made is None:
            made = row["created"] if row is not None and "created" in row else self.now
        table.place(row, id_, made)
        if kind == "balance_transaction":
            self._count(old, -1)
            self._count(row, 1)
        if row is not None and row.get("_due") is not None:
            heappush(self.agendas.setdefault(row.get("_clock"), []), (row["_due"], kind, id_))

    def _count(self, row: Row | None, sign: int) -> None:
        if row is None:
            return
        self.sums.setdefault(row["currency"], {"available": 0, "pending": 0})[row["status"]] += sign * row["net"]
        if row["status"] == "available" and row["_payout"] is None:
            unpaid = self.unpaid.setdefault(row["currency"], {})
            if sign > 0:
                unpaid[row["id"]] = None
            else:
                unpaid.pop(row["id"], None)

    def redo(self, record: dict[str, Any]) -> None:
        """Take in a record of the journal."""
        self.meta |= record.get("meta", {})
        for row in record.get("rows", ()):
            self._place(row["object"], row["id"], row, record.get("made"))
        for answer in record.get("answers", ()):
            self.idempotency[answer["key"]] = {name: value for name, value in answer.items() if name != "key"}
        for account, part in record.get("accounts", {}).items():
            self.connect(account, {}).redo(part)
        self.waiting.update(dict.fromkeys(record.get("owed", ())))
        if "settled" in record:
            self.waiting.pop(record["settled"], None)
        if "later" in record:
            key, attempts, at = record["later"]
            self.waiting[key] = (attempts, at)
        if "counts" in record:
            self.meta["counts"] = record["counts"]

    def snapshot(self) -> Iterator[dict[str, Any]]:
        """The records that make this state."""
        yield {"meta": self.meta}
        for kind in self.tables:
            for row in self.rows(kind):
                # a tombstone does not tell when its row was made, and that is its place in lists
                made = {} if "created" in row else {"made": self.tables[kind].made(row["id"])}
                yield {"rows": [row], **made}
        for key, answer in self.idempotency.items():
            yield {"answers": [{"key": key, **answer}]}
        for account, store in self.connected.items():
            for record in store.snapshot():
                yield {"accounts": {account: record}}
        if self.waiting:
            yield {"owed": list(self.waiting)}
        for key, later in self.waiting.items():
            if later is not None:
                yield {"later": [key, *later]}
