"""The contract suite against another side, usually Stripe: what it does there, what differs, and a record of it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from payment_kit.sandbox.call import API_VERSION
from payment_kit.sandbox.contract.client import Client, InProcess
from payment_kit.sandbox.contract.compare import Difference, compare
from payment_kit.sandbox.contract.scenarios import SCENARIOS, Scenario
from payment_kit.sandbox.contract.steps import POLL_SECONDS, Ended, Step, Steps
from payment_kit.sandbox.server import Sandbox

SHOWN_MAX = 200
VALUE_MAX = 60


class Outcome(NamedTuple):
    """What came of a comparison: the other side's steps by scenario, and every difference."""

    theirs: dict[str, list[Step]]
    differences: list[Difference]


def announcement(base: str) -> str:
    """What a run will do to the account, for a person to agree to."""
    return (
        f"{len(SCENARIOS)} scenarios run against {base} with your test key. They make customers, products, prices, "
        "coupons, payments, refunds, a dispute and a webhook endpoint in test mode, with Stripe's test cards only: no "
        "money moves and Stripe charges nothing. What Stripe lets one delete is deleted afterwards; payments, prices "
        "and promotion codes stay in the test data. It takes two to three minutes."
    )


def verify(theirs: Client, run: str, tell: Callable[[str], object], *, poll_seconds: float = POLL_SECONDS) -> Outcome:
    """Run every scenario on both sides; `run` names this run in what it makes, `tell` hears how it goes.

    The sandbox of each scenario is a fresh one. Raises `Unreachable`.
    """
    outcome = Outcome({}, [])
    for scenario in SCENARIOS:
        ours = _taken(scenario, Steps(InProcess(Sandbox()), run, 0))
        other = _taken(scenario, Steps(theirs, run, poll_seconds))
        found = compare(scenario.__name__, ours, other)
        outcome.theirs[scenario.__name__] = other
        outcome.differences.extend(found)
        tell(f"{'✗' if found else '✓'} {scenario.__name__}: {len(other)} steps, {len(found)} differences")
    return outcome


def _taken(scenario: Scenario, steps: Steps) -> list[Step]:
    try:
        scenario(steps)
    except Ended:
        pass  # the comparison shows the step that gave too little
    finally:
        steps.clean_up()
    return steps.taken


def shown(outcome: Outcome) -> Iterator[str]:
    """The differences for a person: each path once, with how often it was met and where first."""
    met: dict[tuple[str, str, str], list[Difference]] = {}
    for difference in outcome.differences:
        key = (difference.path, _short(difference.ours), _short(difference.theirs))
        met.setdefault(key, []).append(difference)
    for (path, ours, theirs), found in list(met.items())[:SHOWN_MAX]:
        times = f" ({len(found)} times)" if len(found) > 1 else ""
        yield f"{path}: sandbox {ours}, theirs {theirs}{times}"
        yield f"    first in {found[0].scenario}: {found[0].step}"
    if len(met) > SHOWN_MAX:
        yield f"… and {len(met) - SHOWN_MAX} more in the snapshot"


def snapshot(outcome: Outcome, base: str, at: datetime) -> dict[str, Any]:
    """The record of a run: when, against whom, in which API version, every step of theirs and every difference."""
    return {
        "date": at.date().isoformat(),
        "base": base,
        "api_version": API_VERSION,
        "steps": sum(map(len, outcome.theirs.values())),
        "differences": [difference._asdict() for difference in outcome.differences],
        "scenarios": {name: [step._asdict() for step in steps] for name, steps in outcome.theirs.items()},
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"
