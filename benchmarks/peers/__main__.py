"""payment_kit beside the programs people use today, on one PostgreSQL and one fake Stripe.

    python -m benchmarks.peers [--objects N] [--events N] [--rounds N] [--only NAME] [--measure WHAT]
                              [--milliseconds N]

Every contender is driven through its own entry points, in rounds, so that whatever else the machine does hits all of
them; printed are medians, ratios and whether our targets hold. The first run installs the contenders into environments
of their own (benchmarks/.env and .venv/node); while it measures, only loopback addresses are asked.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from benchmarks.peers.contenders import CONTENDERS, OURS, Contender
from benchmarks.peers.copying import writing
from benchmarks.peers.deliveries import IN_FLIGHT, sendable
from benchmarks.peers.installed import install
from benchmarks.peers.laboratory import Laboratory, laboratory
from benchmarks.peers.processes import Failed
from benchmarks.peers.recording import record
from benchmarks.peers.rounds import backfill, webhooks

MEASURES = ("webhooks", "backfill", "writer", "memory")
MEMORY_GROWTH_MAX = 1.1
"""Of the peak memory, when there are four times as many objects."""
TARGETS = {"stored": 5.0, "applied": 2.0, "first": 10.0, "again": 20.0}
SAID = {
    "stored": f"webhooks verified and durably stored per second, {IN_FLIGHT} in flight",
    "applied": "webhooks applied per second",
    "first": "objects per second, first backfill",
    "again": "objects per second, the same backfill again, nothing changed",
}

Figures = dict[str, list[float]]


def main() -> int:
    """Measure and print; 0 when every target that was measured holds, 1 when not."""
    chosen = _arguments()
    installed = install()
    recording = record()
    copies = max(1, round(chosen.objects / recording.compared))
    event_copies = max(1, round(chosen.events / len(sendable(recording))))
    contenders = [one for one in CONTENDERS if not chosen.only or one.name in chosen.only]
    with laboratory(recording, installed) as lab:
        _say(*lab.machine())
        held = []
        if "webhooks" in chosen.measure:
            held += _compared(contenders, ("stored", "applied"), chosen.rounds, _webhooks(lab, event_copies))
        if "backfill" in chosen.measure:
            held += _compared(
                contenders, ("first", "again"), chosen.rounds, _backfills(lab, copies, chosen.milliseconds)
            )
        if "writer" in chosen.measure:
            held.append(_writer(lab, copies, chosen.rounds))
        if "memory" in chosen.measure:
            held.append(_memory(lab, copies))
        _say("", *(f"{one.name}: {note}" for one in contenders for note in one.notes), *lab.machine()[:1])
    return 0 if all(held) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=50_000, help="About how many are backfilled. [50000]")
    parser.add_argument("--events", type=int, default=10_000, help="About how many are delivered. [10000]")
    parser.add_argument("--rounds", type=int, default=3, help="Of which the medians are printed. [3]")
    parser.add_argument("--only", action="append", choices=[one.name for one in CONTENDERS], help="Repeatable.")
    parser.add_argument("--measure", action="append", choices=MEASURES, help="Repeatable; default: all.")
    parser.add_argument(
        "--milliseconds", type=int, default=0, help="What Stripe takes for each answer to a backfill. [0]"
    )
    chosen = parser.parse_args()
    chosen.measure = chosen.measure or MEASURES
    return chosen


Measure = Callable[[Contender], tuple[dict[str, float], str]]


def _webhooks(lab: Laboratory, copies: int) -> Measure:
    def measure(contender: Contender) -> tuple[dict[str, float], str]:
        found = webhooks(lab, contender, min(copies, contender.copies_max))
        refused = f", {found.refused:,} refused" if found.refused else ""
        told = f"{found.events:,} events{refused}, {found.requests:,} requests to Stripe; {found.wrong}"
        return {"stored": found.stored, "applied": found.applied}, told

    return measure


def _backfills(lab: Laboratory, copies: int, milliseconds: int) -> Measure:
    def measure(contender: Contender) -> tuple[dict[str, float], str]:
        found = backfill(lab, contender, min(copies, contender.copies_max), milliseconds)
        told = f"{found.objects:,} objects, {found.requests:,} requests, {found.peak_bytes / 2**20:.0f} MiB at most"
        return {"first": found.first, "again": found.again}, f"{told}; {found.wrong}"

    return measure


def _compared(contenders: Sequence[Contender], names: Sequence[str], rounds: int, measure: Measure) -> list[bool]:
    """Rounds over all contenders, and a table per figure."""
    figures: dict[str, Figures] = defaultdict(lambda: {name: [] for name in names})
    told: dict[str, str] = {}
    for number in range(rounds):
        for contender in contenders:
            print(f"round {number + 1} of {rounds}: {contender.name} …", file=sys.stderr)
            try:
                found, told[contender.name] = measure(contender)
            except Failed as failure:
                _say(f"{contender.name} failed in round {number + 1}: {failure}")
                continue
            for name, figure in found.items():
                figures[contender.name][name].append(figure)
    for name in names:
        _say("", SAID[name])
        for who, listed in figures.items():
            each = listed[name]
            _say(f"  {who:30} {median(each):10,.1f}   ({', '.join(f'{one:,.1f}' for one in each)})")
    _say("", *(f"  {name}: {said}" for name, said in told.items()))
    if OURS in contenders and OURS.name not in figures:
        return [_judge(False, f"{name}: {OURS.name} failed in every round") for name in names]
    return [_held(name, {who: median(each[name]) for who, each in figures.items()}) for name in names]


def _held(name: str, medians: Mapping[str, float]) -> bool:
    others = {who: figure for who, figure in medians.items() if who != OURS.name}
    if not others or OURS.name not in medians:
        return True
    best = max(others, key=lambda who: others[who])
    ratio = medians[OURS.name] / others[best]
    return _judge(ratio >= TARGETS[name], f"{name}: {ratio:.1f}× {best}, target {TARGETS[name]:.0f}×")


def _writer(lab: Laboratory, copies: int, rounds: int) -> bool:
    found = [writing(lab, copies) for _ in range(rounds)]
    writer, copy = median(one.writer for one in found), median(one.copy for one in found)
    _say(
        "", f"{found[0].objects:,} objects per second: the writer {writer:,.0f}, COPY of the same payloads {copy:,.0f}"
    )
    return _judge(writer / copy >= 0.5, f"writer: {writer / copy:.2f} of COPY, target 0.5")


def _memory(lab: Laboratory, copies: int) -> bool:
    small, large = (backfill(lab, OURS, copies * times) for times in (1, 4))
    peaks = [one.peak_bytes / 2**20 for one in (small, large)]
    said = f"{peaks[0]:.0f} MiB for {small.objects:,} objects, {peaks[1]:.0f} MiB for {large.objects:,}"
    _say("", f"peak memory of our backfill: {said}")
    return _judge(peaks[1] <= peaks[0] * MEMORY_GROWTH_MAX, f"memory: ×{peaks[1] / peaks[0]:.2f} for ×4 objects")


def _judge(held: bool, said: str) -> bool:
    _say(f"{'PASS' if held else 'FAIL'}  {said}")
    return held


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
