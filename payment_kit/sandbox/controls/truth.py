"""The truth: every row of every kind of every account, for tests that compare what they made of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from payment_kit.sandbox.call import public
from payment_kit.sandbox.controls.desk import Desk, Lines, Operation, invalid, only, whole
from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.kinds import KINDS
from payment_kit.sandbox.store import Row, Store

ROWS_DEFAULT, ROWS_MAX = 1000, 10_000


def objects(desk: Desk) -> Lines:
    """GET objects/{kind}"""
    only(desk.query, "account", "limit", "starting_after")
    store, kind = _store(desk), _kind(desk.path[0])
    limit = whole(desk.query, "limit", 1, ROWS_MAX, ROWS_DEFAULT)
    after = desk.query.get("starting_after", "")
    rows, order, position = _found(store, kind, after)
    if after and position is None:
        raise invalid("starting_after", f"there is no {kind} {after[:100]}")
    first = 0 if position is None else position + 1
    return Lines([public(rows[id_]) for id_ in order[first : first + limit]])


def _found(store: Store, kind: str, id_: str) -> tuple[Mapping[str, Row], Sequence[str], int | None]:
    """The rows of a kind, their order, and the place of one of them."""
    if kind not in _HELD:
        table = store.tables[kind]
        return table.rows, table.order, table.position(id_)
    rows = {row.get("id", str(at)): row for at, row in enumerate(_HELD[kind](store))}
    order = list(rows)
    return rows, order, order.index(id_) if id_ in rows else None


def everything(desk: Desk) -> dict[str, dict[str, dict[str, int]]]:
    """GET objects"""
    only(desk.query, "account")
    stores = [_store(desk)] if "account" in desk.query else desk.world.store.everywhere()
    return {store.meta.get("account", desk.world.account_id): _counted(store) for store in stores}


def _counted(store: Store) -> dict[str, dict[str, int]]:
    found = {}
    for kind in KINDS:
        rows = len(store.tables[kind].rows)
        deleted = sum("deleted" in row for row in store.rows(kind))
        if rows:
            found[kind] = {"rows": rows - deleted, "deleted": deleted}
    return found


def _store(desk: Desk) -> Store:
    """The account the query names, else the one of the header."""
    id_ = desk.query.get("account")
    if id_ is None:
        return desk.store
    if id_ == desk.world.account_id:
        return desk.world.store
    if id_ not in desk.world.store.connected:
        raise invalid("account", f"there is no connected account {id_[:100]}")
    return desk.world.store.connected[id_]


def _kind(name: str) -> str:
    for kind in (name, name.removesuffix("s")):
        if kind in KINDS or kind in _HELD:
            return kind
    known = ", ".join([*KINDS, *_HELD])
    raise ApiError(404, f"The sandbox has no objects of type {name[:100]}; it has {known}.", stored=False)


def _credited(store: Store) -> list[Row]:
    return [line for note in store.rows("credit_note") for line in note.get("_lines", ())]


def _paid_out(store: Store) -> list[Row]:
    rows: list[dict[str, Any]] = [row for row in store.rows("balance_transaction") if row["_payout"] is not None]
    return [{"payout": row["_payout"], "balance_transaction": row["id"]} for row in rows]


# rows that other rows hold
_HELD: dict[str, Callable[[Store], list[Row]]] = {"credit_note_line_item": _credited, "payout_items": _paid_out}

OPERATIONS = (
    Operation(
        "GET",
        "objects",
        everything,
        "`?account=`",
        '`{"acct_…": {"charge": {"rows", "deleted"}}}`: what there is, of every account or of one',
    ),
    Operation(
        "GET",
        "objects/*",
        objects,
        "`?account=&starting_after=&limit=`; a kind of object, or `payout_items`; `account` does what the header does",
        "rows as the API shows them, oldest first, one JSON per line, deleted ones as what is left of them",
    ),
)
