"""Which of two states of one object is the newer: the rule every row, child row and tombstone is written by.

Stripe numbers nothing: states carry a time in whole seconds and arrive in any order. In this order:

1. a tombstone beats every state and stays;
2. the later second wins (`created` of the event; for a read a second that surely lies before it);
3. in one second ``*.created`` is first, then `progress` decides: numbers that only grow while the object lives;
4. then ``previous_attributes``: a state follows another when undoing its changes gives exactly that other state. All
   states known of that second must form one chain: of two alone, a value that went there and back would deceive;
5. otherwise nobody can know: undecided, and the object is fetched again.

Pure: no clock, no database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from payment_kit.mirror.catalogue import CATALOGUE
from payment_kit.mirror.content import Content, content
from payment_kit.mirror.shapes import undone
from payment_kit.mirror.stripe_object import Progress

Payload = Mapping[str, Any]
Verdict = Literal["newer", "older", "same", "undecided"]
Key = tuple[str, str]
"""(name of the object in the catalogue, its id)."""

CREATED, CHANGED, DELETED = 0, 1, 2
READ = "read:"
STUB_FIELDS = frozenset({"id", "object", "deleted"})


@dataclass(frozen=True, slots=True)
class State:
    """One state of one object, as an event or a read showed it.

    `raw` is canonical (see normalise.py); `time` is Stripe's, in Unix seconds; `progress` starts with the rank CREATED,
    CHANGED or DELETED; `event` is the event's id or ``read:<request id>``; `previous` are the event's
    ``previous_attributes``. `after` names the event of a stored state that surely is older: the state that was there
    before this one was asked for. `parent` is the id of the object whose list it was in, where its JSON does not say.
    `partial` means that a list inside it goes on at Stripe.
    """

    object: str
    id: str
    raw: Payload
    time: int
    progress: Progress
    event: str
    api_version: str | None = None
    deleted: bool = False
    previous: Payload | None = None
    after: str | None = None
    parent: str | None = None
    partial: bool = False
    made: Content | None = field(default=None, compare=False, repr=False)
    """The content, where whoever made the state has it already."""

    @property
    def content(self) -> Content:
        """`raw` with its JSON and digest."""
        made = self.made
        return made if made is not None and made.raw is self.raw else content(self.raw)

    @property
    def key(self) -> Key:
        """What identifies the object within one account."""
        return (self.object, self.id)

    @property
    def order(self) -> tuple[int, Progress]:
        """What a stored row is compared by, left to right."""
        return (self.time, self.progress)

    @property
    def is_read(self) -> bool:
        """True for the answer to a request, false for an event."""
        return self.event.startswith(READ)

    @property
    def is_stub(self) -> bool:
        """True for what a GET of a deleted object answers: nothing but its id."""
        return self.raw.keys() <= STUB_FIELDS


def progress_of(name: str, raw: Payload, *, created: bool = False, deleted: bool = False) -> Progress:
    """The rank and the catalogue's progress numbers of a state of the object `name`."""
    rank = DELETED if deleted else CREATED if created else CHANGED
    return (rank, *CATALOGUE[name].progress(raw))


def compare(incoming: State, current: State, known: Sequence[State] = ()) -> Verdict:
    """Is `incoming` newer than `current`? Both, and all of `known`, are states of the same object.

    `known` are the other states seen so far that have the same order; a tie is decided among all of them.
    """
    if incoming.event == current.event:
        return "same"
    if incoming.deleted or current.deleted:
        return _with_tombstone(incoming, current)
    if incoming.after == current.event:
        return "newer"
    if incoming.order != current.order:
        return "newer" if incoming.order > current.order else "older"
    winner = latest([current, incoming, *known])
    if winner is None:
        return "undecided"
    if equal(incoming.raw, current.raw):
        return "same"
    return "newer" if winner.event == incoming.event else "older"


def latest(states: Sequence[State]) -> State | None:
    """The newest of several states of one object, or None when nobody can know. `states` is not empty."""
    tombstones = [state for state in states if state.deleted]
    if tombstones:
        return min(tombstones, key=lambda state: (state.is_read, state.is_stub, state.order, state.event))
    return _last_of_tie(tied(states))


def tied(states: Sequence[State]) -> list[State]:
    """Those of `states` with the highest order key."""
    highest = max(state.order for state in states)
    return [state for state in states if state.order == highest]


def equal(one: Any, other: Any) -> bool:
    """Equality in which a missing key and null are the same, as they are in ``previous_attributes``."""
    if one == other:
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(equal(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return False


def _with_tombstone(incoming: State, current: State) -> Verdict:
    if not current.deleted:
        return "newer"
    if not incoming.deleted:
        return "older"
    # A read of a deleted object is an empty stub; the event holds the object as it was.
    return "newer" if current.is_read and not incoming.is_read else "older"


def _last_of_tie(states: Sequence[State]) -> State | None:
    """The end of the one chain in which each state follows another; None when they form no such chain.

    As long as all of them show the same, it does not matter which is the end: a state between them that nobody has seen
    yet brings the question up again.
    """
    in_order = sorted({state.event: state for state in states}.values(), key=lambda state: state.is_read)
    if all(equal(in_order[0].raw, state.raw) for state in in_order):
        return in_order[0]
    distinct: list[State] = []
    for state in in_order:
        if not any(_same(state, other) for other in distinct):
            distinct.append(state)
    if len(distinct) == 1:
        return distinct[0]
    if any(state.is_read for state in distinct):
        # The read may have seen any moment of this second.
        return None
    return _end_of_chain(distinct)


def _end_of_chain(states: Sequence[State]) -> State | None:
    """The last of `states` when each follows exactly one other, but for the first; None when they do not."""
    links = [(a.event, b) for a in states for b in states if a is not b and _follows(b, a)]
    behind = dict(links)
    starts = [state for state in states if all(state is not follower for _, follower in links)]
    if len(behind) < len(links) or len(starts) != 1:
        return None
    last, steps = starts[0], 1
    while last.event in behind:
        last, steps = behind[last.event], steps + 1
        if steps > len(states):
            return None
    # A circle beside the chain (there and back) would not be met on the way.
    return last if steps == len(states) else None


def _same(one: State, other: State) -> bool:
    """Equal content, and no room for an unseen state between the two."""
    if not equal(one.raw, other.raw):
        return False
    return one.is_read or other.is_read or equal(one.previous or {}, other.previous or {})


def _follows(state: State, before: State) -> bool:
    if not state.previous or equal(state.raw, before.raw):
        return False
    return equal(undone(state.raw, state.previous), before.raw)
