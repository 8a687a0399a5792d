"""Bugs somebody could write into the mirror tomorrow, one line each, and the seeds known to catch each of them.

``python -m tests.convergence.bugs --hunt`` looks for such seeds anew: after the mirror or the histories have changed.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from payment_kit.database.embedded import throwaway
from payment_kit.database.migrations import migrate
from tests.convergence.planted import Bug, Caught, hunt_all
from tests.fix_database import database_named

MIRROR = "payment_kit.mirror."
SEEDS_MAX = 25

BUGS: tuple[Bug, ...] = (
    # order
    Bug(
        "last to come wins",
        "Of two states of one second the one that arrives later stays.",
        MIRROR + "writer",
        "or (excluded.source_time, excluded.source_progress) > (stored.source_time, stored.source_progress)",
        "or excluded.source_time >= stored.source_time",
        (4,),
    ),
    Bug(
        "arrival breaks ties",
        "Of states nobody can put in order the last one is taken, without asking Stripe.",
        MIRROR + "order",
        "    return _last_of_tie(tied(states))",
        "    return tied(states)[-1]",
        (1,),
    ),
    Bug(
        "a chain is read from its end",
        "Of states that follow each other the first is taken for the last.",
        MIRROR + "order",
        "    return last if steps == len(states) else None",
        "    return starts[0] if steps == len(states) else None",
        (1,),
    ),
    Bug(
        "a circle beside a chain is overlooked",
        "Of the states of one second those that lead nowhere but back are left out of account.",
        MIRROR + "order",
        "    return last if steps == len(states) else None",
        "    return last",
        (574,),
    ),
    Bug(
        "creations come last",
        "The event of a creation is placed behind the changes of its second.",
        MIRROR + "order",
        "rank = DELETED if deleted else CREATED if created else CHANGED",
        "rank = DELETED if deleted else CHANGED if created else CREATED",
        (1,),
    ),
    # inbox
    Bug(
        "a redelivery suppresses the job",
        "An event that came twice is never processed: the commonest failure of today's receivers.",
        "inbox.claim",
        "outcome is null",
        "outcome is null and deliveries < 2",
        (1,),
    ),
    Bug(
        "the last of many is dropped",
        "Of deliveries stored together all but the first two are acknowledged and lost.",
        MIRROR + "inbox",
        "self._rows(list(counted.values()))",
        "self._rows(list(counted.values())[:2])",
        (1,),
    ),
    Bug(
        "everything is the platform's",
        "Events of connected accounts are stored under the platform's id.",
        MIRROR + "inbox",
        "rows = [(one.account or self.account_id, one, source, times)",
        "rows = [(self.account_id, one, source, times)",
        (9,),
    ),
    # worker
    Bug(
        "done before it is written",
        "Events are marked as applied in a transaction of their own, before their rows are written.",
        MIRROR + "worker",
        """        async with self._pool.connection() as connection, connection.transaction():
            parameters = {"platform": self._platform, "limit": BATCH_MAX}
            rows = await (await connection.execute(_CLAIM, parameters)).fetchall()
            claimed = [Claimed(*row) for row in rows]
""",
        """        async with self._pool.connection() as connection:
            parameters = {"platform": self._platform, "limit": BATCH_MAX}
            rows = await (await connection.execute(_CLAIM, parameters)).fetchall()
            claimed = [Claimed(*row) for row in rows]
            await _finish(connection, {(one.account_id, one.event_id): "applied" for one in claimed})
""",
        (2,),
    ),
    # writer
    Bug(
        "replaced states are forgotten",
        "What came too late for its row is not kept in the versions.",
        MIRROR + "writer",
        "        await _append_versions(connection, account_id, elsewhere)",
        "        await _append_versions(connection, account_id, [])",
        (1,),
    ),
    Bug(
        "a read changes nothing",
        "A row that is there already counts as equal to whatever was read.",
        MIRROR + "writer",
        "and stored.digest = decode(given.digest, 'hex') and stored.deleted_at is null",
        "and stored.deleted_at is null",
        (4,),
    ),
    Bug(
        "newer lists are ignored",
        "The rows of what an object carries inside are written once and never again.",
        MIRROR + "writer",
        "where stored.raw is distinct from excluded.raw or stored.deleted_at is not null",
        "where false",
        (107,),
    ),
    # deletes
    Bug(
        "deletions are changes",
        "The event of a deletion leaves the row as it is.",
        MIRROR + "normalise",
        "    if is_deletion(kind):",
        "    if kind.startswith('nothing'):",
        (1,),
    ),
    # children
    Bug(
        "children are never buried",
        "What a newer subscription no longer lists stays there.",
        MIRROR + "writer",
        "            if known:\n",
        "            if False:\n",
        (18,),
    ),
    Bug(
        "a list ends after ten",
        "Nobody reads the rest of a list that an event has cut.",
        MIRROR + "debts",
        "    if state.partial or (",
        "    if (",
        (6,),
    ),
    # debts
    Bug(
        "ties are not owed",
        "An undecided object is never read again.",
        MIRROR + "writer",
        "owed += [tie(one.winner) for key, one in decisions.items() if _owes_tie(one, groups[key])]",
        "owed += []",
        (11,),
    ),
    Bug(
        "late events owe nothing",
        "What an older event told of other objects is forgotten when a newer state is in the row.",
        MIRROR + "writer",
        "        owed += [debt for state in elsewhere for debt in around(state)]\n",
        "",
        (2,),
    ),
    Bug(
        "an answer is not written",
        "What was owed is read and called paid, and the row stays as it was.",
        MIRROR + "payer",
        "states = [state for answer in some for state in answer.states]",
        "states = list[State]()",
        (2,),
    ),
    # backfill
    Bug(
        "pages are dated by their arrival",
        "A page counts as newer than everything that happened while it was on its way.",
        MIRROR + "pages",
        "time=page.server_time, request_id",
        "time=page.server_time + 3600, request_id",
        (3,),
    ),
    # catch-up
    Bug(
        "no overlap",
        "A catch-up lists the events from the second after the last one.",
        MIRROR + "catch_up",
        "since - OVERLAP_SECONDS",
        "since + 2",
        (1,),
    ),
    Bug(
        "lost events stay lost",
        "A catch-up only looks whether there are events, and stores none.",
        MIRROR + "catch_up",
        'inbox.store_missing([envelope(orjson.dumps(event)) for event in page.data], "catch_up")',
        'inbox.store_missing([], "catch_up")',
        (1,),
    ),
    Bug(
        "what has no events is not read",
        "What may still change without any event is not listed again.",
        MIRROR + "polling",
        "{**given, **one}) for one in changing]\n",
        "{**given, **one}) for one in ()]\n",
        (3,),
    ),
)


def main() -> int:
    """0 when every bug is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.convergence.bugs", description=__doc__)
    parser.add_argument("--hunt", action="store_true", help="search seeds from 1 on, instead of the known ones")
    parser.add_argument("--only", help="bugs whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    bugs = [bug for bug in BUGS if (asked.only or "") in bug.name]
    missed = sum(caught is None for caught in hunted(bugs, asked.jobs, hunt=asked.hunt, report=_print))
    print(f"{len(bugs) - missed} of {len(bugs)} caught")
    return 1 if missed else 0


def hunted(
    bugs: Sequence[Bug],
    jobs: int,
    *,
    hunt: bool,
    report: Callable[[Bug, Caught | None], None] = lambda _bug, _caught: None,
) -> list[Caught | None]:
    """What caught each bug: its known seeds, or with `hunt` the first of `SEEDS_MAX`."""
    with ExitStack() as stack:
        cluster = stack.enter_context(throwaway())
        dsns = []
        for number in range(jobs):
            dsns.append(stack.enter_context(database_named(cluster, f"payment_kit_bugs_{number}", "template0")))
            migrate(dsns[-1])
        return hunt_all(dsns, bugs, range(1, SEEDS_MAX + 1) if hunt else None, report)


def _print(bug: Bug, caught: Caught | None) -> None:
    found = f"seed {caught.seed} after {caught.tries}: {caught.difference[:110]}" if caught else "NOT CAUGHT"
    print(f"{bug.name:34}", found, flush=True)


if __name__ == "__main__":
    sys.exit(main())
