"""What is measured of one contender in one round: a first backfill, the same again, and its webhooks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers.contenders import SECRET, Command, Contender, Place
from benchmarks.peers.copies import suffix
from benchmarks.peers.deliveries import Delivered, bodies, deliver, sendable
from benchmarks.peers.laboratory import Laboratory, requests
from benchmarks.peers.processes import Failed, run, served
from benchmarks.peers.recording import COMPARED, Recording

APPLIED_SECONDS_MAX = 600
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Wrong:
    """Rows that are not there, and rows whose status is not Stripe's."""

    missing: Mapping[str, int]
    stale: Mapping[str, int]

    def __str__(self) -> str:
        told = [f"{number} {kind}s missing" for kind, number in self.missing.items()]
        told += [f"{number} {kind}s with an old status" for kind, number in self.stale.items()]
        return ", ".join(told) or "all rows right"


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Objects per second of the first copy and of the unchanged second, the most memory, the requests of the first."""

    objects: int
    first: float
    again: float
    peak_bytes: int
    requests: int
    wrong: Wrong


@dataclass(frozen=True, slots=True)
class Received:
    """Events per second until the last was acknowledged, and until the last was in the tables.

    `refused` counts the answers that were not 2xx, `requests` what Stripe was asked for to apply the events.
    """

    events: int
    stored: float
    applied: float
    refused: int
    requests: int
    wrong: Wrong


def backfill(lab: Laboratory, contender: Contender, copies: int, milliseconds: int = 0) -> Backfilled:
    """An empty database, a first backfill, and another while nothing changed; Stripe takes so long for each answer."""
    objects = lab.recording.compared * copies
    with lab.stripe(copies, milliseconds) as stripe:
        place = lab.fresh(contender, stripe)
        lab.settle()
        requests(stripe)
        first = run(contender.backfill(place), lab.log("backfill"))
        asked = sum(requests(stripe).values())
        lab.settle()
        again = run(contender.backfill(place), lab.log("backfill-again"))
        wrong = _wrong(lab, contender, place, _listed(lab.recording), copies)
    peak = max(first.peak_bytes, again.peak_bytes)
    return Backfilled(objects, objects / first.seconds, objects / again.seconds, peak, asked, wrong)


def webhooks(lab: Laboratory, contender: Contender, copies: int) -> Received:
    """The same events twice, each time into an empty database: until they are stored, and until they are applied."""
    events = list(bodies(lab.recording, copies))
    with lab.stripe(copies) as stripe:
        place = lab.fresh(contender, stripe)
        requests(stripe)
        stored, applied = _received(lab, contender, place, contender.receive(place), events)
        if contender.apply is not None:
            place = lab.fresh(contender, stripe)
            _, applied = _received(lab, contender, place, contender.apply(place), events, contender.waiting)
        asked = sum(requests(stripe).values())
        wrong = _wrong(lab, contender, place, _touched(lab.recording), copies)
    refused = sum(number for status, number in stored.statuses.items() if not 200 <= status < 300)
    return Received(len(events), len(events) / stored.seconds, len(events) / applied, refused, asked, wrong)


def _received(
    lab: Laboratory,
    contender: Contender,
    place: Place,
    commands: Sequence[Command],
    events: Sequence[bytes],
    waiting: str | None = None,
) -> tuple[Delivered, float]:
    """What the deliveries took, and the seconds from the first of them until `waiting` counts nothing any more."""
    lab.settle()
    with served(commands, lab.log("receiver")) as said:
        began = time.perf_counter()
        delivered = deliver(int(said[contender.port_field]), contender.path, SECRET, events)
        while waiting is not None and (left := lab.count(place, waiting)):
            if time.perf_counter() - began > APPLIED_SECONDS_MAX:
                raise Failed(f"{contender.name} had {left} of {len(events)} events left")
            time.sleep(POLL_SECONDS)
        seconds = delivered.seconds if waiting is None else time.perf_counter() - began
    return delivered, seconds


def _listed(recording: Recording) -> dict[str, dict[str, str | None]]:
    """Status by id of every recorded object."""
    return {kind: {one["id"]: one.get("status") for one in recording.objects[kind]} for kind in COMPARED}


def _touched(recording: Recording) -> dict[str, dict[str, str | None]]:
    """The same of the objects that have an event."""
    having = {event["data"]["object"]["id"] for event in sendable(recording)}
    return {kind: {id_: status for id_, status in found.items() if id_ in having}
            for kind, found in _listed(recording).items()}  # fmt: skip


def _wrong(
    lab: Laboratory, contender: Contender, place: Place, truth: Mapping[str, Mapping[str, str | None]], copies: int
) -> Wrong:
    missing, stale = dict[str, int](), dict[str, int]()
    for kind, recorded in truth.items():
        rows = lab.rows(place, contender.rows[kind])
        expected = {f"{id_}{suffix(number).decode()}": status
                    for id_, status in recorded.items() for number in range(copies)}  # fmt: skip
        missing[kind] = sum(id_ not in rows for id_ in expected)
        stale[kind] = sum(status is not None and rows.get(id_, status) != status for id_, status in expected.items())
    return Wrong({kind: one for kind, one in missing.items() if one}, {kind: one for kind, one in stale.items() if one})
