"""Whether the mirror holds what Stripe holds, and all it was ever told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from payment_kit.mirror.catalogue import CARRIED_BY, CATALOGUE
from tests.convergence import past, truth
from tests.convergence.account import Key
from tests.convergence.past import Stored

if TYPE_CHECKING:
    from tests.convergence.play import Play

Json = dict[str, Any]
SHOWN_MAX = 20
ALWAYS_READ = frozenset(name for name, entry in CATALOGUE.items() if entry.polled or entry.silent)
"""Kinds that are read whether or not an event tells of them: no excuse for a difference."""


async def differences(play: "Play") -> list[str]:
    """What is wrong, in words; empty for a mirror that can be believed."""
    rows = await _rows(play)
    return [*await _unequal(play, rows), *await _inbox(play), *await past.differences(play, rows)]


# ---- equal rows -----------------------------------------------------------------------------------------------------


async def _unequal(play: "Play", rows: Mapping[Key, Stored]) -> list[str]:
    last, found = truth.last_told(play.account), []
    theirs, gone = await truth.everything(play.account), play.account.gone()
    for key in sorted(theirs.keys() | rows.keys()):
        if key[1] == truth.SUMMARY:
            continue
        wanted, row = theirs.get(_listed(play, key)), rows.get(key)
        mine = None if row is None or row.deleted else truth.canonical(row.raw)
        if truth.same(mine, wanted):
            continue
        if key[0] in gone or (_listed(play, key) in theirs and not _told(play, key, wanted, last)):
            play.met["change told to nobody"] += 1
            continue
        found.append(f"{' '.join(key)}: {_what(mine, wanted)}")
    return found


def _listed(play: "Play", key: Key) -> Key:
    """A connected account is in its platform's list, and its events are its own: it may be stored under both."""
    return (play.account.id, key[1], key[2]) if key[1] == "account" else key


def _told(play: "Play", key: Key, wanted: Json | None, last: Mapping[Key, Json | None]) -> bool:
    """Had the mirror any way to know? Of what a deleted customer had, Stripe shows nothing any more."""
    gone = (
        key[1] == "customer_balance_transaction" and wanted and _is_gone(play, (key[0], "customer", wanted["customer"]))
    )
    if (key[1] in ALWAYS_READ or key[1] in CARRIED_BY) and not gone:
        return True
    return key in last and truth.same(truth.without_lists(last[key]), truth.without_lists(wanted))


def _is_gone(play: "Play", key: Key) -> bool:
    return "deleted" in play.account.truth.lives[key].moments[-1].row


def _what(ours: Json | None, theirs: Json | None) -> str:
    if ours is None:
        return "missing"
    if theirs is None:
        return "not at Stripe"
    fields = sorted(name for name in ours | theirs if not truth.same(ours.get(name), theirs.get(name)))
    return ", ".join(
        f"{name} {str(ours.get(name))[:60]!r}, at Stripe {str(theirs.get(name))[:60]!r}" for name in fields
    )


async def _rows(play: "Play") -> dict[Key, Stored]:
    async with play.pool.connection() as connection:
        cursor = await connection.execute(_ROWS, {"accounts": play.subject.ids})
        return {
            (who, kind, id_): Stored(raw, gone, event, at, tuple(progress), version)
            for who, kind, id_, raw, gone, event, at, progress, version in await cursor.fetchall()
        }


_ROWS = " union all ".join(
    f"select account_id, '{entry.name}', id, raw, deleted_at is not null, source_event,"
    f" extract(epoch from source_time)::bigint, source_progress, api_version"
    f" from stripe.{entry.table} where account_id = any(%(accounts)s)"
    for entry in CATALOGUE.values()
).encode()


# ---- nothing lost, nothing twice ------------------------------------------------------------------------------------


async def _inbox(play: "Play") -> list[str]:
    stored = await play.subject.stored()
    found = [f"acknowledged and lost: {one}" for one in sorted(play.acknowledged - stored)]
    gone = play.account.gone()
    told = {event["id"] for event in play.account.truth.told if event.get("account") not in gone}
    found += [f"never caught up: {one}" for one in sorted(told - stored)]
    return found + [f"given up: {one}: {why}" for one, why in await play.subject.dead()]
