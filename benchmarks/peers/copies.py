"""A recorded business many times over: copy number k has every id of the recording followed by k's six digits.

An object becomes a `Template`, its JSON cut behind each id of the recording, so a copy is one join of bytes: millions
of consistent objects need the memory of one business, and a page of a hundred costs microseconds. All copies of an
object share its times. A list holds, newest first, every copy of its first object, then of its second, and so on.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from benchmarks.peers.recording import Json, Recording, made

DIGITS = 6
COPIES_MAX = 10**DIGITS
PAGE_MAX = 100

_ID = re.compile(rb"[a-z][a-z_]*_[A-Za-z0-9]+")
_HOW = frozenset({"limit", "starting_after", "ending_before", "expand", "created"})
"""Parameters of a list that say how and from when on; any other names a field."""


@dataclass(frozen=True, slots=True)
class Template:
    """One recorded object: what it was, and its JSON in pieces."""

    recorded: Json
    pieces: tuple[bytes, ...]

    def copy(self, number: int) -> bytes:
        """The JSON of one copy."""
        return suffix(number).join(self.pieces)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for: single values by name, the bounds of `created` by their Stripe names, `expand`."""

    params: Mapping[str, str]
    created: Mapping[str, int]
    expand: tuple[str, ...] = ()


class Copies:
    """`number` copies of a recording; raises ValueError over `COPIES_MAX`."""

    def __init__(self, recording: Recording, number: int) -> None:
        if not 0 < number <= COPIES_MAX:
            raise ValueError(f"{number} copies: there can be 1 to {COPIES_MAX}")
        self.number = number
        self._ids = set(_ids_in([*recording.objects.values(), recording.events]))
        self._lists = {
            kind: [self.template(one) for one in sorted(found, key=lambda one: -int(one.get("created") or 0))]
            for kind, found in recording.objects.items()
        }
        self._by_id = {one.recorded["id"]: one for found in self._lists.values() for one in found}
        self._narrowed: dict[tuple[Any, ...], list[Template]] = {}

    def template(self, recorded: Json) -> Template:
        """`recorded` in pieces; it may be any JSON in which ids of the recording occur."""
        body, pieces, at = orjson.dumps(recorded), list[bytes](), 0
        for found in _ID.finditer(body):
            if found.group() in self._ids:
                pieces.append(body[at : found.end()])
                at = found.end()
        return Template(recorded, (*pieces, body[at:]))

    def one(self, id_: str, expand: Sequence[str] = ()) -> bytes | None:
        """The copy with this id, or None."""
        recorded, number = original(id_)
        template = self._by_id.get(recorded)
        if template is None or not 0 <= number < self.number:
            return None
        return self._expanded(template, expand).copy(number)

    def page(self, kind: str, asked: Asked) -> tuple[list[bytes], bool]:
        """One page of a list, newest first, and whether there is more behind it; unknown kinds are empty."""
        fields = {name: value for name, value in asked.params.items() if name not in _HOW}
        copies = {original(value)[1] for value in fields.values() if original(value)[1] >= 0}
        templates = self._narrow(kind, {name: original(value)[0] for name, value in fields.items()}, asked.created)
        expand = [path.removeprefix("data.") for path in asked.expand if path.startswith("data.")]
        numbers = range(self.number) if not copies else sorted(copies) if len(copies) == 1 else ()
        limit = min(int(asked.params.get("limit", "10")), PAGE_MAX)
        found = list(islice(_after(templates, numbers, asked.params.get("starting_after")), limit + 1))
        return [self._expanded(one, expand).copy(number) for one, number in found[:limit]], len(found) > limit

    def all(self, kind: str) -> Iterator[bytes]:
        """Every copy of a kind."""
        return (one.copy(number) for one in self._lists[kind] for number in range(self.number))

    def _narrow(self, kind: str, fields: Mapping[str, str], created: Mapping[str, int]) -> list[Template]:
        key = (kind, *sorted(fields.items()))
        if key not in self._narrowed:
            every = self._lists.get(kind, [])
            self._narrowed[key] = [one for one in every if _matches(kind, one.recorded, fields)]
        found = self._narrowed[key]
        if created:
            times = [-made(one.recorded) for one in found]
            first = max(
                bisect_left(times, -created["lte"]) if "lte" in created else 0,
                bisect_right(times, -created["lt"]) if "lt" in created else 0,
            )
            last = min(
                bisect_right(times, -created["gte"]) if "gte" in created else len(times),
                bisect_left(times, -created["gt"]) if "gt" in created else len(times),
            )
            found = found[first:last]
        return found

    def _expanded(self, template: Template, expand: Sequence[str]) -> Template:
        """With the objects that `expand` names in place of their ids, where they are recorded."""
        if not expand:
            return template
        key = (template.recorded["id"], *expand)
        if key not in self._narrowed:
            whole = orjson.loads(orjson.dumps(template.recorded))
            for path in expand:
                self._put(whole, path.split("."))
            self._narrowed[key] = [self.template(whole)]
        return self._narrowed[key][0]

    def _put(self, inside: Any, path: Sequence[str]) -> None:
        if isinstance(inside, list):
            for each in inside:
                self._put(each, path)
        elif isinstance(inside, dict) and path[0] in inside:
            if len(path) > 1:
                self._put(inside[path[0]], path[1:])
            else:
                inside[path[0]] = self._whole(inside[path[0]])

    def _whole(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._whole(each) for each in value]
        return self._by_id[value].recorded if isinstance(value, str) and value in self._by_id else value


def suffix(number: int) -> bytes:
    """What the ids of copy `number` end in."""
    return b"%0*d" % (DIGITS, number)


def original(id_: str) -> tuple[str, int]:
    """The recorded id and the copy's number; the number is -1 for a text that is no copy's id."""
    head, tail = id_[:-DIGITS], id_[-DIGITS:]
    return (head, int(tail)) if "_" in head and tail.isdecimal() else (id_, -1)


def _after(
    templates: Sequence[Template], numbers: Sequence[int], starting_after: str | None
) -> Iterator[tuple[Template, int]]:
    first, number = 0, -1
    if starting_after:
        recorded, number = original(starting_after)
        first = next((at for at, one in enumerate(templates) if one.recorded["id"] == recorded), len(templates))
    for template in templates[first:]:
        for each in numbers[bisect_right(numbers, number) :]:
            yield template, each
        number = -1


def _matches(kind: str, recorded: Json, fields: Mapping[str, str]) -> bool:
    if kind == "subscription" and "status" not in fields and recorded["status"] == "canceled":
        return False
    if "payout" in fields and kind == "balance_transaction":
        # Which transactions a payout pays out stands in none of them; here it is its own alone.
        return bool(recorded["source"] == fields["payout"])
    return all(
        (name == "status" and wanted == "all") or name not in recorded or _text(recorded[name]) == wanted
        for name, wanted in fields.items()
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ids_in(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str) and "_" in value["id"]:
            yield value["id"].encode()
        for each in value.values():
            yield from _ids_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids_in(each)
