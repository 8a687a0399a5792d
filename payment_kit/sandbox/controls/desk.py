"""What a control operation is given, how it is described, and how it reads its JSON."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from payment_kit.sandbox.errors import ApiError
from payment_kit.sandbox.store import Row, Store

if TYPE_CHECKING:
    from payment_kit.sandbox.world import World, Worlds


class Desk(NamedTuple):
    """One control operation that was asked for: on which world and account, with which ids, body and query."""

    worlds: "Worlds"
    world: "World"
    store: Store
    path: tuple[str, ...]
    given: Mapping[str, Any]
    query: Mapping[str, str]


class Lines(NamedTuple):
    """An answer of many rows, one JSON per line."""

    rows: list[Row]


class Operation(NamedTuple):
    """One row of the control API's table. ``*`` in `path` stands for an id; `takes` and `gives` are for people."""

    method: str
    path: str
    handler: Callable[[Desk], object | Awaitable[object]]
    takes: str
    gives: str


def invalid(param: str, message: str) -> ApiError:
    """400 that names the field."""
    return ApiError(400, f"Invalid {param}: {message}.", param=param, stored=False)


def only(given: Mapping[str, Any], *names: str) -> None:
    """Raise 400 for a field this operation does not have."""
    for name in given:
        if name not in names:
            raise invalid(name, f"there is no such field; there are: {', '.join(names) or 'none'}")


def number(given: Mapping[str, Any], name: str, least: float, most: float, default: float) -> float:
    """A number within bounds."""
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise invalid(name, f"must be a number from {least:g} to {most:g}")
    return value


def whole(given: Mapping[str, Any], name: str, least: int, most: int, default: int) -> int:
    """A whole number within bounds; from a query it is text."""
    if name not in given:
        return default
    value = given[name]
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(most)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(name, f"must be a whole number from {least} to {most}")
    return value


def text(given: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Text that is not empty."""
    value = given.get(name, default)
    if not isinstance(value, str) or not value:
        raise invalid(name, "must be text")
    return value


def truth(given: Mapping[str, Any], name: str, default: bool) -> bool:
    """true or false."""
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise invalid(name, "must be true or false")
    return value


def hash_of(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A hash."""
    value = given.get(name)
    if not isinstance(value, dict):
        raise invalid(name, "must be a hash")
    return value
