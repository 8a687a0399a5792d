"""How one kind of Stripe object is described: its table, its columns, where it is listed, and what hangs on it.

The entries themselves are in `catalogue.py`. A `Column` says where its value stands in Stripe's JSON and how PostgreSQL
reads it there, so a table can be rebuilt from its `raw` column by SQL alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "bigint", "numeric", "boolean", "time", "json", "ref"]
Payload = Mapping[str, Any]
Progress = tuple[int, ...]

SQL_TYPES: Mapping[Kind, str] = {
    "text": "text",
    "bigint": "bigint",
    "numeric": "numeric",
    "boolean": "boolean",
    "time": "timestamp with time zone",
    "json": "jsonb",
    "ref": "text",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One typed column: `name`, how to read it (`kind`), and its `path` in the JSON (default: the name).

    ``ref`` reads an id whether Stripe sent the id or the expanded object; ``time`` reads Unix seconds as UTC.
    """

    name: str
    kind: Kind = "text"
    path: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The SQL expression that reads this column from a jsonb value named ``raw``."""
        path = self.path or (self.name,)
        parent = "raw" + "".join(f"->'{key}'" for key in path[:-1])
        text = f"{parent}->>'{path[-1]}'"
        value = f"{parent}->'{path[-1]}'"
        match self.kind:
            case "json":
                return f"nullif({value}, 'null'::jsonb)"
            case "time":
                return f"to_timestamp(({text})::bigint)"
            case "ref":
                return f"coalesce({value}->>'id', {text})"
            case "text":
                return text
            case _:
                return f"({text})::{self.kind}"


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of Stripe's that holds objects of a kind.

    `path` and `params` may name ``{id}``: then the list is asked once per object of the kind `per`. `created` tells
    that it filters by creation time. With `owed` it is (also) asked when a state of the parent means that it may have
    changed; with `swept` false a backfill leaves it to that.
    """

    path: str
    params: Mapping[str, str] = ()  # type: ignore[assignment]
    per: str | None = None
    created: bool = False
    owed: Callable[[Payload, Payload], bool] | None = None
    """Of a parent's state and its ``previous_attributes``."""
    swept: bool = True
    where: str = ""
    """SQL about the row of a parent, called ``parents``: of all others the list is surely empty."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A list inside an object's own JSON, at `field`: objects of the kind `child`; the rest of it is listed at `path`.

    Stripe shows the first ten and says ``has_more`` (docs.stripe.com/api/expanding_objects).
    """

    field: str
    child: str
    path: str


@dataclass(frozen=True, slots=True)
class StripeObject:
    """One kind of object: Stripe's name for it, its table in schema `stripe`, its columns and where Stripe shows it."""

    name: str
    table: str
    columns: tuple[Column, ...]
    progress: Callable[[Payload], Progress] = lambda _payload: ()
    """Numbers that only ever grow while the object lives: what one-second timestamps cannot tell."""
    at: str | None = None
    """One object is at ``/v1/<at>/<id>``; None when Stripe shows it only inside another or in a list."""
    listings: tuple[Listing, ...] = ()
    carried: tuple[Nested, ...] = ()
    """Lists that are always there: their objects live and die with this one's state."""
    expanded: tuple[Nested, ...] = ()
    """Lists that are only there when asked for: objects of their own, kept out of this one's `raw`."""
    expand: tuple[str, ...] = ()
    """What else a read of this object expands, to find objects no list and no event shows."""
    owed: Callable[[Payload, Payload], bool] = lambda _payload, _previous: False
    """Must this state of an event be followed by a read, since it names what only a read shows?"""
    copies: frozenset[str] = frozenset()
    """Fields that hold another object as it was when this one was made: older than any other state of it."""
    refers: Mapping[str, tuple[str, ...]] = ()  # type: ignore[assignment]
    """Kinds that are found only by their ids: kind -> the fields that hold one."""
    id_field: str = "id"
    vanishes: bool = False
    """Can it disappear from Stripe without a trace in its own state? Then a backfill looks for that."""
    polled: bool = False
    """Changes without any event: a catch-up lists it again."""
    silent: bool = False
    """Has no event of its own, so completeness rests on reads."""
    drop: tuple[str, ...] = ()
    """Fields never stored: secrets that only the caller of the moment may see."""

    @property
    def path(self) -> str:
        """The URL path below which one object is found; raises ValueError for a kind that is not retrieved."""
        if self.at is None:
            raise ValueError(f"Stripe shows no single {self.name}")
        return f"/v1/{self.at}"


def columns(text: str) -> tuple[Column, ...]:
    """``"email amount:bigint card_brand=card.brand"`` -> columns."""
    found = []
    for word in text.split():
        declaration, _, path = word.partition("=")
        name, _, kind = declaration.partition(":")
        found.append(Column(name, kind or "text", tuple(path.split(".")) if path else ()))  # type: ignore[arg-type]
    return tuple(found)
