"""One operation of the API as a row of a table, and the two handlers nearly every object shares: get and list."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from payment_kit.sandbox import kinds, listing
from payment_kit.sandbox.call import Call
from payment_kit.sandbox.form import Kind, array, either, fields, integer, metadata, string
from payment_kit.sandbox.store import Row

Handler = Callable[[Call], Row]


class Endpoint(NamedTuple):
    """One operation below /v1; ``*`` in `path` stands for an id.

    A parameter that is not in `kinds` is refused by name. `required` names parameters without which it is refused.
    """

    method: str
    path: str
    handler: Handler
    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()


EXPAND: dict[str, Kind] = {"expand": array(string)}
META: dict[str, Kind] = {**EXPAND, "metadata": metadata}
RANGE = either(integer, fields(dict.fromkeys(("gt", "gte", "lt", "lte"), integer)))
PAGE: dict[str, Kind] = {**EXPAND, "limit": integer, "starting_after": string, "ending_before": string}
DATED: dict[str, Kind] = {**PAGE, "created": RANGE}


def filters(*names: str) -> dict[str, Kind]:
    """The parameters of a list that also filters by these fields."""
    return {**DATED, **dict.fromkeys(names, string)}


def get(kind: str, param: str = "id", *, deleted: bool = False) -> Handler:
    """A row by its id; with `deleted` a tombstone answers too, as for customers."""

    def handler(call: Call) -> Row:
        row = call.store.get(kind, call.path[0])
        if deleted and row is not None and "deleted" in row:
            return row
        return call.find(kind, call.path[0], param)

    return handler


def listed(kind: str) -> Handler:
    """The list of all rows of a kind, at the kind's own path."""
    return lambda call: listing.page(call, kind, f"/v1/{kinds.KINDS[kind].path}")
