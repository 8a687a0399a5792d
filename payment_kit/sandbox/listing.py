"""Lists as Stripe gives them: newest first, cursors both ways, ``created`` ranges, equality filters; and expansion."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from payment_kit.sandbox.call import Call, public
from payment_kit.sandbox.errors import ApiError, invalid, no_such
from payment_kit.sandbox.kinds import KINDS, of
from payment_kit.sandbox.store import EVENTS_WINDOW_SECONDS, Row, Store

PAGE_DEFAULT, PAGE_MAX, NESTED_PAGE = 10, 100, 10
EXPAND_DEPTH_MAX = 4


# what `expand` puts into a field that is not there otherwise: a list or an object made from the row; None: nothing
Include = Callable[[Store, Row], Any]


def page(call: Call, kind: str, url: str, *, where: Callable[[Row], bool] | None = None, **fixed: Any) -> Row:
    """The page the call's parameters ask for; `fixed` adds equalities from the path, `where` any condition."""
    params = {name: value for name, value in call.params.items() if value not in (None, []) and name != "expand"}
    limit = params.pop("limit", PAGE_DEFAULT)
    if not 1 <= limit <= PAGE_MAX:
        raise invalid("limit", f"Invalid integer: limit must be between 1 and {PAGE_MAX}.", "parameter_invalid_integer")
    after, before = params.pop("starting_after", None), params.pop("ending_before", None)
    if after and before:
        raise invalid("ending_before", "You cannot use both starting_after and ending_before.")
    positions = _positions(call, kind, params.pop("created", None), params | fixed, after, before)
    found: list[Row] = []
    for row in positions if where is None else filter(where, positions):
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
    indexed = next((field for field in KINDS[kind].indexed if field in filters), None)
    if indexed is None:
        positions: Iterable[int] = range(low, high)
    else:
        positions = [at for at in table.matching(indexed, filters[indexed]) if low <= at < high]
    walk = positions if before else reversed(positions)  # type: ignore[call-overload]  # range and list reverse
    tests = [_test(kind, field, wanted) for field, wanted in filters.items()]
    for at in walk:
        row = table.rows[table.order[at]]
        if "deleted" in row:
            continue
        for test in tests:
            if not test(row):
                break
        else:
            yield row


def within(value: int, wanted: Any) -> bool:
    """Whether a number lies where a range parameter (a number, or ``gt``, ``gte``, ``lt``, ``lte``) wants it."""
    first, last = _range(wanted)
    return (first is None or value >= first) and (last is None or value <= last)


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
    position = call.store.tables[kind].position(id_)
    if position is None:
        raise no_such(kind, id_, param, 400)
    return position


def _test(kind: str, field: str, wanted: Any) -> Callable[[Row], bool]:
    """Whether a row passes a filter; decided once for a list, because a rare one walks over all rows of a kind."""
    match field:
        case "types":
            return lambda row: row["type"] in wanted
        case "ids":
            return lambda row: row["id"] in wanted
        case "lookup_keys":
            return lambda row: row["lookup_key"] in wanted
        case "amount" | "arrival_date" | "due_date":
            return lambda row: row[field] is not None and within(row[field], wanted)
        case "recurring":
            return lambda row: (
                row[field] is not None and all(row[field][name] == value for name, value in wanted.items())
            )
        case "type" if kind == "event" and "*" in wanted:
            start = wanted.split("*")[0]
            return lambda row: row["type"].startswith(start)
    return lambda row: row.get(field) == wanted


def expand(store: Store, value: Row, paths: list[str], includes: Mapping[tuple[str, str], Include]) -> Row:
    """`value` with the named references replaced by their rows; raises 400 for what cannot be expanded."""
    for path in paths:
        parts = path.split(".")
        if len(parts) - (parts[0] == "data") > EXPAND_DEPTH_MAX:
            raise invalid("expand", f"You cannot expand more than {EXPAND_DEPTH_MAX} levels of a property.")
        value = _Expansion(store, path, includes).of(value, parts)
    return value


class _Expansion(NamedTuple):
    """One path of `expand` on its way through objects, hashes and lists."""

    store: Store
    path: str
    includes: Mapping[tuple[str, str], Include]

    def of(self, value: Any, parts: list[str], whole: Any = None, inside: str = "") -> Any:
        """`value` with `parts` expanded; `inside` is the dotted path within the object `whole`."""
        if not parts or value is None:
            return value
        if isinstance(value, list):
            return [self.of(part, parts, whole, inside) for part in value]
        if not isinstance(value, dict):
            raise self._refused()
        if "object" in value and isinstance(value["object"], str):
            whole, inside = value, ""
        if value.get("deleted") is True:
            return value
        owner = whole["object"] if whole else ""
        name, rest = parts[0], parts[1:]
        field = f"{inside}.{name}" if inside else name
        if (owner, field) in self.includes:
            found = value.get(name) or self.includes[owner, field](self.store, whole)
            return value if found is None else {**value, name: self.of(found, rest)}
        expands = KINDS[owner].expands if owner in KINDS else {}
        if field in expands:
            return {**value, name: self._referenced(value.get(name), expands[field], rest)}
        deeper = owner == "list" or any(known.startswith(f"{field}.") for known in expands)
        if name in value and rest and (deeper or isinstance(value[name], (dict, list))):
            return {**value, name: self.of(value[name], rest, whole, field)}
        raise self._refused()

    def _referenced(self, held: Any, kind: str | None, rest: list[str]) -> Any:
        if isinstance(held, list):
            return [self._referenced(part, kind, rest) for part in held]
        if isinstance(held, str):
            kind = kind or of(held)
            row = self._found(kind, held) if kind else None
            held = held if row is None else public(row)
        return self.of(held, rest) if isinstance(held, dict) else held

    def _found(self, kind: str, id_: str) -> Row | None:
        """The row, perhaps one of the platform or of an account connected to it: a charge's application fee."""
        return self.store.get(kind, id_) or (self.store.platform or self.store).anywhere(kind, id_)

    def _refused(self) -> ApiError:
        return ApiError(400, f"This property cannot be expanded ({self.path}).", param="expand", stored=False)


def nested(rows: list[Row], url: str, limit: int = NESTED_PAGE) -> Row:
    """A list inside an object: the first rows, newest first as `rows` comes, cut as Stripe cuts it."""
    data = [public(row) for row in rows[:limit]]
    return {"object": "list", "data": data, "has_more": len(rows) > limit, "url": url}
