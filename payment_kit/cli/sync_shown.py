"""What `payment-kit sync` says of accounts: how they stand, and what a catch-up found."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from payment_kit.cli.screen import Screen
from payment_kit.mirror.accounts import Account
from payment_kit.mirror.catch_up import CatchUp
from payment_kit.mirror.connect import Done
from payment_kit.mirror.status import Status, Stream
from payment_kit.stripe_gateway.gateway import API_VERSION

OUTCOMES = {
    "applied": "applied",
    "stale": "held nothing newer",
    "unmapped": "of types no table holds",
    "dead": "given up",
    "waiting": "waiting",
}


def standing(account: Account, now: Status) -> dict[str, object]:
    """How one account stands, for programs."""
    return {"account": account.id, "platform": account.platform, "livemode": account.livemode, "status": now}


def show_standing(screen: Screen, account: Account, now: Status) -> None:
    """The same for people."""
    screen.title(f"The mirror of {account.id}" + (f", connected to {account.platform}" if account.platform else ""))
    through = now.complete_through
    known = f"complete through {through:%Y-%m-%d %H:%M:%S} UTC" if through else ""
    (screen.done if now.state == "COMPLETE" else screen.warn)(now.state, known)
    for reason in now.reasons:
        screen.note(reason)
    _show_inbox(screen, now)
    for table, versions in now.versions.items():
        told = ", ".join(f"{count:,} of {version}" for version, count in sorted(versions.items()))
        screen.warn(f"{table}: rows of another API version than {API_VERSION}", told)
    streams = {stream.name: stream for stream in now.streams}
    rows = [
        [name, f"{now.rows.get(name, 0):,}" if name in now.rows else "", _through(streams.get(name))]
        for name in sorted({*now.rows, *streams})
    ]
    screen.table(["", "rows", "complete through"], rows)


def _show_inbox(screen: Screen, now: Status) -> None:
    lag = now.lag
    waiting = f"{lag.waiting:,} waiting, oldest {lag.oldest_seconds:.0f} s" if lag.waiting else "nothing waiting"
    screen.result(not lag.dead, f"Inbox: {waiting}", f"{lag.dead:,} given up" if lag.dead else "")
    outcomes = ", ".join(f"{now.events[name]:,} {said}" for name, said in OUTCOMES.items() if name in now.events)
    screen.note(f"{now.deliveries:,} deliveries; events: {outcomes or 'none yet'}")
    for one in now.unmapped:
        (screen.note if one.looked_at else screen.warn)(f"{one.type}: {one.events:,} events; {one.why}")


def _through(stream: Stream | None) -> str:
    if stream is None:
        return "—"
    marks = f"{' (reading)' if stream.running else ''}{' (refused)' if stream.refused else ''}"
    through = stream.complete_through
    return f"{through:%Y-%m-%d %H:%M:%S}{marks}" if through else f"—{marks}"


def caught_up(done: Sequence[Done[CatchUp]]) -> dict[str, object]:
    """What a catch-up found, for programs: of all accounts together, then of each."""
    found = [one.result for one in done if one.result is not None]
    outcomes = Counter[str]()
    for one in found:
        outcomes.update(one.applied.outcomes)
    return {
        "seen": sum(one.seen for one in found),
        "missing": sum(one.missing for one in found),
        "backfilled": any(one.backfilled for one in found),
        "outcomes": dict(outcomes),
        "complete_through": _iso(min((one.complete_through for one in found), default=0)),
        "accounts": [_one_caught_up(one) for one in done],
    }


def _one_caught_up(done: Done[CatchUp]) -> dict[str, object]:
    found, problem = done.result, done.problem
    if problem is not None:
        return {"account": done.account.id, "problem": problem.code, "what": problem.what}
    if found is None:
        return {"account": done.account.id}
    return {
        "account": done.account.id,
        "seen": found.seen,
        "missing": found.missing,
        "backfilled": found.backfilled,
        "outcomes": dict(found.applied.outcomes),
        "polled": {"changed": found.polled.changed, "refused": dict(found.polled.refused)},
        "complete_through": _iso(found.complete_through),
    }


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def show_caught_up(screen: Screen, done: Sequence[Done[CatchUp]]) -> None:
    """A line or two for each account."""
    for one in done:
        of = f"{one.account.id}: " if len(done) > 1 else ""
        if one.problem is not None:
            screen.fail(f"{of}{one.problem}")
        elif one.result is not None:
            found = one.result
            screen.done(
                f"{of}{found.seen:,} events compared", f"{found.missing:,} had not reached us and are applied now"
            )
            if found.backfilled:
                screen.note("The last catch-up was longer ago than Stripe keeps events: every object was listed anew.")
            for table, why in found.polled.refused.items():
                screen.note(f"{table} could not be read again: {why}")
            screen.note(f"The mirror is complete through {_iso(found.complete_through)}.")
