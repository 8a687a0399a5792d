"""Lists as Stripe gives them: newest first, cursors both ways, ``created`` ranges, equality filters; and expansion."""

from collections.abc import Iterable, Iterator
from typing import Any

from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.store import INDEXED, Row, Store

PAGE_DEFAULT, PAGE_MAX, NESTED_PAGE = 10, 100, 10
EXPAND_DEPTH_MAX = 4
EVENTS_WINDOW_SECONDS = 30 * 86_400  # docs.stripe.com/api/events/list: "up to 30 days"

# (kind, field) -> kind of what the id in that field names; None: told by the id's prefix
EXPANDABLE: dict[tuple[str, str], str | None] = {
    ("customer", "default_source"): None,
    ("customer", "test_clock"): None,
    ("product", "default_price"): "price",
    ("price", "product"): "product",
    ("payment_method", "customer"): "customer",
    ("payment_intent", "customer"): "customer",
    ("payment_intent", "payment_method"): "payment_method",
    ("payment_intent", "latest_charge"): "charge",
    ("charge", "customer"): "customer",
    ("charge", "payment_intent"): "payment_intent",
    ("charge", "balance_transaction"): "balance_transaction",
    ("charge", "failure_balance_transaction"): "balance_transaction",
    ("refund", "charge"): "charge",
    ("refund", "payment_intent"): "payment_intent",
    ("refund", "balance_transaction"): "balance_transaction",
    ("refund", "failure_balance_transaction"): "balance_transaction",
    ("dispute", "charge"): "charge",
    ("dispute", "payment_intent"): "payment_intent",
    ("balance_transaction", "source"): None,
    ("payout", "balance_transaction"): "balance_transaction",
    ("payout", "failure_balance_transaction"): "balance_transaction",
}
_NESTED_EXPANDABLE = {("customer", "invoice_settings", "default_payment_method"): "payment_method"}
_KIND_OF_PREFIX = {"ch": "charge", "re": "refund", "du": "dispute", "po": "payout"}


def page(call: Call, kind: str, url: str, **fixed: Any) -> Row:
    """The page the call's parameters ask for; `fixed` adds equalities that come from the path."""
    params = {name: value for name, value in call.params.items() if value not in (None, []) and name != "expand"}
    limit = params.pop("limit", PAGE_DEFAULT)
    if not 1 <= limit <= PAGE_MAX:
        raise invalid("limit", f"Invalid integer: limit must be between 1 and {PAGE_MAX}.", "parameter_invalid_integer")
    after, before = params.pop("starting_after", None), params.pop("ending_before", None)
    if after and before:
        raise invalid("ending_before", "You cannot use both starting_after and ending_before.")
    positions = _positions(call, kind, params.pop("created", None), params | fixed, after, before)
    found: list[Row] = []
    for row in positions:
        found.append(row)
        if len(found) > limit:
            break
    data = found[:limit]
    if before:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def _positions(
    call: Call, kind: str, created: Any, filters: dict[str, Any], after: str | None, before: str | None
) -> Iterator[Row]:
    table = call.store.tables[kind]
    low, high = table.between(*_range(created))
    if kind == "event":
        low = max(low, table.between(call.now - EVENTS_WINDOW_SECONDS, None)[0])
    if after:
        high = min(high, _cursor(call, kind, after, "starting_after"))
    if before:
        low = max(low, _cursor(call, kind, before, "ending_before") + 1)
    indexed = next((field for field in INDEXED[kind] if field in filters), None)
    if indexed is None:
        positions: Iterable[int] = range(low, high)
    else:
        positions = [at for at in table.matching(indexed, filters[indexed]) if low <= at < high]
    walk = positions if before else reversed(positions)  # type: ignore[call-overload]  # range and list reverse
    for at in walk:
        row = table.rows[table.order[at]]
        if "deleted" not in row and all(_matches(row, field, wanted) for field, wanted in filters.items()):
            yield row


def _range(created: Any) -> tuple[int | None, int | None]:
    if created is None:
        return None, None
    if isinstance(created, int):
        return created, created
    firsts = [created["gte"]] if "gte" in created else []
    firsts += [created["gt"] + 1] if "gt" in created else []
    lasts = [created["lte"]] if "lte" in created else []
    lasts += [created["lt"] - 1] if "lt" in created else []
    return max(firsts, default=None), min(lasts, default=None)


def _cursor(call: Call, kind: str, id_: str, param: str) -> int:
    position = call.store.tables[kind].position.get(id_)
    if position is None:
        raise no_such(kind, id_, param, 400)
    return position


def _matches(row: Row, field: str, wanted: Any) -> bool:
    match field:
        case "types":
            return row["type"] in wanted
        case "ids":
            return row["id"] in wanted
        case "lookup_keys":
            return row["lookup_key"] in wanted
        case "arrival_date":
            first, last = _range(wanted)
            return (first is None or row[field] >= first) and (last is None or row[field] <= last)
        case "recurring":
            return row[field] is not None and all(row[field][name] == value for name, value in wanted.items())
        case "type" if row["object"] == "event" and "*" in wanted:
            return bool(row["type"].startswith(wanted.split("*")[0]))
    return bool(row.get(field) == wanted)


def expand(store: Store, value: Row, paths: list[str]) -> Row:
    """`value` with the named references replaced by their rows; raises 400 for what cannot be expanded."""
    for path in paths:
        parts = path.split(".")
        if len(parts) - (parts[0] == "data") > EXPAND_DEPTH_MAX:
            raise invalid("expand", f"You cannot expand more than {EXPAND_DEPTH_MAX} levels of a property.")
        value = _expand(store, value, parts, path)
    return value


def _expand(store: Store, value: Row, parts: list[str], path: str) -> Row:
    name, rest = parts[0], parts[1:]
    kind = value.get("object")
    if kind == "list" and name == "data" and rest:
        return {**value, "data": [_expand(store, row, rest, path) for row in value["data"]]}
    if (kind, name) == ("charge", "refunds"):
        inner: Any = value.get(name) or _refunds(store, value)
    elif (kind, name) in EXPANDABLE:
        inner = value.get(name)
        if isinstance(inner, str):
            inner = _look_up(store, EXPANDABLE[str(kind), name], inner)
    elif rest and (kind, name, rest[0]) in _NESTED_EXPANDABLE:
        hash_, field = dict(value[name]), rest[0]
        if isinstance(hash_[field], str):
            hash_[field] = _look_up(store, "payment_method", hash_[field])
        return {**value, name: hash_}
    else:
        raise ApiError(400, f"This property cannot be expanded ({path}).", param="expand", stored=False)
    if rest and isinstance(inner, dict):
        inner = _expand(store, inner, rest, path)
    return {**value, name: inner}


def _look_up(store: Store, kind: str | None, id_: str) -> Any:
    row = store.get(kind or _KIND_OF_PREFIX[id_.split("_", 1)[0]], id_)
    return id_ if row is None else public(row)


def _refunds(store: Store, charge: Row) -> Row:
    table = store.tables["refund"]
    rows = [table.rows[table.order[at]] for at in reversed(table.matching("charge", charge["id"]))]
    return {
        "object": "list",
        "data": [public(row) for row in rows[:NESTED_PAGE]],
        "has_more": len(rows) > NESTED_PAGE,
        "url": f"/v1/charges/{charge['id']}/refunds",
    }
