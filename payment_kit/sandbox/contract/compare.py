"""The difference between two runs of a scenario, by JSON path."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from payment_kit.sandbox.contract.steps import Step

ABSENT = "<absent>"


class Difference(NamedTuple):
    """One place where the two sides disagree; `path` starts at the nearest object: ``charge.outcome.type``."""

    scenario: str
    step: str
    path: str
    ours: Any
    theirs: Any


def compare(scenario: str, ours: Sequence[Step], theirs: Sequence[Step]) -> list[Difference]:
    """Where two runs disagree, in the order of the steps; a run that ended early disagrees in the step it lacks."""
    found: list[Difference] = []
    for mine, other in zip(ours, theirs, strict=False):
        if mine.status != other.status:
            found.append(Difference(scenario, mine.request, "status", mine.status, other.status))
        found += [Difference(scenario, mine.request, *rest) for rest in _values(mine.body, other.body, "")]
    longer = ours if len(ours) > len(theirs) else theirs
    for step in longer[min(len(ours), len(theirs)) :][:1]:
        sides = (step.status, ABSENT) if longer is ours else (ABSENT, step.status)
        found.append(Difference(scenario, step.request, "step", *sides))
    return found


def _values(mine: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(mine, dict) and isinstance(other, dict):
        if isinstance(mine.get("object"), str):
            path = mine["object"]
        for name in sorted(mine.keys() | other.keys()):
            inner = f"{path}.{name}" if path else name
            yield from _values(mine.get(name, ABSENT), other.get(name, ABSENT), inner)
    elif isinstance(mine, list) and isinstance(other, list):
        if len(mine) != len(other):
            yield f"{path}.length", len(mine), len(other)
        for left, right in zip(mine, other, strict=False):
            yield from _values(left, right, f"{path}[]")
    elif mine != other:
        yield path, mine, other
